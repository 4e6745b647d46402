"""Marks rows as deleted; their values stay."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shopify_pipeline.warehouse.rows import MergeCounts
from shopify_pipeline.warehouse.tables import Table
from shopify_pipeline.warehouse.versions import LONG_AGO

_now = sa.func.now()


def mark_deleted(
    connection: sa.Connection,
    table: Table,
    deletions: Iterable[tuple[int, datetime]],
    children: Sequence[Table] = (),
) -> MergeCounts:
    """Mark the rows with these Shopify ids as deleted at these times, and their children too.

    A deletion applies when its time is later than the row's `observed_at`. An unknown id gets a
    tombstone: a row with nothing but the mark, so that a late *create* does not bring it to life.
    Counts `deleted` (marks, later marks and tombstones), `unchanged` (marked already, not earlier)
    and `stale` (seen alive since).
    """
    latest: dict[int, datetime] = {}
    for shopify_id, deleted_at in deletions:
        latest[shopify_id] = max(deleted_at, latest.get(shopify_id, deleted_at))
    if not latest:
        return MergeCounts()
    values = {"keys": list(latest), "times": list(latest.values())}
    applied, unchanged = [], 0
    for shopify_id, uuid, deleted_at in connection.execute(_marking(table), values):
        if uuid is None:
            unchanged += 1
        else:
            applied.append((shopify_id, uuid, deleted_at))
    if applied:
        marks = {"ids": [row[1] for row in applied], "times": [row[2] for row in applied]}
        for child in children:
            connection.execute(_child_marking(child), marks)
    return MergeCounts(
        deleted=len(applied), unchanged=unchanged, stale=len(latest) - len(applied) - unchanged
    )


def _pairs(kind: sa.types.TypeEngine[Any], parameter: str) -> sa.TableValuedAlias:
    time = sa.DateTime(timezone=True)
    return sa.func.unnest(
        sa.bindparam(parameter, type_=sa.ARRAY(kind)),
        sa.bindparam("times", type_=sa.ARRAY(time)),
    ).table_valued(sa.column("what", kind), sa.column("at", time), name="gone")


@cache
def _marking(table: Table) -> sa.Executable:
    target = table.sql
    gone = _pairs(sa.BigInteger(), "keys").render_derived()
    row = target.alias("existing")
    observed = sa.func.coalesce(row.c.observed_at, LONG_AGO)
    judged = (
        sa.select(
            gone.c.what,
            gone.c.at,
            sa.case(
                (row.c.id.is_(None), "new"),
                (gone.c.at <= observed, "stale"),
                (gone.c.at <= sa.func.coalesce(row.c.deleted_at, LONG_AGO), "unchanged"),
                else_="marked",
            ).label("verdict"),
        )
        .select_from(gone.outerjoin(row, row.c[table.key] == gone.c.what))
        .cte("judged")
    )
    statement = insert(target).from_select(
        [table.key, "deleted_at", "synced_at"],
        sa.select(judged.c.what, judged.c.at, _now)
        .where(judged.c.verdict.in_(("new", "marked")))
        .order_by(judged.c.what),
    )
    new, old = statement.excluded, target.c
    marked = (
        statement.on_conflict_do_update(
            index_elements=[old[table.key]],
            set_={
                "deleted_at": sa.func.greatest(old.deleted_at, new.deleted_at),
                "synced_at": new.synced_at,
            },
            where=new.deleted_at > sa.func.coalesce(old.observed_at, LONG_AGO),
        )
        .returning(old[table.key].label("key"), old.id, old.deleted_at)
        .cte("marked")
    )
    return sa.select(marked.c.key, marked.c.id, marked.c.deleted_at).union_all(
        sa.select(judged.c.what, sa.null(), sa.null()).where(judged.c.verdict == "unchanged")
    )


@cache
def _child_marking(table: Table) -> sa.Executable:
    if table.owner is None:
        raise ValueError(f"{table.name} is nobody's child")
    target = table.sql
    gone = _pairs(sa.Uuid(), "ids").render_derived()
    return (
        sa.update(target)
        .values(deleted_at=gone.c.at, synced_at=_now)
        .where(
            target.c[table.owner.column] == gone.c.what,
            sa.func.coalesce(target.c.observed_at, LONG_AGO) < gone.c.at,
            sa.func.coalesce(target.c.deleted_at, LONG_AGO) < gone.c.at,
        )
    )
