"""The receiver over real HTTP: what it stores, what it refuses, and in which order it checks."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline_tests.webhooks.conftest import SHOP, Sender, headers_of


def test_a_signed_webhook_is_stored_byte_for_byte(sender: Sender) -> None:
    body = b'{"id":820982911946154508, "note":"Zo\\u00eb \xc3\x8e\\/", "x":1.10}\n'
    answer = sender.post("orders/create", body, x_shopify_webhook_id="w1")
    assert answer.status_code == 200
    assert sender.stored() == [("orders/create", "w1", body, 0)]


@pytest.mark.parametrize("size", [3_000, 100_000])
def test_a_body_is_stored_without_the_cost_of_compressing_it(sender: Sender, size: int) -> None:
    assert sender.post("orders/create", {"note": "a" * size}).is_success
    with psycopg.connect(sender.database_url) as connection:
        (stored,) = connection.execute(
            "SELECT pg_column_size(body) FROM shopify_internal.webhook_bodies"
        ).fetchall()
        outside = connection.execute(
            "SELECT sum(pg_relation_size(reltoastrelid)) FROM pg_class "
            "WHERE oid IN (SELECT tableoid FROM shopify_internal.webhook_bodies)"
        ).fetchall()
    assert stored[0] >= size
    # One that fits a page stays in its row.
    assert (outside[0][0] > 0) == (size > 8_000)


def test_a_repeat_gets_200_is_counted_and_not_stored_twice(sender: Sender) -> None:
    for _ in range(3):
        assert sender.post("orders/create", {"id": 1}, x_shopify_webhook_id="w").is_success
    assert sender.stored() == [("orders/create", "w", b'{"id":1}', 2)]
    metrics = sender.client.get(f"{sender.address}/metrics").text
    assert 'shopify_webhooks_requests_total{outcome="repeat"} 2.0' in metrics


def test_the_same_id_under_another_topic_is_another_delivery(sender: Sender) -> None:
    assert sender.post("orders/create", {"id": 1}, x_shopify_webhook_id="w").is_success
    assert sender.post("orders/updated", {"id": 1}, x_shopify_webhook_id="w").is_success
    assert len(sender.stored()) == 2


def test_any_of_the_secrets_is_accepted(sender: Sender) -> None:
    from shopify_pipeline.webhooks.signature import signature

    body = b'{"id":1}'
    for secret, status in ((b"older", 200), (b"hush", 200), (b"other", 401)):
        answer = sender.post(
            "orders/create", body, x_shopify_hmac_sha256=signature(secret, body).decode()
        )
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("replaced", "status"),
    [
        ({"x-shopify-hmac-sha256": None}, 401),
        ({"x-shopify-hmac-sha256": ""}, 401),
        ({"x-shopify-hmac-sha256": "d3Jvbmc="}, 401),
        ({"x-shopify-hmac-sha256": "d3Jvbmc=", "x-shopify-topic": None}, 401),
        ({"x-shopify-hmac-sha256": "d3Jvbmc=", "content-type": "application/xml"}, 415),
        ({"content-type": "application/xml"}, 415),
        ({"content-type": None}, 415),
        ({"x-shopify-topic": None}, 400),
        ({"x-shopify-topic": "orders create"}, 400),
        ({"x-shopify-topic": "orders/create/more"}, 400),
        ({"x-shopify-webhook-id": None}, 400),
        ({"x-shopify-webhook-id": "x" * 201}, 400),
        ({"x-shopify-shop-domain": None}, 400),
        ({"x-shopify-shop-domain": "another.myshopify.com"}, 400),
    ],
)
def test_what_is_refused_is_not_stored(
    sender: Sender, replaced: dict[str, str | None], status: int
) -> None:
    answer = sender.post("orders/create", {"id": 1}, **replaced)
    assert answer.status_code == status
    assert sender.stored() == []


def test_headers_with_two_values_are_refused(sender: Sender) -> None:
    body = b'{"id":1}'
    headers = [*headers_of(body, "orders/create").items(), ("X-Shopify-Topic", "orders/delete")]
    answer = httpx.post(f"{sender.address}{PATH}", content=body, headers=headers)
    assert answer.status_code == 400


def test_the_newer_header_names_serve_where_the_older_are_absent(sender: Sender) -> None:
    body = b'{"id":1}'
    headers = {n.replace("x-shopify", "shopify"): v for n, v in headers_of(body, "a/b").items()}
    assert httpx.post(f"{sender.address}{PATH}", content=body, headers=headers).is_success


def test_a_compliance_delivery_may_lack_shop_version_and_id(sender: Sender) -> None:
    lacking: dict[str, Any] = {
        "x_shopify_shop_domain": None,
        "x_shopify_api_version": None,
        "x_shopify_webhook_id": None,
    }
    assert sender.post("customers/redact", {"shop_id": 1}, **lacking).status_code == 200
    assert sender.post("customers/redact", {"shop_id": 1}, **lacking).status_code == 200
    assert len(sender.stored()) == 1
    wrong = sender.post("customers/redact", {}, x_shopify_shop_domain="another.myshopify.com")
    assert wrong.status_code == 400


def test_the_same_compliance_body_at_another_time_is_another_delivery(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(triggered_at: str | None) -> int:
        answer = sender.post(
            "shop/redact",
            {"shop_id": 1, "shop_domain": SHOP},
            x_shopify_webhook_id=None,
            x_shopify_triggered_at=triggered_at,
        )
        assert answer.is_success
        return len(sender.stored())

    times = ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z", "2026-11-25T10:00:00Z"]
    assert [send(time) for time in times] == [1, 1, 2]
    days = iter(["2026-11-20", "2026-11-20", "2026-11-25"])
    monkeypatch.setattr("shopify_pipeline.webhooks.delivery._today", lambda: next(days))
    assert [send(None) for _ in range(3)] == [3, 3, 4]


@pytest.mark.parametrize(
    ("topic", "body", "status"),
    [
        ("shop/redact", {"shop_id": 1, "shop_domain": SHOP.upper()}, 200),
        ("shop/redact", {"shop_id": 2, "shop_domain": "another.myshopify.com"}, 400),
        ("shop/redact", {"shop_id": 2}, 400),
        ("shop/redact", {"shop_domain": [SHOP]}, 400),
        ("customers/redact", {"customer": {"id": 7}, "shop_domain": SHOP}, 200),
        ("customers/redact", {"shop_domain": "another.myshopify.com"}, 400),
        ("customers/data_request", {"shop_domain": 1}, 400),
        ("customers/data_request", b"not json", 400),
        ("customers/redact", [], 400),
    ],
)
def test_without_its_header_the_shop_of_a_compliance_delivery_is_read_from_the_body(
    sender: Sender, topic: str, body: Any, status: int
) -> None:
    assert sender.post(topic, body, x_shopify_shop_domain=None).status_code == status
    assert len(sender.stored()) == (status == 200)


def test_an_unknown_topic_is_stored(sender: Sender) -> None:
    assert sender.post("themes/publish", {"id": 1}).is_success
    assert sender.stored()[0][0] == "themes/publish"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_405(sender: Sender, method: str) -> None:
    assert sender.client.request(method, f"{sender.address}{PATH}").status_code == 405


def test_a_body_over_the_cap_is_413_announced_or_not(database_url: str, sender_to: Any) -> None:
    sender = sender_to(database_url, max_body_bytes=1000)
    assert sender.post("orders/create", b"x" * 1000).status_code == 200
    assert sender.post("orders/create", b"x" * 1001).status_code == 413

    body = b"x" * 100_000
    headers = headers_of(body, "orders/create")
    chunks = (body[at : at + 500] for at in range(0, len(body), 500))
    try:
        answer = sender.client.post(f"{sender.address}{PATH}", content=chunks, headers=headers)
        assert answer.status_code == 413
    except httpx.WriteError:
        pass  # refused and hung up while we were still sending
    assert len(sender.stored()) == 1


def test_an_unreadable_trigger_time_is_unknown_and_a_future_one_is_now(sender: Sender) -> None:
    for value in ("yesterday", "2026-13-45T99:00:00Z", "2999-01-01T00:00:00Z", None):
        assert sender.post("orders/create", {"id": 1}, x_shopify_triggered_at=value).is_success
    with psycopg.connect(sender.database_url) as connection:
        rows = connection.execute(
            "SELECT triggered_at, triggered_at <= now() FROM shopify_internal.webhook_inbox "
            "ORDER BY id"
        ).fetchall()
    assert [row[0] is None for row in rows] == [True, True, False, True]
    assert rows[2][1]


def test_concurrent_deliveries_share_commits_and_none_is_lost(sender: Sender) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(
            pool.map(
                lambda n: sender.post(
                    "orders/create", {"id": n}, x_shopify_webhook_id=f"w{n % 250}"
                ),
                range(500),
            )
        )
    assert {answer.status_code for answer in answers} == {200}
    assert len(sender.stored()) == 250
    assert sum(row[3] for row in sender.stored()) == 250


def test_health_and_readiness(sender: Sender) -> None:
    assert sender.client.get(f"{sender.address}/healthz").status_code == 200
    assert sender.client.get(f"{sender.address}/readyz").status_code == 200
    assert "shopify_webhooks_inbox" in sender.client.get(f"{sender.address}/metrics").text


def test_the_figures_say_what_came_and_how_long_it_took(sender: Sender) -> None:
    for topic in ("orders/create", "orders/create", "no/such"):
        assert sender.post(topic, {"id": 1}).is_success
    assert sender.post("orders/create", {}, x_shopify_hmac_sha256=None).status_code == 401
    lines = sender.client.get(f"{sender.address}/metrics").text.splitlines()
    name = "shopify_webhooks"
    assert f'{name}_requests_total{{outcome="stored"}} 3.0' in lines
    assert f'{name}_requests_total{{outcome="401"}} 1.0' in lines
    assert f'{name}_deliveries_total{{topic="orders/create"}} 2.0' in lines
    assert f'{name}_deliveries_total{{topic="unknown"}} 1.0' in lines
    assert f"{name}_request_seconds_count 4.0" in lines
    assert f'{name}_commit_deliveries_bucket{{le="1.0"}} 3.0' in lines
    assert f'{name}_commit_deliveries_bucket{{le="+Inf"}} 3.0' in lines
    assert f"{name}_commit_deliveries_sum 3.0" in lines


def test_without_a_database_it_answers_503_at_once(
    sender_to: Any,
) -> None:
    sender = sender_to("postgresql://nobody@127.0.0.1:1/none", is_ready=False)
    answer = sender.post("orders/create", {"id": 1})
    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() < 3  # what waits for the database waits 3.5 s
    assert sender.client.get(f"{sender.address}/readyz").status_code == 503
    assert sender.client.get(f"{sender.address}/healthz").status_code == 200
