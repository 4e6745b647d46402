"""Fields of line items."""

from __future__ import annotations

from shopify_pipeline.demo.store.catalogue_fields import paged
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source
from shopify_pipeline.demo.store.lookups import reference
from shopify_pipeline.demo.store.paging import Page
from shopify_pipeline.demo.store.pricing import line_net


def lines_of(order: Document) -> list[Document]:
    """An order's lines, each knowing its order."""
    lines: list[Document] = order["lines"]
    for line in lines:
        line["_order"] = order
    return lines


def _line_items(order: Source, call: FieldCall, execution: Execution) -> Page:
    return paged(lines_of(order), call, lambda line: line["id"])


def tax_line(order: Source, rate: int, amount: int) -> Document:
    """One tax of an order or of a line; the rate is micros per whole."""
    return {
        "_order": order,
        "title": "Tax",
        "rate": rate / 1_000_000,
        "ratePercentage": rate / 10_000,
        "priceSet": amount,
        "price": amount,
        "channelLiable": False,
    }


def _line_taxes(line: Source, call: FieldCall, execution: Execution) -> list[Document]:
    return [tax_line(line["_order"], line["taxRate"], line["tax"])] if line["tax"] else []


def _line_product(line: Source, call: FieldCall, execution: Execution) -> Document | None:
    return reference("products", line["product"], call, execution)


def _line_variant(line: Source, call: FieldCall, execution: Execution) -> Document | None:
    return reference("variants", line["variant"], call, execution)


def _line_name(line: Source, call: FieldCall, execution: Execution) -> str:
    return " - ".join(part for part in (line["title"], line["variantTitle"]) if part)


def _unfulfilled(line: Source) -> int:
    sent = sum(
        quantity
        for one in line["_order"]["fulfillments"]
        for identity, quantity in one["lines"]
        if identity == line["id"]
    )
    return int(max(0, line["currentQuantity"] - sent))


def _allocations(line: Source, call: FieldCall, execution: Execution) -> list[Document]:
    order = line["_order"]
    return [
        {
            "_order": order,
            "allocatedAmountSet": amount,
            "allocatedAmount": amount,
            "discountApplication": {
                "__typename": "ManualDiscountApplication",
                "allocationMethod": "ACROSS",
                "index": index,
                "targetSelection": "ALL",
                "targetType": "LINE_ITEM",
                "title": "Discount",
                "description": None,
                "value": {"__typename": "PricingPercentageValue", "percentage": 10.0},
            },
        }
        for index, amount in enumerate((line["totalDiscountSet"], line["orderDiscount"]))
        if amount
    ]


RESOLVERS: dict[str, Resolver] = {
    "Order.lineItems": _line_items,
    "LineItem.product": _line_product,
    "LineItem.variant": _line_variant,
    "LineItem.name": _line_name,
    "LineItem.taxLines": _line_taxes,
    "LineItem.discountAllocations": _allocations,
    "LineItem.originalTotalSet": lambda line, _call, _execution: (
        line["originalUnitPriceSet"] * line["quantity"]
    ),
    "LineItem.discountedTotalSet": lambda line, _call, _execution: (
        line["originalUnitPriceSet"] * line["quantity"] - line["totalDiscountSet"]
    ),
    "LineItem.priceAfterAllDiscountsBeforeTaxesSet": lambda line, _call, _execution: line_net(line),
    "LineItem.originalUnitPrice": lambda line, _call, _execution: line["originalUnitPriceSet"],
    "LineItem.totalDiscount": lambda line, _call, _execution: line["totalDiscountSet"],
    "LineItem.unfulfilledQuantity": lambda line, _call, _execution: _unfulfilled(line),
    "LineItem.fulfillableQuantity": lambda line, _call, _execution: _unfulfilled(line),
    "LineItem.fulfillmentStatus": lambda line, _call, _execution: (
        "unfulfilled" if _unfulfilled(line) else "fulfilled"
    ),
    "LineItem.unfulfilledOriginalTotalSet": lambda line, _call, _execution: (
        line["originalUnitPriceSet"] * _unfulfilled(line)
    ),
    "LineItem.unfulfilledDiscountedTotalSet": lambda line, _call, _execution: (
        line["discountedUnitPriceSet"] * _unfulfilled(line)
    ),
    "LineItem.merchantEditable": lambda *_: True,
    "LineItem.restockable": lambda line, _call, _execution: line["variant"] is not None,
}
