"""A receiver over real HTTP on a real Postgres, and Shopify's side of a delivery."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from starlette.types import ASGIApp

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline.webhooks.inbox import Inbox
from shopify_pipeline.webhooks.metrics import Metrics
from shopify_pipeline.webhooks.receiver import PATH, Receiver
from shopify_pipeline.webhooks.server import bind, server
from shopify_pipeline.webhooks.signature import signature
from shopify_pipeline_tests.webhooks.inbox import Shop

SHOP = "demo-store.myshopify.com"
SECRET = b"hush"


def within(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for what comes soon, on a busy machine too. How soon is measured by `make bench`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.01)


@contextmanager
def serving(application: ASGIApp) -> Iterator[str]:
    """Serve an application in a thread; yields its address."""
    socket = bind("127.0.0.1", 0)
    uvicorn = server(application)
    thread = threading.Thread(target=uvicorn.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    while not uvicorn.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        uvicorn.should_exit = True
        thread.join(60)
        socket.close()


def headers_of(body: bytes, topic: str, **replaced: str | None) -> dict[str, str]:
    """Shopify's headers for a body; a replacement of None leaves one out."""
    headers: dict[str, str | None] = {
        "content-type": "application/json",
        "x-shopify-topic": topic,
        "x-shopify-hmac-sha256": signature(SECRET, body).decode(),
        "x-shopify-shop-domain": SHOP,
        "x-shopify-api-version": "2026-10",
        "x-shopify-webhook-id": str(uuid.uuid4()),
        "x-shopify-event-id": str(uuid.uuid4()),
        "x-shopify-triggered-at": "2026-11-22T10:00:00.123456789Z",
    }
    headers.update({name.replace("_", "-"): value for name, value in replaced.items()})
    return {name: value for name, value in headers.items() if value is not None}


@dataclass
class Sender:
    """Posts to a receiver as Shopify does."""

    address: str
    database_url: str
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30))

    def post(self, topic: str, payload: Any, **replaced: str | None) -> httpx.Response:
        """Send one webhook, signed unless told otherwise."""
        body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        return self.client.post(
            f"{self.address}{PATH}", content=body, headers=headers_of(body, topic, **replaced)
        )

    def stored(self) -> list[tuple[Any, ...]]:
        """Topic, id and body of everything in the inbox."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(
                "SELECT topic, webhook_id, body, repeats FROM shopify_internal.webhook_inbox i "
                "JOIN shopify_internal.webhook_bodies b ON b.slot = i.body_slot "
                "AND b.inbox_id = i.id ORDER BY i.id"
            ).fetchall()


@pytest.fixture
def sender_to() -> Iterator[Callable[..., Sender]]:
    """Makes a sender to a receiver of its own on a database."""
    running = []

    def make(database_url: str, *, is_ready: bool = True, **options: Any) -> Sender:
        metrics = Metrics()
        inbox = Inbox(database_url, metrics=metrics)
        receiver = Receiver(inbox, metrics, shop=SHOP, secrets=[b"older", SECRET], **options)
        context = serving(receiver.application())
        sender = Sender(context.__enter__(), database_url)
        running.append((context, sender))
        if is_ready:
            within(lambda: sender.client.get(f"{sender.address}/readyz").is_success)
        return sender

    yield make
    for context, sender in running:
        sender.client.close()
        context.__exit__(None, None, None)


@pytest.fixture
def sender(database_url: str, sender_to: Callable[..., Sender]) -> Sender:
    """A sender to a receiver on a fresh database."""
    return sender_to(database_url)


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    """The inbox and tables of a fresh database."""
    opened = Shop(database_url)
    yield opened
    opened.close()


@pytest.fixture
def batches(database_url: str) -> Iterator[Batches]:
    """What processes that inbox."""
    database = Database(database_url, application_name="tests")
    yield Batches(database=database, max_attempts=3)
    database.close()
