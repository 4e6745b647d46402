"""Fields of payments and refunds."""

from __future__ import annotations

from shopify_pipeline.demo.store.catalogue_fields import paged
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source
from shopify_pipeline.demo.store.line_fields import lines_of
from shopify_pipeline.demo.store.paging import Page

_KINDS = {"AUTHORIZED": "AUTHORIZATION", "VOIDED": "VOID"}


def transactions_of(order: Document) -> list[Document]:
    """The payments and refunds of an order."""
    base = order["id"] + 7
    made: list[Document] = []

    def add(kind: str, amount: int, moment: int, status: str = "SUCCESS") -> None:
        made.append(
            {
                "__typename": "OrderTransaction",
                "id": base + len(made),
                "_order": order,
                "kind": kind,
                "status": status,
                "gateway": order["gateway"],
                "formattedGateway": order["gateway"].title(),
                "amountSet": amount,
                "amount": amount,
                "createdAt": moment,
                "processedAt": moment,
                "test": order["test"],
                "parentTransaction": made[0] if made else None,
            }
        )

    if order["received"] or not order["totalPriceSet"]:
        add("SALE", order["received"], order["createdAt"])
    elif order["displayFinancialStatus"] in _KINDS:
        add("AUTHORIZATION", order["totalPriceSet"], order["createdAt"])
    for refund in order["refunds"]:
        add("REFUND", refund["amount"], refund["createdAt"])
    return made


def _transactions(order: Source, call: FieldCall, execution: Execution) -> list[Document]:
    made = transactions_of(order)
    return made[: call.arguments.get("first") or len(made)]


def refunds_of(order: Document) -> list[Document]:
    """An order's refunds, each knowing its order."""
    return [
        {
            "__typename": "Refund",
            "_order": order,
            "id": refund["id"],
            "legacyResourceId": str(refund["id"]),
            "createdAt": refund["createdAt"],
            "updatedAt": refund["createdAt"],
            "processedAt": refund["createdAt"],
            "note": refund["note"],
            "totalRefundedSet": refund["amount"],
            "_lines": refund["lines"],
        }
        for refund in order["refunds"]
    ]


def _refunds(order: Source, call: FieldCall, execution: Execution) -> list[Document]:
    made = refunds_of(order)
    return made[: call.arguments.get("first") or len(made)]


def _refund_lines(refund: Source, call: FieldCall, execution: Execution) -> Page:
    lines = {line["id"]: line for line in lines_of(refund["_order"])}
    items = [
        {
            "id": one["id"],
            "_order": refund["_order"],
            "quantity": one["quantity"],
            "restockType": one["restockType"],
            "restocked": True,
            "lineItem": lines.get(one["line"]),
            "subtotalSet": one["subtotal"],
            "totalTaxSet": one["tax"],
            "priceSet": one["subtotal"] // one["quantity"],
            "location": None,
        }
        for one in refund["_lines"]
    ]
    return paged(items, call, lambda one: one["id"])


def _refund_transactions(refund: Source, call: FieldCall, execution: Execution) -> Page:
    made = [
        one
        for one in transactions_of(refund["_order"])
        if one["kind"] == "REFUND" and one["createdAt"] == refund["createdAt"]
    ]
    return paged(made, call, lambda one: one["id"])


RESOLVERS: dict[str, Resolver] = {
    "Order.transactions": _transactions,
    "Order.refunds": _refunds,
    "Order.transactionsCount": lambda order, _call, _execution: len(transactions_of(order)),
    "Refund.refundLineItems": _refund_lines,
    "Refund.transactions": _refund_transactions,
    "Refund.order": lambda refund, _call, _execution: refund["_order"],
    "OrderTransaction.order": lambda one, _call, _execution: one["_order"],
}
