"""The types of columns: how a value of Shopify's is read, and what holds it in Postgres."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Annotated, Any, TypeVar, cast, get_args

import sqlalchemy as sa
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints
from sqlalchemy.dialects.postgresql import ARRAY

from shopify_pipeline.warehouse.copying import escaped, texts_field


def _number_of(value: object) -> object:
    """Shopify's number in a gid (`gid://shopify/Order/123?x=y`), or the value as it is."""
    if isinstance(value, str) and value.startswith("gid://"):
        return value.rpartition("/")[2].partition("?")[0]
    return value


def _refuse_float(value: object) -> object:
    if isinstance(value, float | bool):
        raise ValueError(f"expected money as a decimal string, not the {type(value).__name__}")  # noqa: TRY004 - pydantic reports ValueError
    return value


def _split(value: object) -> object:
    """Tags as REST-shaped bodies write them, `"a, b"`, or a list as it is."""
    if isinstance(value, str):
        return value.split(", ") if value else []
    return value


def _as_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


@dataclass(frozen=True)
class Usual:
    """Writes the form in which GraphQL usually sends a value as a field of COPY's text format.

    Many times faster than by way of pydantic. It raises for every other form, which is then left
    to pydantic; it never takes a value that pydantic would refuse, nor makes another of it.
    """

    field: Callable[[Any], str]


class UnusualError(Exception):
    """A value has not its usual form."""


class _Memo(dict[Any, str]):
    """Remembers the fields of values that come again and again, up to a number of them."""

    def __init__(self, field: Callable[[Any], str]) -> None:
        self._field = field

    def __missing__(self, value: Any) -> str:
        field = self._field(value)
        if len(self) >= _REMEMBERED:
            self.clear()
        self[value] = field
        return field


_REMEMBERED = 2**16


def _remembered(field: Callable[[Any], str]) -> Callable[[Any], str]:
    return _Memo(field).__getitem__


def _usual_id(value: Any) -> str:
    if value.startswith("gid://"):
        value = value.rpartition("/")[2]
    if not (value.isascii() and value.isdigit() and len(value) < 19) or value[0] == "0":
        raise UnusualError
    return str(value)


def _usual_integer(value: Any) -> str:
    if type(value) is str and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise UnusualError
    return str(value)


_AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,20})?")


def _usual_money(value: Any) -> str:
    if type(value) is not str or not _AMOUNT.fullmatch(value):
        raise UnusualError
    return value


def _usual_time(value: Any) -> str:
    if len(value) != 20 or value[10] != "T" or value[19] != "Z":
        raise UnusualError
    datetime.fromisoformat(value)
    return str(value)


def _usual_flag(value: Any) -> str:
    if value is True:
        return "t"
    if value is False:
        return "f"
    raise UnusualError


def _usual_text(value: Any) -> str:
    if type(value) is not str or "\0" in value:
        raise UnusualError
    return escaped(value)


def _usual_word(value: Any) -> str:
    if not value.isascii():
        raise UnusualError
    return _usual_text(value.lower())


def _usual_tags(value: Any) -> str:
    if type(value) is not list:
        raise UnusualError
    if not value:
        return "{}"
    if any(type(tag) is not str or "\0" in tag for tag in value):
        raise UnusualError
    return texts_field(value)


Id = Annotated[
    int, BeforeValidator(_number_of), Field(ge=0, lt=2**63), sa.BigInteger(), Usual(_usual_id)
]
"""Shopify's number, from a number, a string of digits or a gid."""

Reference = Annotated[
    int,
    BeforeValidator(_number_of),
    Field(ge=0, lt=2**63),
    sa.BigInteger(),
    Usual(_remembered(_usual_id)),
]
"""The number of another record, which many point to."""

Integer = Annotated[
    int, Field(ge=-(2**31), lt=2**31), sa.Integer(), Usual(_remembered(_usual_integer))
]
Flag = Annotated[bool, sa.Boolean(), Usual(_usual_flag)]
Text = Annotated[str, sa.Text(), Usual(_usual_text)]

Word = Annotated[str, StringConstraints(to_lower=True), sa.Text(), Usual(_remembered(_usual_word))]
"""A word of one of Shopify's enumerations, in lower case; unknown ones pass."""

Money = Annotated[
    Decimal, BeforeValidator(_refuse_float), sa.Numeric(), Usual(_remembered(_usual_money))
]
"""An exact amount, from a decimal string; its currency is a column beside it."""

Timestamp = Annotated[
    AwareDatetime, AfterValidator(_as_utc), sa.DateTime(timezone=True), Usual(_usual_time)
]
"""A moment, in UTC."""

Tags = Annotated[list[str], BeforeValidator(_split), ARRAY(sa.Text()), Usual(_usual_tags)]


def sql_type(annotation: Any) -> sa.types.TypeEngine[Any]:
    """Return the SQL type that an annotation carries, looking through `| None`.

    Raises:
        TypeError: it carries none.
    """
    return _one(annotation, sa.types.TypeEngine)


def usual(annotation: Any) -> Callable[[Any], str]:
    """Return what writes the usual form of a value that is not null.

    Raises:
        TypeError: it carries none.
    """
    own = _one(annotation, Usual)
    marks = getattr(annotation, "__metadata__", ())
    # What stands before it belongs to the type and is part of its usual form.
    added = marks[marks.index(own) + 1 :] if own in marks else marks
    field = own.field
    for mark in reversed(added):
        if isinstance(mark, BeforeValidator):
            field = _after(cast("Callable[[Any], Any]", mark.func), field)
    return field


def _after(first: Callable[[Any], Any], then: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: then(first(value))


def is_plain_text(annotation: Any) -> bool:
    """Whether the usual form of a value is a text that is stored as it comes."""
    return usual(annotation) is _usual_text


def is_nullable(annotation: Any) -> bool:
    """Whether a value may be null."""
    return NoneType in get_args(annotation) or (
        hasattr(annotation, "__metadata__") and is_nullable(annotation.__origin__)
    )


M = TypeVar("M")


def _one(annotation: Any, kind: type[M]) -> M:
    found = _find(annotation, kind)
    if found is None:
        raise TypeError(f"{annotation!r} has no {kind.__name__}: use the types of this module")
    return found


def _find(annotation: Any, kind: type[M]) -> M | None:
    for part in (*getattr(annotation, "__metadata__", ()), *get_args(annotation)):
        if isinstance(part, kind):
            return part
        if (inner := _find(part, kind)) is not None:
            return inner
    return None
