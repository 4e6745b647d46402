"""Finding one record: by type and number, remembered for the length of a request."""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, FieldError, Source
from shopify_pipeline.demo.store.identifiers import parse_gid

KIND_OF = {
    "Product": "products",
    "ProductVariant": "variants",
    "Customer": "customers",
    "Order": "orders",
}


def found(kind: str, identity: int | None, execution: Execution) -> Document | None:
    """A present record, unless it is an order too old for the app to see."""
    if identity is None:
        return None
    memory = execution.memory
    key = (kind, identity)
    if key not in memory:
        memory[key] = execution.store.database.document(kind, identity)
    document: Document | None = memory[key]
    if kind == "orders" and document is not None and not execution.trusted:  # noqa: SIM102
        if document["createdAt"] < execution.store.visible_from():
            return None
    return document


def reference(
    kind: str, identity: int | None, call: FieldCall, execution: Execution
) -> Document | None:
    """Like `found`, without reading the whole record when only its id is asked for."""
    if identity is None:
        return None
    if call.asked <= {"id", "legacyResourceId", "__typename"} and kind != "orders":
        if execution.store.database.exists(kind, identity):
            return {"id": identity}
        return None
    return found(kind, identity, execution)


def by_id(wanted: str) -> Any:
    """The resolver of `product(id:)` and its like."""
    kind = KIND_OF[wanted]

    def resolve(source: Source, call: FieldCall, execution: Execution) -> Document | None:
        parsed = parse_gid(call.arguments["id"])
        if parsed is None or parsed[0] != wanted:
            raise FieldError(f"Invalid id: {call.arguments['id']}", code="RESOURCE_NOT_FOUND")
        return found(kind, parsed[1], execution)

    return resolve
