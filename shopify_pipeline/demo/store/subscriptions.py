"""Webhook subscriptions: what the Admin API says about them, with Shopify's refusals."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import orjson

from shopify_pipeline.demo.store import webhook_topics
from shopify_pipeline.demo.store.catalogue_fields import paged
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source
from shopify_pipeline.demo.store.identifiers import number_of
from shopify_pipeline.demo.store.paging import Page
from shopify_pipeline.demo.store.store import Store

_INTERNAL = ("localhost", "shopify.com", "myshopify.com", "shopify.io", "shopifycloud.com")


def refused_address(uri: str, *, insecure: bool) -> str | None:  # noqa: PLR0911
    """Why an address is no place for webhooks, in Shopify's words."""
    if not uri:
        return "Address can't be blank"
    parts = urlsplit(uri)
    if parts.scheme in {"pubsub", "arn"}:
        return None
    if parts.scheme != "https" and not (insecure and parts.scheme == "http"):
        return f"Address protocol {parts.scheme}:// is not supported"
    host = parts.hostname or ""
    if not host:
        return "Address is invalid"
    if insecure:
        return None
    if any(host == one or host.endswith(f".{one}") for one in _INTERNAL):
        return "Address cannot be a Shopify or an internal domain"
    try:
        private = ipaddress.ip_address(host).is_private
    except ValueError:
        private = host.endswith((".internal", ".local"))
    return "Address cannot be a Shopify or an internal domain" if private else None


class Subscriptions:
    """The app's subscriptions in this shop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.insecure = False

    def all(self) -> list[Document]:
        """Every subscription, oldest first."""
        found = self._store.database.rows("SELECT doc FROM subscriptions ORDER BY id")
        return [orjson.loads(doc) for (doc,) in found]

    def to_topic(self, header: str) -> list[Document]:
        """The subscriptions to a topic, by its header value."""
        return [one for one in self.all() if webhook_topics.HEADERS.get(one["topic"]) == header]

    def add(self, topic: str, uri: str, *, version: str, **given: Any) -> Document:
        """Make a subscription without asking whether Shopify would allow it."""
        moment = self._store.clock.now()
        document: Document = {
            "id": self._store.new_id("subscriptions"),
            "topic": topic,
            "uri": uri,
            "format": given.get("format") or "JSON",
            "includeFields": given.get("includeFields") or [],
            "metafieldNamespaces": given.get("metafieldNamespaces") or [],
            "filter": given.get("filter") or None,
            "name": given.get("name"),
            "version": version,
            "createdAt": moment,
            "updatedAt": moment,
            "failures": 0,
        }
        self.keep(document)
        return document

    def keep(self, document: Document) -> None:
        """Store a subscription."""
        self._store.database.execute(
            "INSERT OR REPLACE INTO subscriptions VALUES (?, ?)",
            (document["id"], orjson.dumps(document)),
        )

    def get(self, identity: int | None) -> Document | None:
        """A subscription by its number."""
        if identity is None:
            return None
        return self._store.database.document("subscriptions", identity)

    def remove(self, identity: int) -> None:
        """Forget a subscription."""
        self._store.database.execute("DELETE FROM subscriptions WHERE id = ?", (identity,))

    def resolvers(self) -> dict[str, Resolver]:
        """The resolvers of every field about subscriptions."""
        return {
            "QueryRoot.webhookSubscription": lambda _source, call, _execution: self.get(
                number_of(call.arguments["id"], "WebhookSubscription")
            ),
            "QueryRoot.webhookSubscriptions": self._list,
            "QueryRoot.webhookSubscriptionsCount": lambda *_: len(self.all()),
            "Mutation.webhookSubscriptionCreate": self._create,
            "Mutation.webhookSubscriptionUpdate": self._update,
            "Mutation.webhookSubscriptionDelete": self._delete,
            "WebhookSubscription.callbackUrl": lambda one, _call, _execution: one["uri"],
            "WebhookSubscription.endpoint": lambda one, _call, _execution: {
                "__typename": "WebhookHttpEndpoint",
                "callbackUrl": one["uri"],
            },
            "WebhookSubscription.apiVersion": lambda one, _call, execution: {
                "handle": one["version"],
                "displayName": one["version"],
                "supported": one["version"] in execution.store.settings.versions,
            },
        }

    def _list(self, source: Source, call: FieldCall, execution: Execution) -> Page:
        wanted = call.arguments
        found = [
            one
            for one in self.all()
            if (not wanted.get("topics") or one["topic"] in wanted["topics"])
            and (not wanted.get("uri") or one["uri"] == wanted["uri"])
            and (not wanted.get("callbackUrl") or one["uri"] == wanted["callbackUrl"])
            and (not wanted.get("format") or one["format"] == wanted["format"])
        ]
        return paged(found, call, lambda one: one["id"])

    def _refusal(
        self, topic: str, uri: str, given: Document, own: int | None
    ) -> dict[str, Any] | None:
        field = ["webhookSubscription", "callbackUrl"]
        reason = refused_address(uri, insecure=self.insecure)
        if reason:
            return {"field": field, "message": reason}
        scope = webhook_topics.needed_scope(topic)
        if scope and scope not in self._store.settings.scopes:
            text = "You cannot create a webhook subscription with the specified topic"
            return {"field": ["webhookSubscription", "topic"], "message": text}
        for one in self.all():
            same = (one["topic"], one["uri"], one["filter"] or "") == (
                topic,
                uri,
                given.get("filter") or "",
            )
            if same and one["id"] != own:
                return {"field": field, "message": "Address for this topic has already been taken"}
        return None

    def _create(self, source: Source, call: FieldCall, execution: Execution) -> Document:
        topic, given = call.arguments["topic"], dict(call.arguments["webhookSubscription"])
        uri = given.pop("uri", None) or given.pop("callbackUrl", None) or ""
        given.pop("callbackUrl", None)
        refusal = self._refusal(topic, uri, given, None)
        if refusal:
            return {"webhookSubscription": None, "userErrors": [refusal]}
        document = self.add(topic, uri, version=execution.version, **given)
        return {"webhookSubscription": document, "userErrors": []}

    def _update(self, source: Source, call: FieldCall, execution: Execution) -> Document:
        document = self.get(number_of(call.arguments["id"], "WebhookSubscription"))
        if document is None:
            error = {"field": ["id"], "message": "Webhook subscription does not exist"}
            return {"webhookSubscription": None, "userErrors": [error]}
        given = dict(call.arguments["webhookSubscription"])
        uri = given.pop("uri", None) or given.pop("callbackUrl", None) or document["uri"]
        refusal = self._refusal(document["topic"], uri, given, document["id"])
        if refusal:
            return {"webhookSubscription": None, "userErrors": [refusal]}
        document |= given | {"uri": uri, "updatedAt": self._store.clock.now()}
        self.keep(document)
        return {"webhookSubscription": document, "userErrors": []}

    def _delete(self, source: Source, call: FieldCall, execution: Execution) -> Document:
        identity = number_of(call.arguments["id"], "WebhookSubscription")
        if identity is None or self.get(identity) is None:
            error = {"field": ["id"], "message": "Webhook subscription does not exist"}
            return {"deletedWebhookSubscriptionId": None, "userErrors": [error]}
        self.remove(identity)
        return {"deletedWebhookSubscriptionId": call.arguments["id"], "userErrors": []}
