"""Whatever Shopify does during a pull, the tables end right or the pull fails: no silent gap."""

import threading
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from shopify_pipeline.admin_api import AdminApiError
from shopify_pipeline.admin_api.errors import MissingScopesError, OrdersTooOldError, OtherShopError
from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.queries import page_query
from shopify_pipeline.sync.window_read import ShortfallError
from shopify_pipeline_tests.simulated import SimulatedStore, serving
from shopify_pipeline_tests.sync.conftest import OpenSync, everything, pull_all
from shopify_pipeline_tests.truth import differences

SURVIVED = [
    "throttled", "429", "500", "502", "503", "504", "dropped", "dropped_midway", "truncated",
    "not_json", "internal_server_error", "internal_server_error_in_data", "timeout_error",
]  # fmt: skip
REFUSED = [
    "access_denied", "protected_data", "402", "403", "404", "423", "shop_inactive",
    "search_warning", "version_fall_forward",
]  # fmt: skip


def checkpoints(database_url: str) -> dict[str, object]:
    with psycopg.connect(database_url) as connection:
        query = "SELECT entity, checkpoint FROM shopify_internal.checkpoints"
        return dict(connection.execute(query).fetchall())


@pytest.mark.parametrize("kind", SURVIVED)
def test_a_passing_fault_is_outlasted(
    store: SimulatedStore, database_url: str, opened: OpenSync, kind: str
) -> None:
    sync = opened(store, database_url)
    for root in ROOTS:
        store.fault(kind, count=2, match=f" {root.name}(", skip=1)
    pull_all(sync)
    assert differences(store.url, database_url) == []
    assert sync.api.stats.retries + sync.api.stats.throttle_wait_seconds > 0


@pytest.mark.parametrize("kind", REFUSED)
def test_a_fault_that_lasts_fails_the_pull_and_moves_no_checkpoint_past_it(
    store: SimulatedStore, database_url: str, opened: OpenSync, kind: str
) -> None:
    sync = opened(store, database_url)
    field = {"field": "Order.email"} if kind in {"access_denied", "protected_data"} else {}
    store.fault(kind, count=1, match=" orders(", **field)
    with pytest.raises(AdminApiError) as failed:
        pull(sync, ENTITIES["orders"], everything(sync))
    assert "shpat_" not in str(failed.value)
    assert checkpoints(database_url) == {}
    pull_all(sync)
    assert differences(store.url, database_url) == []


def test_an_empty_page_in_place_of_records_is_read_again_and_never_believed(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(store, database_url)
    store.fault("empty_page", count=1, match=" orders(")
    pull_all(sync)
    assert differences(store.url, database_url) == []


def test_a_shortfall_that_stays_fails_the_pull(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    new_store.fault("empty_page", count=50, match=" orders(")
    with pytest.raises(ShortfallError, match=r"orders .* counts \d+ records and answers"):
        pull(sync, ENTITIES["orders"], everything(sync))
    assert checkpoints(database_url) == {}


def test_a_denied_field_blanks_nothing(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    before = emails(database_url)
    new_store.control("mass-edit", {"kind": "orders", "count": 50})
    new_store.control("clock", {"advance": 5})
    new_store.control("settings", {"deniedFields": ["Order.email"]})
    with pytest.raises(AdminApiError):
        pull_all(sync, resume=True)
    assert emails(database_url) == before
    left_out = replace(sync, omit=frozenset({"orders.email"}))
    pull_all(left_out, resume=True)
    assert emails(database_url) == before


def test_a_missing_scope_is_found_before_the_first_read(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    new_store.control("settings", {"scopes": ["read_products", "read_orders"]})
    with pytest.raises(MissingScopesError, match="read_customers"):
        opened(new_store, database_url)


def test_orders_older_than_the_scopes_reach_are_refused_not_skipped(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    scopes = ["read_products", "read_orders", "read_customers"]
    new_store.control("settings", {"scopes": scopes})
    sync = opened(new_store, database_url)
    with pytest.raises(OrdersTooOldError, match="read_all_orders"):
        pull(sync, ENTITIES["orders"], everything(sync))


def test_another_shop_never_gets_in(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    opened(store, database_url)
    store.fault("wrong_shop", count=1, match="shop {")
    with pytest.raises(OtherShopError, match=r"other-store\.myshopify\.com answers"):
        opened(store, database_url)


def test_two_pulls_at_once_make_the_same_tables(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    syncs = [opened(store, database_url) for _ in range(2)]
    in_parallel(*[lambda sync=sync: pull_all(sync) for sync in syncs])
    assert differences(store.url, database_url) == []


def test_a_store_that_changes_while_it_is_read_is_whole_after_the_next_pull(
    database_url: str, opened: OpenSync
) -> None:
    with serving(orders=600, customers=200, products=50) as store:
        sync = opened(store, database_url)
        stop = threading.Event()

        def life() -> None:
            while not stop.is_set():
                store.control("mass-edit", {"kind": "orders", "count": 7})
                store.control("orders", {"lineItems": [{"title": "x", "price": "1.00"}] * 12})

        def reading() -> None:
            try:
                for _ in range(3):
                    pull_all(sync)
            finally:
                stop.set()

        in_parallel(life, reading)
        store.control("clock", {"advance": 5})
        pull_all(sync, resume=True)
        assert differences(store.url, database_url) == []


def test_the_filter_that_the_faults_match_is_in_the_queries() -> None:
    for root in ROOTS:
        assert f" {root.name}(" in page_query(root, frozenset(), "UPDATED_AT")


def emails(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        query = "SELECT shopify_order_id, email FROM shopify_orders ORDER BY 1"
        return connection.execute(query).fetchall()


def in_parallel(*works: Callable[[], object]) -> None:
    """Run the works in threads; raise the first error that one of them raised."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
