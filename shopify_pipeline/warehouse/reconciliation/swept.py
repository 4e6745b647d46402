"""Holds what the store listed, and compares it with a table, set against set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from shopify_pipeline.warehouse.copying import psycopg_connection, type_name
from shopify_pipeline.warehouse.tables import Table
from shopify_pipeline.warehouse.versions import LONG_AGO

_TIME = sa.DateTime(timezone=True)

SWEPT = sa.Table(
    "swept",
    sa.MetaData(),
    sa.Column("sweep", sa.Uuid),
    sa.Column("shopify_id", sa.BigInteger),
    sa.Column("updated_at", _TIME),
    sa.Column("drifting", ARRAY(sa.Text)),
    sa.Column("children", ARRAY(sa.BigInteger)),
    sa.Column("swept_at", _TIME),
    schema="shopify_internal",
)
COLUMNS = ("sweep", "shopify_id", "updated_at", "drifting", "children")
KEPT = "2 days"

NULL = "\\N"
"""Stands for an empty value in `drifting`."""

Query = sa.Select[Any]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What the rows of a sweep are to be compared with.

    `seen_at` is a time not later than when the store listed them: what the table saw alive since
    is not judged. `start` and `end` bound the time of creation that was listed. `checkpoint`:
    what the store changed later is not due here yet. `children` are the child tables whose number
    was listed, each with the column whose sum is that number (None: the rows are counted).
    """

    sweep: UUID
    table: Table
    seen_at: datetime
    start: datetime
    end: datetime
    checkpoint: datetime
    drifting: Sequence[str] = ()
    children: Sequence[tuple[Table, str | None]] = ()

    @property
    def _swept(self) -> sa.Subquery:
        return sa.select(SWEPT).where(SWEPT.c.sweep == self.sweep).subquery("swept")

    def divergences(self, *, look_for_extra: bool) -> Iterator[tuple[str, Query]]:
        """The kinds of divergence, each with a query for `shopify_id`, `detail` and `cause`.

        Extra rows only where the listing is complete and shows all that the table may hold.
        """
        swept, row = self._swept, self.table.sql.c
        key = row[self.table.key]
        pairs = swept.outerjoin(self.table.sql, key == swept.c.shopify_id)
        old = sa.func.coalesce(row.observed_at, LONG_AGO) < self.seen_at
        alive = sa.and_(row.id.is_not(None), row.deleted_at.is_(None))
        due = swept.c.updated_at < self.checkpoint
        same = sa.and_(alive, old, row.updated_at == swept.c.updated_at)
        ids = swept.c.shopify_id

        def found(kind: str, detail: Any, cause: str, *conditions: Any) -> tuple[str, Query]:
            query = sa.select(ids, detail.label("detail"), sa.literal(cause).label("cause"))
            return kind, query.select_from(pairs).where(*conditions)

        none = sa.null()
        times = sa.func.concat("here ", row.updated_at, ", in Shopify ", swept.c.updated_at)
        yield found(
            "missing", none, "its change was before the checkpoint, so it was read and lost, or "
            "Shopify's index showed it later than the overlap", row.id.is_(None), due,
        )  # fmt: skip
        yield found(
            "revived", sa.func.concat("marked deleted at ", row.deleted_at),
            "marked deleted here, by a webhook or a reconciliation, and alive in Shopify",
            row.deleted_at < self.seen_at,
        )  # fmt: skip
        yield found(
            "stale", times, "its change was before the checkpoint: neither pull nor webhook "
            "brought it", alive,
            sa.func.coalesce(row.updated_at, LONG_AGO) < swept.c.updated_at, due,
        )  # fmt: skip
        yield found(
            "ahead", times, "the row claims a version that Shopify does not know: it was written "
            "by something else", alive, old, row.updated_at > swept.c.updated_at,
        )  # fmt: skip
        if self.drifting:
            differing = sa.func.concat_ws(", ", *self._drifts(swept))
            yield found(
                "drifted", differing, "Shopify changes it without updated_at, or something else "
                "wrote it here", same, differing != "",
            )  # fmt: skip
        for number, (child, counted_by) in enumerate(self.children, 1):
            yield self._miscounted(swept, same, number, child, counted_by)
        if look_for_extra:
            yield self._extra(swept, old)

    def _drifts(self, swept: sa.Subquery) -> list[sa.ColumnElement[Any]]:
        row = self.table.sql.c
        return [
            sa.case(
                (
                    row[name].is_distinct_from(
                        sa.cast(sa.func.nullif(swept.c.drifting[n], NULL), row[name].type)
                    ),
                    name,
                )
            )
            for n, name in enumerate(self.drifting, 1)
        ]

    def _miscounted(
        self, swept: sa.Subquery, same: Any, number: int, child: Table, counted_by: str | None
    ) -> tuple[str, Query]:
        """Owners with another number of children than the store says.

        Where a sum is counted the store may leave some out (gift cards, lines that an edit
        added), so what proved to be right is not looked at again until the numbers change.
        """
        assert child.owner is not None  # noqa: S101
        row, below = self.table.sql.c, child.sql.c
        total = sa.func.coalesce(sa.func.sum(below[counted_by]), 0) if counted_by else None
        sums = (
            sa.select(
                below[child.owner.column].label("owner"),
                (sa.func.count() if total is None else total).label("has"),
            )
            .where(below.deleted_at.is_(None), below[child.owner.column].is_not(None))
            .group_by(below[child.owner.column])
            .subquery("sums")
        )
        has = sa.func.coalesce(sums.c.has, 0)
        says = swept.c.children[number]
        what = counted_by or "rows"
        detail = sa.func.concat(
            child.name, ": ", what, " ", has, " here, ", says, " in Shopify", type_=sa.Text
        )
        known = sa.exists().where(
            DIVERGENCES.c.entity == self.table.entity,
            DIVERGENCES.c.shopify_id == swept.c.shopify_id,
            DIVERGENCES.c.outcome == "right",
            DIVERGENCES.c.detail == detail,
        )
        query = (
            sa.select(
                swept.c.shopify_id,
                detail.label("detail"),
                sa.literal(
                    "a child is missing, extra or changed, without its owner's updated_at"
                ).label("cause"),
            )
            .select_from(
                swept.join(self.table.sql, row[self.table.key] == swept.c.shopify_id).outerjoin(
                    sums, sums.c.owner == row.id
                )
            )
            .where(same, says.is_not(None), has != says, sa.not_(known))
        )
        return f"children: {child.entity}", query

    def _extra(self, swept: sa.Subquery, old: Any) -> tuple[str, Query]:
        row = self.table.sql.c
        listed = sa.exists().where(swept.c.shopify_id == row[self.table.key])
        within = sa.or_(
            row.created_at.is_(None),
            sa.and_(row.created_at >= self.start, row.created_at < self.end),
        )
        return "extra", sa.select(
            row[self.table.key].label("shopify_id"),
            sa.null().label("detail"),
            sa.literal("deleted in Shopify, and no webhook told").label("cause"),
        ).where(row.deleted_at.is_(None), old, within, sa.not_(listed))


