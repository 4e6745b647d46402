"""Finds out whether a store's `updated_at` filter is exact where it is described as daily.

https://shopify.dev/docs/api/admin-graphql/latest/queries/customers
"""

from datetime import datetime, timedelta

from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.counts import count
from shopify_pipeline.sync.queries import newest_query
from shopify_pipeline.sync.window import DAY, Window, midnight
from shopify_pipeline.warehouse import state

KEPT = timedelta(days=1)


def asked_window(sync: SyncContext, entity: Entity, window: Window) -> Window:
    """The window to ask for so that nothing of `window` is missed; the rest is dropped here."""
    connection = entity.connection
    if connection is None or not connection.whole_days or _is_exact(sync, entity):
        return window
    return window.in_whole_days()


def _is_exact(sync: SyncContext, entity: Entity) -> bool:
    key = f"filter is exact: {entity.name}"
    with sync.database.transaction() as connection:
        known = state.read(connection, key, not_older_than=KEPT)
    if known is not None:
        return bool(known)
    verdict = _probe(sync, entity)
    if verdict is None:
        return False
    with sync.database.transaction() as connection:
        state.write(connection, key, verdict)
    return verdict


def _probe(sync: SyncContext, entity: Entity) -> bool | None:
    """Ask for the rest of the day on which the newest record changed: an exact filter has none.

    None where nothing can be told: there is no record, or another changed meanwhile.
    """
    assert entity.connection is not None  # noqa: S101
    before = _newest(sync, entity)
    if before is None:
        return None
    rest = Window(before + timedelta(seconds=1), midnight(before.date()) + DAY)
    if rest.is_empty:
        return None
    found = count(sync.api, entity, rest.updated(entity.connection)).records
    if found == 0:
        return True
    return False if _newest(sync, entity) == before else None


def _newest(sync: SyncContext, entity: Entity) -> datetime | None:
    nodes = sync.api.execute(newest_query(entity)).data["records"]["nodes"]
    return datetime.fromisoformat(nodes[0]["updatedAt"]) if nodes else None
