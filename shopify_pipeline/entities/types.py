"""The types of columns: how a value of Shopify's is read, and what holds it in Postgres."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Annotated, Any, TypeVar, cast, get_args

import orjson
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

    `written` is what is taken of JSON as it stands: some of these forms, and none that pydantic
    would read otherwise.
    """

    field: Callable[[Any], str]
    written: "Written"


@dataclass(frozen=True)
class Written:
    """How a value that is not null is written in JSON: a regular expression with one group.

    `field` makes the field of COPY's text format of what the group holds; None: that is it.
    """

    form: str
    field: Callable[[str], str] | None = None


class UnusualError(Exception):
    """A value has not its usual form."""


class Memo(dict[Any, Any]):
    """Remembers what is made of values that come again and again, up to a number of them.

    It begins with what is `known`, which may be said of values that `make` would not take.
    """

    def __init__(self, make: Callable[[Any], Any], known: Mapping[Any, Any] | None = None) -> None:
        super().__init__(known or {})
        self._make = make
        self._known = known or {}

    def __missing__(self, value: Any) -> Any:
        made = self._make(value)
        if len(self) >= _REMEMBERED:
            self.clear()
            self.update(self._known)
        self[value] = made
        return made


_REMEMBERED = 2**16


def _remembered(field: Callable[[Any], str]) -> Callable[[Any], str]:
    return Memo(field).__getitem__


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


def _usual_numeral(value: Any) -> str:
    if type(value) is int:
        return str(value)
    return _usual_text(value)


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


# Possessive throughout: nothing that was taken is ever given back, and the engine, which does not
# see that, would remember every place where it might be.
_TEXT = r'[^"\\\x00-\x1f]*+(?:\\["\\/bfnrt][^"\\\x00-\x1f]*+)*+'
_PLAIN = r'"[^"\\\x00-\x1f]*+"'
_NUMBER = "([1-9][0-9]{0,17}+)"
_BEFORE_NUMBER = r"gid:\\?+/\\?+/shopify\\?+/%s\\?+/"
GID = f'"{_BEFORE_NUMBER}{_NUMBER}"'
"""The form of a gid of one type, as it is written in JSON."""

# COPY reads the escapes that these forms let through as JSON means them.
_WRITTEN_ID = Written(f'"(?:{_BEFORE_NUMBER % "[A-Za-z]++"})?+{_NUMBER}"')
# Large ones come as texts: `"12"`, and not `12"`.
_WRITTEN_INTEGER = Written(r'(?>"(?=[0-9]++")|(?!-?+[0-9]++"))((?>0|-?+[1-9][0-9]{0,8}+))"?+')
_WRITTEN_NUMERAL = Written("((?>0|-?+[1-9][0-9]{0,17}+))")
_WRITTEN_MONEY = Written(r'"(-?+[0-9]{1,30}+\.?+[0-9]{0,20}+)"')
_WRITTEN_TIME = Written(
    r'"((?!0000)[0-9]{4}-'
    r"(?>(?>0[13578]|1[02])-(?>0[1-9]|[12][0-9]|3[01])"
    r"|(?>0[469]|11)-(?>0[1-9]|[12][0-9]|30)"
    r"|02-(?>0[1-9]|1[0-9]|2[0-8]))"
    r'T(?>[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z)"'
)
_WRITTEN_FLAG = Written("((?>true|false))")
_WRITTEN_TEXT = Written(f'"({_TEXT})"')
_WRITTEN_WORD = Written('"([A-Za-z0-9_ ]*+)"', str.lower)
_WRITTEN_TAGS = Written(rf"(\[(?:{_PLAIN}(?:,{_PLAIN})*+)?+\])", lambda tags: f"{{{tags[1:-1]}}}")
_WRITTEN_SCALAR = f'((?>-?+[1-9][0-9]{{0,17}}+|"{_TEXT}"))'
SCALAR = f'(?>null|true|false|-?+[0-9]{{1,18}}+|"{_TEXT}")'
"""The form of any leaf, as it is written in JSON."""

Id = Annotated[
    int,
    BeforeValidator(_number_of),
    Field(ge=0, lt=2**63),
    sa.BigInteger(),
    Usual(_usual_id, _WRITTEN_ID),
]
"""Shopify's number, from a number, a string of digits or a gid."""

Reference = Annotated[
    int,
    BeforeValidator(_number_of),
    Field(ge=0, lt=2**63),
    sa.BigInteger(),
    Usual(_remembered(_usual_id), _WRITTEN_ID),
]
"""The number of another record, which many point to."""

Integer = Annotated[
    int,
    Field(ge=-(2**31), lt=2**31),
    sa.Integer(),
    Usual(_remembered(_usual_integer), _WRITTEN_INTEGER),
]
Flag = Annotated[bool, sa.Boolean(), Usual(_usual_flag, _WRITTEN_FLAG)]
Text = Annotated[str, sa.Text(), Usual(_usual_text, _WRITTEN_TEXT)]

Numeral = Annotated[str, BeforeValidator(str), sa.Text(), Usual(_usual_numeral, _WRITTEN_NUMERAL)]
"""A number that serves as a name, as text."""

Word = Annotated[
    str,
    StringConstraints(to_lower=True),
    sa.Text(),
    Usual(_remembered(_usual_word), _WRITTEN_WORD),
]
"""A word of one of Shopify's enumerations, in lower case; unknown ones pass."""

Money = Annotated[
    Decimal,
    BeforeValidator(_refuse_float),
    sa.Numeric(),
    Usual(_remembered(_usual_money), _WRITTEN_MONEY),
]
"""An exact amount, from a decimal string; its currency is a column beside it."""

Timestamp = Annotated[
    AwareDatetime,
    AfterValidator(_as_utc),
    sa.DateTime(timezone=True),
    Usual(_usual_time, _WRITTEN_TIME),
]
"""A moment, in UTC."""

Tags = Annotated[
    list[str],
    BeforeValidator(_split),
    ARRAY(sa.Text()),
    Usual(_usual_tags, _WRITTEN_TAGS),
]


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
    field = _one(annotation, Usual).field
    for mark in reversed(_added(annotation)):
        field = _after(cast("Callable[[Any], Any]", mark.func), field)
    return field


def pattern_of(annotation: Any) -> Written:
    """Return how the usual form of a value that is not null is written in JSON.

    Raises:
        TypeError: it carries none.
    """
    if not _added(annotation):
        return _one(annotation, Usual).written
    field = usual(annotation)
    return Written(_WRITTEN_SCALAR, lambda token: field(orjson.loads(token)))


def _added(annotation: Any) -> list[BeforeValidator]:
    """The validators that a column adds to its type."""
    own = _one(annotation, Usual)
    marks = getattr(annotation, "__metadata__", ())
    # What stands before it belongs to the type and is part of its usual form.
    added = marks[marks.index(own) + 1 :] if own in marks else marks
    return [mark for mark in added if isinstance(mark, BeforeValidator)]


def _after(first: Callable[[Any], Any], then: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: then(first(value))


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
