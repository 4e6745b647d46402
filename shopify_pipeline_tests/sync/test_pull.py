"""A pull makes the tables equal to the store, and reads and writes nothing that it need not."""

from datetime import timedelta

import psycopg
import pytest

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync.pull import pull
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, everything, pull_all
from shopify_pipeline_tests.truth import differences


def test_a_first_pull_makes_every_table_equal_to_the_store(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    reports = pull_all(opened(store, database_url))
    assert differences(store.url, database_url) == []
    assert all(report.records > 0 for report in reports)


def test_a_second_pull_that_finds_nothing_new_writes_nothing(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    new_store.control("clock", {"advance": 3600})
    sync = opened(new_store, database_url)
    pull_all(sync)
    with psycopg.connect(database_url) as connection:
        query = "SELECT max(xmin::text::bigint) FROM shopify_orders"
        before = connection.execute(query).fetchone()
    new_store.forget_stats()
    reports = pull_all(sync, resume=True)
    assert [report.records for report in reports] == [0, 0, 0]
    assert new_store.stats()["calls"] <= 6
    with psycopg.connect(database_url) as connection:
        assert connection.execute(query).fetchone() == before


def test_a_resumed_pull_reads_no_further_back_than_the_overlap(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    report = pull(sync, ENTITIES["orders"], everything(sync), resume=True)
    assert report.checkpoint is not None
    assert report.window.start >= report.checkpoint - sync.overlap - timedelta(seconds=30)


@pytest.mark.parametrize("kind", ["products", "customers", "orders"])
def test_what_was_created_or_changed_arrives(
    new_store: SimulatedStore, database_url: str, opened: OpenSync, kind: str
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    line = {"title": "x", "price": "2.00", "quantity": 2}
    bodies = {
        "products": {"variants": [{"sku": f"S{n}", "price": "1.5"} for n in range(30)]},
        "customers": {"email": "A@example.com", "firstName": "A"},
        "orders": {"email": "a@example.com", "lineItems": [line] * 30},
    }
    made = new_store.control(kind, bodies[kind])
    new_store.control("clock", {"advance": 5})
    pull_all(sync, resume=True)
    assert differences(new_store.url, database_url) == []
    new_store.control(f"{kind}/{made['id'].rsplit('/', 1)[1]}", {"tags": ["changed"]})
    new_store.control("clock", {"advance": 5})
    pull_all(sync, resume=True)
    assert differences(new_store.url, database_url) == []


def test_orders_that_become_visible_late_with_an_older_time_arrive(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    pull_all(sync)
    new_store.control("settings", {"indexLag": 300})
    order = {"lineItems": [{"title": "x", "price": "2.00", "quantity": 2}]}
    new_store.control("orders", order)
    new_store.control("clock", {"advance": 200})
    pull_all(sync, resume=True)
    assert differences(new_store.url, database_url) != []
    new_store.control("clock", {"advance": 200})
    pull_all(sync, resume=True)
    assert differences(new_store.url, database_url) == []
