"""Signatures: vectors from public libraries and the header examples of real deliveries."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.webhooks.delivery import ShopifyHeaders, UnusableHeadersError, read_delivery
from shopify_pipeline.webhooks.signature import is_signed, signature
from shopify_pipeline_tests import reference


def _read(*names: str) -> Any:
    path = reference.DATA.joinpath("webhooks", *names)
    return json.loads(path.read_text()) if path.exists() else {}


VECTORS = _read("hmac", "hmac-vectors.json").get("webhook", [])
EXAMPLES = _read("headers", "header-examples.json").get("examples", [])


@reference.needs_reference
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_public_vectors(vector: dict[str, Any]) -> None:
    found = is_signed(
        vector["body"].encode(), vector["header_value"].encode(), [vector["secret"].encode()]
    )
    assert found is vector["expected_valid"]


@given(st.binary(min_size=1), st.lists(st.binary(min_size=1), min_size=1, unique=True), st.data())
def test_a_body_is_signed_by_one_of_the_secrets_and_by_no_other(
    body: bytes, secrets: list[bytes], data: st.DataObject
) -> None:
    one = data.draw(st.sampled_from(secrets))
    assert is_signed(body, signature(one, body), secrets)
    assert not is_signed(body, signature(one, body), [s + b"\x01" for s in secrets])
    assert not is_signed(body + b" ", signature(one, body), secrets)


@given(st.binary(), st.binary())
def test_no_header_breaks_the_comparison(body: bytes, header: bytes) -> None:
    assert not is_signed(body, header, [b"hush"])


@reference.needs_reference
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["source"][:60])
def test_headers_of_real_deliveries_are_read(example: dict[str, Any]) -> None:
    headers = [(k.lower().encode(), v.encode()) for k, v in example["headers"].items()]
    shop = dict(headers).get(b"x-shopify-shop-domain", b"a.myshopify.com").decode()
    delivery = read_delivery(ShopifyHeaders(headers), b"{}", shop=shop)
    assert delivery.webhook_id == dict(headers)[b"x-shopify-webhook-id"].decode()
    assert delivery.is_test is (dict(headers).get(b"x-shopify-test") == b"true")
    has_time = b"x-shopify-triggered-at" in dict(headers)
    assert (delivery.triggered_at is not None) is has_time
    with pytest.raises(UnusableHeadersError):
        read_delivery(
            ShopifyHeaders([*headers, (b"x-shopify-shop-domain", b"other.myshopify.com")]),
            b"{}",
            shop=shop,
        )


@pytest.mark.parametrize(
    ("headers", "topic"),
    [
        ([(b"x-shopify-topic", b" a/b ")], "a/b"),
        ([(b"x-shopify-topic", b"a/b"), (b"x-shopify-topic", b"a/b")], "a/b"),
        ([(b"x-shopify-topic", b"a/b"), (b"x-shopify-topic", b"")], "a/b"),
        ([(b"x-shopify-topic", b""), (b"shopify-topic", b"c/d")], "c/d"),
        ([(b"x-shopify-topic", b"a/b"), (b"shopify-topic", b"c/d")], "a/b"),
        ([(b"x", b"1"), (b"x", b"2"), (b"x-shopify-topic", b"a/b")], "a/b"),
        ([(b"x-shopify-topic", b"  ")], None),
    ],
)
def test_a_header_is_what_was_said_once(
    headers: list[tuple[bytes, bytes]], topic: str | None
) -> None:
    assert ShopifyHeaders(headers).get(b"topic") == topic
    with pytest.raises(UnusableHeadersError):
        ShopifyHeaders([*headers, (b"x-shopify-topic", b"e/f"), (b"x-shopify-topic", b"g/h")]).get(
            b"topic"
        )


@given(st.text(max_size=60))
def test_no_trigger_time_breaks_the_reading(text: str) -> None:
    headers = [
        (b"x-shopify-topic", b"orders/create"),
        (b"x-shopify-shop-domain", b"a.myshopify.com"),
        (b"x-shopify-webhook-id", b"w"),
        (b"x-shopify-triggered-at", text.encode()),
    ]
    moment = read_delivery(ShopifyHeaders(headers), b"{}", shop="a.myshopify.com").triggered_at
    assert moment is None or moment.tzinfo is not None
