"""Senders that announce a body and keep it back: they cost a connection for a while, no more."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from shopify_pipeline.webhooks.inbox import Inbox
from shopify_pipeline.webhooks.metrics import Metrics
from shopify_pipeline.webhooks.receiver import PATH, Receiver
from shopify_pipeline_tests.webhooks.conftest import SECRET, SHOP, headers_of, serving, within

LENGTH = b"Content-Length: 10\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def request(address: str, rest: bytes) -> Iterator[socket.socket]:
    """A connection on which the head of a webhook was sent, up to and with `rest`."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        head = [f"POST {PATH} HTTP/1.1", f"Host: {parts.netloc}"]
        head += [f"{name}: {value}" for name, value in headers_of(b"{}", "a/b").items()]
        connection.sendall("".join(f"{line}\r\n" for line in head).encode() + rest)
        yield connection


def answer(connection: socket.socket) -> bytes:
    """Everything that is answered until the other side hangs up."""
    return b"".join(iter(lambda: connection.recv(65536), b"")).lower()


@pytest.mark.parametrize(
    "rest", [LENGTH, CHUNKED, LENGTH + b"{", CHUNKED + b"1\r\n{\r\n"], ids=repr
)
def test_a_body_that_does_not_come_is_408_and_hung_up_on(
    database_url: str, sender_to: Any, rest: bytes
) -> None:
    sender = sender_to(database_url, body_seconds=0.5)
    with request(sender.address, rest) as connection:
        got = answer(connection)
    assert got.startswith(b"http/1.1 408 ")
    assert b"\r\nconnection: close\r\n" in got
    assert sender.post("orders/create", {"id": 1}).is_success
    figures = sender.client.get(f"{sender.address}/metrics").text
    assert 'shopify_webhooks_requests_total{outcome="408"} 1.0' in figures


def test_drops_of_a_body_do_not_prolong_its_time(database_url: str, sender_to: Any) -> None:
    sender = sender_to(database_url, body_seconds=1)
    with request(sender.address, b"Content-Length: 1000000\r\n\r\n") as connection:

        def drip() -> None:
            try:
                while True:
                    connection.sendall(b" ")
                    time.sleep(0.05)
            except OSError:
                pass  # it hung up

        dripping = threading.Thread(target=drip, daemon=True)
        dripping.start()
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        dripping.join(60)
        assert not dripping.is_alive()


def test_a_body_that_comes_late_but_in_time_is_stored(database_url: str, sender_to: Any) -> None:
    sender = sender_to(database_url, body_seconds=60)
    with request(sender.address, b"Connection: close\r\nContent-Length: 2\r\n\r\n") as connection:
        time.sleep(0.3)
        connection.sendall(b"{")
        time.sleep(0.3)
        connection.sendall(b"}")
        assert answer(connection).startswith(b"http/1.1 200 ")
    assert len(sender.stored()) == 1


def test_a_silent_sender_does_not_hold_up_the_end(database_url: str) -> None:
    metrics = Metrics()
    inbox = Inbox(database_url, metrics=metrics)
    receiver = Receiver(inbox, metrics, shop=SHOP, secrets=[SECRET], body_seconds=600)
    with serving(receiver.application()) as address:
        within(lambda: inbox.is_up)
        context = request(address, LENGTH)
        connection = context.__enter__()
        time.sleep(0.3)
    assert not inbox.is_up
    assert b"200 ok" not in answer(connection)
    context.__exit__(None, None, None)
