"""Finds and marks children that Shopify no longer has, where no read of their owner prunes them."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from shopify_pipeline.admin_api.nodes import read_nodes
from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.queries import existence_query
from shopify_pipeline.sync.reconcile_queries import children_query, more_children
from shopify_pipeline.warehouse.merge import mark_deleted


def settle_children(
    sync: SyncContext, entity: Entity, child: Entity, owners: Collection[int], *, may_delete: bool
) -> tuple[list[int], list[int]]:
    """Compare the children of these owners one by one; mark those that are gone.

    Reads the ids of all their children to the end. A child of ours that is not among them is
    asked for by its id, twice; answered null both times, under scopes that show its owner, it is
    gone. Returns the owners that still differ, and the children that were marked.

    Raises:
        AdminApiError: Shopify could not be read.
    """
    differing: set[int] = set()
    suspects: set[int] = set()
    gids = [entity.gid(number) for number in sorted(owners)]
    more = more_children(entity, child)
    for batch in read_nodes(
        sync.api, children_query(entity, child), gids, nested=(more,), max_batch_size=50
    ):
        theirs = {
            _number(gid): {_number(one["id"]) for one in node[more.field]["nodes"]}
            for gid, node in batch.found.items()
        }
        ours = _children(sync, entity, child, list(theirs))
        for owner, ids in theirs.items():
            here = ours.get(owner, set())
            suspects |= here - ids
            if ids - here:
                differing.add(owner)
        differing |= {_number(gid) for gid in batch.moved}
    gone = _confirmed(sync, child, sorted(suspects)) if may_delete else {}
    if gone:
        with sync.database.transaction() as connection:
            mark_deleted(connection, child.table, list(gone.items()))
    for owner, ids in _children(sync, entity, child, sorted(owners)).items():
        if ids & suspects:
            differing.add(owner)
    return sorted(differing), sorted(gone)


def _confirmed(sync: SyncContext, child: Entity, ids: Sequence[int]) -> dict[int, datetime]:
    """Those answered with null twice, and when they were asked for first."""
    left = {child.gid(number) for number in ids}
    times: dict[int, datetime] = {}
    for _ in range(2):
        missing: set[str] = set()
        for batch in read_nodes(sync.api, existence_query(), sorted(left)):
            missing |= set(batch.missing)
            for gid in batch.missing:
                times.setdefault(_number(gid), batch.answer.sent_at)
        left = missing
    return {_number(gid): times[_number(gid)] for gid in left}


def _children(
    sync: SyncContext, entity: Entity, child: Entity, owners: Sequence[int]
) -> dict[int, set[int]]:
    """The living children here of these owners."""
    assert child.table.owner is not None  # noqa: S101
    row, owner = child.table.sql.c, entity.table.sql.c
    wanted = sa.bindparam("ids", list(owners), type_=sa.ARRAY(sa.BigInteger))
    query = (
        sa.select(owner[entity.key], row[child.key])
        .select_from(
            child.table.sql.join(entity.table.sql, owner.id == row[child.table.owner.column])
        )
        .where(owner[entity.key] == sa.any_(wanted), row.deleted_at.is_(None))
    )
    found: dict[int, set[int]] = {}
    with sync.database.transaction() as connection:
        for number, one in connection.execute(query):
            found.setdefault(number, set()).add(one)
    return found


def _number(gid: str) -> int:
    return int(gid.rpartition("/")[2].partition("?")[0])
