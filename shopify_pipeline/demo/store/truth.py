"""The present state of every record as JSON lines, past every lag, scope and fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from graphql import (
    FieldNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
)

from shopify_pipeline.demo.store.compiler import compile_node
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, Resolver, Run
from shopify_pipeline.demo.store.line_fields import lines_of
from shopify_pipeline.demo.store.schemas import schema_of
from shopify_pipeline.demo.store.store import Store

_MONEY = "{ shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }"

SELECTIONS = {
    "products": ("Product", "variantsCount { count }"),
    "variants": ("ProductVariant", "product { id }"),
    "customers": (
        "Customer",
        (
            "amountSpent { amount currencyCode }"
            " defaultEmailAddress { emailAddress marketingState }"
            " defaultPhoneNumber { phoneNumber }"
        ),
    ),
    "orders": (
        "Order",
        "customer { id } customerJourneySummary { lastVisit { landingPage referrerUrl } }",
    ),
    "line_items": ("LineItem", "product { id } variant { id }"),
}
_VERSION = "2026-10"
_SKIPPED = frozenset({"lifetimeDuration", "description"})


def _selection(type_name: str, extra: str, version: str) -> tuple[Any, ...]:
    """Every plain and money field of a type, and the extra ones."""
    chosen = schema_of(version).type_map[type_name]
    if not isinstance(chosen, GraphQLObjectType):
        raise TypeError(type_name)
    parts = [extra]
    for name, definition in chosen.fields.items():
        named = get_named_type(definition.type)
        required = any(is_required_argument(one) for one in definition.args.values())
        if name in _SKIPPED or definition.deprecation_reason or required:
            continue
        if is_leaf_type(named):
            parts.append(name)
        elif named.name == "MoneyBag":
            parts.append(f"{name} {_MONEY}")
    document = parse("{" + " ".join(parts) + "}")
    operation = document.definitions[0]
    if not isinstance(operation, OperationDefinitionNode):
        raise TypeError("no operation")
    return tuple(one for one in operation.selection_set.selections if isinstance(one, FieldNode))


def _reader(store: Store, kind: str, resolvers: dict[str, Resolver]) -> tuple[Run, Execution]:
    type_name, extra = SELECTIONS[kind]
    selection = _selection(type_name, extra, _VERSION)
    execution = Execution(schema_of(_VERSION), resolvers, store, _VERSION, trusted=True)
    return compile_node(type_name, selection, execution), execution


def _line(run: Run, execution: Execution, order: Document, line: Document) -> Document:
    answer: Document = run(line, execution)
    answer["order"] = {"id": f"gid://shopify/Order/{order['id']}"}
    return answer


def truth(store: Store, kind: str, resolvers: dict[str, Resolver]) -> Iterator[bytes]:
    """Lines of one kind: products, variants, customers, orders or line_items."""
    run, execution = _reader(store, kind, resolvers)
    source = "orders" if kind == "line_items" else kind
    for place, document in enumerate(store.database.stream(source)):
        if place % 500 == 499:
            execution.memory.clear()
        if kind == "line_items":
            for line in lines_of(document):
                yield orjson.dumps(_line(run, execution, document, line)) + b"\n"
        else:
            yield orjson.dumps(run(document, execution)) + b"\n"


def truth_of(
    store: Store, kind: str, identity: int, resolvers: dict[str, Resolver]
) -> Document | None:
    """One record in the same form, or None when it isn't there."""
    run, execution = _reader(store, kind, resolvers)
    if kind == "line_items":
        order = store.order_of_line(identity)
        for line in lines_of(order) if order else []:
            if order is not None and line["id"] == identity:
                return _line(run, execution, order, line)
        return None
    document = store.database.document(kind, identity)
    return None if document is None else run(document, execution)
