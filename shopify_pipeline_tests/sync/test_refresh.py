"""The refresh queue: ids are read again whole, and only a proved absence is a deletion."""

from collections.abc import Sequence
from dataclasses import replace

import psycopg
import pytest

from shopify_pipeline.admin_api.access import Access
from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync import refresh
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, everything, pull_all
from shopify_pipeline_tests.truth import DRIFTING, differences


def queue(sync: SyncContext, entity: str, ids: Sequence[int]) -> None:
    with sync.database.transaction() as connection:
        refresh_queue.enqueue(connection, entity, ids, reason="test", queued_at=sync.api.now())


def rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()


def some_ids(database_url: str, table: str, key: str, most: int = 3) -> list[int]:
    query = f"SELECT {key} FROM {table} WHERE deleted_at IS NULL ORDER BY 1 LIMIT {most}"
    return [int(str(row[0])) for row in rows(database_url, query)]


def test_a_deleted_record_is_marked_with_its_children_and_keeps_its_values(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    order = some_ids(database_url, "shopify_orders", "shopify_order_id")[0]
    product = some_ids(database_url, "shopify_products", "shopify_product_id")[0]
    new_store.control(f"orders/{order}", method="DELETE")
    new_store.control(f"products/{product}", method="DELETE")
    new_store.control("clock", {"advance": 5})
    pull_all(sync, resume=True)
    assert any("not in the store" in line for line in differences(new_store.url, database_url))
    queue(sync, "orders", [order])
    queue(sync, "products", [product])
    report = drain_refresh_queue(sync)
    assert report.deleted == 2
    assert differences(new_store.url, database_url, ignoring=DRIFTING) == []
    kept = f"SELECT total_price IS NOT NULL FROM shopify_orders WHERE shopify_order_id = {order}"
    assert rows(database_url, kept) == [(True,)]
    assert rows(database_url, "SELECT * FROM shopify_internal.refresh_queue") == []


def test_an_old_order_that_the_scopes_hide_is_not_taken_for_deleted(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    oldest = "SELECT shopify_order_id FROM shopify_orders ORDER BY created_at LIMIT 2"
    ids = [int(str(row[0])) for row in rows(database_url, oldest)]
    scopes = frozenset({"read_products", "read_orders", "read_customers"})
    new_store.control("settings", {"scopes": sorted(scopes)})
    narrowed = replace(sync, access=access_with(sync.access, scopes))
    queue(narrowed, "orders", ids)
    report = drain_refresh_queue(narrowed)
    assert (report.deleted, report.unsettled) == (0, 2)
    assert rows(database_url, "SELECT 1 FROM shopify_orders WHERE deleted_at IS NOT NULL") == []
    why = rows(database_url, "SELECT last_error FROM shopify_internal.refresh_queue")
    assert all("do not prove" in str(reason) for (reason,) in why)


def test_a_missing_parent_is_queued_and_read_and_its_children_lead_to_it(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    report = pull(sync, ENTITIES["orders"], everything(sync))
    assert report.queued > 0
    drain_refresh_queue(sync)
    unresolved = """
        SELECT (SELECT count(*) FROM shopify_orders
                WHERE customer_id IS NULL AND shopify_customer_id IS NOT NULL)
             + (SELECT count(*) FROM shopify_order_items
                WHERE product_id IS NULL AND shopify_product_id IS NOT NULL
                   OR variant_id IS NULL AND shopify_variant_id IS NOT NULL)
    """
    assert rows(database_url, unresolved) == [(0,)]


def test_a_fault_while_draining_loses_nothing(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    ids = some_ids(database_url, "shopify_orders", "shopify_order_id", 50)
    new_store.control("mass-edit", {"kind": "orders", "count": 150})
    new_store.control("clock", {"advance": 5})
    queue(sync, "orders", ids)
    new_store.fault("internal_server_error", count=2, match="nodes(")
    new_store.fault("throttled", count=2, match="nodes(")
    drain_refresh_queue(sync)
    pull_all(sync, resume=True)
    assert differences(new_store.url, database_url) == []


def test_the_drain_stops_where_it_has_to_leave_points_for_others(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    queue(sync, "orders", some_ids(database_url, "shopify_orders", "shopify_order_id", 150))
    report = drain_refresh_queue(sync, leave=1.01)
    assert 0 < report.refreshed <= 100


def access_with(access: Access, scopes: frozenset[str]) -> Access:
    return replace(access, scopes=scopes)


def test_urgent_ids_of_any_table_are_read_before_all_others(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    order = some_ids(database_url, "shopify_orders", "shopify_order_id")[0]
    queue(sync, "customers", some_ids(database_url, "shopify_customers", "shopify_customer_id", 50))
    with sync.database.transaction() as connection:
        refresh_queue.enqueue(
            connection, "orders", [order], reason="test", urgent=True, queued_at=sync.api.now()
        )
    new_store.control("clock", {"advance": 5})
    assert drain_refresh_queue(sync, limit=1).refreshed == 1
    waiting = "SELECT entity, count(*) FROM shopify_internal.refresh_queue GROUP BY 1"
    assert rows(database_url, waiting) == [("customers", 50)]


def test_a_long_queue_of_one_table_leaves_the_others_their_turn(
    new_store: SimulatedStore, database_url: str, opened: OpenSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    monkeypatch.setattr(refresh, "BATCH", 10)
    queue(sync, "customers", some_ids(database_url, "shopify_customers", "shopify_customer_id", 50))
    queue(sync, "orders", some_ids(database_url, "shopify_orders", "shopify_order_id", 50))
    new_store.control("clock", {"advance": 5})
    assert drain_refresh_queue(sync, limit=40).refreshed == 40
    waiting = "SELECT entity, count(*) FROM shopify_internal.refresh_queue GROUP BY 1 ORDER BY 1"
    assert rows(database_url, waiting) == [("customers", 30), ("orders", 30)]
