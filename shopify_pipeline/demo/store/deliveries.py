"""Delivers webhooks as Shopify does: signed, retried eight times over four hours, then dropped.

https://shopify.dev/docs/apps/build/webhooks and
https://shopify.dev/changelog/updates-to-webhook-retry-mechanism
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from random import Random
from typing import Any

import httpx
import orjson

from shopify_pipeline.demo.store import webhook_topics
from shopify_pipeline.demo.store.clock import SECOND
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.delivery import Delivery, Disorder
from shopify_pipeline.demo.store.store import Store
from shopify_pipeline.demo.store.subscriptions import Subscriptions

RETRIES_AFTER = (60, 180, 420, 900, 1_800, 3_600, 7_200, 14_400)
"""Seconds after the trigger at which a failed delivery is tried again: 8 times in 4 hours."""

CONNECT_TIMEOUT = 1.0
TOTAL_TIMEOUT = 5.0
_IN_FLIGHT = 24


class Deliveries:
    """The queue of deliveries, and what became of them."""

    def __init__(self, store: Store, subscriptions: Subscriptions) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self.disorder = Disorder()
        self.routes: dict[str, str] = {}
        self.secret: str | None = None
        self.shop_domain: str | None = None
        self._draw = Random(7)  # noqa: S311
        self._ready: deque[Delivery] = deque()
        self._waiting: list[Delivery] = []
        self._last_event: tuple[Any, str] = (None, "")
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._flying: set[asyncio.Task[None]] = set()
        self.counts = {
            "triggered": 0,
            "delivered": 0,
            "failed": 0,
            "dropped": 0,
            "removed_subscriptions": 0,
        }
        self.log: deque[Delivery] = deque(maxlen=20_000)

    def configure(self, given: dict[str, Any]) -> None:
        """Set how deliveries go wrong; `paused` holds them back, for a burst when it ends."""
        for name, value in given.items():
            if hasattr(self.disorder, name):
                setattr(self.disorder, name, value)
        self._draw = Random(self.disorder.seed)  # noqa: S311
        self.look()

    # -- triggering

    def heard(self, kind: str, topic: str, document: Document, details: dict[str, Any]) -> None:
        """Something happened to a record: send it to whoever subscribed."""
        self._send(topic, document, details)
        if kind == "orders" and topic in {"orders/create", "refunds/create", "orders/cancelled"}:
            self._purchases(document)
        if topic == "orders/create":
            self._send("orders/updated", document, {})

    def _purchases(self, order: Document) -> None:
        if order["customer"] is None:
            return
        customer = self._store.database.document("customers", order["customer"])
        if customer is not None:
            self._send("customers/purchasing_summary", customer, {})

    def _send(self, topic: str, document: Document, details: dict[str, Any]) -> None:
        chosen = self._subscriptions.to_topic(topic)
        if not chosen:
            return
        body = webhook_topics.body(self._store, topic, document, details)
        for one in chosen:
            fields = one["includeFields"]
            trimmed = {name: body[name] for name in fields if name in body} if fields else body
            self.push(
                topic,
                trimmed,
                one["uri"],
                subscription=one["id"],
                version=one["version"],
                name=one["name"],
                event=(document.get("id"), document.get("updatedAt")),
            )

    def push(
        self,
        topic: str,
        body: Any,
        uri: str,
        *,
        subscription: int | None = None,
        version: str = "2026-10",
        name: str | None = None,
        event: Any = None,
    ) -> Delivery:
        """Queue one delivery of any topic and body."""
        if event is None or self._last_event[0] != event:
            self._last_event = (event, str(uuid.uuid4()))
        now = self._store.clock.now()
        delivery = Delivery(
            subscription,
            uri,
            topic,
            body if isinstance(body, bytes) else orjson.dumps(body),
            str(uuid.uuid4()),
            self._last_event[1],
            now,
            version,
            name,
            due_at=now,
        )
        self.log.append(delivery)
        self.counts["triggered"] += 1
        self._admit(delivery)
        return delivery

    def repeat(self, count: int) -> int:
        """Deliver the last ones once more, under their webhook ids; returns how many."""
        again = list(self.log)[-count:]
        for delivery in again:
            self._ready.append(delivery)
        self.look()
        return len(again)

    def _admit(self, delivery: Delivery) -> None:
        disorder, draw = self.disorder, self._draw
        if disorder.drop and draw.random() < disorder.drop:
            self.counts["dropped"] += 1
            return
        if disorder.delay:
            delivery.due_at += int(disorder.delay * draw.random() * SECOND)
            self._waiting.append(delivery)
        elif disorder.reorder and self._ready and draw.random() < disorder.reorder:
            self._ready.insert(draw.randrange(len(self._ready)), delivery)
        else:
            self._ready.append(delivery)
        if disorder.duplicate and draw.random() < disorder.duplicate:
            self._ready.append(delivery)
        self.look()

    # -- delivering

    def look(self) -> None:
        """Look at the queue again: something was added, or the clock moved."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._task is None:
            self._wake = asyncio.Event()
            self._task = loop.create_task(self._work())
        if self._wake is not None:
            self._wake.set()

    async def _work(self) -> None:
        timeout = httpx.Timeout(TOTAL_TIMEOUT, connect=CONNECT_TIMEOUT)
        limits = httpx.Limits(max_connections=_IN_FLIGHT, max_keepalive_connections=_IN_FLIGHT)
        gate = asyncio.Semaphore(_IN_FLIGHT)
        async with httpx.AsyncClient(timeout=timeout, limits=limits, verify=False) as client:  # noqa: S501
            while self._wake is not None:
                self._take_due()
                while self._ready and not self.disorder.paused:
                    delivery = self._ready.popleft()
                    await gate.acquire()
                    task = asyncio.create_task(self._deliver(client, delivery, gate))
                    self._flying.add(task)
                    task.add_done_callback(self._flying.discard)
                self._wake.clear()
                try:
                    await asyncio.wait_for(self._wake.wait(), 0.2)
                except TimeoutError:
                    continue

    def _take_due(self) -> None:
        if not self._waiting:
            return
        now = self._store.clock.now()
        due = [one for one in self._waiting if one.due_at <= now]
        if due:
            self._waiting = [one for one in self._waiting if one.due_at > now]
            self._ready.extend(sorted(due, key=lambda one: one.due_at))

    async def _deliver(
        self, client: httpx.AsyncClient, delivery: Delivery, gate: asyncio.Semaphore
    ) -> None:
        delivery.attempts += 1
        try:
            status = await asyncio.wait_for(self._post(client, delivery), TOTAL_TIMEOUT)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            status = 0
            delivery.statuses.append(type(error).__name__)
        else:
            delivery.statuses.append(status)
        finally:
            gate.release()
        if 200 <= status < 300:
            self.counts["delivered"] += 1
            self._succeeded(delivery)
        else:
            self.counts["failed"] += 1
            self._failed(delivery)

    async def _post(self, client: httpx.AsyncClient, delivery: Delivery) -> int:
        headers = delivery.headers(
            secret=self.secret or self._store.settings.client_secret,
            domain=self.shop_domain or self._store.settings.domain,
        )
        body = delivery.body
        if self.disorder.corrupt and self._draw.random() < self.disorder.corrupt:
            body += b" "
        response = await client.post(self._routed(delivery.uri), content=body, headers=headers)
        return response.status_code

    def _routed(self, uri: str) -> str:
        for public, local in self.routes.items():
            if uri.startswith(public):
                return local + uri.removeprefix(public)
        return uri

    def _succeeded(self, delivery: Delivery) -> None:
        one = self._subscriptions.get(delivery.subscription)
        if one is not None and one["failures"]:
            self._subscriptions.keep(one | {"failures": 0})

    def _failed(self, delivery: Delivery) -> None:
        one = self._subscriptions.get(delivery.subscription)
        if delivery.subscription is not None and one is None:
            return
        if delivery.attempts <= len(RETRIES_AFTER):
            wait = RETRIES_AFTER[delivery.attempts - 1]
            delivery.due_at = delivery.triggered_at + wait * SECOND
            self._waiting.append(delivery)
            return
        if one is not None:
            self._subscriptions.remove(one["id"])
            self.counts["removed_subscriptions"] += 1

    def state(self) -> dict[str, Any]:
        """What waits, and what became of the rest."""
        return {
            **self.counts,
            "queued": len(self._ready),
            "in_flight": len(self._flying),
            "waiting": len(self._waiting),
        }

    def close(self) -> None:
        """Stop delivering."""
        if self._task is not None:
            self._task.cancel()
