"""The legacy REST reads that older connectors need. The pipeline itself never calls them.

https://shopify.dev/docs/api/admin-rest
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shopify_pipeline.demo.store import (
    rest_customers,
    rest_order_parts,
    rest_orders,
    rest_products,
    rest_queries,
)
from shopify_pipeline.demo.store.bucket import Bucket
from shopify_pipeline.demo.store.clock import SECOND, parse_time
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.payment_fields import transactions_of
from shopify_pipeline.demo.store.responses import REFUSALS, answer
from shopify_pipeline.demo.store.rest_queries import RestRefusalError
from shopify_pipeline.demo.store.rest_values import local_time
from shopify_pipeline.demo.store.store import Store
from shopify_pipeline.demo.store.versions import served_version

if TYPE_CHECKING:
    from shopify_pipeline.demo.store.server import Application

_BUCKETS = {"standard": (40, 2), "advanced": (80, 4), "plus": (400, 20)}
_SCOPES = {
    "products": "read_products",
    "variants": "read_products",
    "customers": "read_customers",
    "orders": "read_orders",
}
_SHAPES: dict[str, Callable[[Store, Document], Document]] = {
    "products": rest_products.product,
    "customers": rest_customers.customer,
    "orders": rest_orders.order,
}

Handler = Callable[[Request, dict[str, str]], Awaitable[Response]]


class Rest:
    """The REST routes."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._store = application.store
        self._plan = ""
        self._bucket = Bucket(self._store.clock, maximum=40, restore_rate=2)

    def routes(self) -> list[Route]:
        """The routes, for any version and without one."""
        found: list[Route] = [Route("/admin/oauth/access_scopes.json", self._guard(self._scopes))]
        for prefix in ("/admin/api/{version}", "/admin"):
            found += [
                Route(f"{prefix}/shop.json", self._guard(self._shop)),
                Route(f"{prefix}/access_scopes.json", self._guard(self._scopes)),
                Route(f"{prefix}/events.json", self._guard(self._events)),
                Route(f"{prefix}/orders/{{id:int}}/{{part}}.json", self._guard(self._part)),
                Route(f"{prefix}/products/{{id:int}}/variants.json", self._guard(self._variants)),
                Route(f"{prefix}/{{kind}}/count.json", self._guard(self._count)),
                Route(f"{prefix}/{{kind}}/{{id:int}}.json", self._guard(self._one)),
                Route(f"{prefix}/{{kind}}.json", self._guard(self._list)),
            ]
        return found

    def _guard(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:  # noqa: PLR0911
            application = self._application
            application.count_request("rest")
            settings = self._store.settings
            asked = request.path_params.get("version", min(settings.versions))
            version = served_version(asked, settings.versions)
            headers = application.headers(version, f"{uuid.uuid4()}-{int(time.time())}")
            fault = application.faults.next("rest", str(request.url))
            refused = await application.met_fault(fault, headers)
            if refused is not None:
                return refused
            if version is None:
                return answer({"errors": "Not Found"}, headers, 404)
            if not application.authorized(request):
                return answer({"errors": REFUSALS["401"][1]}, headers, 401)
            if not self._pour(headers):
                waits = headers | {"Retry-After": "2.0"}
                text = "Exceeded 2 calls per second for api client. Reduce request rates to resume."
                return answer({"errors": text}, waits, 429)
            kind = request.path_params.get("kind", request.url.path.rsplit("/", 3)[1])
            scope = _SCOPES.get(kind)
            if scope and scope not in settings.scopes:
                text = f"[API] This action requires merchant approval for {scope} scope."
                return answer({"errors": text}, headers, 403)
            try:
                response = await handler(request, headers)
            except RestRefusalError as error:
                return answer({"errors": error.errors}, headers, error.status)
            if fault is not None and fault.kind == "truncated":
                body = bytes(response.body)
                return Response(body[: len(body) * 2 // 3], headers=headers)
            return response

        return guarded

    def _pour(self, headers: dict[str, str]) -> bool:
        plan = self._store.settings.plan
        if plan != self._plan:
            maximum, rate = _BUCKETS[plan]
            self._bucket.resize(maximum=maximum, restore_rate=rate)
            self._plan = plan
        fits = self._bucket.affords(1)
        if fits:
            self._bucket.spend(1)
        maximum = self._bucket.maximum
        used = maximum - int(self._bucket.available())
        headers["X-Shopify-Shop-Api-Call-Limit"] = f"{min(used, maximum)}/{maximum}"
        return fits

    # -- lists

    async def _list(self, request: Request, headers: dict[str, str]) -> Response:
        kind = request.path_params["kind"]
        if kind not in _SHAPES:
            return answer({"errors": "Not Found"}, headers, 404)
        given = dict(request.query_params)
        limit = rest_queries.limit_of(given)
        plan = rest_queries.plan_of(kind, given)
        found = rest_queries.page(self._store, kind, plan, limit)
        links = []
        for name, info in (("previous", found.previous), ("next", found.following)):
            if info is None:
                continue
            kept = {"limit": str(limit), "page_info": info}
            if given.get("fields"):
                kept["fields"] = given["fields"]
            links.append(f'<{_address(request)}?{urlencode(kept)}>; rel="{name}"')
        if links:
            headers["Link"] = ", ".join(links)
        shape = _SHAPES[kind]
        bodies = [shape(self._store, document) for document in found.documents]
        if given.get("fields"):
            wanted = [name.strip() for name in given["fields"].split(",")]
            bodies = [{name: one[name] for name in wanted if name in one} for one in bodies]
        return answer({kind: bodies}, headers)

    async def _count(self, request: Request, headers: dict[str, str]) -> Response:
        kind = request.path_params["kind"]
        if kind not in _SHAPES:
            return answer({"errors": "Not Found"}, headers, 404)
        plan = rest_queries.plan_of(kind, dict(request.query_params))
        return answer({"count": rest_queries.count(self._store, kind, plan)}, headers)

    async def _one(self, request: Request, headers: dict[str, str]) -> Response:
        kind, identity = request.path_params["kind"], request.path_params["id"]
        if kind == "variants":
            variant = self._store.database.document("variants", identity)
            if variant is None:
                return answer({"errors": "Not Found"}, headers, 404)
            body = rest_products.variant(variant, self._store.settings.zone)
            return answer({"variant": body}, headers)
        if kind not in _SHAPES:
            return answer({"errors": "Not Found"}, headers, 404)
        document = self._store.database.document(kind, identity)
        hidden = kind == "orders" and (
            document is not None and document["createdAt"] < self._store.visible_from()
        )
        if document is None or hidden:
            return answer({"errors": "Not Found"}, headers, 404)
        return answer({kind.removesuffix("s"): _SHAPES[kind](self._store, document)}, headers)

    async def _variants(self, request: Request, headers: dict[str, str]) -> Response:
        identity = request.path_params["id"]
        zone = self._store.settings.zone
        found = self._store.variants_of(identity)[: rest_products.WEBHOOK_VARIANTS]
        return answer({"variants": [rest_products.variant(one, zone) for one in found]}, headers)

    async def _part(self, request: Request, headers: dict[str, str]) -> Response:
        order = self._store.database.document("orders", request.path_params["id"])
        part = request.path_params["part"]
        if order is None or part not in {"refunds", "transactions", "fulfillments"}:
            return answer({"errors": "Not Found"}, headers, 404)
        if part == "transactions":
            zone = self._store.settings.zone
            paid = [
                rest_order_parts.transaction(order, one, zone) for one in transactions_of(order)
            ]
            return answer({part: paid}, headers)
        return answer({part: rest_orders.order(self._store, order)[part]}, headers)

    # -- the rest

    async def _scopes(self, request: Request, headers: dict[str, str]) -> Response:
        scopes = [{"handle": scope} for scope in self._store.settings.scopes]
        return answer({"access_scopes": scopes}, headers)

    async def _shop(self, request: Request, headers: dict[str, str]) -> Response:
        settings = self._store.settings
        moment = local_time(settings.created_at, settings.zone)
        name = settings.shop.removesuffix(".myshopify.com")
        shop = {
            "id": settings.shop_id,
            "name": name.replace("-", " ").title(),
            "email": "owner@example.com",
            "domain": settings.domain,
            "myshopify_domain": settings.domain,
            "created_at": moment,
            "updated_at": moment,
            "country_code": "CA",
            "currency": settings.currency,
            "timezone": f"(GMT-05:00) {settings.timezone}",
            "iana_timezone": settings.timezone,
            "shop_owner": "Demo Owner",
            "money_format": "${{amount}}",
            "plan_name": settings.plan,
            "plan_display_name": settings.plan.title(),
            "primary_locale": "en",
            "enabled_presentment_currencies": [settings.currency],
            "primary_location_id": 68_509_171_945,
        }
        return answer({"shop": shop}, headers)

    async def _events(self, request: Request, headers: dict[str, str]) -> Response:
        given = dict(request.query_params)
        limit = rest_queries.limit_of(given)
        conditions: list[str] = ["1"]
        values: list[Any] = []
        if given.get("page_info"):
            conditions.append("id > ?")
            values.append(int(given["page_info"].split("-")[-1]))
            given = _unpacked(given["page_info"])
        if given.get("filter"):
            kinds = given["filter"].split(",")
            conditions.append(f"kind IN ({','.join('?' * len(kinds))})")
            values += kinds
        if given.get("verb"):
            conditions.append("action = ?")
            values.append(given["verb"])
        for edge, operator in (("created_at_min", ">="), ("created_at_max", "<=")):
            if given.get(edge):
                conditions.append(f"created_at {operator} ?")
                values.append(parse_time(given[edge].replace(" ", "+")))
        if given.get("since_id"):
            conditions.append("id > ?")
            values.append(int(given["since_id"]))
        rows = self._store.database.rows(
            "SELECT id, created_at, kind, subject, action FROM events"  # noqa: S608
            f" WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?",
            [*values, limit + 1],
        )
        more, rows = len(rows) > limit, rows[:limit]
        if more:
            kept = {"limit": str(limit), "page_info": _packed(given, rows[-1][0])}
            headers["Link"] = f'<{_address(request)}?{urlencode(kept)}>; rel="next"'
        zone = self._store.settings.zone
        events = [
            {
                "id": identity,
                "subject_id": subject,
                "created_at": local_time(moment // SECOND * SECOND, zone),
                "subject_type": kind,
                "verb": action,
                "arguments": [],
                "body": None,
                "message": f"{kind} was {'deleted' if action == 'destroy' else 'created'}.",
                "author": "Shopify",
                "description": f"{kind} {subject}",
                "path": None,
            }
            for identity, moment, kind, subject, action in rows
        ]
        return answer({"events": events}, headers)


def _address(request: Request) -> str:
    host = request.headers.get("host", "localhost")
    return f"{request.url.scheme}://{host}{request.url.path}"


def _packed(given: dict[str, str], last: int) -> str:
    kept = {name: given[name] for name in ("filter", "verb") if given.get(name)}
    return f"{urlencode(kept).encode().hex()}-{last}"


def _unpacked(text: str) -> dict[str, Any]:
    return dict(parse_qsl(bytes.fromhex(text.split("-", maxsplit=1)[0]).decode()))
