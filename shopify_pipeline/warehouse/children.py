"""The statements that merge children under the verdicts on their parents."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shopify_pipeline.warehouse.links import (
    carried_links,
    joined_to_parents,
    link_after,
    linked_ids,
)
from shopify_pipeline.warehouse.staging import passed_table, temporary_table
from shopify_pipeline.warehouse.tables import Link, Table
from shopify_pipeline.warehouse.versions import (
    LONG_AGO,
    SETTLED,
    WAS_INSERTED,
    WRITTEN,
    Columns,
    Write,
    child_applies,
    resurrects,
    says_the_same,
    value,
)

_now = sa.func.now()


@dataclass(frozen=True)
class ChildStatements:
    """Statements that merge children under the verdicts on their parents."""

    table: Table
    shape: tuple[str, ...]
    write: Write
    owner_table: Table

    @property
    def _link(self) -> Link:
        return cast("Link", self.table.owner)

    @cached_property
    def busy(self) -> sa.Executable:
        """List unchanged parents with work below them; count what is unchanged below the others."""
        judged = self._judged(("unchanged",))
        owner = judged.c[self._link.id_column]
        busy: Any = sa.select(owner.label("owner")).where(judged.c.verdict.in_(WRITTEN))
        if self.table.prune:
            target, passed = self.table.sql, passed_table(self.owner_table)
            busy = busy.union(
                sa.select(passed.c.key).where(
                    passed.c.verdict == "unchanged", self._is_absent(target.c, passed.c)
                )
            )
        else:
            busy = busy.distinct()
        busy = busy.cte("busy")
        idle = owner.not_in(sa.select(busy.c.owner))
        count = sa.func.count()
        return sa.select(
            sa.select(sa.func.array_agg(busy.c.owner)).scalar_subquery(),
            count.filter(judged.c.verdict == "unchanged", idle),
        ).select_from(judged)

    @cached_property
    def merge(self) -> sa.Executable:
        """Write the children of settled parents; return inserted, updated and unchanged counts."""
        judged = self._judged(SETTLED)
        written = self._upsert(judged).cte("written")
        count = sa.func.count()
        return sa.select(
            sa.select(count.filter(written.c.was_inserted)).scalar_subquery(),
            sa.select(count.filter(sa.not_(written.c.was_inserted))).scalar_subquery(),
            sa.select(count).where(judged.c.verdict == "unchanged").scalar_subquery(),
        )

    @cached_property
    def prune(self) -> sa.Executable:
        """Mark the children that a complete read of their parent no longer has."""
        target, passed = self.table.sql, passed_table(self.owner_table)
        return (
            sa.update(target)
            .values(deleted_at=passed.c.observed_at, synced_at=_now)
            .where(passed.c.verdict.in_(SETTLED), self._is_absent(target.c, passed.c))
        )

    def _is_absent(self, child: Columns, parent: Columns) -> sa.ColumnElement[bool]:
        staged = temporary_table(self.table, self.shape)
        present = sa.exists().where(
            staged.c[self.table.key] == child[self.table.key],
            staged.c[self._link.id_column] == parent.key,
            staged.c.observed_at == parent.observed_at,
        )
        return sa.and_(
            child[self._link.column] == parent.id,
            child.deleted_at.is_(None),
            sa.func.coalesce(child.observed_at, LONG_AGO) <= parent.observed_at,
            sa.not_(present),
        )

    def _judged(self, parents: Sequence[str]) -> sa.CTE:
        table, shape = self.table, self.shape
        new, passed = temporary_table(table, shape), passed_table(self.owner_table)
        row = table.sql.alias("existing")
        carried = [name for name in shape if name != "observed_at"]
        # A child with an updated_at of its own is whole as of the later of the two.
        own = [new.c.updated_at] if "updated_at" in shape else []
        whole_at = sa.func.greatest(*own, passed.c.updated_at)
        same = sa.and_(
            says_the_same(table, carried, new.c, row.c),
            sa.not_(resurrects(self.write, new.c, row.c)) | passed.c.deleted_at.is_not(None),
            row.c.deleted_at.is_not(None) | passed.c.deleted_at.is_(None),
            row.c[self._link.column].is_not_distinct_from(passed.c.id),
            *([row.c.complete_at.is_not_distinct_from(whole_at)] if self.write.is_whole else []),
        )
        verdict = sa.case(
            (row.c.id.is_(None), "inserted"),
            (sa.not_(child_applies(new.c, row.c)), "stale"),
            (same, "unchanged"),
            else_="updated",
        )
        return (
            sa.select(
                new.c[table.key],
                new.c[self._link.id_column],
                *linked_ids(table, shape, new.c, row.c),
                passed.c.id.label("owner_id"),
                passed.c.deleted_at.label("owner_deleted_at"),
                whole_at.label("whole_at"),
                verdict.label("verdict"),
            )
            .select_from(
                new.join(
                    passed,
                    sa.and_(
                        passed.c.key == new.c[self._link.id_column],
                        passed.c.observed_at == new.c.observed_at,
                    ),
                ).outerjoin(row, row.c[table.key] == new.c[table.key])
            )
            .where(passed.c.verdict.in_(parents))
            .cte("judged")
        )

    def _upsert(self, judged: sa.CTE) -> Any:
        table, shape, write = self.table, self.shape, self.write
        target, staged = table.sql, temporary_table(table, shape)
        links, source = joined_to_parents(table, shape, judged, staged)
        columns = [*shape, *(link.name for link in links), self._link.column]
        columns += ["deleted_at", "synced_at"]
        values = [*(staged.c[name] for name in shape), *links, judged.c.owner_id]
        values += [judged.c.owner_deleted_at, _now]
        if write.is_whole:
            columns.append("complete_at")
            values.append(judged.c.whole_at)
        statement = insert(target).from_select(
            columns,
            sa.select(*values)
            .select_from(source)
            .where(judged.c.verdict.in_(WRITTEN))
            .order_by(judged.c[table.key]),
        )
        new, old = statement.excluded, target.c
        carried = [name for name in shape if name not in {table.key, "observed_at"}]
        after: dict[str, Any] = {name: value(table, name, new, old) for name in carried}
        for link in carried_links(table, shape):
            after[link.column] = link_after(link, table, old, new)
        after["observed_at"] = new.observed_at
        after[self._link.column] = new[self._link.column]
        after["synced_at"] = new.synced_at
        kept = sa.case((resurrects(write, new, old), sa.null()), else_=old.deleted_at)
        after["deleted_at"] = sa.func.coalesce(kept, new.deleted_at)
        if write.is_whole:
            after["complete_at"] = new.complete_at
        return statement.on_conflict_do_update(
            index_elements=[old[table.key]], set_=after, where=child_applies(new, old)
        ).returning(WAS_INSERTED.label("was_inserted"))


@cache
def child_statements(
    table: Table, shape: tuple[str, ...], write: Write, owner: Table
) -> ChildStatements:
    """Return the statements for children of one shape."""
    return ChildStatements(table, shape, write, owner)
