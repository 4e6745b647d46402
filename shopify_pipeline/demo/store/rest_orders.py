"""Orders in the shape of REST and webhooks."""

from __future__ import annotations

from shopify_pipeline.demo.store.amounts import padded
from shopify_pipeline.demo.store.catalogue_fields import LOCATION
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.rest_customers import customer, postal_address
from shopify_pipeline.demo.store.rest_order_parts import (
    fulfillment,
    line_item,
    refund,
    shipping_lines,
)
from shopify_pipeline.demo.store.rest_values import local_time, lowered, money_bag
from shopify_pipeline.demo.store.store import Store

_FULFILLMENT = {
    "FULFILLED": "fulfilled",
    "PARTIALLY_FULFILLED": "partial",
    "RESTOCKED": "restocked",
}
_TOTALS = {
    "current_subtotal_price": "currentSubtotalPriceSet",
    "current_total_discounts": "currentTotalDiscountsSet",
    "current_total_price": "currentTotalPriceSet",
    "current_total_tax": "currentTotalTaxSet",
    "subtotal_price": "subtotalPriceSet",
    "total_discounts": "totalDiscountsSet",
    "total_line_items_price": None,
    "total_price": "totalPriceSet",
    "total_tax": "totalTaxSet",
}


def order(store: Store, document: Document, *, webhook: bool = False) -> Document:
    """An order with its lines, refunds and fulfilments."""
    zone = store.settings.zone
    journey = document["journey"] or {}
    address = postal_address(document)
    buyer = None
    if document["customer"] is not None:
        known = store.database.document("customers", document["customer"])
        buyer = None if known is None else customer(store, known, webhook=True)
        if buyer is not None:
            buyer.pop("addresses")
            if not webhook:
                buyer["tags"] = ", ".join(known["tags"]) if known else ""
    lines = [line_item(store, document, line) for line in document["lines"]]
    gross = sum(line["originalUnitPriceSet"] * line["quantity"] for line in document["lines"])
    body: Document = {
        "id": document["id"],
        "admin_graphql_api_id": f"gid://shopify/Order/{document['id']}",
        "app_id": 580111,
        "browser_ip": None,
        "buyer_accepts_marketing": False,
        "cancel_reason": lowered(document["cancelReason"]),
        "cancelled_at": local_time(document["cancelledAt"], zone),
        "cart_token": None,
        "checkout_id": None,
        "checkout_token": None,
        "client_details": None,
        "closed_at": local_time(document["closedAt"], zone),
        "confirmation_number": f"C{document['number']:08X}",
        "confirmed": document["confirmed"],
        "contact_email": document["email"],
        "created_at": local_time(document["createdAt"], zone),
        "currency": document["currencyCode"],
        "customer_locale": "en",
        "device_id": None,
        "discount_codes": [
            {"code": code, "amount": padded(document["totalDiscountsSet"]), "type": "percentage"}
            for code in document["discountCodes"]
        ],
        "duties_included": False,
        "email": document["email"] or "",
        "estimated_taxes": False,
        "financial_status": lowered(document["displayFinancialStatus"]),
        "fulfillment_status": _FULFILLMENT.get(document["displayFulfillmentStatus"]),
        "landing_site": journey.get("page"),
        "landing_site_ref": None,
        "location_id": LOCATION if document["sourceName"] == "pos" else None,
        "name": document["name"],
        "note": document["note"],
        "note_attributes": [],
        "number": document["number"] - 1000,
        "order_number": document["number"],
        "order_status_url": f"https://{store.settings.domain}/orders/{document['id']}",
        "payment_gateway_names": [document["gateway"]],
        "phone": document["phone"],
        "po_number": None,
        "presentment_currency": document["presentmentCurrencyCode"],
        "processed_at": local_time(document["processedAt"], zone),
        "reference": None,
        "referring_site": journey.get("referrer"),
        "source_identifier": None,
        "source_name": document["sourceName"],
        "source_url": None,
        "tags": ", ".join(document["tags"]),
        "tax_exempt": False,
        "tax_lines": [],
        "taxes_included": document["taxesIncluded"],
        "test": document["test"],
        "token": f"{document['id']:032x}",
        "total_outstanding": padded(document["totalOutstandingSet"]),
        "total_tip_received": padded(document["totalTipReceivedSet"]),
        "total_weight": 0,
        "updated_at": local_time(document["updatedAt"], zone),
        "user_id": None,
        "billing_address": address,
        "customer": buyer,
        "discount_applications": [],
        "fulfillments": [fulfillment(store, document, one) for one in document["fulfillments"]],
        "line_items": lines,
        "payment_terms": None,
        "refunds": [refund(store, document, one) for one in document["refunds"]],
        "shipping_address": address,
        "shipping_lines": shipping_lines(document),
        "returns": [],
        "line_item_groups": [],
    }
    for name, field in _TOTALS.items():
        amount = gross if field is None else document[field]
        body[name] = padded(amount)
        body[f"{name}_set"] = money_bag(document, amount)
    body["total_shipping_price_set"] = money_bag(document, document["totalShippingPriceSet"])
    for name in ("billing_address", "shipping_address", "customer"):
        if body[name] is None:
            del body[name]
    return body
