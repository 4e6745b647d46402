"""The control interface's webhooks: subscriptions, deliveries and how they go wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopify_pipeline.demo.store import webhook_topics
from shopify_pipeline.demo.store.clock import iso
from shopify_pipeline.demo.store.control_answers import given, refusing, told
from shopify_pipeline.demo.store.given_controls import (
    GivenDelivery,
    GivenSubscriptions,
    GivenWebhook,
)
from shopify_pipeline.demo.store.given_fields import ChangeError

if TYPE_CHECKING:
    from shopify_pipeline.demo.store.server import Application


class Webhooks:
    """The routes of webhooks under `/_store/`."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def routes(self) -> list[Route]:
        """The routes, to be mounted at the root."""
        return [
            Route(
                "/_store/subscriptions",
                refusing(self._subscribe),
                methods=["GET", "POST", "DELETE"],
            ),
            Route("/_store/webhooks", refusing(self._webhook), methods=["POST"]),
            Route("/_store/delivery", refusing(self._delivery), methods=["POST"]),
            Route("/_store/deliveries", self._deliveries),
        ]

    async def _subscribe(self, request: Request) -> Response:
        kept = self._application.subscriptions
        if request.method == "POST":
            wanted = await given(request, GivenSubscriptions)
            for topic in wanted.get("topics", webhook_topics.HEADERS):
                version = max(self._application.store.settings.versions)
                kept.add(topic, wanted["uri"], version=version)
        elif request.method == "DELETE":
            for one in kept.all():
                kept.remove(one["id"])
        return told({"subscriptions": kept.all()})

    async def _webhook(self, request: Request) -> Response:
        wanted = await given(request, GivenWebhook)
        deliveries = self._application.deliveries
        if "repeat" in wanted:
            return told({"repeated": deliveries.repeat(wanted["repeat"])})
        if "topic" not in wanted or "uri" not in wanted:
            raise ChangeError("a delivery needs topic and uri")
        made = deliveries.push(wanted["topic"], wanted.get("body", {}), wanted["uri"])
        return told({"webhookId": made.webhook_id})

    async def _delivery(self, request: Request) -> Response:
        wanted = await given(request, GivenDelivery)
        deliveries = self._application.deliveries
        deliveries.routes |= wanted.pop("routes", {})
        deliveries.secret = wanted.pop("secret", deliveries.secret)
        deliveries.shop_domain = wanted.pop("shopDomain", deliveries.shop_domain)
        kept = self._application.subscriptions
        kept.insecure = wanted.pop("insecure", kept.insecure)
        deliveries.configure(wanted)
        return told(deliveries.state())

    async def _deliveries(self, request: Request) -> Response:
        return told(
            [
                {
                    "topic": one.topic,
                    "webhookId": one.webhook_id,
                    "eventId": one.event_id,
                    "attempts": one.attempts,
                    "statuses": one.statuses,
                    "triggeredAt": iso(one.triggered_at),
                }
                for one in self._application.deliveries.log
            ]
        )
