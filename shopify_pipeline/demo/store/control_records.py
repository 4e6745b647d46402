"""The control interface's records: create, change, delete, look at one, stream them all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import anyio.lowlevel
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from shopify_pipeline.demo.store import changes, customer_changes, order_actions
from shopify_pipeline.demo.store.clock import iso
from shopify_pipeline.demo.store.control_answers import body_of, given, refusing, told
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_actions import GivenMerge
from shopify_pipeline.demo.store.given_fields import ChangeError, MissingError
from shopify_pipeline.demo.store.identifiers import LARGEST
from shopify_pipeline.demo.store.store import GID_TYPES
from shopify_pipeline.demo.store.truth import SELECTIONS, truth, truth_of

if TYPE_CHECKING:
    from shopify_pipeline.demo.store.server import Application

TYPES = {**GID_TYPES, "line_items": "LineItem"}
_SYNONYMS = {"product_variants": "variants", "order_items": "line_items"}
_TAIL = re.compile(r"(?:gid:/{1,2}shopify/(\w+)/)?([0-9]+)(?:\?[^/]*)?(?:/([a-z-]+))?/?")


class Records:
    """The routes of records under `/_store/`."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._store = application.store

    def routes(self) -> list[Route]:
        """The routes, to follow those that have names of their own."""
        return [
            Route("/_store/truth/{kind}", refusing(self._truth)),
            Route("/_store/truth/{kind}/{tail:path}", refusing(self._one)),
            Route("/_store/{kind}", refusing(self._create), methods=["POST"]),
            Route(
                "/_store/{kind}/{tail:path}",
                refusing(self._change),
                methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            ),
        ]

    async def _truth(self, request: Request) -> Response:
        lines = truth(self._store, _kind(request), self._application.api.resolvers)

        async def stream() -> AsyncIterator[bytes]:
            held: list[bytes] = []
            for line in lines:
                held.append(line)
                if len(held) >= 200:
                    yield b"".join(held)
                    held.clear()
                    await anyio.lowlevel.checkpoint()
            yield b"".join(held)

        return StreamingResponse(stream(), media_type="application/jsonl")

    async def _one(self, request: Request) -> Response:
        kind = _kind(request)
        identity, action = _tail(request, kind)
        if action:
            raise MissingError(f"nothing called {action!r}")
        found = truth_of(self._store, kind, identity, self._application.api.resolvers)
        if found is None:
            raise MissingError(f"no {kind} {identity}")
        return told(found)

    async def _create(self, request: Request) -> Response:
        kind, body = _kind(request), await body_of(request)
        return self._made(kind, lambda: changes.CREATE[kind](self._store, body))

    async def _change(self, request: Request) -> Response:
        if request.method == "GET":
            return await self._one(request)
        kind = _kind(request)
        identity, action = _tail(request, kind)
        if action:
            return await self._act(request, kind, identity, action)
        if request.method == "DELETE":
            return self._made(kind, lambda: changes.delete(self._store, kind, identity))
        body = await body_of(request)
        return self._made(kind, lambda: changes.UPDATE[kind](self._store, identity, body))

    async def _act(self, request: Request, kind: str, identity: int, action: str) -> Response:
        if request.method != "POST":
            raise ChangeError(f"{action} takes POST")
        if (kind, action) == ("customers", "merge"):
            into = (await given(request, GivenMerge))["into"]
            return self._made(
                kind, lambda: customer_changes.merge_customers(self._store, identity, into)
            )
        if kind != "orders":
            raise MissingError(f"{kind} know no action {action!r}")
        body = await body_of(request)
        return self._made(
            kind, lambda: order_actions.act_on_order(self._store, identity, action, body)
        )

    def _made(self, kind: str, change: Callable[[], Document]) -> Response:
        """Make a change, or nothing of it, and tell of the record."""
        document = self._store.database.transaction(change)
        answer: dict[str, Any] = {
            "id": f"gid://shopify/{TYPES[kind]}/{document['id']}",
            "legacyResourceId": str(document["id"]),
            "createdAt": iso(document["createdAt"]),
            "updatedAt": iso(document["updatedAt"]),
        }
        if kind == "line_items":
            answer["order"] = f"gid://shopify/Order/{document['order']}"
        if kind == "orders":
            answer["name"] = document["name"]
            answer["lineItems"] = [
                f"gid://shopify/LineItem/{line['id']}" for line in document["lines"]
            ]
        if kind == "products":
            answer["variants"] = [
                f"gid://shopify/ProductVariant/{one['id']}"
                for one in self._store.variants_of(document["id"])
            ]
        return told(answer)


def _kind(request: Request) -> str:
    word = request.path_params["kind"]
    kind = _SYNONYMS.get(word, word)
    if kind not in SELECTIONS:
        raise MissingError(f"nothing called {word!r}; there are {', '.join(SELECTIONS)}")
    return str(kind)


def _tail(request: Request, kind: str) -> tuple[int, str | None]:
    """The record's number, from a number or a gid, and the action behind it."""
    found = _TAIL.fullmatch(request.path_params["tail"])
    if found is None:
        raise MissingError(f"{request.path_params['tail']!r} is no number and no gid")
    named, number, action = found.groups()
    if named not in {None, TYPES[kind]}:
        raise ChangeError(f"a {named} is none of the {kind}")
    return min(int(number), LARGEST), action
