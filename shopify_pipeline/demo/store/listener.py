"""uvicorn's HTTP protocol, with the connection itself within reach so that it can be cut."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class StoreProtocol(H11Protocol):
    """Puts the transport into the ASGI scope's extensions."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wrap the application so that each request knows its connection."""
        inner = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope.setdefault("extensions", {})["store.transport"] = transport
            await inner(scope, receive, send)

        self.app = with_transport
        super().connection_made(transport)
