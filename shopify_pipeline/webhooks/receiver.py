"""The receiver: an ASGI application that answers 200 once a webhook is durably stored."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shopify_pipeline.webhooks.delivery import (
    ShopifyHeaders,
    UnusableHeadersError,
    read_delivery,
)
from shopify_pipeline.webhooks.inbox import Inbox, InboxUnavailableError
from shopify_pipeline.webhooks.metrics import Metrics
from shopify_pipeline.webhooks.signature import is_signed
from shopify_pipeline.webhooks.topics import TOPICS

log = logging.getLogger(__name__)

PATH = "/webhooks/shopify"


TAKEN = Response()
HEADERS = {405: {"Allow": "POST"}, 408: {"Connection": "close"}}


class _RefusedError(Exception):
    """The request gets this status and is not stored; the reason is safe to send and to log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _GoneError(Exception):
    """The sender hung up before its body was read."""


class Receiver:
    """Takes webhooks for one shop.

    Refused, and nothing of it stored: 405 another method, 415 no JSON, 413 a body over
    `max_body_bytes`, 408 one that comes too slowly, 401 a signature that is missing or wrong,
    400 headers that don't say which delivery it is, or another shop's. 503 when it could not be
    stored, so that Shopify sends it again. Source for what Shopify sends and expects:
    https://shopify.dev/docs/apps/build/webhooks
    """

    def __init__(
        self,
        inbox: Inbox,
        metrics: Metrics,
        *,
        shop: str,
        secrets: Sequence[bytes],
        max_body_bytes: int = 5_000_000,
        body_seconds: float = 10,
        reading_bytes: int = 256_000_000,
    ) -> None:
        self._inbox = inbox
        self._metrics = metrics
        self._shop = shop
        self._secrets = tuple(secrets)
        self._max_body = max_body_bytes
        self._body_seconds = body_seconds
        self._most_reading = reading_bytes
        self._reading = 0
        self._readers: dict[asyncio.Task[Any], float] = {}

    def application(self) -> ASGIApp:
        """The ASGI application, which opens and closes the inbox with its lifespan."""
        pages = Starlette(
            routes=[
                Route("/healthz", self.health, methods=["GET"]),
                Route("/readyz", self.readiness, methods=["GET"]),
                Route("/metrics", self.figures, methods=["GET"]),
            ],
            lifespan=self._lifespan,
        )

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            # The one busy path goes past the framework's layers, which cost more than its work.
            busy = scope["type"] == "http" and scope["path"] == PATH
            await (self.receive if busy else pages)(scope, receive, send)

        return application

    async def receive(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Verify and store one webhook, and only then answer 200."""
        started = time.perf_counter()
        response: Response = TAKEN
        try:
            is_new = await self._accept(scope, receive)
            outcome = "stored" if is_new else "repeat"
        except _RefusedError as refused:
            outcome = str(refused.status)
            log.info("Refused a webhook with %s: %s", refused.status, refused.reason)
            response = PlainTextResponse(
                refused.reason, refused.status, HEADERS.get(refused.status)
            )
        except InboxUnavailableError:
            outcome = "503"
            response = PlainTextResponse("Not stored; send it again.", 503, {"Retry-After": "5"})
        except _GoneError:
            outcome, response = "disconnected", PlainTextResponse("", 400)
        self._metrics.outcomes[outcome] += 1
        self._metrics.seconds.observe(time.perf_counter() - started)
        await response(scope, receive, send)

    async def _accept(self, scope: Scope, receive: Receive) -> bool:
        """Store what is fit to be stored; whether it was new."""
        if scope["method"] != "POST":
            raise _RefusedError(405, "Only POST is taken.")
        headers = ShopifyHeaders(scope["headers"])
        content_type = headers.raw(b"content-type")
        if content_type.partition(b";")[0].strip().lower() != b"application/json":
            raise _RefusedError(415, "Only application/json is taken.")
        signature = _signature(headers)
        if not self._inbox.is_up:
            raise InboxUnavailableError
        body = await self._body(headers, receive)
        if not is_signed(body, signature, self._secrets):
            raise _RefusedError(401, "The signature is wrong.")
        try:
            delivery = read_delivery(headers, body, shop=self._shop)
        except UnusableHeadersError as error:
            raise _RefusedError(400, f"{error}.") from None
        is_new = await self._inbox.store(delivery)
        if is_new:
            topic = delivery.topic
            self._metrics.topics[topic if topic in TOPICS else "unknown"] += 1
        return is_new

    async def _body(self, headers: ShopifyHeaders, receive: Receive) -> bytes:
        """The raw body, read once, in time, and no further than the cap."""
        announced = headers.raw(b"content-length")
        if announced.isdigit() and int(announced[:19]) > self._max_body:
            raise self._too_long()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - ASGI servers run a request as a task
        self._readers[task] = time.monotonic()
        try:
            first = await receive()
            if first["type"] == "http.disconnect":
                raise _GoneError
            body: bytes = first.get("body", b"")
            if len(body) > self._max_body:
                raise self._too_long()
            if not first.get("more_body", False):
                return body
            return await self._rest(body, receive)
        except asyncio.CancelledError:
            # Ours if the sweeper took it out; the server may want it to end all the same.
            if task in self._readers or task.uncancel() > 0:
                raise
            raise _RefusedError(408, "The body came too slowly.") from None
        finally:
            self._readers.pop(task, None)

    async def _sweep(self) -> None:
        """Give up on bodies that do not come; cheaper than a timer for each."""
        while True:
            await asyncio.sleep(self._body_seconds / 10)
            overdue = time.monotonic() - self._body_seconds
            for task in [task for task, since in self._readers.items() if since < overdue]:
                del self._readers[task]
                task.cancel()

    def _too_long(self) -> _RefusedError:
        return _RefusedError(413, f"The body is longer than {self._max_body} bytes.")

    async def _rest(self, body: bytes, receive: Receive) -> bytes:
        """The body whose first part was read, within what may be read at once."""
        parts = [body]
        length = len(body)
        self._reading += length
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _GoneError
                parts.append(message.get("body", b""))
                length += len(parts[-1])
                self._reading += len(parts[-1])
                if length > self._max_body:
                    raise self._too_long()
                if self._reading > self._most_reading:
                    raise InboxUnavailableError
                more = message.get("more_body", False)
        finally:
            self._reading -= length
        return b"".join(parts)

    async def health(self, _request: Request) -> Response:
        """200 while the process serves."""
        return PlainTextResponse("ok")

    async def readiness(self, _request: Request) -> Response:
        """200 while a webhook could be stored, else 503."""
        if self._inbox.is_up:
            return PlainTextResponse("ready")
        return PlainTextResponse("the database cannot be reached", 503)

    async def figures(self, _request: Request) -> Response:
        """The metrics, as Prometheus reads them."""
        for what, value in (await self._inbox.backlog()).items():
            self._metrics.backlog.labels(what).set(value)
        return Response(generate_latest(self._metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @asynccontextmanager
    async def _lifespan(self, _application: Starlette) -> AsyncIterator[None]:
        await self._inbox.open()
        sweeper = asyncio.create_task(self._sweep(), name="body-sweeper")
        try:
            yield
        finally:
            sweeper.cancel()
            await self._inbox.close()


def _signature(headers: ShopifyHeaders) -> bytes:
    try:
        value = headers.get(b"hmac-sha256")
    except UnusableHeadersError:
        value = None
    if value is None:
        raise _RefusedError(401, "The signature is missing.")
    return value.encode("latin-1")
