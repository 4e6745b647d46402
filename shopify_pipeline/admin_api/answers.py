"""What came back from the Admin API, read but not yet judged."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import orjson

from shopify_pipeline.admin_api.bucket import ThrottleStatus

_REQUEST_ID = re.compile(r"Request ID: ([0-9a-zA-Z-]+)")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """`extensions.cost`: points asked for, points taken (None if none were), the bucket then."""

    requested: float
    actual: float | None
    throttle_status: ThrottleStatus | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer without errors or search warnings.

    `sent_at` is a time not later than the sending of the request on Shopify's clock, in UTC.
    """

    data: dict[str, Any] = field(repr=False)
    sent_at: datetime
    cost: Cost | None
    request_id: str | None
    extensions: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ErrorEntry:
    """One of `errors`; `message` as Shopify wrote it, not to be shown before it is redacted."""

    code: str
    message: str = field(repr=False)
    path: str
    extensions: dict[str, Any] = field(repr=False)

    @property
    def request_id(self) -> str | None:
        """The request's id, which an internal error names in its text at least."""
        given = self.extensions.get("requestId")
        match = _REQUEST_ID.search(self.message)
        return str(given) if given else (match.group(1) if match else None)


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """An answer's parts before they are judged; `retry_after` is in seconds."""

    status: int
    data: Any
    errors: tuple[ErrorEntry, ...]
    extensions: dict[str, Any]
    request_id: str | None
    retry_after: float | None

    @property
    def cost(self) -> Cost | None:
        """The cost that the answer names, None if it names none."""
        return _cost(self.extensions.get("cost"))


def envelope(response: httpx.Response) -> Envelope:
    """Return the parts of `response`; a body that is no JSON object has neither data nor errors."""
    request_id = response.headers.get("x-request-id")
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        body = {}
    extensions = body.get("extensions")
    errors = _entries(body.get("errors"))
    return Envelope(
        status=response.status_code,
        data=body.get("data"),
        errors=errors,
        extensions=extensions if isinstance(extensions, dict) else {},
        request_id=request_id or next((e.request_id for e in errors if e.request_id), None),
        retry_after=_seconds(response.headers.get("retry-after")),
    )


def _cost(raw: Any) -> Cost | None:
    if not isinstance(raw, dict) or raw.get("requestedQueryCost") is None:
        return None
    actual, status = raw.get("actualQueryCost"), raw.get("throttleStatus")
    return Cost(
        requested=float(raw["requestedQueryCost"]),
        actual=None if actual is None else float(actual),
        throttle_status=ThrottleStatus(
            maximum_available=float(status["maximumAvailable"]),
            currently_available=float(status["currentlyAvailable"]),
            restore_rate=float(status["restoreRate"]),
        )
        if isinstance(status, dict)
        else None,
    )


def _entries(errors: Any) -> tuple[ErrorEntry, ...]:
    if isinstance(errors, list | tuple):
        return tuple(map(_entry, errors))
    # Outside of GraphQL (401, 403, 404) it is a text.
    return (_entry(errors),) if errors else ()


def _entry(raw: Any) -> ErrorEntry:
    found = raw if isinstance(raw, dict) else {"message": raw}
    message, path = str(found.get("message", raw)), found.get("path")
    extensions = found.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    # An older shape of the throttled answer has a message and no code.
    code = extensions.get("code") or ("THROTTLED" if message == "Throttled" else "")
    return ErrorEntry(
        code=str(code),
        message=message,
        path=".".join(map(str, path)) if isinstance(path, list) else "",
        extensions=extensions,
    )


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(float(retry_after or ""), 0.0)
    except ValueError:
        return None
