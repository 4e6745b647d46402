"""The comparison with the truth finds what differs, all at once or in a stream."""

import psycopg
import pytest

from shopify_pipeline_tests import truth
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, opened, pull_all
from shopify_pipeline_tests.truth import differences, streamed_differences

__all__ = ["opened"]

HARMS = {
    "order_items": "DELETE FROM shopify_order_items WHERE id IN"
    " (SELECT id FROM shopify_order_items LIMIT 1)",
    "orders": "UPDATE shopify_orders SET tags = '{harmed}' WHERE id IN"
    " (SELECT id FROM shopify_orders LIMIT 1)",
    "customers": "INSERT INTO shopify_customers (shopify_customer_id, updated_at, observed_at)"
    " VALUES (1, now(), now())",
    "product_variants": "UPDATE shopify_product_variants SET product_id = (SELECT id FROM"
    " shopify_products ORDER BY id LIMIT 1) WHERE product_id = (SELECT id FROM shopify_products"
    " ORDER BY id DESC LIMIT 1)",
    "products": "UPDATE shopify_products SET deleted_at = now() WHERE id IN"
    " (SELECT id FROM shopify_products LIMIT 1)",
}


def test_both_ways_find_nothing_and_then_every_harm(
    store: SimulatedStore, database_url: str, opened: OpenSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "BATCH", 7)
    pull_all(opened(store, database_url))
    found, compared = streamed_differences(store.url, database_url)
    assert found == differences(store.url, database_url) == []
    sampled, drawn = streamed_differences(store.url, database_url, share=0.3)
    assert sampled == []
    assert 0 < drawn < compared / 2
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name, harm in HARMS.items():
            connection.execute(harm)
            for lines in (
                differences(store.url, database_url, most=1_000),
                streamed_differences(store.url, database_url, most=1_000)[0],
            ):
                assert any(line.startswith(name) for line in lines), lines


def test_a_sample_still_counts_all_rows(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    pull_all(opened(store, database_url))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(HARMS["order_items"])
    assert streamed_differences(store.url, database_url, share=0.0)[0] != []
