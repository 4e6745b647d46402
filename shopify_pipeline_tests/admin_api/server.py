"""A server that answers as its script says, wrongly too: what no well-behaved server can play."""

import gzip
import json
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Literal
from urllib.parse import parse_qs

VERSION = "2026-10"
TOKEN = "never-to-be-seen"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: Any
    arrived: float

    @property
    def variables(self) -> dict[str, Any]:
        return dict(self.body["variables"])


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer: its JSON (or its bytes), or what happens to the connection instead."""

    json: Any = None
    body: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Literal["reset", "truncate", "hang", "bad gzip"] | None = None
    has_length: bool = True


def cost_of(
    requested: float = 10,
    *,
    actual: float | None = None,
    available: float = 1990,
    rate: float = 100,
) -> dict[str, Any]:
    """`extensions.cost` of a Standard shop."""
    return {
        "requestedQueryCost": requested,
        "actualQueryCost": requested if actual is None else actual,
        "throttleStatus": {
            "maximumAvailable": 2000,
            "currentlyAvailable": available,
            "restoreRate": rate,
        },
    }


def answer(data: Any, **cost: Any) -> Reply:
    """Data with its cost."""
    return Reply(json={"data": data, "extensions": {"cost": cost_of(**cost)}})


def throttled(*, requested: float = 10, available: float = 0, rate: float = 100) -> Reply:
    """HTTP 200, and no data."""
    cost = {**cost_of(requested, available=available, rate=rate), "actualQueryCost": None}
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return Reply(json={"errors": [error], "extensions": {"cost": cost}})


SHOP = answer({"shop": {"name": "x"}})


class ScriptedServer:
    """Answers by the script, entry by entry, then by `otherwise`; keeps the calls it got."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.connections = 0
        self.script: deque[Reply] = deque()
        self.otherwise: Callable[[Call], Reply] = lambda _: SHOP
        self._lock = Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def reply(self, call: Call) -> Reply:
        with self._lock:
            self.calls.append(call)
            return self.script.popleft() if self.script else self.otherwise(call)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                with server._lock:
                    server.connections += 1
                super().setup()

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                form = "form" in self.headers["content-type"]
                body = (
                    {k: v[0] for k, v in parse_qs(raw.decode()).items()}
                    if form
                    else json.loads(raw)
                )
                self._answer(body)

            def do_GET(self) -> None:
                self._answer(None)

            def _answer(self, body: Any) -> None:
                call = Call(
                    path=self.path,
                    headers={k.lower(): v for k, v in self.headers.items()},
                    body=body,
                    arrived=time.time(),
                )
                self._send(server.reply(call))

            def _send(self, reply: Reply) -> None:
                if reply.fault == "hang":
                    time.sleep(1.0)
                if reply.fault in {"reset", "hang"}:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                    return
                raw = json.dumps(reply.json).encode() if reply.body is None else reply.body
                headers = {
                    "Date": formatdate(time.time(), usegmt=True),
                    "X-Request-ID": "request-1",
                    "X-Shopify-API-Version": VERSION,
                    "Content-Length": str(len(raw)),
                }
                if reply.fault == "bad gzip":
                    raw = gzip.compress(raw)[:-12] + b"x" * 12
                    headers |= {"Content-Encoding": "gzip", "Content-Length": str(len(raw))}
                headers |= reply.headers
                if not reply.has_length:
                    del headers["Content-Length"]
                    self.close_connection = True
                self.send_response_only(reply.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if reply.fault == "truncate":
                    raw = raw[: len(raw) // 2]
                    self.close_connection = True
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        return Handler


@contextmanager
def serving() -> Iterator[ScriptedServer]:
    """A server while the block runs."""
    server = ScriptedServer()
    try:
        yield server
    finally:
        server.stop()
