"""How scalars are written, and what stands for a value that a record does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLEnumType, GraphQLList, GraphQLObjectType, GraphQLScalarType

from shopify_pipeline.demo.store.amounts import padded, trimmed
from shopify_pipeline.demo.store.clock import iso
from shopify_pipeline.demo.store.paging import empty_page

Writer = Callable[[Any], Any]


def _money(value: Any) -> Any:
    return padded(value) if isinstance(value, int) else value


def _decimal(value: Any) -> Any:
    return trimmed(value) if isinstance(value, int) else value


def _time(value: Any) -> Any:
    return iso(value) if isinstance(value, int) else value


_WRITERS: dict[str, Writer] = {
    "DateTime": _time,
    "Date": lambda value: _time(value)[:10],
    "Money": _money,
    "Decimal": _decimal,
    "UnsignedInt64": str,
}

_ZEROS: dict[str, Any] = {
    "Boolean": False,
    "Int": 0,
    "Float": 0.0,
    "String": "",
    "ID": "gid://shopify/Nothing/0",
    "DateTime": 0,
    "Date": 0,
    "Money": 0,
    "Decimal": 0,
    "UnsignedInt64": 0,
    "URL": "https://demo-store.myshopify.com/",
    "HTML": "",
    "JSON": {},
    "FormattedString": "",
}


def writer(name: str) -> Writer | None:
    """The function that writes a scalar of this name, or None when values go out as they are."""
    return _WRITERS.get(name)


def zero(wanted: object) -> Any:
    """The value for a required field that a record does not hold."""
    if isinstance(wanted, GraphQLList):
        return []
    if isinstance(wanted, GraphQLEnumType):
        return next(iter(wanted.values))
    if isinstance(wanted, GraphQLScalarType):
        return _ZEROS.get(wanted.name, "")
    if isinstance(wanted, GraphQLObjectType):
        if wanted.name.endswith("Connection"):
            return empty_page()
        return 0 if wanted.name in {"MoneyBag", "MoneyV2"} else {}
    return None


def wrapped(name: str, value: Any, source: dict[str, Any]) -> dict[str, Any]:
    """The object that stands for a plain stored value: money as micros, a count as a number."""
    if name == "MoneyV2":
        order = source.get("_order", source)
        return {"amount": value, "currencyCode": order.get("currencyCode", "USD")}
    if name == "Count":
        return {"count": value, "precision": "EXACT"}
    raise AssertionError(f"a plain value where {name} is due")
