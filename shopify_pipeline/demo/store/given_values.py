"""What a given value may be, each read into the form in which the store holds it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from graphql import GraphQLEnumType, GraphQLInterfaceType, GraphQLObjectType
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from shopify_pipeline.demo.store.amounts import micros
from shopify_pipeline.demo.store.clock import parse_time
from shopify_pipeline.demo.store.identifiers import parse_gid
from shopify_pipeline.demo.store.schemas import SCHEMA_VERSIONS, schema_of

EARLIEST = parse_time("1900-01-01")
LATEST = parse_time("2200-01-01")
MOST_MONEY = micros(10_000_000_000)
_LARGEST_ID = 2**62


def refused(text: str) -> PydanticCustomError:
    """The error of a value that can't be taken; the text goes on from the value's name."""
    return PydanticCustomError("given", "{text}", {"text": text})


def shown(value: Any) -> str:
    """A given value, cut to what fits into a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


class Given(BaseModel):
    """Fields that somebody gives, under GraphQL's names; others are refused by name."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")

    @classmethod
    def known(cls) -> list[str]:
        """The names under which something may be given."""
        names: list[str] = []
        for name, field in cls.model_fields.items():
            if isinstance(field.validation_alias, AliasChoices):
                names += map(str, field.validation_alias.choices)
            else:
                names.append(field.alias or name)
        return names

    @model_validator(mode="before")
    @classmethod
    def _only_known(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            raise refused(f"should be an object, not {shown(given)}")
        known = cls.known()
        unknown = [shown(name) for name in given if name not in known]
        if unknown:
            raise refused(f"unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return given


def _moment(value: Any) -> int:
    try:
        moment = parse_time(value)
    except (TypeError, ValueError):
        raise refused(f"should be an ISO 8601 time, not {shown(value)}") from None
    if not EARLIEST <= moment < LATEST:
        raise refused("should be a time of the years 1900 to 2199")
    return moment


def _amount(value: Any) -> int:
    bag = value
    for inner in ("shopMoney", "amount"):
        if isinstance(bag, dict) and inner in bag:
            bag = bag[inner]
    try:
        number = Decimal("nan" if isinstance(bag, bool) else str(bag))
        large = abs(number) > Decimal(MOST_MONEY) / 1_000_000
    except ArithmeticError:
        raise refused(f'should be decimal text like "9.50", not {shown(value)}') from None
    if large:
        raise refused("should be an amount of at most 10,000,000,000")
    return micros(number)


def _rate(value: Any) -> int:
    rate = _amount(value)
    if not 0 <= rate <= micros(1):
        raise refused("should be a rate between 0 and 1")
    return rate


def _number_of(wanted: str) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        bare = value.get("id") if isinstance(value, dict) else value
        number = bare if isinstance(bare, int) and not isinstance(bare, bool) else None
        if isinstance(bare, str):
            parsed = parse_gid(bare)
            if parsed and parsed[0] == wanted:
                number = parsed[1]
            elif bare.isascii() and bare.isdigit() and len(bare) < 20:
                number = int(bare)
        if number is None or not 0 < number <= _LARGEST_ID:
            raise refused(f"should be a number or a gid://shopify/{wanted}/…, not {shown(value)}")
        return number

    return read


def _word_of(enum: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        kind = schema_of(SCHEMA_VERSIONS[-1]).type_map[enum]
        if not isinstance(kind, GraphQLEnumType):
            raise TypeError(enum)
        if not isinstance(value, str) or value not in kind.values:
            raise refused(f"should be one of {', '.join(kind.values)}, not {shown(value)}")
        return value

    return read


def _field_name(value: Any) -> str:
    parent, _, name = str(value).partition(".")
    kind = schema_of(SCHEMA_VERSIONS[-1]).type_map.get(parent)
    fields = kind.fields if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else {}
    if name not in fields:
        raise refused(f"should be a field like Customer.firstName, not {shown(value)}")
    return str(value)


def reference(wanted: str) -> Any:
    """The validator of an id of that GraphQL type: a number, its text, a gid, or `{"id": …}`."""
    return BeforeValidator(_number_of(wanted))


def word(enum: str) -> Any:
    """The validator of a word of that GraphQL enum."""
    return BeforeValidator(_word_of(enum))


Moment = Annotated[int, BeforeValidator(_moment)]
Amount = Annotated[int, BeforeValidator(_amount)]
Price = Annotated[Amount, Field(ge=0)]
Rate = Annotated[int, BeforeValidator(_rate)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Stock = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3_000_000_000)]
FieldName = Annotated[str, BeforeValidator(_field_name)]
