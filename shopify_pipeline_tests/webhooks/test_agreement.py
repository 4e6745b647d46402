"""A store's own deliveries, doubled and out of order, end in the tables that polling makes."""

import time
from typing import Any

import pytest

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, opened, pull_all  # noqa: F401
from shopify_pipeline_tests.truth import differences, truth
from shopify_pipeline_tests.webhooks.conftest import SECRET, within
from shopify_pipeline_tests.webhooks.inbox import Shop
from shopify_pipeline_tests.webhooks.service import service
from shopify_pipeline_tests.webhooks.test_service import ready


def is_sent(store: SimulatedStore) -> bool:
    """Whether nothing that the store has to send still waits."""
    state: Any = store.control("delivery", {})
    return not any(state[waiting] for waiting in ("queued", "in_flight", "waiting"))


def settle(shop: Shop, store: SimulatedStore, *, seconds: float = 120) -> None:
    """Wait until everything the store sent has come, and is whole."""
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < 5:
        assert time.monotonic() < deadline, shop.rows(
            "SELECT entity, reason, attempts, last_error, count(*) "
            "FROM shopify_internal.refresh_queue GROUP BY 1, 2, 3, 4"
        )
        waiting = shop.rows(
            "SELECT (SELECT count(*) FROM shopify_internal.refresh_queue) + (SELECT count(*) "
            "FROM shopify_internal.webhook_inbox WHERE state = 'pending') AS n"
        )
        quiet = quiet + 1 if waiting == [{"n": 0}] else 0
        time.sleep(0.3)


@pytest.mark.timeout(280)
def test_what_webhooks_made_is_what_polling_makes(
    database_url: str,
    shop: Shop,
    new_store: SimulatedStore,
    opened: OpenSync,  # noqa: F811
) -> None:
    pull_all(opened(new_store, database_url))
    with service(database_url, SHOPIFY_API_URL=new_store.url) as running:
        within(lambda: ready(running.address))
        new_store.control("delivery", {"secret": SECRET.decode(), "insecure": True})
        new_store.control(
            "subscriptions",
            {"topics": "all", "uri": f"{running.address}/webhooks/shopify"},
        )
        new_store.control("delivery", {"duplicate": 0.2, "reorder": 0.3})
        new_store.control("traffic", {"steps": 120})
        by_hand(new_store)
        within(lambda: is_sent(new_store), seconds=150)
        settle(shop, new_store)
        topics = {row["topic"] for row in shop.rows("SELECT * FROM shopify_internal.webhook_inbox")}
        assert {"orders/create", "orders/updated", "customers/update", "products/update"} <= topics
        assert "dead" not in shop.states().values()
        assert differences(new_store.url, database_url) == []
        assert running.stop() == 0


def by_hand(store: SimulatedStore) -> None:
    """The cases that traffic may leave out: edits, refunds, cancellations, merges, deletions."""
    orders = [int(record["legacyResourceId"]) for record in truth(store.url, ENTITIES["orders"])]
    for number, action in zip(
        orders, ("refund", "cancel", "fulfill", "edit", "close"), strict=False
    ):
        answer: Any = store.control(f"orders/{number}/{action}", {})
        assert answer
    customers = [
        int(record["legacyResourceId"]) for record in truth(store.url, ENTITIES["customers"])
    ]
    store.control(f"customers/{customers[0]}/merge", {"into": customers[1]})
    store.control(f"orders/{orders[-1]}", method="DELETE")
    products = [record["id"] for record in truth(store.url, ENTITIES["products"])]
    store.control(f"products/{products[0].rpartition('/')[2]}", method="DELETE")
    store.control(
        "products",
        {"title": "New", "variants": [{"sku": f"V{n}", "price": "1.50"} for n in range(120)]},
    )
