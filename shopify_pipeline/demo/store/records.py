"""How each kind of document lies in its table and in its search index."""

from __future__ import annotations

from typing import Any

import orjson

from shopify_pipeline.demo.store.database import Document

Row = tuple[Any, ...]


def _tags(document: Document) -> str:
    return "\n" + "\n".join(tag.lower() for tag in document["tags"]) + "\n"


def _words(*parts: str | None) -> str:
    return " " + " ".join(part for part in parts if part).lower()


def display_name(customer: Document) -> str:
    """A customer's name as Shopify shows it: the names, else the e-mail, else the phone."""
    names = " ".join(part for part in (customer["firstName"], customer["lastName"]) if part)
    return names or customer["email"] or customer["phone"] or ""


def order_status(order: Document) -> str:
    """The word that the `status` filter compares: open, closed or cancelled."""
    if order["cancelledAt"] is not None:
        return "cancelled"
    return "closed" if order["closedAt"] is not None else "open"


def order_spent(order: Document) -> int | None:
    """Micros that the order adds to its customer's `amountSpent`; None for a test order."""
    if order["test"]:
        return None
    if order["cancelledAt"] is not None:
        return 0
    return max(0, int(order["totalPriceSet"]) - int(order["totalRefundedSet"]))


def product_row(document: Document) -> Row:
    """The row of table `products`."""
    return (document["id"], orjson.dumps(document))


def product_index(document: Document) -> Row:
    """The row of `products_index`."""
    return (
        document["id"],
        document["createdAt"],
        document["updatedAt"],
        document["publishedAt"],
        document["title"],
        document["handle"],
        document["vendor"],
        document["productType"],
        document["status"],
        _tags(document),
        document["totalInventory"],
        int(document["isGiftCard"]),
        _words(document["title"], document["vendor"], document["productType"], *document["tags"]),
        int(document["totalInventory"] <= 0),
    )


def variant_row(document: Document) -> Row:
    """The row of table `variants`."""
    return (document["id"], document["product"], document["position"], orjson.dumps(document))


def variant_index(document: Document, product: Document) -> Row:
    """The row of `variants_index`."""
    return (
        document["id"],
        document["createdAt"],
        document["updatedAt"],
        document["product"],
        document["position"],
        document["sku"],
        document["title"],
        f"{product['title']} {document['title']}",
        document["barcode"],
        document["inventoryQuantity"],
        document["price"],
        product["status"],
        product["productType"],
        product["vendor"],
        _tags(product),
        int(document["taxable"]),
        _words(product["title"], document["title"], document["sku"]),
    )


def customer_row(document: Document) -> Row:
    """The row of table `customers`."""
    return (document["id"], orjson.dumps(document))


def customer_index(
    document: Document, *, orders: int = 0, spent: int = 0, last_order: int | None = None
) -> Row:
    """The row of `customers_index`; what orders tell about the customer is given beside."""
    address = document["address"] or {}
    return (
        document["id"],
        document["createdAt"],
        document["updatedAt"],
        document["email"],
        document["phone"],
        document["firstName"],
        document["lastName"],
        display_name(document),
        document["state"],
        _tags(document),
        orders,
        spent,
        int(document["marketing"]["state"] == "SUBSCRIBED"),
        address.get("country"),
        last_order,
        _words(document["firstName"], document["lastName"], document["email"], document["phone"]),
    )


def order_row(document: Document) -> Row:
    """The row of table `orders`."""
    return (
        document["id"],
        document["customer"],
        document["createdAt"],
        order_spent(document),
        orjson.dumps(document),
    )


def order_index(document: Document, *, customer_name: str | None = None) -> Row:
    """The row of `orders_index`."""
    return (
        document["id"],
        document["createdAt"],
        document["updatedAt"],
        document["processedAt"],
        document["number"],
        document["name"],
        document["email"],
        document["customer"],
        customer_name,
        document["displayFinancialStatus"],
        document["displayFulfillmentStatus"],
        document["returnStatus"],
        order_status(document),
        int(document["test"]),
        _tags(document),
        document["sourceName"],
        document["currentTotalPriceSet"],
        sum(line["currentQuantity"] for line in document["lines"]),
        document["cancelledAt"],
        document["closedAt"],
        _words(document["name"], document["email"], customer_name),
    )


def line_rows(document: Document) -> list[Row]:
    """The rows of table `lines`: which order holds each line."""
    return [(line["id"], document["id"]) for line in document["lines"]]
