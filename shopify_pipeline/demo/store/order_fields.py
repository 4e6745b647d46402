"""Fields of orders themselves."""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store.catalogue_fields import location, paged
from shopify_pipeline.demo.store.customer_fields import address_of
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source
from shopify_pipeline.demo.store.line_fields import tax_line
from shopify_pipeline.demo.store.lookups import reference
from shopify_pipeline.demo.store.pricing import share_of


def _customer(order: Source, call: FieldCall, execution: Execution) -> Document | None:
    return reference("customers", order["customer"], call, execution)


def _fulfillment_status(order: Source, call: FieldCall, execution: Execution) -> str:
    status = str(order["displayFulfillmentStatus"])
    if status == "FULFILLMENT_NOT_REQUIRED" and execution.version < "2026-10":
        return "UNFULFILLED"
    return status


def _journey(order: Source, call: FieldCall, execution: Execution) -> Document | None:
    journey = order["journey"]
    if journey is None:
        return None
    domain = execution.store.settings.domain
    visit = {
        "id": f"gid://shopify/CustomerVisit/{order['id']}",
        "__typename": "CustomerVisit",
        "landingPage": f"https://{domain}{journey['page']}",
        "referrerUrl": journey["referrer"],
        "source": "Google" if "google" in (journey["referrer"] or "") else "direct",
        "sourceType": None,
        "occurredAt": journey["at"],
        "landingPageHtml": None,
        "referralCode": None,
        "referralInfoHtml": "",
        "sourceDescription": "",
        "utmParameters": None,
    }
    return {
        "ready": True,
        "firstVisit": visit,
        "lastVisit": visit,
        "daysToConversion": 0,
        "customerOrderIndex": 0,
        "momentsCount": {"count": 1, "precision": "EXACT"},
    }


def _visit_field(name: str) -> Resolver:
    def resolve(order: Source, call: FieldCall, execution: Execution) -> Any:
        journey = _journey(order, call, execution)
        return journey["lastVisit"][name] if journey else None

    return resolve


def _shipping_lines(order: Source) -> list[Document]:
    if not order["shipping"]:
        return []
    price = order["shipping"]
    return [
        {
            "id": order["id"] + 3,
            "_order": order,
            "title": "Standard",
            "code": "Standard",
            "source": "shopify",
            "price": price,
            "originalPriceSet": price,
            "discountedPriceSet": price,
            "currentDiscountedPriceSet": price,
            "isRemoved": False,
        }
    ]


def _tax_lines(order: Source, field: str) -> list[Document]:
    totals: dict[int, int] = {}
    for line in order["lines"]:
        if not line["tax"] or (field == "all" and line["added"]):
            continue
        part = line["quantity"] if field == "all" else line["currentQuantity"]
        tax = share_of(line["tax"], part, line["quantity"], order["currencyCode"])
        totals[line["taxRate"]] = totals.get(line["taxRate"], 0) + tax
    return [tax_line(order, rate, amount) for rate, amount in totals.items()]


def _quantity(field: str) -> Resolver:
    def resolve(order: Source, call: FieldCall, execution: Execution) -> int:
        return sum(
            line[field] for line in order["lines"] if field != "quantity" or not line["added"]
        )

    return resolve


def _app(order: Source, call: FieldCall, execution: Execution) -> Document | None:
    names = {"web": "Online Store", "pos": "Point of Sale"}
    name = names.get(order["sourceName"], "Demo App")
    return {"id": "gid://shopify/App/580111", "name": name}


RESOLVERS: dict[str, Resolver] = {
    "Order.customer": _customer,
    "Order.displayFulfillmentStatus": _fulfillment_status,
    "Order.customerJourneySummary": _journey,
    "Order.landingPageUrl": _visit_field("landingPage"),
    "Order.referrerUrl": _visit_field("referrerUrl"),
    "Order.shippingLines": lambda order, call, _execution: paged(
        _shipping_lines(order), call, lambda one: one["id"]
    ),
    "Order.shippingLine": lambda order, _call, _execution: next(iter(_shipping_lines(order)), None),
    "Order.billingAddress": lambda order, _call, _execution: address_of(order),
    "Order.shippingAddress": lambda order, _call, _execution: address_of(order),
    "Order.displayAddress": lambda order, _call, _execution: address_of(order),
    "Order.billingAddressMatchesShippingAddress": lambda *_: True,
    "Order.taxLines": lambda order, _call, _execution: _tax_lines(order, "all"),
    "Order.currentTaxLines": lambda order, _call, _execution: _tax_lines(order, "current"),
    "Order.subtotalLineItemsQuantity": _quantity("quantity"),
    "Order.currentSubtotalLineItemsQuantity": _quantity("currentQuantity"),
    "Order.currentShippingPriceSet": lambda order, _call, _execution: (
        order["shipping"] - order["totalRefundedShippingSet"]
    ),
    "Order.closed": lambda order, _call, _execution: order["closedAt"] is not None,
    "Order.fullyPaid": lambda order, _call, _execution: order["totalOutstandingSet"] == 0,
    "Order.unpaid": lambda order, _call, _execution: order["received"] == 0,
    "Order.refundable": lambda order, _call, _execution: order["netPaymentSet"] > 0,
    "Order.requiresShipping": lambda order, _call, _execution: any(
        line["requiresShipping"] for line in order["lines"]
    ),
    "Order.paymentGatewayNames": lambda order, _call, _execution: [order["gateway"]],
    "Order.discountCode": lambda order, _call, _execution: next(iter(order["discountCodes"]), None),
    "Order.confirmationNumber": lambda order, _call, _execution: f"C{order['number']:08X}",
    "Order.statusPageUrl": lambda order, _call, execution: (
        f"https://{execution.store.settings.domain}/orders/{order['id']}"
    ),
    "Order.merchantEditable": lambda order, _call, _execution: order["cancelledAt"] is None,
    "Order.cancellation": lambda order, _call, _execution: (
        {"staffNote": None} if order["cancelledAt"] is not None else None
    ),
    "Order.app": _app,
    "Order.canMarkAsPaid": lambda order, _call, _execution: order["totalOutstandingSet"] > 0,
    "Order.totalPrice": lambda order, _call, _execution: order["totalPriceSet"],
    "Order.subtotalPrice": lambda order, _call, _execution: order["subtotalPriceSet"],
    "Order.totalTax": lambda order, _call, _execution: order["totalTaxSet"],
    "Order.totalDiscounts": lambda order, _call, _execution: order["totalDiscountsSet"],
    "Order.totalRefunded": lambda order, _call, _execution: order["totalRefundedSet"],
    "Order.netPayment": lambda order, _call, _execution: order["netPaymentSet"],
    "Order.riskLevel": lambda *_: "LOW",
    "Order.originalTotalPriceSet": lambda order, _call, _execution: order["originalTotalPriceSet"],
    "Order.retailLocation": lambda order, _call, execution: (
        location(execution) if order["sourceName"] == "pos" else None
    ),
    "ShippingLine.taxLines": lambda *_: [],
}
