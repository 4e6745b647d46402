"""Bodies of webhooks in the shape in which Shopify sends them, made from small facts."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

SHOP_ZONE = timezone(timedelta(hours=-5))


def stamp(moment: datetime) -> str:
    """A moment as REST-shaped bodies write it: with the shop's offset, to the second."""
    return moment.astimezone(SHOP_ZONE).isoformat(timespec="seconds")


def money(amount: str) -> dict[str, Any]:
    """An amount in the shop's and the buyer's currency."""
    both = {"amount": amount, "currency_code": "USD"}
    return {"shop_money": both, "presentment_money": both}


def line_item(number: int, **replaced: Any) -> dict[str, Any]:
    """A line of an order."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{number}",
        "current_quantity": 1,
        "gift_card": False,
        "name": f"Article {number}",
        "price": "10.00",
        "price_set": money("10.00"),
        "product_exists": True,
        "product_id": 9_000 + number % 50,
        "quantity": 1,
        "sku": f"SKU-{number}",
        "taxable": True,
        "title": f"Article {number}",
        "total_discount": "0.00",
        "total_discount_set": money("0.00"),
        "variant_id": 90_000 + number % 50,
        "variant_title": None,
        "vendor": "Acme",
        "properties": [],
        "tax_lines": [{"price": "0.80", "price_set": money("0.80"), "rate": 0.08, "title": "VAT"}],
        "discount_allocations": [],
        **replaced,
    }


def order(
    number: int, updated_at: datetime, *, lines: Sequence[dict[str, Any]] = (), **replaced: Any
) -> dict[str, Any]:
    """An order of about five kilobytes with two lines."""
    lines = lines or [line_item(number * 10 + 1), line_item(number * 10 + 2)]
    total = money("21.60")
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "cancel_reason": None,
        "cancelled_at": None,
        "closed_at": None,
        "confirmed": True,
        "created_at": stamp(updated_at),
        "currency": "USD",
        "current_subtotal_price_set": money("20.00"),
        "current_total_discounts_set": money("0.00"),
        "current_total_price_set": total,
        "current_total_tax_set": money("1.60"),
        "email": f"buyer{number}@example.com",
        "financial_status": "paid",
        "fulfillment_status": None,
        "landing_site": "/",
        "name": f"#{number}",
        "number": number,
        "order_number": number,
        "phone": None,
        "presentment_currency": "USD",
        "processed_at": stamp(updated_at),
        "referring_site": "",
        "source_name": "web",
        "subtotal_price": "20.00",
        "subtotal_price_set": money("20.00"),
        "tags": "",
        "taxes_included": False,
        "test": False,
        "total_discounts_set": money("0.00"),
        "total_price": "21.60",
        "total_price_set": total,
        "total_shipping_price_set": money("0.00"),
        "total_tax_set": money("1.60"),
        "total_tip_received": "0.00",
        "updated_at": stamp(updated_at),
        "billing_address": {"address1": "1 Example Street", "city": "Ottawa", "country": "Canada"},
        "customer": {"id": 7_000 + number % 100, "first_name": "A", "last_name": "B"},
        "line_items": list(lines),
        "shipping_lines": [],
        **replaced,
    }


def customer(number: int, updated_at: datetime, **replaced: Any) -> dict[str, Any]:
    """A customer, without the tags, consent and totals that bodies lost in 2025-01."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Customer/{number}",
        "created_at": stamp(updated_at),
        "updated_at": stamp(updated_at),
        "first_name": "Ada",
        "last_name": "Example",
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "tax_exempt": False,
        "email": f"customer{number}@example.com",
        "phone": None,
        "currency": "USD",
        "addresses": [],
        **replaced,
    }


def variant(number: int, product: int, updated_at: datetime, **replaced: Any) -> dict[str, Any]:
    """A variant inside a product."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/ProductVariant/{number}",
        "barcode": None,
        "compare_at_price": None,
        "created_at": stamp(updated_at),
        "inventory_quantity": 5,
        "position": 1,
        "price": "10.00",
        "product_id": product,
        "sku": f"SKU-{number}",
        "title": "Default Title",
        "updated_at": stamp(updated_at),
        **replaced,
    }


def product(
    number: int, updated_at: datetime, *, variants: Sequence[dict[str, Any]] = (), **replaced: Any
) -> dict[str, Any]:
    """A product with one variant."""
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Product/{number}",
        "body_html": "An article",
        "created_at": stamp(updated_at),
        "handle": f"article-{number}",
        "product_type": "",
        "published_at": stamp(updated_at),
        "status": "active",
        "tags": "a, b",
        "title": f"Article {number}",
        "updated_at": stamp(updated_at),
        "vendor": "Acme",
        "variants": list(variants) or [variant(number * 10, number, updated_at)],
        "variant_gids": [],
        **replaced,
    }
