"""How the control interface reads bodies and answers: JSON, and a sentence when it refuses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from shopify_pipeline.demo.store.given_fields import ChangeError, Fields, MissingError
from shopify_pipeline.demo.store.given_fields import read as read_fields
from shopify_pipeline.demo.store.given_values import Given
from shopify_pipeline.demo.store.request_bodies import json_object

Endpoint = Callable[[Request], Awaitable[Response]]


def told(body: Any, status: int = 200) -> Response:
    """A JSON answer for people to read."""
    return Response(
        orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS),
        status_code=status,
        media_type="application/json",
    )


def refusing(endpoint: Endpoint) -> Endpoint:
    """The endpoint, answering 404 for what isn't there and 400 for what can't be done."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except MissingError as error:
            return told({"error": str(error)}, 404)
        except ChangeError as error:
            return told({"error": str(error)}, 400)

    return answered


async def body_of(request: Request) -> Fields:
    """The JSON object that a request carries, {} when it carries nothing. Raises ChangeError."""
    raw = await request.body()
    body = json_object(raw or b"{}")
    if body is None:
        raise ChangeError('the body should be a JSON object like {"name": value}')
    return body


async def given(request: Request, model: type[Given]) -> Fields:
    """The fields of a request's body as the store holds them. Raises ChangeError."""
    return read_fields(model, await body_of(request))
