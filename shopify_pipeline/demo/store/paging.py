"""Pages of a connection, and the opaque cursors that lead from one to the next."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from shopify_pipeline.demo.store.identifiers import LARGEST

MAX_PAGE = 250
EVERYTHING = 1_000_000_000


class PagingError(Exception):
    """Paging arguments that Shopify refuses with BAD_REQUEST."""


@dataclass
class Page:
    """What a connection's resolver returns."""

    items: list[Any]
    cursor: Callable[[Any], str]
    has_next: bool = False
    has_previous: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def empty_page() -> Page:
    """A connection with nothing in it."""
    return Page([], lambda _item: "")


def encode_cursor(identity: int, value: object) -> str:
    """The cursor of a record: its id and its value under the sort key."""
    return base64.b64encode(orjson.dumps({"last_id": identity, "last_value": value})).decode()


def decode_cursor(text: str) -> tuple[int, Any]:
    """Id and sort value of a cursor. Raises PagingError when it is none of ours."""
    try:
        found = orjson.loads(base64.b64decode(text, validate=True))
        identity, value = int(found["last_id"]), found["last_value"]
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError):
        raise PagingError(f"Invalid cursor for current pagination sort: {text}") from None
    if abs(identity) > LARGEST or not isinstance(value, str | float | int | None):
        raise PagingError(f"Invalid cursor for current pagination sort: {text}")
    return identity, value


def window(arguments: dict[str, Any]) -> tuple[int, bool]:
    """Page size, and whether it is the last page that is asked for. Raises PagingError."""
    if arguments.get("_all"):
        return EVERYTHING, False
    first: int | None = arguments.get("first")
    last: int | None = arguments.get("last")
    if first is None and last is None:
        raise PagingError("you must provide one of first or last")
    if first is not None and last is not None:
        raise PagingError("providing both first and last is not supported")
    name, size = ("first", first) if first is not None else ("last", last or 0)
    if size < 0:
        raise PagingError(f"{name} must be greater than or equal to 0")
    if size > MAX_PAGE:
        raise PagingError(f"{name} cannot exceed {MAX_PAGE}")
    return size, last is not None


def page_of(
    items: Sequence[Any], arguments: dict[str, Any], identity: Callable[[Any], int]
) -> Page:
    """A page of a list that is in memory, in its own order."""
    size, backward = window(arguments)
    ordered = list(reversed(items)) if arguments.get("reverse") else list(items)

    def cursor(item: Any) -> str:
        return encode_cursor(identity(item), str(identity(item)))

    start, end = 0, len(ordered)
    places = {identity(item): place for place, item in enumerate(ordered)}
    if arguments.get("after"):
        start = places.get(decode_cursor(arguments["after"])[0], -1) + 1
    if arguments.get("before"):
        end = places.get(decode_cursor(arguments["before"])[0], len(ordered))
    if backward:
        start = max(start, end - size)
    else:
        end = min(end, start + size)
    return Page(ordered[start:end], cursor, end < len(ordered), start > 0)