DIVERGENCES = sa.Table(
    "divergences",
    sa.MetaData(),
    sa.Column("reconciliation", sa.Uuid),
    sa.Column("entity", sa.Text),
    sa.Column("shopify_id", sa.BigInteger),
    sa.Column("kind", sa.Text),
    sa.Column("detail", sa.Text),
    sa.Column("cause", sa.Text),
    sa.Column("found_at", _TIME),
    sa.Column("outcome", sa.Text),
    schema="shopify_internal",
)


_COPY = f"COPY shopify_internal.swept ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"


def store(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Put rows of `COLUMNS` there, by COPY."""
    types = [type_name(SWEPT.c[name].type) for name in COLUMNS]
    with psycopg_connection(connection).cursor().copy(_COPY) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def analyze(connection: sa.Connection) -> None:
    """Let the planner know how much is there."""
    connection.exec_driver_sql("ANALYZE shopify_internal.swept")


def forget(connection: sa.Connection, sweep: UUID) -> None:
    """Remove a sweep's rows, and those that a crash left behind."""
    connection.execute(
        sa.delete(SWEPT).where(
            sa.or_(
                SWEPT.c.sweep == sweep,
                SWEPT.c.swept_at < sa.func.now() - sa.text(f"interval '{KEPT}'"),
            )
        )
    )
