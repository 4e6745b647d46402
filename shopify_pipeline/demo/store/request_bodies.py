"""Bodies of requests as far as every endpoint looks at them alike."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

_UNFIT = "Required parameter missing or invalid"


def json_object(raw: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is, or None when it is none."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def graphql_parameters(request: Request, raw: bytes) -> tuple[dict[str, Any], Any]:
    """The parameters of a GraphQL request, and the `errors` of HTTP 400 when they are unfit.

    Shopify wants a query, and refuses variables that are no object, an empty list among them.
    """
    if "application/graphql" in request.headers.get("content-type", ""):
        body: dict[str, Any] | None = {"query": raw.decode("utf-8", "replace")}
    else:
        body = json_object(raw)
    if body is None:
        return {}, "Bad Request"
    if not isinstance(body.get("query"), str) or not body["query"].strip():
        return body, {"query": _UNFIT}
    if not isinstance(body.get("variables"), dict | None):
        return body, {"variables": _UNFIT}
    if not isinstance(body.get("operationName"), str | None):
        return body, {"operationName": _UNFIT}
    return body, None
