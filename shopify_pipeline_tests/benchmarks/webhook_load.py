"""A load of signed webhooks over keep-alive connections, and what the answers took."""

import asyncio
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import urlsplit

import orjson

from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.conftest import headers_of


@dataclass(frozen=True)
class Load:
    """What came of a load: how many answers of 200, seconds for all, seconds of each."""

    accepted: int
    refused: int
    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        """Requests answered with 200 in a second."""
        return self.accepted / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency that so many percent of the answers did not exceed, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def request(address: str, topic: str, payload: object, *, triggered_at: datetime) -> bytes:
    """One HTTP/1.1 request as bytes."""
    body = orjson.dumps(payload)
    headers = {
        "host": urlsplit(address).netloc,
        "content-length": str(len(body)),
        **headers_of(body, topic, x_shopify_triggered_at=triggered_at.isoformat()),
        "x-shopify-webhook-id": str(uuid.uuid4()),
    }
    lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def orders(address: str, count: int, *, distinct: int, start: datetime) -> list[bytes]:
    """Requests about orders, each a second newer than the one before it."""
    return [
        request(
            address,
            "orders/updated",
            order(1 + n % distinct, start + timedelta(seconds=n)),
            triggered_at=start + timedelta(seconds=n),
        )
        for n in range(count)
    ]


class _Sender(asyncio.Protocol):
    """One keep-alive connection, on which a request is sent once the last was answered.

    Nothing but bytes is handled here: what the client takes is not there for the receiver, whose
    answers to a webhook are all of one short part.
    """

    def __init__(self, next_request: Callable[[], tuple[float, bytes] | None]) -> None:
        self._next = next_request
        self._answer = b""
        self._started = 0.0
        self.latencies: list[float] = []
        self.statuses: list[bytes] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Note an answer once it is whole, and send the next request."""
        self._answer += data
        head, ended, rest = self._answer.partition(b"\r\n\r\n")
        if not ended or len(rest) < _length(head):
            return
        self.latencies.append(time.perf_counter() - self._started)
        self.statuses.append(head[9:12])
        self._answer = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """End; early, if the receiver hung up."""
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the receiver hung up"))

    def _send(self) -> None:
        following = self._next()
        if following is None:
            self.done.set_result(None)
            self._transport.close()
            return
        due, request = following
        now = time.perf_counter()
        # Waiting for a connection is the receiver's slowness too.
        self._started = due or now
        if due > now:
            asyncio.get_running_loop().call_later(due - now, self._transport.write, request)
        else:
            self._transport.write(request)


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)


async def send(
    address: str, requests: list[bytes], *, connections: int, per_second: float | None = None
) -> Load:
    """Send every request once, as fast as answers come, or so many a second."""
    parts = urlsplit(address)
    numbered = enumerate(requests)
    began = time.perf_counter()

    def next_request() -> tuple[float, bytes] | None:
        number, request = next(numbered, (0, b""))
        if not request:
            return None
        return began + number / per_second if per_second else 0.0, request

    loop = asyncio.get_running_loop()
    senders = [
        (
            await loop.create_connection(
                lambda: _Sender(next_request), parts.hostname or "", parts.port or 80
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(sender.done for sender in senders))
    seconds = time.perf_counter() - began
    statuses = [status for sender in senders for status in sender.statuses]
    accepted = statuses.count(b"200")
    latencies = [latency for sender in senders for latency in sender.latencies]
    return Load(accepted, len(statuses) - accepted, seconds, latencies)


def main() -> None:
    """Send a load of orders and print what came of it as JSON: address, count, connections."""
    address, count, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    per_second = float(sys.argv[4]) if len(sys.argv) > 4 else None
    start = datetime.now(UTC) - timedelta(days=1)
    requests = orders(address, count, distinct=count, start=start)
    import uvloop

    load = uvloop.run(send(address, requests, connections=connections, per_second=per_second))
    sys.stdout.write(
        orjson.dumps(
            {
                "accepted": load.accepted,
                "refused": load.refused,
                "per_second": load.per_second,
                "p50_ms": load.percentile_ms(50),
                "p99_ms": load.percentile_ms(99),
            }
        ).decode()
        + "\n"
    )


if __name__ == "__main__":
    main()
