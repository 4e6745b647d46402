"""Fields of fulfilments."""

from __future__ import annotations

from shopify_pipeline.demo.store.catalogue_fields import location, paged
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source
from shopify_pipeline.demo.store.line_fields import lines_of
from shopify_pipeline.demo.store.paging import Page


def fulfillments_of(order: Document) -> list[Document]:
    """An order's fulfilments, each knowing its order."""
    return [
        {
            "__typename": "Fulfillment",
            "_order": order,
            "id": one["id"],
            "legacyResourceId": str(one["id"]),
            "name": f"{order['name']}.{place}",
            "status": "SUCCESS",
            "displayStatus": "FULFILLED",
            "createdAt": one["createdAt"],
            "updatedAt": one["createdAt"],
            "totalQuantity": sum(quantity for _, quantity in one["lines"]),
            "trackingInfo": [{"number": f"TRACK{order['number']}", "url": None, "company": "Post"}],
            "_lines": one["lines"],
        }
        for place, one in enumerate(order["fulfillments"], 1)
    ]


def _fulfillments(order: Source, call: FieldCall, execution: Execution) -> list[Document]:
    made = fulfillments_of(order)
    return made[: call.arguments.get("first") or len(made)]


def _fulfillment_lines(fulfillment: Source, call: FieldCall, execution: Execution) -> Page:
    lines = {line["id"]: line for line in lines_of(fulfillment["_order"])}
    items = [
        {
            "id": fulfillment["id"] * 100 + place,
            "_order": fulfillment["_order"],
            "lineItem": lines[identity],
            "quantity": quantity,
            "originalTotalSet": lines[identity]["originalUnitPriceSet"] * quantity,
            "discountedTotalSet": lines[identity]["discountedUnitPriceSet"] * quantity,
        }
        for place, (identity, quantity) in enumerate(fulfillment["_lines"])
        if identity in lines
    ]
    return paged(items, call, lambda one: one["id"])


RESOLVERS: dict[str, Resolver] = {
    "Order.fulfillments": _fulfillments,
    "Order.fulfillmentsCount": lambda order, _call, _execution: len(order["fulfillments"]),
    "Fulfillment.fulfillmentLineItems": _fulfillment_lines,
    "Fulfillment.order": lambda one, _call, _execution: one["_order"],
    "Fulfillment.location": lambda _one, _call, execution: location(execution),
}
