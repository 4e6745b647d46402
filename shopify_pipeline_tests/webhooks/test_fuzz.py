"""Anything at the door, over raw HTTP: no 500, nothing unsigned stored, all of it processed."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline.webhooks.signature import signature
from shopify_pipeline.webhooks.topics import TOPICS
from shopify_pipeline_tests.webhooks.conftest import SECRET, SHOP, Sender
from shopify_pipeline_tests.webhooks.inbox import Shop
from shopify_pipeline_tests.webhooks.test_effects import JSON, broken_bodies

ALLOWED = {200, 400, 401, 411, 413, 415, 431}
NAMES = (b"topic", b"shop-domain", b"webhook-id", b"triggered-at", b"api-version", b"test")

anything = st.binary(max_size=40).map(lambda b: b.translate(None, b"\r\n"))
token = st.text("abcdefghij-0123456789", min_size=1, max_size=36).map(str.encode)
tchar = st.text("abcXYZ-_!#$%&'*+.^`|~019", min_size=1, max_size=20).map(str.encode)
headers = st.fixed_dictionaries(
    {},
    optional={
        b"topic": st.sampled_from(sorted(TOPICS)).map(str.encode) | anything,
        b"shop-domain": st.just(SHOP.encode()) | anything,
        b"webhook-id": token | anything,
        b"triggered-at": st.just(b"2026-11-20T12:00:00Z") | anything,
        b"api-version": anything,
        b"event-id": anything,
        b"test": st.sampled_from([b"true", b"false"]) | anything,
    },
)
usual = {b"topic": b"orders/create", b"shop-domain": SHOP.encode(), b"webhook-id": b"w"}


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Bytes, JSON, or a body of the right form with wrong values."""
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return draw(st.binary(max_size=300))
    made: bytes = orjson.dumps(draw(JSON if kind == 1 else broken_bodies()))
    return made


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bool, bytes]:
    """A request as bytes, whether its body is signed, and its body."""
    body = draw(bodies())
    fields = {**usual, **draw(headers)} if draw(st.booleans()) else draw(headers)
    prefix = draw(st.sampled_from([b"X-Shopify-", b"x-shopify-", b"Shopify-"]))
    lines = [prefix + name + b": " + value for name, value in fields.items()]
    is_signed = draw(st.booleans())
    if is_signed:
        lines.append(prefix + b"Hmac-Sha256: " + signature(SECRET, body))
    elif draw(st.booleans()):
        lines.append(prefix + b"Hmac-Sha256: " + draw(anything))
    content_type = draw(st.sampled_from([b"application/json"] * 8 + [b"text/xml", b"", b"\xff"]))
    lines.append(b"Content-Type: " + content_type)
    for name, value in draw(st.dictionaries(tchar, anything, max_size=2)).items():
        if name.lower() not in {b"content-length", b"transfer-encoding", b"connection", b"expect"}:
            lines.append(name + b": " + value)
    if draw(st.booleans()) and lines:
        lines.append(draw(st.sampled_from(lines)))
    lines.append(b"Content-Length: %d" % len(body))
    head = b"\r\n".join([b"POST " + PATH.encode() + b" HTTP/1.1", b"Host: localhost", *lines])
    return head + b"\r\n\r\n" + body, is_signed and body != b"", body


@dataclass
class Door:
    """A keep-alive connection to a receiver, made anew when it was closed."""

    sender: Sender
    connection: socket.socket | None = None
    signed: set[bytes] = field(default_factory=set)
    accepted: int = 0

    def send(self, request: bytes) -> int:
        """Send a request; the status of the answer."""
        for _ in range(3):
            with suppress(ConnectionError):
                if self.connection is None:
                    parts = urlsplit(self.sender.address)
                    self.connection = socket.create_connection((parts.hostname, parts.port), 10)
                self.connection.sendall(request)
                if answer := self._answer():
                    return answer
            self.close()
        raise AssertionError("the receiver closes the connection without an answer")

    def _answer(self) -> int | None:
        assert self.connection is not None
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.connection.recv(65536)
            if not part:
                return None
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        while len(rest) < length and (part := self.connection.recv(65536)):
            rest += part
        if b"connection: close" in head.lower():
            self.close()
        return int(head[9:12])

    def close(self) -> None:
        """Hang up."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@pytest.fixture
def door(sender_to: Callable[..., Sender], database_url: str) -> Iterator[Door]:
    """A receiver's door; at the end, everything behind it is as it should be."""
    made = Door(sender_to(database_url))
    yield made
    made.close()


def knock(door: Door, request: tuple[bytes, bool, bytes]) -> None:
    """Send one request; only what is signed may be taken."""
    raw, is_signed, body = request
    status = door.send(raw)
    assert status in ALLOWED, status
    if is_signed:
        door.signed.add(hashlib.sha256(body).digest())
    if status == 200:
        assert is_signed
        door.accepted += 1


def look_behind(door: Door, shop: Shop, batches: Batches) -> None:
    """Everything stored was signed, and a worker comes through all of it."""
    with psycopg.connect(shop.url) as connection:
        stored: list[Any] = connection.execute(
            "SELECT sha256(body) FROM shopify_internal.webhook_bodies"
        ).fetchall()
    assert {bytes(row[0]) for row in stored} <= door.signed
    while batches.process_next().found:
        pass
    assert set(shop.states().values()) <= {"done", "skipped", "pending", "dead"}


def test_anything_at_the_door(door: Door, shop: Shop, batches: Batches) -> None:
    @given(requests())
    @settings(max_examples=300, deadline=None)
    def knocking(request: tuple[bytes, bool, bytes]) -> None:
        knock(door, request)

    knocking()
    assert door.accepted
    look_behind(door, shop, batches)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_anything_at_the_door_a_hundred_thousand_times(
    door: Door, shop: Shop, batches: Batches
) -> None:
    @given(requests())
    @settings(max_examples=100_000, deadline=None, suppress_health_check=list(HealthCheck))
    def knocking(request: tuple[bytes, bool, bytes]) -> None:
        knock(door, request)

    knocking()
    assert door.accepted
    look_behind(door, shop, batches)
