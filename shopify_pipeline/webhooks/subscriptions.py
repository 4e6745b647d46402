"""Subscriptions of this app on the store: which topics are sent where, made and mended."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from shopify_pipeline.admin_api import AdminApi
from shopify_pipeline.webhooks.topics import SUBSCRIBED

PAGE = """
query WebhookSubscriptions($first: Int!, $after: String) {
  webhookSubscriptions(first: $first, after: $after) {
    nodes { id topic uri format }
    pageInfo { hasNextPage endCursor }
  }
}
"""
CREATE = """
mutation CreateWebhookSubscription(
  $topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!
) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}
"""
UPDATE = """
mutation UpdateWebhookSubscription($id: ID!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionUpdate(id: $id, webhookSubscription: $subscription) {
    webhookSubscription { id topic uri }
    userErrors { field message }
  }
}
"""
DELETE = """
mutation DeleteWebhookSubscription($id: ID!) {
  webhookSubscriptionDelete(id: $id) {
    deletedWebhookSubscriptionId
    userErrors { field message }
  }
}
"""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """One subscription that was made through the API; `topic` is WebhookSubscriptionTopic's name.

    Those in the app's configuration are not listed by Shopify.
    """

    id: str
    topic: str
    uri: str


@dataclass(kw_only=True)
class Standing:
    """How the store's subscriptions compare with what we want at an address.

    `elsewhere` are topics of ours whose only subscriptions lead to another address; `left_out`
    need a scope that the app does not have.
    """

    present: list[Subscription] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    elsewhere: list[Subscription] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether everything that the app may subscribe to is sent to the address."""
        return not self.missing and not self.elsewhere


@dataclass(kw_only=True)
class Registration:
    """What registering did; `refused` holds Shopify's words by topic."""

    created: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def receiver_address(url: str, path: str) -> str:
    """The address to subscribe: the URL, with the receiver's path where it has none."""
    parts = urlsplit(url)
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path=path))


def subscriptions(api: AdminApi) -> list[Subscription]:
    """Every subscription that this app made on this shop.

    Source: https://shopify.dev/docs/api/admin-graphql/latest/queries/webhookSubscriptions

    Raises:
        AdminApiError: Shopify could not be asked.
    """
    found: list[Subscription] = []
    after: str | None = None
    while True:
        page = api.execute(PAGE, {"first": 100, "after": after}).data["webhookSubscriptions"]
        found += [
            Subscription(id=node["id"], topic=node["topic"], uri=node["uri"])
            for node in page["nodes"]
        ]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]


def standing(api: AdminApi, uri: str, *, scopes: Collection[str]) -> Standing:
    """Compare what the store sends with what should come to `uri`."""
    found = Standing()
    by_topic: dict[str, list[Subscription]] = {}
    for one in subscriptions(api):
        by_topic.setdefault(one.topic, []).append(one)
    for topic in SUBSCRIBED:
        assert topic.name is not None  # noqa: S101 - else it is not among them
        ours = by_topic.get(topic.name, [])
        here = [one for one in ours if one.uri == uri]
        if here:
            found.present += here
        elif not _may(topic.scope, scopes):
            found.left_out.append(topic.name)
        elif ours:
            found.elsewhere += ours[:1]
        else:
            found.missing.append(topic.name)
    return found


def register(
    api: AdminApi, uri: str, *, scopes: Collection[str], move: bool = True
) -> Registration:
    """Have every topic that the scopes allow sent to `uri`; what is there already is kept.

    With `move`, a subscription that leads elsewhere is led here; without it, another is made
    beside it. Sources: webhookSubscriptionCreate and webhookSubscriptionUpdate of the Admin API.

    Raises:
        AdminApiError: Shopify could not be asked.
    """
    now = standing(api, uri, scopes=scopes)
    done = Registration(kept=[one.topic for one in now.present], left_out=now.left_out)
    target = {"uri": uri, "format": "JSON"}
    for one in now.elsewhere if move else ():
        answer = api.execute(UPDATE, {"id": one.id, "subscription": {"uri": uri}})
        _note(done, done.moved, one.topic, answer.data["webhookSubscriptionUpdate"])
    for topic in (*now.missing, *(() if move else (one.topic for one in now.elsewhere))):
        answer = api.execute(CREATE, {"topic": topic, "subscription": target})
        _note(done, done.created, topic, answer.data["webhookSubscriptionCreate"])
    return done


def remove(api: AdminApi, chosen: Iterable[Subscription]) -> dict[str, str]:
    """Remove subscriptions; returns Shopify's words by id for those that it did not remove.

    Raises:
        AdminApiError: Shopify could not be asked.
    """
    refused: dict[str, str] = {}
    for one in chosen:
        answer = api.execute(DELETE, {"id": one.id}).data["webhookSubscriptionDelete"]
        if answer["userErrors"]:
            refused[one.id] = _words(answer["userErrors"])
    return refused


def _note(done: Registration, those: list[str], topic: str, answer: dict[str, Any]) -> None:
    errors = answer["userErrors"]
    # Somebody else registered it in between: that is what we wanted.
    if errors and "already been taken" not in _words(errors):
        done.refused[topic] = _words(errors)
    else:
        those.append(topic)


def _words(errors: Iterable[dict[str, Any]]) -> str:
    return "; ".join(str(error["message"]) for error in errors)


def _may(scope: str | None, scopes: Collection[str]) -> bool:
    return scope is None or scope in scopes or scope.replace("read_", "write_", 1) in scopes
