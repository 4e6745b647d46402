"""Keeps what a reconciliation found, and works out what became of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shopify_pipeline.warehouse.reconciliation.swept import DIVERGENCES
from shopify_pipeline.warehouse.refresh_queue import QUEUE
from shopify_pipeline.warehouse.tables import Table

REPAIRED, DELETED, LEFT, RIGHT = "repaired", "deleted", "left", "right"
"""Outcomes: written anew, marked deleted, still to be repaired, no divergence after all."""

KEPT = "90 days"

_TIME = sa.DateTime(timezone=True)

REPORTS = sa.Table(
    "reconciliations",
    sa.MetaData(),
    sa.Column("id", sa.Uuid),
    sa.Column("entity", sa.Text),
    sa.Column("started_at", _TIME),
    sa.Column("ended_at", _TIME),
    sa.Column("windows_compared", sa.Integer),
    sa.Column("windows_differing", sa.Integer),
    sa.Column("counted_by_shopify", sa.BigInteger),
    sa.Column("counted_here", sa.BigInteger),
    sa.Column("swept_by", sa.Text),
    sa.Column("ids_swept", sa.BigInteger),
    sa.Column("found", sa.BigInteger),
    sa.Column("repaired", sa.BigInteger),
    sa.Column("left_over", sa.BigInteger),
    sa.Column("was_right", sa.BigInteger),
    sa.Column("note", sa.Text),
    schema="shopify_internal",
)

_of = DIVERGENCES.c


def begin(connection: sa.Connection, entity: str, *, started_at: datetime) -> UUID:
    """Open a report, and drop those that are older than 90 days."""
    connection.execute(
        sa.delete(REPORTS).where(
            REPORTS.c.entity == entity,
            REPORTS.c.started_at < sa.func.now() - sa.text(f"interval '{KEPT}'"),
        )
    )
    statement = insert(REPORTS).values(entity=entity, started_at=started_at)
    report: UUID = connection.execute(statement.returning(REPORTS.c.id)).scalar_one()
    return report


def finish(connection: sa.Connection, report: UUID, values: Mapping[str, Any]) -> None:
    """Close a report with its figures, by column."""
    connection.execute(
        sa.update(REPORTS)
        .values({**values, "ended_at": sa.func.now()})
        .where(REPORTS.c.id == report)
    )


def add(
    connection: sa.Connection, report: UUID, entity: str, kind: str, query: sa.Select[Any]
) -> int:
    """Keep what a query for `shopify_id`, `detail` and `cause` finds; return how many are new."""
    found = query.subquery("found")
    statement = insert(DIVERGENCES).from_select(
        ["reconciliation", "entity", "shopify_id", "kind", "detail", "cause"],
        sa.select(
            sa.literal(report, sa.Uuid),
            sa.literal(entity),
            found.c.shopify_id,
            sa.literal(kind),
            found.c.detail,
            found.c.cause,
        ),
    )
    done = connection.execute(
        statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True}
    )
    return done.rowcount


def add_settled(
    connection: sa.Connection,
    report: UUID,
    entity: str,
    ids: Sequence[int],
    *,
    kind: str,
    cause: str,
    outcome: str,
) -> None:
    """Keep divergences that were found and settled at once."""
    if ids:
        rows = [
            {
                "reconciliation": report,
                "entity": entity,
                "shopify_id": shopify_id,
                "kind": kind,
                "cause": cause,
                "outcome": outcome,
            }
            for shopify_id in ids
        ]
        connection.execute(insert(DIVERGENCES).on_conflict_do_nothing(), rows)


def unsettled(
    connection: sa.Connection, report: UUID, entity: str, *, kind: str | None = None
) -> sa.Select[Any]:
    """The ids of an entity's divergences that have no outcome yet."""
    query = sa.select(_of.shopify_id).where(
        _of.reconciliation == report, _of.entity == entity, _of.outcome.is_(None)
    )
    return query if kind is None else query.where(_of.kind == kind)


def chunks(
    connection: sa.Connection,
    report: UUID,
    entity: str,
    *,
    size: int = 5_000,
    kind: str | None = None,
) -> Iterator[list[int]]:
    """Those ids in ascending chunks."""
    after = -1
    query = unsettled(connection, report, entity, kind=kind).distinct()
    while True:
        chunk = query.where(_of.shopify_id > after).order_by(_of.shopify_id).limit(size)
        ids = list(connection.execute(chunk).scalars())
        if not ids:
            return
        yield ids
        after = ids[-1]


