"""A worker that is told to stop while Shopify is away: it ends, and loses nothing."""

from datetime import datetime, timedelta

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync.refresh import LEASE_SECONDS
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.truth import truth
from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.conftest import within
from shopify_pipeline_tests.webhooks.inbox import Shop
from shopify_pipeline_tests.webhooks.service import service


def test_a_worker_ends_while_shopify_makes_it_wait_and_its_claims_stay_queued(
    database_url: str, shop: Shop, new_store: SimulatedStore
) -> None:
    record = next(iter(truth(new_store.url, ENTITIES["orders"])))
    number = int(record["legacyResourceId"])
    new_store.fault("429", match="Refresh_orders", retry_after=250, count=1000)
    shop.deliver("orders/updated", order(number, datetime.fromisoformat(record["updatedAt"])))
    with service(database_url, command="work", SHOPIFY_API_URL=new_store.url) as running:
        within(lambda: shop.queued().get(("orders", number), {}).get("attempts"))
        # `stop` waits far shorter than the 250 s.
        assert running.stop() == 0
    left = shop.queued()["orders", number]
    (now,) = (row["now"] for row in shop.rows("SELECT now()"))
    assert left["due_at"] <= now + timedelta(seconds=LEASE_SECONDS)
    assert set(shop.states().values()) == {"done"}
    assert not shop.rows("SELECT * FROM shopify_internal.webhook_workers")


def test_a_worker_ends_while_shopify_cannot_be_reached(database_url: str, shop: Shop) -> None:
    with service(database_url, command="work", SHOPIFY_API_URL="http://127.0.0.1:1") as running:
        within(lambda: shop.rows("SELECT * FROM shopify_internal.webhook_workers"))
        assert running.stop() == 0
    assert not shop.rows("SELECT * FROM shopify_internal.webhook_workers")
