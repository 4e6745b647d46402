"""A small store in this process, asked thousands of things; its errors surface as they are."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from shopify_pipeline.demo.store.clock import Clock, parse_time
from shopify_pipeline.demo.store.seeding import Size, fill
from shopify_pipeline.demo.store.server import Application
from shopify_pipeline.demo.store.store import Settings, Store
from shopify_pipeline_tests.simulated import TOKEN

KINDS = ("products", "variants", "customers", "orders", "line_items")

CASES = int(os.environ.get("STORE_FUZZ_CASES", "25"))
many = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=5,
)


@dataclass(repr=False)
class Served:
    """A small store in this process; its errors come here as they are."""

    application: Application
    client: httpx.AsyncClient
    runner: asyncio.Runner
    ids: dict[str, list[int]]

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.runner.run(self.client.request(method, path, **options))

    def ask(self, body: Any, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = {"X-Shopify-Access-Token": TOKEN, "Content-Type": "application/json", **headers}
        path = "/admin/api/2026-10/graphql.json"
        return self.request("POST", path, content=content, headers=headers)

    def settle(self) -> None:
        """Undo what would keep the following cases from reaching the store."""
        own = self.application.store.settings
        own.token, own.versions, own.denied_fields = TOKEN, list(Settings().versions), []
        own.scopes, own.index_lag = list(Settings().scopes), 0
        self.application.faults.clear()
        self.application.life.close()
        self.application.bucket.resize(maximum=10**9, restore_rate=10**6)


@contextmanager
def opened() -> Iterator[Served]:
    """The store, filled with a few records of each kind."""
    store = Store(clock=Clock(start=parse_time("2026-11-01T00:00:00Z")))
    fill(store, seed=7, size=Size(4, 5, 12))
    application = Application(store)
    application.deliveries.look = lambda: None  # type: ignore[method-assign]
    ids = {kind: [one["id"] for one in store.database.stream(kind)] for kind in KINDS[:4]}
    ids["line_items"] = [
        line["id"] for order in store.database.stream("orders") for line in order["lines"]
    ]
    transport = httpx.ASGITransport(application.asgi())
    client = httpx.AsyncClient(transport=transport, base_url="http://demo-store")
    with asyncio.Runner() as runner:
        yield Served(application, client, runner, ids)
