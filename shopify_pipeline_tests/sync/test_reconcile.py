"""The reconciliation finds and repairs every kind of divergence, and touches nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.reconcile import Report, reconcile
from shopify_pipeline.sync.window_read import ShortfallError
from shopify_pipeline_tests.simulated import SimulatedStore, serving
from shopify_pipeline_tests.sync.conftest import OpenSync, pull_all
from shopify_pipeline_tests.sync.divergence import Injector
from shopify_pipeline_tests.truth import differences


@contextmanager
def sql(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def reconcile_all(sync: SyncContext, **options: Any) -> dict[str, Report]:
    return {root.name: reconcile(sync, root, **options) for root in ROOTS}


def settled(store: SimulatedStore, opened: OpenSync, url: str) -> SyncContext:
    """A pulled store whose records are all older than the checkpoints."""
    store.control("clock", {"advance": 7200})
    sync = opened(store, url)
    pull_all(sync)
    return sync


Versions = dict[tuple[str, int], object]


def versions(database_url: str) -> Versions:
    """Which version of each row there is: any write would change it, and its `synced_at`."""
    found: Versions = {}
    with psycopg.connect(database_url) as connection:
        for entity in ENTITIES.values():
            query = f"SELECT {entity.key}, xmin::text, ctid::text FROM {entity.table_name}"
            for key, *version in connection.execute(query):
                found[entity.name, key] = version
    return found


def left_alone(before: Versions, database_url: str, touched: set[int]) -> Versions:
    """Those of the rows that belong to no record in `touched`, neither as itself nor as a child."""
    found: Versions = {}
    with psycopg.connect(database_url) as connection:
        for entity in ENTITIES.values():
            root = ENTITIES[entity.owner.entity].key if entity.owner else entity.key
            query = f"SELECT {entity.key}, {root} FROM {entity.table_name}"
            for key, owner in connection.execute(query):
                if owner not in touched and (entity.name, key) in before:
                    found[entity.name, key] = before[entity.name, key]
    return found


def test_of_equal_tables_nothing_is_found_and_nothing_written(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = settled(new_store, opened, database_url)
    before = versions(database_url)
    reports = reconcile_all(sync)
    assert [report.found for report in reports.values()] == [0, 0, 0]
    assert versions(database_url) == before
    assert reports["orders"].ids_swept == 150
    assert reports["orders"].counted_here == reports["orders"].counted_by_shopify == 150


def injected_and_repaired(
    store: SimulatedStore, opened: OpenSync, url: str, *, each: int, least: int
) -> None:
    sync = settled(store, opened, url)
    original = versions(url)
    with psycopg.connect(url) as connection:
        injected = Injector(connection, seed=11, each=each).everything()
    assert injected.total >= least
    assert differences(store.url, url) != []
    before = versions(url)
    alone = left_alone(before, url, injected.touched | set(range(1, each + 1)))
    # Lines of other orders lost their links with the products that were lost: these come back.
    unlinked = {row for row in alone if alone[row] != original[row]}
    assert {entity for entity, _ in unlinked} == {"order_items"}
    reports = reconcile_all(sync)
    assert differences(store.url, url) == []
    with sql(url) as connection:
        deleted = connection.execute(
            "SELECT (SELECT count(*) FROM shopify_products WHERE deleted_at IS NOT NULL),"
            " (SELECT count(*) FROM shopify_customers WHERE deleted_at IS NOT NULL),"
            " (SELECT count(*) FROM shopify_orders WHERE deleted_at IS NOT NULL)"
        ).fetchone()
    assert deleted == (each, each, each)
    assert [report.left for report in reports.values()] == [0, 0, 0], [
        report.left_over for report in reports.values()
    ]
    after = versions(url)
    assert {entity for entity, _ in alone} == set(ENTITIES)
    assert {row for row in alone if after.get(row) != alone[row]} <= unlinked
    # Nothing is found a second time.
    assert [report.found for report in reconcile_all(sync).values()] == [0, 0, 0]


def test_every_kind_of_divergence_is_found_and_repaired(
    database_url: str, opened: OpenSync
) -> None:
    with serving(products=60, customers=90, orders=200, seed=5) as store:
        injected_and_repaired(store, opened, database_url, each=2, least=66)


@pytest.mark.long
def test_a_thousand_divergences_are_found_and_repaired(database_url: str, opened: OpenSync) -> None:
    with serving(products=900, customers=3000, orders=4000, seed=5) as store:
        injected_and_repaired(store, opened, database_url, each=32, least=1_000)


def test_totals_that_no_sum_proves_are_compared_with_the_store_as_numbers(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = settled(new_store, opened, database_url)
    columns = ("total_price", "subtotal_price", "current_total_price", "total_refunded")
    with sql(database_url) as connection:
        # The same number in other digits is no divergence.
        connection.execute(
            "UPDATE shopify_orders SET "
            + ", ".join(f"{name} = {name} + 0.0000" for name in columns)
        )
    for name in columns:
        with sql(database_url) as connection:
            corrupted = [
                connection.execute(
                    f"UPDATE shopify_orders SET {name} = {name} + 0.5 WHERE {hidden}"
                ).rowcount
                for hidden in ("edited", "NOT edited AND presentment_currency <> currency")
            ]
        assert min(corrupted) > 0
        report = reconcile(sync, ENTITIES["orders"])
        assert (report.found, report.repaired, report.left) == (sum(corrupted),) * 2 + (0,), name
        assert differences(new_store.url, database_url) == []
    assert reconcile(sync, ENTITIES["orders"]).found == 0


def test_without_a_sweep_the_windows_lead_to_what_is_missing_and_extra(
    database_url: str, opened: OpenSync
) -> None:
    with serving(products=20, customers=60, orders=1200, seed=5) as store:
        sync = settled(store, opened, database_url)
        with sql(database_url) as connection:
            connection.execute(
                "DELETE FROM shopify_order_items WHERE order_id IN"
                " (SELECT id FROM shopify_orders ORDER BY shopify_order_id LIMIT 1)"
            )
            connection.execute(
                "DELETE FROM shopify_orders WHERE id IN"
                " (SELECT id FROM shopify_orders ORDER BY shopify_order_id LIMIT 1)"
            )
            connection.execute(
                "INSERT INTO shopify_orders (shopify_order_id, created_at, observed_at)"
                " SELECT 5, max(created_at) - interval '1 day', max(created_at)"
                " FROM shopify_orders WHERE created_at < now() - interval '30 days'"
            )
        report = reconcile(sync, ENTITIES["orders"], with_sweep=False)
        assert (report.found, report.left) == (2, 0), report
        assert len(report.windows_differing) == 2
        assert report.ids_swept < 600
        assert differences(store.url, database_url) == []


def test_a_record_that_the_index_shows_late_is_not_taken_for_deleted(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = settled(new_store, opened, database_url)
    new_store.control("settings", {"indexLag": 3600})
    made = new_store.control("orders", {"lineItems": [{"title": "x", "price": "2.00"}]})
    number = int(made["id"].rsplit("/", 1)[1])
    with sql(database_url) as connection:
        connection.execute(
            "INSERT INTO shopify_orders (shopify_order_id, observed_at) VALUES (%s, '2026-01-01')",
            [number],
        )
    reconcile(sync, ENTITIES["orders"])
    with sql(database_url) as connection:
        query = "SELECT deleted_at, total_price FROM shopify_orders WHERE shopify_order_id = %s"
        row = connection.execute(query, [number]).fetchone()
    assert row is not None
    assert row[0] is None
    assert row[1] is not None


def test_nothing_is_deleted_while_the_scopes_are_narrower(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = settled(new_store, opened, database_url)
    scopes = new_store.control("state", method="GET")["scopes"]
    reconcile_all(sync)
    with sql(database_url) as connection:
        connection.execute("INSERT INTO shopify_products (shopify_product_id) VALUES (5)")
    fewer = replace(sync.access, scopes=sync.access.scopes - {"read_all_orders"})
    assert "read_all_orders" in scopes
    report = reconcile(replace(sync, access=fewer), ENTITIES["products"])
    assert "narrower" in report.notes[0]
    query = "SELECT deleted_at IS NOT NULL FROM shopify_products WHERE shopify_product_id = 5"
    with sql(database_url) as connection:
        assert connection.execute(query).fetchone() == (False,)
    reconcile(sync, ENTITIES["products"])
    with sql(database_url) as connection:
        assert connection.execute(query).fetchone() == (True,)


def test_old_orders_that_the_app_may_not_see_stay(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = settled(new_store, opened, database_url)
    new_store.control("settings", {"scopes": ["read_products", "read_customers", "read_orders"]})
    fewer = replace(sync.access, scopes=sync.access.scopes - {"read_all_orders"})
    report = reconcile(replace(sync, access=fewer), ENTITIES["orders"])
    assert report.counted_by_shopify == report.counted_here
    with sql(database_url) as connection:
        query = "SELECT count(*) FROM shopify_orders WHERE deleted_at IS NOT NULL"
        assert connection.execute(query).fetchone() == (0,)


def test_an_incomplete_sweep_deletes_nothing(
    new_store: SimulatedStore, database_url: str, opened: OpenSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = settled(new_store, opened, database_url)
    with sql(database_url) as connection:
        connection.execute("INSERT INTO shopify_products (shopify_product_id) VALUES (5)")
    monkeypatch.setattr("shopify_pipeline.sync.sweep.exact", lambda *_: 21)
    with pytest.raises(ShortfallError):
        reconcile(sync, ENTITIES["products"])
    with sql(database_url) as connection:
        query = "SELECT count(*) FROM shopify_products WHERE deleted_at IS NOT NULL"
        assert connection.execute(query).fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM shopify_internal.swept").fetchone() == (0,)


def test_what_changed_since_the_last_pull_is_no_divergence(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = settled(new_store, opened, database_url)
    new_store.control("customers", {"email": "new@example.com"})
    report = reconcile(sync, ENTITIES["customers"])
    assert (report.found, report.was_right) == (0, 0)


def test_before_the_first_load_nothing_is_compared(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    report = reconcile(opened(new_store, database_url), ENTITIES["products"])
    assert "first load" in report.notes[0]


def test_the_report_is_kept_with_what_became_of_each_row(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = settled(new_store, opened, database_url)
    with sql(database_url) as connection:
        connection.execute(
            "INSERT INTO shopify_products"
            " (shopify_product_id, updated_at, complete_at, observed_at)"
            " VALUES (5, '2026-01-01', '2026-01-01', '2026-01-01')"
        )
        connection.execute("UPDATE shopify_customers SET orders_count = 77")
    reconcile_all(sync)
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        found = connection.execute(
            "SELECT entity, found, repaired, left_over, swept_by, ended_at IS NOT NULL AS ended"
            " FROM shopify_internal.reconciliations WHERE found > 0 ORDER BY entity"
        ).fetchall()
        kinds = connection.execute(
            "SELECT DISTINCT entity, kind, cause, outcome FROM shopify_internal.divergences"
            " WHERE kind IN ('drifted', 'extra') ORDER BY entity"
        ).fetchall()
    done = {"left_over": 0, "swept_by": "pages", "ended": True}
    assert found == [
        {"entity": "customers", "found": 60, "repaired": 60, **done},
        {"entity": "products", "found": 1, "repaired": 1, **done},
    ]
    assert [(row["entity"], row["kind"], row["outcome"]) for row in kinds] == [
        ("customers", "drifted", "repaired"),
        ("products", "extra", "deleted"),
    ]
    assert all(row["cause"] for row in kinds)
