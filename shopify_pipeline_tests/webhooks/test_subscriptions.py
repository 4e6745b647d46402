"""Subscriptions, against Shopify's own schema with a small shop behind it."""

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import NoDeprecatedCustomRule, graphql_sync, parse, specified_rules, validate

from shopify_pipeline.webhooks import subscriptions
from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline.webhooks.topics import SUBSCRIBED, TOPICS
from shopify_pipeline_tests import reference

HERE = "https://hooks.example.com/webhooks/shopify"
SCOPES = frozenset({"read_orders", "read_customers", "read_products"})


@dataclass
class Answer:
    """What the client gives back."""

    data: dict[str, Any]


class Shop:
    """Executes against the real schema; keeps subscriptions; refuses what Shopify refuses."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.mutations = 0
        self.numbers = itertools.count(1)

    def add(self, topic: str, uri: str) -> None:
        """Put a subscription there."""
        gid = f"gid://shopify/WebhookSubscription/{next(self.numbers)}"
        self.kept[gid] = {"id": gid, "topic": topic, "uri": uri, "format": "JSON"}

    def execute(self, query: str, variables: dict[str, Any]) -> Answer:
        """Answer as the client does."""
        result = graphql_sync(
            reference.schema("2026-10"), query, root_value=self, variable_values=variables
        )
        assert result.errors is None, result.errors
        assert result.data is not None
        return Answer(result.data)

    def webhookSubscriptions(  # noqa: N802
        self, _info: Any, first: int, after: str | None = None, **_rest: Any
    ) -> Any:
        """A page of at most three, so that paging is seen."""
        start = int(after or 0)
        nodes = list(self.kept.values())[start : start + min(first, 3)]
        end = start + len(nodes)
        info = {"hasNextPage": end < len(self.kept), "endCursor": str(end)}
        return {"nodes": nodes, "pageInfo": info}

    def webhookSubscriptionCreate(  # noqa: N802
        self,
        _info: Any,
        topic: str,
        webhookSubscription: dict[str, Any],  # noqa: N803
    ) -> Any:
        """Create, unless it is there."""
        self.mutations += 1
        uri = webhookSubscription["uri"]
        problem = None
        if not uri.startswith("https://"):
            problem = "Address protocol http:// is not supported"
        if any(one["topic"] == topic and one["uri"] == uri for one in self.kept.values()):
            problem = "Address for this topic has already been taken"
        if problem:
            errors = [{"field": ["webhookSubscription", "uri"], "message": problem}]
            return {"webhookSubscription": None, "userErrors": errors}
        self.add(topic, uri)
        return {"webhookSubscription": list(self.kept.values())[-1], "userErrors": []}

    def webhookSubscriptionUpdate(  # noqa: N802
        self,
        _info: Any,
        id: str,  # noqa: A002
        webhookSubscription: dict[str, Any],  # noqa: N803
    ) -> Any:
        """Lead it elsewhere."""
        self.mutations += 1
        self.kept[id]["uri"] = webhookSubscription["uri"]
        return {"webhookSubscription": self.kept[id], "userErrors": []}

    def webhookSubscriptionDelete(self, _info: Any, id: str) -> Any:  # noqa: A002, N802
        """Drop it."""
        self.mutations += 1
        del self.kept[id]
        return {"deletedWebhookSubscriptionId": id, "userErrors": []}


@pytest.fixture
def shop() -> Any:
    """A shop without subscriptions."""
    if not reference.DATA.exists():
        pytest.skip("the reference data is not beside the checkout")
    return Shop()


@reference.needs_reference
@pytest.mark.parametrize("version", reference.VERSIONS)
@pytest.mark.parametrize("name", ["PAGE", "CREATE", "UPDATE", "DELETE"])
def test_the_operations_are_valid_in_every_version(name: str, version: str) -> None:
    rules = [*specified_rules, NoDeprecatedCustomRule]
    document = parse(getattr(subscriptions, name))
    assert validate(reference.schema(version), document, rules) == []


@reference.needs_reference
@pytest.mark.parametrize("version", reference.VERSIONS)
def test_every_topic_has_a_name_that_shopify_knows(version: str) -> None:
    known = reference.schema(version).type_map["WebhookSubscriptionTopic"].values  # type: ignore[attr-defined]
    assert {topic.name for topic in SUBSCRIBED} <= set(known)


@reference.needs_reference
def test_every_header_value_is_one_of_shopifys_samples() -> None:
    folder = reference.DATA / "webhooks" / "docs-samples-2026-07"
    samples = {path.stem.replace("__", "/") for path in folder.glob("*.json")}
    assert set(TOPICS) <= samples


def test_registering_creates_what_is_missing_and_says_what_it_may_not(shop: Any) -> None:
    done = subscriptions.register(shop, HERE, scopes=SCOPES)
    assert len(done.created) == len(SUBSCRIBED) - 1
    assert done.left_out == ["CUSTOMERS_MERGE"]
    assert subscriptions.standing(shop, HERE, scopes=SCOPES).is_whole
    assert len(subscriptions.subscriptions(shop)) == len(SUBSCRIBED) - 1


def test_registering_again_changes_nothing(shop: Any) -> None:
    subscriptions.register(shop, HERE, scopes=SCOPES)
    shop.mutations = 0
    done = subscriptions.register(shop, HERE, scopes=SCOPES)
    assert shop.mutations == 0
    assert len(done.kept) == len(SUBSCRIBED) - 1


def test_what_was_dropped_or_leads_elsewhere_is_found_and_mended(shop: Any) -> None:
    subscriptions.register(shop, HERE, scopes=SCOPES)
    gone = next(iter(shop.kept))
    topic = shop.kept.pop(gone)["topic"]
    other = list(shop.kept.values())[4]
    other["uri"] = "https://old.example.com/"
    found = subscriptions.standing(shop, HERE, scopes=SCOPES)
    assert found.missing == [topic]
    assert [one.topic for one in found.elsewhere] == [other["topic"]]
    done = subscriptions.register(shop, HERE, scopes=SCOPES)
    assert (done.created, done.moved) == ([topic], [other["topic"]])
    assert subscriptions.standing(shop, HERE, scopes=SCOPES).is_whole


def test_beside_leaves_the_other_address_its_subscription(shop: Any) -> None:
    shop.add("ORDERS_CREATE", "https://old.example.com/")
    subscriptions.register(shop, HERE, scopes=SCOPES, move=False)
    orders = [one.uri for one in subscriptions.subscriptions(shop) if one.topic == "ORDERS_CREATE"]
    assert sorted(orders) == [HERE, "https://old.example.com/"]


def test_what_shopify_refuses_is_reported(shop: Any) -> None:
    done = subscriptions.register(shop, "http://hooks.example.com/", scopes=SCOPES)
    assert not done.created
    assert set(done.refused.values()) == {"Address protocol http:// is not supported"}


def test_removing_removes_those_that_were_chosen(shop: Any) -> None:
    subscriptions.register(shop, HERE, scopes=SCOPES)
    shop.add("ORDERS_CREATE", "https://old.example.com/")
    chosen = [one for one in subscriptions.subscriptions(shop) if one.uri == HERE]
    assert subscriptions.remove(shop, chosen) == {}
    assert [one.uri for one in subscriptions.subscriptions(shop)] == ["https://old.example.com/"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://hooks.example.com", HERE),
        ("https://hooks.example.com/", HERE),
        ("https://hooks.example.com/a/b", "https://hooks.example.com/a/b"),
    ],
)
def test_an_address_without_path_gets_the_receivers(url: str, address: str) -> None:
    assert subscriptions.receiver_address(url, PATH) == address
