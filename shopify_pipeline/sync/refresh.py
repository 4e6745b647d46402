"""Reads again, by their ids, the records in the refresh queue; an id that is gone is confirmed."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

import sqlalchemy as sa

from shopify_pipeline.admin_api.access import ORDERS_WINDOW
from shopify_pipeline.admin_api.nodes import NodesBatch, read_nodes
from shopify_pipeline.entities import ENTITIES, Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.queries import existence_query, nested, nodes_query, owners_query
from shopify_pipeline.sync.records import Counts, added, records_of
from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.merge import mark_deleted
from shopify_pipeline.warehouse.relink import relink

BATCH = 100
LEASE_SECONDS = 300
SOON_SECONDS = 5
"""Until an answer that was older than its row is asked for again."""
LATER_SECONDS = 3600
"""Until a record that cannot be settled now is tried again."""


@dataclass(kw_only=True)
class RefreshReport:
    """What a drain did. `counts` by table; `unsettled` ids were put off with a reason."""

    refreshed: int = 0
    deleted: int = 0
    unsettled: int = 0
    counts: Counts = field(default_factory=dict)
    malformed: list[str] = field(default_factory=list)


def drain_refresh_queue(
    sync: SyncContext,
    *,
    entity: str | None = None,
    limit: int | None = None,
    leave: float = 0.0,
) -> RefreshReport:
    """Read what is due in the queue, and merge it as complete reads.

    Urgent ids of all tables go first; then each table has its turn, a batch at a time. Stops after
    `limit` ids, or when less than the share `leave` of the API's bucket is left for others. May run
    in several places at once: each id is leased to one of them.

    Raises:
        AdminApiError: Shopify could not be read; leased ids come back after the lease.
    """
    report = RefreshReport()
    left = inf if limit is None else limit
    wanted = [one for one in ENTITIES.values() if entity in {None, one.name}]
    for urgent_only in (True, False):
        turns = deque(wanted)
        while turns and left > 0:
            one = turns.popleft()
            claimed = _claim(sync, one, int(min(BATCH, left)), urgent_only=urgent_only)
            if not claimed:
                continue
            turns.append(one)
            left -= len(claimed)
            if _refresh(sync, one, claimed, report) < leave:
                return report
    return report


def _claim(sync: SyncContext, entity: Entity, size: int, *, urgent_only: bool) -> list[int]:
    def work(connection: sa.Connection) -> list[int]:
        found = refresh_queue.claim(
            connection,
            entity.name,
            limit=size,
            lease_seconds=LEASE_SECONDS,
            urgent_only=urgent_only,
        )
        return [one.shopify_id for one in found]

    return sync.database.retrying(work)


def _refresh(sync: SyncContext, entity: Entity, ids: Sequence[int], report: RefreshReport) -> float:
    """Read and merge these ids; the share of the API's bucket that is left."""
    gids = [entity.gid(number) for number in ids]
    query = owners_query(entity) if entity.connection is None else nodes_query(entity, sync.omit)
    spare = 1.0
    missing: list[str] = []
    for batch in read_nodes(sync.api, query, gids, nested=nested(entity, sync.omit)):
        if entity.connection is None:
            _queue_owners(sync, entity, batch)
            report.refreshed += len(batch.found)
        else:
            _merge(sync, entity, batch, report)
        missing += batch.missing
        if (cost := batch.answer.cost) and (bucket := cost.throttle_status):
            spare = bucket.currently_available / bucket.maximum_available
    if missing:
        _settle_missing(sync, entity, missing, report)
    return spare


def _merge(sync: SyncContext, entity: Entity, batch: NodesBatch, report: RefreshReport) -> None:
    """Write a batch; what it could not satisfy is put off."""
    observed_at = batch.answer.sent_at
    records = records_of(entity, batch.found.values(), observed_at=observed_at, omit=sync.omit)

    def then(connection: sa.Connection) -> None:
        refresh_queue.postpone(
            connection,
            entity.name,
            _numbers([*batch.found, *batch.moved]),
            seconds=LATER_SECONDS if records.malformed else SOON_SECONDS,
            error="; ".join(records.malformed)[:2000] or None,
        )

    counts = records.merge(sync.database, then)
    report.counts = added(report.counts, counts)
    if any(table.inserted for table in counts.values()):
        # What points to it may have been here before.
        tables, arrived = [one.table for one in ENTITIES.values()], records.ids
        sync.database.retrying(lambda connection: relink(connection, tables, arrived=arrived))
    report.refreshed += len(batch.found) - len(records.malformed)
    report.unsettled += len(records.malformed) + len(batch.moved)
    report.malformed += records.malformed


def _queue_owners(sync: SyncContext, entity: Entity, batch: NodesBatch) -> None:
    """Queue the owners of these children: a child is only ever written with its owner."""
    assert entity.owner is not None  # noqa: S101
    owner = entity.owner.entity
    with sync.database.transaction() as connection:
        refresh_queue.enqueue(
            connection,
            owner,
            _numbers(node["owner"]["id"] for node in batch.found.values()),
            reason=f"owner of {entity.name}",
            queued_at=sync.api.now(),
        )
        refresh_queue.forget(
            connection, entity.name, _numbers(batch.found), queued_before=sync.api.now()
        )


def _settle_missing(
    sync: SyncContext, entity: Entity, gids: Sequence[str], report: RefreshReport
) -> None:
    """Mark as deleted the ids answered with null a second time, where that proves it."""
    gone: list[int] = []
    seen_at: datetime | None = None
    for batch in read_nodes(sync.api, existence_query(), gids):
        seen_at = seen_at or batch.answer.sent_at
        gone += _numbers(batch.missing)
    if not gone or seen_at is None:
        return
    with sync.database.transaction() as connection:
        doubtful = _doubtful(sync, entity, gone, connection)
        proved = [number for number in gone if number not in doubtful]
        counts = mark_deleted(
            connection,
            entity.table,
            [(number, seen_at) for number in proved],
            children=[child.table for child in entity.children],
        )
        refresh_queue.forget(connection, entity.name, proved, queued_before=seen_at)
        refresh_queue.postpone(
            connection,
            entity.name,
            sorted(doubtful),
            seconds=LATER_SECONDS,
            error="Shopify answers null, and the app's scopes do not prove that it is deleted",
        )
    report.deleted += counts.deleted
    report.unsettled += len(doubtful)


def _doubtful(
    sync: SyncContext, entity: Entity, numbers: Sequence[int], connection: sa.Connection
) -> set[int]:
    """Those whose absence may only mean that the app may not see them."""
    if sync.narrowed:
        return set(numbers)
    if "read_orders" not in entity.scopes or sync.access.reads_all_orders:
        return set()
    table = entity.table.sql
    visible = sa.select(table.c[entity.key]).where(
        table.c[entity.key].in_(numbers), table.c.created_at > sync.api.now() - ORDERS_WINDOW
    )
    return set(numbers) - set(connection.execute(visible).scalars())


def _numbers(gids: Iterable[str]) -> list[int]:
    return [int(gid.rpartition("/")[2]) for gid in gids]
