"""`webhooks serve` as a process: from a POST to a whole row, and a clean end."""

import subprocess
from datetime import datetime

import httpx

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.truth import truth
from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.conftest import Sender, within
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop
from shopify_pipeline_tests.webhooks.service import service


def ready(address: str) -> bool:
    """Whether the receiver takes webhooks."""
    try:
        return httpx.get(f"{address}/readyz").is_success
    except httpx.TransportError:
        return False


def test_a_post_becomes_a_row_and_the_service_ends_cleanly(database_url: str, shop: Shop) -> None:
    with service(database_url, "--no-refresh") as running:
        within(lambda: ready(running.address))
        within(lambda: shop.rows("SELECT * FROM shopify_internal.webhook_workers"))
        sender = Sender(running.address, database_url)
        assert sender.post("orders/create", order(1, NOW)).is_success
        within(lambda: shop.rows("SELECT * FROM shopify_orders WHERE shopify_order_id = 1"))
        assert sender.post("orders/create", order(2, NOW)).is_success
        within(lambda: shop.rows("SELECT * FROM shopify_orders WHERE shopify_order_id = 2"))
        assert running.stop() == 0
        assert not shop.rows("SELECT * FROM shopify_internal.webhook_workers")
        assert not shop.rows(
            "SELECT * FROM pg_stat_activity WHERE application_name LIKE "
            "'shopify_pipeline webhook%%' AND datname = current_database()"
        )


def test_a_row_is_completed_from_the_api_soon_after(
    database_url: str, shop: Shop, new_store: SimulatedStore
) -> None:
    record = next(iter(truth(new_store.url, ENTITIES["orders"])))
    number = int(record["legacyResourceId"])
    with service(database_url, SHOPIFY_API_URL=new_store.url) as running:
        within(lambda: ready(running.address))
        sender = Sender(running.address, database_url)
        body = order(number, datetime.fromisoformat(record["updatedAt"]))
        assert sender.post("orders/updated", body).is_success
        within(
            lambda: shop.rows(
                "SELECT * FROM shopify_orders WHERE shopify_order_id = %s "
                "AND complete_at = updated_at",
                number,
            ),
        )
        assert shop.order(number)["name"] == record["name"]


def test_a_busy_port_is_one_sentence_and_exit_code_2(database_url: str) -> None:
    with service(database_url, "--no-refresh") as running:
        port = running.address.rpartition(":")[2]
        with service(database_url, "--no-refresh", WEBHOOK_PORT=port) as second:
            assert second.process.wait(60) == 2


def test_without_a_secret_nothing_is_served(database_url: str) -> None:
    with service(database_url, SHOPIFY_WEBHOOK_SECRETS="") as refused:
        assert refused.process.wait(60) == 2


def test_workers_end_when_their_receiver_is_killed(database_url: str, shop: Shop) -> None:
    with service(database_url, "--no-refresh", "--workers", "2") as running:
        within(lambda: len(shop.rows("SELECT * FROM shopify_internal.webhook_workers")) == 2)
        running.process.kill()
        running.process.wait(60)
        within(lambda: not shop.rows("SELECT * FROM shopify_internal.webhook_workers"))


def test_a_killed_worker_is_replaced(database_url: str, shop: Shop) -> None:
    with service(database_url, "--no-refresh") as running:
        (first,) = _workers(shop)
        subprocess.run(["kill", "-9", first.split(":")[1]], check=True)
        within(lambda: any(name != first for name in _workers(shop)))
        assert running.process.poll() is None


def _workers(shop: Shop) -> list[str]:
    within(lambda: shop.rows("SELECT * FROM shopify_internal.webhook_workers"))
    return [row["worker"] for row in shop.rows("SELECT * FROM shopify_internal.webhook_workers")]
