"""A sweep lists every id once, by pages or in bulk, and nothing is deleted by one that broke."""

from datetime import timedelta

import psycopg
import pytest

from shopify_pipeline.admin_api import AdminApiError
from shopify_pipeline.entities import ENTITIES, ROOTS, Entity
from shopify_pipeline.sync.reconcile import reconcile
from shopify_pipeline.sync.reconcile_counts import EARLIEST
from shopify_pipeline.sync.sweep import forget, sweep
from shopify_pipeline.sync.window import Window
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, pull_all
from shopify_pipeline_tests.truth import truth

Listed = dict[int, tuple[object, ...]]


def listed(database_url: str) -> Listed:
    with psycopg.connect(database_url) as connection:
        query = "SELECT shopify_id, updated_at, drifting, children FROM shopify_internal.swept"
        rows = connection.execute(query).fetchall()
    assert len(rows) == len({row[0] for row in rows})
    return {row[0]: (row[1], tuple(row[2]), tuple(row[3])) for row in rows}


@pytest.mark.parametrize("entity", ROOTS, ids=lambda entity: entity.name)
def test_pages_and_bulk_list_the_same(
    store: SimulatedStore, database_url: str, opened: OpenSync, entity: Entity
) -> None:
    by_pages = opened(store, database_url)
    by_bulk = opened(store, database_url, bulk_threshold=5)
    window = Window(EARLIEST, by_pages.api.now() + timedelta(days=1))
    found = []
    for sync, how in ((by_pages, "pages"), (by_bulk, "bulk")):
        done = sweep(sync, entity, window)
        found.append(listed(database_url))
        assert (done.how, done.ids) == (how, len(found[-1]))
        forget(sync, done)
        assert listed(database_url) == {}
    assert found[0] == found[1]
    ids = {int(node["id"].rsplit("/", 1)[1]) for node in truth(store.url, entity)}
    assert set(found[0]) == ids


def test_only_the_window_is_listed(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(store, database_url)
    times = sorted(node["createdAt"] for node in truth(store.url, ENTITIES["orders"]))
    middle = sync.api.now().fromisoformat(times[70])
    done = sweep(sync, ENTITIES["orders"], Window(EARLIEST, middle))
    assert done.ids == sum(time < times[70] for time in times)


@pytest.mark.parametrize(
    "kind", ["bulk_failed", "bulk_canceled", "bulk_truncated_file", "bulk_missing_lines"]
)
def test_a_bulk_operation_without_a_whole_result_deletes_nothing(
    new_store: SimulatedStore, database_url: str, opened: OpenSync, kind: str
) -> None:
    new_store.control("clock", {"advance": 3600})
    sync = opened(new_store, database_url)
    pull_all(sync)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO shopify_orders (shopify_order_id) VALUES (5)")
    new_store.fault(kind, count=99)
    small = opened(new_store, database_url, bulk_threshold=5)
    try:
        reconcile(small, ENTITIES["orders"])
    except AdminApiError:
        query = "SELECT count(*) FROM shopify_orders WHERE deleted_at IS NOT NULL"
        with psycopg.connect(database_url) as connection:
            assert connection.execute(query).fetchone() == (0,)
    else:
        pytest.fail("a broken listing was believed")


def test_a_reconciliation_by_bulk_finds_what_pages_would(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    new_store.control("clock", {"advance": 3600})
    pull_all(opened(new_store, database_url))
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO shopify_orders (shopify_order_id) VALUES (5)")
        connection.execute("UPDATE shopify_orders SET fulfillment_status = 'x'")
    # An operation's time has whole seconds: what was pulled in the same one is not judged.
    new_store.control("clock", {"advance": 60})
    report = reconcile(opened(new_store, database_url, bulk_threshold=5), ENTITIES["orders"])
    assert report.swept_by == "bulk"
    assert (report.found, report.left) == (151, 0)
