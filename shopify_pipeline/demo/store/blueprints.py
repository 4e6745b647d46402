"""Whole documents from a few given fields: what a record holds when nothing is said about it."""

from __future__ import annotations

import re
from typing import Any

from shopify_pipeline.demo.store.database import Document


def handle_of(title: str) -> str:
    """The handle that Shopify would make of a title."""
    return re.sub(r"[^\w]+", "-", title.lower()).strip("-") or "product"


def product(identity: int, moment: int, **given: Any) -> Document:
    """A product; times are microseconds."""
    title = given.get("title", f"Product {identity}")
    document: Document = {
        "id": identity,
        "title": title,
        "handle": f"{handle_of(title)}-{identity % 100_000}",
        "vendor": "Demo Vendor",
        "productType": "",
        "status": "ACTIVE",
        "tags": [],
        "createdAt": moment,
        "updatedAt": moment,
        "publishedAt": moment,
        "isGiftCard": False,
        "totalInventory": 0,
        "descriptionHtml": "",
        "options": [["Title", ["Default Title"]]],
    }
    return document | given


def variant(identity: int, product_id: int, moment: int, **given: Any) -> Document:
    """A variant of a product."""
    document: Document = {
        "id": identity,
        "product": product_id,
        "title": "Default Title",
        "sku": None,
        "barcode": None,
        "position": 1,
        "price": 10_000_000,
        "compareAtPrice": None,
        "inventoryQuantity": 0,
        "createdAt": moment,
        "updatedAt": moment,
        "taxable": True,
        "inventoryPolicy": "DENY",
        "options": ["Default Title"],
    }
    return document | given


def customer(identity: int, moment: int, **given: Any) -> Document:
    """A customer."""
    document: Document = {
        "id": identity,
        "firstName": None,
        "lastName": None,
        "email": None,
        "phone": None,
        "state": "DISABLED",
        "tags": [],
        "createdAt": moment,
        "updatedAt": moment,
        "verifiedEmail": True,
        "locale": "en",
        "note": None,
        "taxExempt": False,
        "marketing": {"state": "NOT_SUBSCRIBED", "level": "SINGLE_OPT_IN", "at": None},
        "sms": {"state": "NOT_SUBSCRIBED", "level": "SINGLE_OPT_IN", "at": None},
        "address": None,
    }
    return document | given


def order(identity: int, number: int, moment: int, **given: Any) -> Document:
    """An order without totals; `pricing.price` sets them."""
    document: Document = {
        "id": identity,
        "number": number,
        "name": f"#{number}",
        "email": None,
        "phone": None,
        "createdAt": moment,
        "updatedAt": moment,
        "processedAt": moment,
        "closedAt": None,
        "cancelledAt": None,
        "cancelReason": None,
        "currencyCode": "USD",
        "presentmentCurrencyCode": "USD",
        "rate": 1_000_000,
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "returnStatus": "NO_RETURN",
        "sourceName": "web",
        "tags": [],
        "test": False,
        "edited": False,
        "confirmed": True,
        "taxesIncluded": False,
        "customer": None,
        "journey": None,
        "note": None,
        "address": None,
        "discountCodes": [],
        "gateway": "bogus",
        "shipping": 0,
        "totalTipReceivedSet": 0,
        "received": 0,
        "lines": [],
        "refunds": [],
        "fulfillments": [],
    }
    return document | given
