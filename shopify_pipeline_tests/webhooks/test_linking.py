"""The worker links the customers that webhooks brought to their profiles, soon after."""

import threading

import pytest

from shopify_pipeline.profiles.linking import link
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.settings import load_settings
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks import worker
from shopify_pipeline_tests.webhooks.bodies import customer
from shopify_pipeline_tests.webhooks.conftest import within
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop


def test_a_customer_of_a_webhook_is_linked_to_its_profile(
    database_url: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "SHOPIFY_SHOP": "demo-store",
        "SHOPIFY_ACCESS_TOKEN": "shpat_demo",
        "SHOPIFY_START_DATE": "2026-01-01",
        "DATABASE_URL": database_url,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(worker, "LINK_PROFILES_SECONDS", 0.2)
    jane, *_ = shop.rows(
        "INSERT INTO unified_profiles (email) VALUES ('Jane@example.com'), ('bob@example.com') "
        "RETURNING id"
    )
    settings = load_settings()
    database = Database(database_url, application_name="tests")
    link(database, LinkOptions.from_settings(settings))
    database.close()

    running = worker.Worker(settings, refreshing=False)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        shop.deliver("customers/create", customer(1, NOW, email="jane@example.com"))
        shop.deliver("customers/create", customer(2, NOW, email="nobody@example.com"))
        linked = "SELECT * FROM shopify_customers WHERE unified_profile_id IS NOT NULL"
        within(lambda: shop.rows(linked))
        assert set(shop.states().values()) == {"done"}
        assert [row["shopify_customer_id"] for row in shop.rows(linked)] == [1]
        assert shop.customer(1)["unified_profile_id"] == jane["id"]
    finally:
        running.stop()
        thread.join(60)
