"""What was created in a window is read again whole, and nothing else changes."""

from datetime import UTC, datetime, timedelta

import psycopg

from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.sync.reread import reread_created
from shopify_pipeline.sync.window import Window
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, everything, pull_all
from shopify_pipeline_tests.truth import differences


def checkpoints(database_url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        query = "SELECT entity, checkpoint FROM shopify_internal.checkpoints ORDER BY entity"
        return connection.execute(query).fetchall()


def test_damaged_and_lost_rows_of_the_window_come_back(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(store, database_url)
    pull_all(sync)
    before = checkpoints(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE shopify_customers SET first_name = 'damaged'")
        connection.execute("UPDATE shopify_orders SET total_price = total_price + 1")
        connection.execute("UPDATE shopify_products SET title = 'damaged'")
        connection.execute("UPDATE shopify_product_variants SET price = 0")
        connection.execute("DELETE FROM shopify_order_items")
    for root in ROOTS:
        reread_created(sync, root, everything(sync))
    assert differences(store.url, database_url) == []
    assert checkpoints(database_url) == before


def test_only_the_window_is_read(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(store, database_url)
    pull_all(sync)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE shopify_orders SET total_price = -1")
        query = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY created_at) FROM shopify_orders"
        middle = connection.execute(query).fetchone()
    assert middle is not None
    window = Window(datetime(2015, 1, 1, tzinfo=UTC), middle[0] + timedelta(seconds=1))
    report = reread_created(sync, ENTITIES["orders"], window)
    with psycopg.connect(database_url) as connection:
        wrong = connection.execute(
            "SELECT count(*) FILTER (WHERE created_at < %(end)s AND total_price = -1),"
            " count(*) FILTER (WHERE created_at >= %(end)s AND total_price <> -1)"
            " FROM shopify_orders",
            {"end": window.end},
        ).fetchone()
    assert wrong == (0, 0)
    assert report.counts["shopify_orders"].updated == report.records > 0


def test_it_makes_no_first_checkpoint(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(store, database_url)
    report = reread_created(sync, ENTITIES["products"], everything(sync))
    assert report.records > 0
    assert checkpoints(database_url) == []
