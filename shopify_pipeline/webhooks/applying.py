"""Applies the effects of a batch of webhooks in the transaction that holds them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.merge import MergeCounts, mark_deleted, merge_partials
from shopify_pipeline.webhooks.effects import Effects, PartialRow, Refresh, TagChange
from shopify_pipeline.webhooks.folding import folded, writes
from shopify_pipeline.webhooks.privacy import carry_out
from shopify_pipeline.webhooks.statements import STATEMENTS

Counts = dict[str, MergeCounts]


def apply_effects(connection: sa.Connection, effects: Sequence[Effects]) -> Counts:
    """Write everything that these effects ask for, and queue the refreshes; counts by table.

    Bodies come before events and deletions: each is judged by its own rule against the row, so
    that the order among the kinds does not change what remains.
    """
    counts: Counts = defaultdict(MergeCounts)
    for rows in (
        [row for found in effects for row in found.bodies],
        [row for found in effects for row in found.events],
    ):
        for one_round in folded(rows):
            _merge(connection, one_round, counts)
    for change in sorted((c for found in effects for c in found.tags), key=lambda c: c.at):
        _change_tags(connection, change, counts)
    _delete(connection, effects, counts)
    _mark_merged(connection, effects, counts)
    _queue(connection, [refresh for found in effects for refresh in found.refreshes])
    for found in effects:
        for finished in found.finished:
            connection.exec_driver_sql(STATEMENTS["finish_bulk_operation"], finished)
        for kind, detail in found.notices:
            notice(connection, kind, detail)
        for request in found.privacy:
            carry_out(connection, request)
    return dict(counts)


def notice(connection: sa.Connection, kind: str, detail: Mapping[str, Any]) -> None:
    """Leave word of something that a person should hear of; `detail` holds no personal data."""
    values = {"kind": kind, "detail": orjson.dumps(dict(detail)).decode()}
    connection.exec_driver_sql(STATEMENTS["notice"], values)


def _merge(connection: sa.Connection, rows: Iterable[PartialRow], counts: Counts) -> None:
    for parents, children in writes(rows):
        for table, merged in merge_partials(connection, parents, children).items():
            counts[table] += merged


def _change_tags(connection: sa.Connection, change: TagChange, counts: Counts) -> None:
    """Add or take tags where the row has its tags from before the change; else the refresh does."""
    customers = ENTITIES["customers"]
    row = connection.exec_driver_sql(
        STATEMENTS["lock_tags"], {"id": change.shopify_id}
    ).one_or_none()
    if row is None or row.tags is None or row.observed_at is None:
        return
    kept = [tag for tag in row.tags if tag not in change.removed]
    tags = kept + [tag for tag in change.added if tag not in kept]
    values = {customers.key: change.shopify_id, "tags": tags, "observed_at": change.at}
    changed = PartialRow(entity=customers, shopify_id=change.shopify_id, values=values)
    _merge(connection, [changed], counts)


def _delete(connection: sa.Connection, effects: Sequence[Effects], counts: Counts) -> None:
    gone: dict[str, list[tuple[int, datetime]]] = defaultdict(list)
    for found in effects:
        for name, number, at in found.deletions:
            gone[name].append((number, at))
        for _, loser, at in found.merges:
            gone["customers"].append((loser, at))
    for name, deletions in gone.items():
        entity = ENTITIES[name]
        children = [child.table for child in entity.children]
        counts[entity.table_name] += mark_deleted(connection, entity.table, deletions, children)


def _mark_merged(connection: sa.Connection, effects: Sequence[Effects], counts: Counts) -> None:
    """Note into whom a customer was merged, and have its orders read again: they moved."""
    customers = ENTITIES["customers"]
    merges = [merge for found in effects for merge in found.merges]
    if not merges:
        return
    rows = [
        PartialRow(
            entity=customers,
            shopify_id=loser,
            values={
                customers.key: loser,
                "merged_into_shopify_customer_id": kept,
                # After the deletion, which otherwise would count as older than this.
                "observed_at": at,
            },
        )
        for kept, loser, at in merges
    ]
    for one_round in folded(rows):
        _merge(connection, one_round, counts)
    found = connection.exec_driver_sql(
        STATEMENTS["orders_of_customer"], {"ids": [loser for _, loser, _ in merges]}
    )
    refresh_queue.enqueue(
        connection,
        "orders",
        found.scalars(),
        reason="customers/merge",
        queued_at=max(at for _, _, at in merges),
    )


def _queue(connection: sa.Connection, refreshes: Iterable[Refresh]) -> None:
    """Queue ids, in one order for all workers, so that none waits for another in a ring."""
    alike: dict[tuple[str, bool, str], dict[int, datetime]] = defaultdict(dict)
    for one in refreshes:
        group = alike[one.entity, one.urgent, one.reason]
        group[one.shopify_id] = max(one.at, group.get(one.shopify_id, one.at))
    for (entity, urgent, reason), ids in sorted(alike.items()):
        refresh_queue.enqueue(
            connection,
            entity,
            ids,
            reason=reason,
            urgent=urgent,
            queued_at=max(ids.values()),
        )
