"""Answers of every endpoint: JSON, refusals by status, connections that break."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

REFUSALS: dict[str, tuple[int, Any]] = {
    "401": (
        401,
        "[API] Invalid API key or access token (unrecognized login or wrong password)",
    ),
    "402": (402, "Unavailable Shop"),
    "403": (403, "[API] This action requires merchant approval."),
    "404": (404, "Not Found"),
    "423": (423, "Unavailable Shop"),
    "430": (430, "Security Rejection"),
}


class DropConnection(Response):
    """An answer that never comes, or that stops in the middle."""

    def __init__(self, part: Iterable[bytes] | None = None, *, promised: int = 0) -> None:
        super().__init__(status_code=200)
        self._part = part
        self._promised = promised

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the socket, after a part of the promised length when there is one."""
        if self._part is not None:
            headers = [(b"content-type", b"application/json")]
            headers.append((b"content-length", str(self._promised).encode()))
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            for block in self._part:
                await send({"type": "http.response.body", "body": block, "more_body": True})
        transport = scope.get("extensions", {}).get("store.transport")
        if transport is not None:
            transport.abort()


def answer(body: Any, headers: dict[str, str], status: int = 200) -> Response:
    """A JSON answer."""
    return Response(
        orjson.dumps(body),
        status_code=status,
        media_type="application/json; charset=utf-8",
        headers=headers,
    )
