"""The HTTP side: Shopify's endpoints on one port, with their headers, refusals and faults."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import anyio
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from shopify_pipeline.demo.store import platform_fields, settable
from shopify_pipeline.demo.store.bucket import Bucket
from shopify_pipeline.demo.store.bulk import BulkOperations
from shopify_pipeline.demo.store.bulk_files import file_answer
from shopify_pipeline.demo.store.clock import SECOND
from shopify_pipeline.demo.store.control import Control
from shopify_pipeline.demo.store.deliveries import Deliveries
from shopify_pipeline.demo.store.execution import Execution, FieldCall
from shopify_pipeline.demo.store.faults import Fault, FaultPlan
from shopify_pipeline.demo.store.graphql_api import GraphqlApi, Statistics
from shopify_pipeline.demo.store.life import Life
from shopify_pipeline.demo.store.request_bodies import graphql_parameters, json_object
from shopify_pipeline.demo.store.responses import REFUSALS, DropConnection, answer
from shopify_pipeline.demo.store.rest import Rest
from shopify_pipeline.demo.store.store import PLANS, Store
from shopify_pipeline.demo.store.subscriptions import Subscriptions
from shopify_pipeline.demo.store.versions import served_version

TOKEN_LIFETIME = 86_399


class Application:
    """The store with everything that answers for it."""

    def __init__(self, store: Store, *, seed: int = 7, traffic: float = 0) -> None:
        self.store = store
        maximum, rate = PLANS[store.settings.plan]
        self.bucket = Bucket(store.clock, maximum=maximum, restore_rate=rate)
        self.faults = FaultPlan(store.clock)
        resolvers = dict(platform_fields.RESOLVERS)
        self.bulk = BulkOperations(store, self.faults, resolvers)
        resolvers.update(self.bulk.resolvers())
        self.subscriptions = Subscriptions(store)
        resolvers.update(self.subscriptions.resolvers())
        self.deliveries = Deliveries(store, self.subscriptions)
        store.listeners.append(self.deliveries.heard)
        self.api = GraphqlApi(store, self.bucket, resolvers)
        self.api.node_resolver = self._other_node
        self.life = Life(store, seed=seed)
        self._tokens: dict[str, int] = {}
        self._postponed: list[list[Any]] = []
        self._traffic = traffic
        self._http: dict[str, int] = {}

    def asgi(self) -> Starlette:
        """The ASGI application."""
        routes = [
            Route("/admin/api/{version}/graphql.json", self._graphql, methods=["POST"]),
            Route("/admin/api/graphql.json", self._graphql, methods=["POST"]),
            Route("/admin/oauth/access_token", self._access_token, methods=["POST"]),
            Route("/bulk-operation-outputs/{name}", self._bulk_file),
            *Control(self).routes(),
            *Rest(self).routes(),
        ]
        return Starlette(routes=routes, lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        if self._traffic > 0:
            self.life.flow(self._traffic)
        yield

    def close(self) -> None:
        """Stop what runs in the background."""
        self.life.close()
        self.deliveries.close()
        self.bulk.close()

    def _other_node(
        self,
        source: dict[str, Any],
        call: FieldCall,
        execution: Execution,
    ) -> dict[str, Any] | None:
        if source["type"] == "BulkOperation":
            document = self.bulk.get(source["id"])
            return None if document is None else {**document, "__typename": "BulkOperation"}
        if source["type"] == "WebhookSubscription":
            found = self.subscriptions.get(source["id"])
            return None if found is None else {**found, "__typename": "WebhookSubscription"}
        return None

    async def _bulk_file(self, request: Request) -> Response:
        self.count_request("bulk_file")
        fault = self.faults.next("file", request.url.path)
        headers = {"X-GUploader-UploadID": uuid.uuid4().hex}
        refused = await self.met_fault(fault, headers)
        if refused is not None:
            return refused
        if fault is not None and fault.kind == "bulk_file_error":
            return Response(b"", int(fault.options.get("status", 503)), headers)
        found = self.bulk.file_of(request.path_params["name"])
        if found is None or not found[0].exists():
            body = b"<?xml version='1.0' encoding='UTF-8'?><Error><Code>ExpiredToken</Code></Error>"
            return Response(body, 400, headers, media_type="application/xml")
        return file_answer(*found, fault, headers)

    async def clock_moved(self) -> None:
        """Whatever waits for the clock looks at it again."""
        self.deliveries.look()

    def statistics(self) -> dict[str, Any]:
        """Calls and points."""
        kept = self.api.statistics
        return {
            "calls": kept.calls,
            "points": kept.points,
            "throttled": kept.throttled,
            "errors": kept.errors,
            "operations": kept.operations,
            "requests": self._http,
            "faults": self.faults.met,
            "webhooks": self.deliveries.state(),
            "bucket": self.bucket.status(),
        }

    def reset_statistics(self) -> None:
        """Start counting again."""
        self.api.statistics = Statistics()
        self.faults.met.clear()
        self._http.clear()

    def count_request(self, name: str) -> None:
        """Count one HTTP request by endpoint."""
        self._http[name] = self._http.get(name, 0) + 1

    def authorized(self, request: Request) -> bool:
        """Whether the request carries a token that is valid now."""
        token = request.headers.get("x-shopify-access-token", "")
        if token and secrets.compare_digest(token.encode(), self.store.settings.token.encode()):
            return True
        return self._tokens.get(token, 0) > self.store.clock.now()

    def postpone(self, calls: int, body: dict[str, Any]) -> None:
        """Change settings after so many more GraphQL calls."""
        self._postponed.append([calls, body])

    def _take_postponed(self) -> None:
        for one in list(self._postponed):
            one[0] -= 1
            if one[0] < 0:
                self._postponed.remove(one)
                settable.apply(self, one[1])

    def revoke_tokens(self) -> None:
        """Make every token of the client-credentials grant invalid."""
        self._tokens.clear()

    def headers(self, version: str | None, request_id: str) -> dict[str, str]:
        """The headers that every answer of Shopify carries."""
        moment = self.store.clock.now() / SECOND
        headers = {
            "Date": formatdate(moment, usegmt=True),
            "X-Request-ID": request_id,
            "X-Shopify-Stage": "production",
            "X-ShopId": str(self.store.settings.shop_id),
        }
        if version:
            headers["X-Shopify-API-Version"] = version
        return headers

    async def met_fault(self, fault: Fault | None, headers: dict[str, str]) -> Response | None:  # noqa: PLR0911
        """The answer that a fault of the transport gives instead of ours."""
        if fault is None:
            return None
        kind, options = fault.kind, fault.options
        if kind in REFUSALS:
            status, text = REFUSALS[kind]
            return answer({"errors": text}, headers, status)
        if kind == "429":
            waits = {"Retry-After": str(options.get("retry_after", "2.0"))}
            text = "Exceeded 2 calls per second for api client. Reduce request rates to resume."
            return answer({"errors": text}, headers | waits, 429)
        if kind in {"500", "502", "503", "504"}:
            return HTMLResponse("<html></html>", int(kind), headers)
        if kind == "not_json":
            return HTMLResponse("<html>Something went wrong</html>", 200, headers)
        if kind == "dropped":
            return DropConnection()
        if kind == "slow":
            await anyio.sleep(float(options.get("seconds", 5)))
        return None

    async def _graphql(self, request: Request) -> Response:
        self.count_request("graphql")
        self._take_postponed()
        raw = await request.body()
        request_id = f"{uuid.uuid4()}-{int(time.time())}"
        settings = self.store.settings
        asked = request.path_params.get("version", min(settings.versions))
        fault = self.faults.next("graphql", raw.decode("utf-8", "replace"))
        version = served_version(asked, settings.versions)
        headers = self.headers(version, request_id)
        refused = await self.met_fault(fault, headers)
        if refused is not None:
            return refused
        if version is None:
            return answer({"errors": "Not Found"}, headers, 404)
        if not self.authorized(request):
            return answer({"errors": REFUSALS["401"][1]}, headers, 401)
        body, unfit = graphql_parameters(request, raw)
        if unfit is not None:
            return answer({"errors": unfit}, headers, 400)
        if fault is not None and fault.kind == "version_fall_forward":
            headers["X-Shopify-API-Version"] = fault.options.get("version", "2027-04")
        self.api.deprecated = []
        result = self.api.answer(
            version=version,
            query=body["query"],
            variables=body.get("variables") or {},
            operation_name=body.get("operationName"),
            fault=fault,
            request_id=request_id,
            search_debug="shopify-search-query-debug" in request.headers,
            base_url=f"{request.url.scheme}://{request.headers.get('host', 'localhost')}",
        )
        if self.api.deprecated:
            page = "https://shopify.dev/api/usage/versioning#deprecation-practices"
            headers["X-Shopify-API-Deprecated-Reason"] = page
        written = orjson.dumps(result)
        if fault is not None and fault.kind == "truncated":
            written = written[: max(1, len(written) * 2 // 3)]
        if fault is not None and fault.kind == "dropped_midway":
            part = written[: max(1, len(written) // 2)]
            return DropConnection([part], promised=len(written) + 1)
        return Response(written, media_type="application/json; charset=utf-8", headers=headers)

    async def _access_token(self, request: Request) -> Response:
        self.count_request("access_token")
        raw = await request.body()
        headers = self.headers(None, f"{uuid.uuid4()}-{int(time.time())}")
        text = raw.decode("utf-8", "replace")
        refused = await self.met_fault(self.faults.next("token", text), headers)
        if refused is not None:
            return refused
        if "json" in request.headers.get("content-type", ""):
            form = json_object(raw) or {}
        else:
            form = {name: values[-1] for name, values in parse_qs(text).items()}
        settings = self.store.settings
        if form.get("grant_type") != "client_credentials":
            return answer({"error": "unsupported_grant_type"}, headers, 400)
        known = form.get("client_id") == settings.client_id
        if not known or form.get("client_secret") != settings.client_secret:
            text = "Client authentication failed."
            return answer({"error": "invalid_client", "error_description": text}, headers, 401)
        token = f"shpat_{secrets.token_hex(16)}"
        self._tokens[token] = self.store.clock.now() + TOKEN_LIFETIME * SECOND
        return answer(
            {
                "access_token": token,
                "scope": ",".join(settings.scopes),
                "expires_in": TOKEN_LIFETIME,
            },
            headers,
        )
