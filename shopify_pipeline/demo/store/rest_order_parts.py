"""What an order is made of, in the shape of REST and webhooks: lines, refunds, payments."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from shopify_pipeline.demo.store.amounts import padded
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.payment_fields import transactions_of
from shopify_pipeline.demo.store.rest_values import local_time, money_bag
from shopify_pipeline.demo.store.store import Store


def line_item(store: Store, order: Document, line: Document) -> Document:
    """A line item; a product or variant that is gone is not named."""
    exists = line["product"] is not None and store.database.exists("products", line["product"])
    sent = sum(
        quantity
        for one in order["fulfillments"]
        for identity, quantity in one["lines"]
        if identity == line["id"]
    )
    status = None
    if sent:
        status = "fulfilled" if sent >= line["currentQuantity"] else "partial"
    variant_there = store.database.exists("variants", line["variant"])
    names = [line["title"], line["variantTitle"]]
    return {
        "id": line["id"],
        "admin_graphql_api_id": f"gid://shopify/LineItem/{line['id']}",
        "attributed_staffs": [],
        "current_quantity": line["currentQuantity"],
        "fulfillable_quantity": max(0, line["currentQuantity"] - sent),
        "fulfillment_service": "manual",
        "fulfillment_status": status,
        "gift_card": line["isGiftCard"],
        "grams": 0,
        "name": " - ".join(part for part in names if part),
        "price": padded(line["originalUnitPriceSet"]),
        "price_set": money_bag(order, line["originalUnitPriceSet"]),
        "product_exists": exists,
        "product_id": line["product"] if exists else None,
        "properties": [],
        "quantity": line["quantity"],
        "requires_shipping": line["requiresShipping"],
        "sku": line["sku"],
        "taxable": line["taxable"],
        "title": line["title"],
        "total_discount": padded(line["totalDiscountSet"]),
        "total_discount_set": money_bag(order, line["totalDiscountSet"]),
        "variant_id": line["variant"] if variant_there else None,
        "variant_inventory_management": "shopify",
        "variant_title": line["variantTitle"],
        "vendor": line["vendor"],
        "tax_lines": _tax_lines(order, line["taxRate"], line["tax"]),
        "duties": [],
        "discount_allocations": [
            {
                "amount": padded(amount),
                "amount_set": money_bag(order, amount),
                "discount_application_index": index,
            }
            for index, amount in enumerate((line["totalDiscountSet"], line["orderDiscount"]))
            if amount
        ],
    }


def _tax_lines(order: Document, rate: int, amount: int) -> list[Document]:
    if not amount:
        return []
    return [
        {
            "channel_liable": False,
            "price": padded(amount),
            "price_set": money_bag(order, amount),
            "rate": rate / 1_000_000,
            "title": "Tax",
        }
    ]


def shipping_lines(document: Document) -> list[Document]:
    """The one shipping line of an order that is shipped for a price."""
    if not document["shipping"]:
        return []
    price = document["shipping"]
    return [
        {
            "id": document["id"] + 3,
            "carrier_identifier": None,
            "code": "Standard",
            "discounted_price": padded(price),
            "discounted_price_set": money_bag(document, price),
            "is_removed": False,
            "phone": None,
            "price": padded(price),
            "price_set": money_bag(document, price),
            "requested_fulfillment_service_id": None,
            "source": "shopify",
            "title": "Standard",
            "tax_lines": [],
            "discount_allocations": [],
        }
    ]


def fulfillment(store: Store, document: Document, one: Document) -> Document:
    """A fulfilment."""
    zone = store.settings.zone
    return {
        "id": one["id"],
        "admin_graphql_api_id": f"gid://shopify/Fulfillment/{one['id']}",
        "order_id": document["id"],
        "status": "success",
        "created_at": local_time(one["createdAt"], zone),
        "updated_at": local_time(one["createdAt"], zone),
        "tracking_company": "Post",
        "tracking_number": f"TRACK{document['number']}",
        "line_items": [],
    }


def refund(store: Store, document: Document, one: Document) -> Document:
    """A refund; a few of its amounts are JSON numbers, as Shopify's are."""
    zone = store.settings.zone
    lines = {line["id"]: line for line in document["lines"]}
    moment = local_time(one["createdAt"], zone)
    return {
        "id": one["id"],
        "admin_graphql_api_id": f"gid://shopify/Refund/{one['id']}",
        "order_id": document["id"],
        "created_at": moment,
        "note": one["note"],
        "user_id": None,
        "processed_at": moment,
        "duties": [],
        "total_duties_set": money_bag(document, 0),
        "return": None,
        "refund_shipping_lines": [],
        "restock": True,
        "order_adjustments": [],
        "refund_line_items": [
            {
                "id": part["id"],
                "quantity": part["quantity"],
                "line_item_id": part["line"],
                "location_id": None,
                "restock_type": part["restockType"].lower(),
                "subtotal": float(padded(part["subtotal"])),
                "total_tax": float(padded(part["tax"])),
                "subtotal_set": money_bag(document, part["subtotal"]),
                "total_tax_set": money_bag(document, part["tax"]),
                "line_item": line_item(store, document, lines[part["line"]]),
            }
            for part in one["lines"]
            if part["line"] in lines
        ],
        "transactions": [
            transaction(document, paid, zone)
            for paid in transactions_of(document)
            if paid["kind"] == "REFUND" and paid["createdAt"] == one["createdAt"]
        ],
    }


def transaction(document: Document, paid: Document, zone: ZoneInfo) -> Document:
    """A payment or a refund of one."""
    moment = local_time(paid["createdAt"], zone)
    return {
        "id": paid["id"],
        "admin_graphql_api_id": f"gid://shopify/OrderTransaction/{paid['id']}",
        "order_id": document["id"],
        "kind": paid["kind"].lower(),
        "gateway": paid["gateway"],
        "status": paid["status"].lower(),
        "message": None,
        "created_at": moment,
        "processed_at": moment,
        "test": document["test"],
        "amount": padded(paid["amountSet"]),
        "currency": document["currencyCode"],
        "payment_id": f"{document['name']}.1",
    }