def still_queued(connection: sa.Connection, entity: str, ids: Sequence[int]) -> list[int]:
    """Those of the ids that wait in the refresh queue."""
    wanted = sa.bindparam("ids", sorted(ids), type_=sa.ARRAY(sa.BigInteger))
    found = sa.select(QUEUE.c.shopify_id).where(
        QUEUE.c.entity == entity, QUEUE.c.shopify_id == sa.any_(wanted)
    )
    return list(connection.execute(found).scalars())


def settle(connection: sa.Connection, report: UUID, table: Table, *, since: datetime) -> None:
    """Say of each divergence without outcome what became of it, by the row and the queue.

    `since` is on the database's clock: a row written later was changed by the repair.
    """
    row = table.sql.alias("here")
    waiting = sa.exists().where(QUEUE.c.entity == _of.entity, QUEUE.c.shopify_id == _of.shopify_id)
    there = sa.select(sa.literal(1)).where(row.c[table.key] == _of.shopify_id)
    outcome = sa.case(
        (waiting, LEFT),
        (sa.not_(there.exists()), LEFT),
        (there.where(row.c.deleted_at.is_not(None)).exists(), DELETED),
        (there.where(row.c.synced_at >= since).exists(), REPAIRED),
        else_=RIGHT,
    )
    connection.execute(
        sa.update(DIVERGENCES)
        .values(outcome=outcome)
        .where(_of.reconciliation == report, _of.entity == table.entity, _of.outcome.is_(None))
    )


def judge_owners(
    connection: sa.Connection,
    report: UUID,
    owner: Table,
    child: Table,
    ids: Sequence[int],
    *,
    kind: str,
    still: Sequence[int],
    since: datetime,
) -> None:
    """Say what became of owners that had another number of children: `still` have.

    The others were repaired where a child was written since, else right before.
    """
    assert child.owner is not None  # noqa: S101
    row, below = owner.sql.c, child.sql.c
    written = (
        sa.exists()
        .where(row[owner.key] == _of.shopify_id, below[child.owner.column] == row.id)
        .where(below.synced_at >= since)
    )
    bad = sa.bindparam("still", sorted(still), type_=sa.ARRAY(sa.BigInteger))
    wanted = sa.bindparam("ids", sorted(ids), type_=sa.ARRAY(sa.BigInteger))
    connection.execute(
        sa.update(DIVERGENCES)
        .values(
            outcome=sa.case(
                (_of.shopify_id == sa.any_(bad), LEFT), (written, REPAIRED), else_=RIGHT
            )
        )
        .where(
            _of.reconciliation == report,
            _of.entity == owner.entity,
            _of.kind == kind,
            _of.shopify_id == sa.any_(wanted),
        )
    )


def numbers(connection: sa.Connection, report: UUID) -> dict[str, int]:
    """How many records ended in each outcome; one found for several reasons, by its worst."""
    order = [LEFT, DELETED, REPAIRED, RIGHT]
    outcome = sa.func.coalesce(_of.outcome, LEFT)
    rank = sa.func.min(sa.case(*((outcome == one, n) for n, one in enumerate(order))))
    records = (
        sa.select(rank.label("rank"))
        .where(_of.reconciliation == report)
        .group_by(_of.entity, _of.shopify_id)
        .subquery("records")
    )
    rows = connection.execute(sa.select(records.c.rank, sa.func.count()).group_by(records.c.rank))
    return {order[place]: number for place, number in rows}


def summary(connection: sa.Connection, report: UUID) -> list[tuple[str, str, str, str, int]]:
    """Entity, kind, cause, outcome and number of what was found."""
    rows = connection.execute(
        sa.select(
            _of.entity,
            _of.kind,
            sa.func.coalesce(_of.cause, ""),
            sa.func.coalesce(_of.outcome, LEFT),
            sa.func.count(),
        )
        .where(_of.reconciliation == report)
        .group_by(*(sa.literal_column(str(n)) for n in range(1, 5)))
        .order_by(sa.literal_column("1"), sa.literal_column("2"), sa.literal_column("4"))
    )
    return [tuple(row) for row in rows]


def first(
    connection: sa.Connection, report: UUID, *, outcome: str, most: int = 20
) -> list[Mapping[str, Any]]:
    """The first divergences with an outcome: entity, id, kind and detail."""
    rows = connection.execute(
        sa.select(_of.entity, _of.shopify_id, _of.kind, _of.detail)
        .where(_of.reconciliation == report, _of.outcome == outcome)
        .order_by(_of.entity, _of.shopify_id)
        .limit(most)
    )
    return [dict(row) for row in rows.mappings()]
