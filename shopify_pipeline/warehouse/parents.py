"""The statements that merge rows with a version of their own, built once for a table and shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shopify_pipeline.warehouse.links import (
    carried_links,
    joined_to_parents,
    link_after,
    linked_ids,
)
from shopify_pipeline.warehouse.staging import passed_table, temporary_table
from shopify_pipeline.warehouse.tables import Table
from shopify_pipeline.warehouse.versions import (
    LONG_AGO,
    WAS_INSERTED,
    WRITTEN,
    Columns,
    Write,
    applies,
    resurrects,
    says_the_same,
    value,
)

_now = sa.func.now()


@dataclass(frozen=True)
class ParentStatements:
    """Statements that merge rows with a version of their own."""

    table: Table
    shape: tuple[str, ...]
    write: Write

    @cached_property
    def merge(self) -> sa.Executable:
        """Write what wins, note each row's verdict, return verdicts and counts."""
        table, shape, write = self.table, self.shape, self.write
        target, new = table.sql, temporary_table(table, shape)
        row = target.alias("existing")
        carried = [name for name in shape if name != "observed_at"]
        verdict = sa.case(
            (row.c.id.is_(None), "inserted"),
            (sa.not_(sa.func.coalesce(applies(write, new.c, row.c), sa.false())), "stale"),
            *self._unchanged(carried, new.c, row.c),
            else_="updated",
        )
        version = [new.c[name] for name in ("updated_at", "observed_at") if name in shape]
        judged = (
            sa.select(
                new.c[table.key],
                *version,
                *linked_ids(table, shape, new.c, row.c),
                row.c.id.label("row_id"),
                row.c.deleted_at.label("row_deleted_at"),
                verdict.label("verdict"),
            )
            .select_from(new.outerjoin(row, row.c[table.key] == new.c[table.key]))
            .cte("judged")
        )
        written = self._upsert(carried, judged).cte("written")
        passed = passed_table(table)
        outcome = sa.case(
            (written.c.was_inserted, "inserted"),
            (written.c.id.is_not(None), "updated"),
            (judged.c.verdict == "unchanged", "unchanged"),
            else_="stale",
        )
        updated_at = judged.c.updated_at if "updated_at" in shape else sa.null()
        noted = (
            insert(passed)
            .from_select(
                [column.name for column in passed.c],
                sa.select(
                    judged.c[table.key],
                    sa.func.coalesce(written.c.id, judged.c.row_id),
                    sa.cast(updated_at, sa.DateTime(timezone=True)),
                    judged.c.observed_at,
                    sa.case(
                        (written.c.id.is_not(None), written.c.deleted_at),
                        else_=judged.c.row_deleted_at,
                    ),
                    outcome,
                ).select_from(
                    judged.outerjoin(written, written.c[table.key] == judged.c[table.key])
                ),
            )
            .returning(passed.c.verdict)
            .cte("noted")
        )
        return sa.select(noted.c.verdict, sa.func.count()).group_by(noted.c.verdict)

    def _unchanged(
        self, carried: Sequence[str], new: Columns, row: Columns
    ) -> list[tuple[sa.ColumnElement[bool], str]]:
        if not self.write.is_whole:
            return []
        same = sa.and_(
            new.updated_at.is_not_distinct_from(row.complete_at),
            sa.not_(resurrects(self.write, new, row)),
            says_the_same(self.table, carried, new, row),
        )
        return [(same, "unchanged")]

    def _upsert(self, carried: Sequence[str], judged: sa.CTE) -> Any:
        table, shape, write = self.table, self.shape, self.write
        target, staged = table.sql, temporary_table(table, shape)
        links, source = joined_to_parents(table, shape, judged, staged)
        columns = [*shape, *(link.name for link in links), "synced_at"]
        values = [*(staged.c[name] for name in shape), *links, _now]
        if write.is_whole:
            columns.append("complete_at")
            values.append(staged.c.updated_at)
        statement = insert(target).from_select(
            columns,
            sa.select(*values)
            .select_from(source)
            .where(judged.c.verdict.in_(WRITTEN))
            .order_by(judged.c[table.key]),
        )
        new, old = statement.excluded, target.c
        after: dict[str, Any] = {
            name: value(table, name, new, old) for name in carried if name != table.key
        }
        for link in carried_links(table, shape):
            after[link.column] = link_after(link, table, old, new)
        after["observed_at"] = sa.func.greatest(old.observed_at, new.observed_at)
        after["synced_at"] = new.synced_at
        if write.is_whole:
            after["complete_at"] = new.complete_at
            after["deleted_at"] = sa.case(
                (resurrects(write, new, old), sa.null()), else_=old.deleted_at
            )
        return statement.on_conflict_do_update(
            index_elements=[old[table.key]], set_=after, where=applies(write, new, old)
        ).returning(old[table.key], old.id, old.deleted_at, WAS_INSERTED.label("was_inserted"))

    @cached_property
    def lock(self) -> sa.Executable:
        """Lock unchanged parents (`owners`) whose children must be written."""
        target = self.table.sql
        return (
            sa.select(target.c[self.table.key])
            .where(target.c[self.table.key] == sa.any_(_owners()))
            .order_by(target.c[self.table.key])
            .with_for_update(read=True)
        )

    @cached_property
    def settle(self) -> sa.Executable:
        """Give the locked parents their verdict: a newer version may have come in meanwhile."""
        target, passed = self.table.sql, passed_table(self.table)
        still = sa.and_(
            target.c.updated_at.is_not_distinct_from(passed.c.updated_at),
            target.c.complete_at.is_not_distinct_from(passed.c.updated_at),
            sa.func.coalesce(target.c.observed_at, LONG_AGO) <= passed.c.observed_at,
        )
        return (
            sa.update(passed)
            .values(
                verdict=sa.case((still, "locked"), else_="stale"), deleted_at=target.c.deleted_at
            )
            .where(
                passed.c.key == sa.any_(_owners()),
                passed.c.key == target.c[self.table.key],
            )
        )


def _owners() -> sa.BindParameter[Any]:
    return sa.bindparam("owners", type_=sa.ARRAY(sa.BigInteger))


@cache
def parent_statements(table: Table, shape: tuple[str, ...], write: Write) -> ParentStatements:
    """Return the statements for parents of one shape."""
    return ParentStatements(table, shape, write)
