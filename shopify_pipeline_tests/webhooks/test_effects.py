"""What bodies mean: Shopify's samples and recordings, and bodies that are anything."""

import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.webhooks.effects import Claimed, MalformedBodyError
from shopify_pipeline.webhooks.folding import folded, writes
from shopify_pipeline.webhooks.reading import effects_of, refresh_of
from shopify_pipeline.webhooks.topics import TOPICS, Handling
from shopify_pipeline_tests import reference
from shopify_pipeline_tests.webhooks.bodies import customer, order, product
from shopify_pipeline_tests.webhooks.inbox import NOW

FOLDER = reference.DATA / "webhooks"
SAMPLES = sorted(FOLDER.glob("docs-samples-2026-07/*.json")) if FOLDER.exists() else []
RECORDED = sorted(FOLDER.glob("recorded/*.json")) if FOLDER.exists() else []


def claimed(topic: str, body: Any) -> Claimed:
    """A delivery with this body."""
    return Claimed(
        id=1,
        topic=topic,
        received_at=NOW,
        triggered_at=NOW,
        is_test=False,
        attempts=0,
        body=body if isinstance(body, bytes) else orjson.dumps(body),
    )


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_shopifys_samples_are_understood(path: Any) -> None:
    sample = json.loads(path.read_text())
    topic = TOPICS.get(sample["name"])
    body = sample["response"]
    if topic and topic.handling is Handling.WRITE and not body.get("updated_at"):
        body["updated_at"] = "2026-01-01T00:00:00-05:00"
    found = effects_of(claimed(sample["name"], body))
    if topic is None:
        assert found.skipped
    elif topic.entity is not None:
        assert found.refreshes
        assert found.shopify_id
    if topic and topic.handling is Handling.WRITE:
        assert len(found.bodies) == 1
        assert all(items for items in found.bodies[0].children.values())


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_deliveries_are_written_whole(path: Any) -> None:
    body = json.loads(path.read_text())
    body = body.get("payload", body.get("body", body))
    topic = "customers/create" if "customers" in path.name else "orders/create"
    (row,) = effects_of(claimed(topic, body)).bodies
    assert row.values["updated_at"].utcoffset() == timedelta(0)
    if topic == "orders/create":
        assert str(row.values["total_price"]) == body["total_price_set"]["shop_money"]["amount"]
        assert len(row.children["order_items"]) == len(body["line_items"])


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=10,
)


@st.composite
def broken_bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A body of the right form in which some values are anything."""
    made = draw(st.sampled_from([order, customer, product]))
    body: dict[str, Any] = made(1, NOW)
    for name in draw(st.lists(st.sampled_from(sorted(body)), max_size=4)):
        body[name] = draw(JSON)
    if isinstance(body.get("line_items"), list) and body["line_items"]:
        item = body["line_items"][0]
        if isinstance(item, dict):
            item[draw(st.sampled_from(sorted(item) or ["id"]))] = draw(JSON)
    return body


@given(st.sampled_from(sorted(TOPICS)), JSON | broken_bodies())
def test_any_body_is_understood_or_malformed_and_nothing_else(topic: str, body: Any) -> None:
    delivery = claimed(topic, body)
    refresh_of(delivery)
    try:
        found = effects_of(delivery)
    except MalformedBodyError:
        return
    for one_round in folded(found.bodies):
        for parents, children in writes(one_round):
            assert parents.shape
            assert all(child.shape for child in children)


@given(st.sampled_from(sorted(TOPICS)), st.binary(max_size=200))
def test_any_bytes_are_understood_or_malformed(topic: str, body: bytes) -> None:
    delivery = claimed(topic, body)
    refresh_of(delivery)
    with suppress(MalformedBodyError):
        effects_of(delivery)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3), st.booleans()), max_size=12))
def test_folding_keeps_the_newest_and_no_version_twice(
    versions: list[tuple[int, int, bool]],
) -> None:
    rows = []
    for number, seconds, says_status in versions:
        body = order(number, NOW + timedelta(seconds=seconds))
        body["fulfillment_status"] = "fulfilled" if says_status else None
        rows += effects_of(claimed("orders/updated", body)).bodies
    rounds = folded(rows)
    for one_round in rounds:
        ids = [row.shopify_id for row in one_round]
        assert len(ids) == len(set(ids))
    for number in {number for number, _, _ in versions}:
        kept = [row for one in rounds for row in one if row.shopify_id == number]
        assert kept[-1].version == max(row.version for row in rows if row.shopify_id == number)
        assert [row.version for row in kept] == sorted(row.version for row in kept)
