"""Fields of products and variants, and of what hangs on them."""

from __future__ import annotations

import re
from typing import Any

from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, FieldError, Resolver, Source
from shopify_pipeline.demo.store.lookups import found, reference
from shopify_pipeline.demo.store.paging import Page, PagingError, page_of

LOCATION = 68_509_171_945


def location(execution: Execution) -> Document:
    """The one location of the demo store."""
    return {
        "__typename": "Location",
        "id": LOCATION,
        "name": "Demo Street 1",
        "isActive": True,
        "fulfillsOnlineOrders": True,
        "shipsInventory": True,
        "hasActiveInventory": True,
        "createdAt": execution.store.settings.created_at,
        "updatedAt": execution.store.settings.created_at,
        "address": {"address1": "Demo Street 1", "city": "Toronto", "countryCode": "CA"},
    }


def paged(items: list[Any], call: FieldCall, identity: Any) -> Page:
    """A page of a nested list. Raises FieldError (BAD_REQUEST) for refused arguments."""
    try:
        return page_of(items, call.arguments, identity)
    except PagingError as error:
        raise FieldError(str(error), code="BAD_REQUEST") from None


def _variants(product: Source, call: FieldCall, execution: Execution) -> Page:
    variants = execution.store.variants_of(product["id"])
    key = call.arguments.get("sortKey") or "POSITION"
    if key == "ID":
        variants.sort(key=lambda one: one["id"])
    elif key in {"SKU", "TITLE"}:
        variants.sort(key=lambda one: (one[key.lower()] or "", one["id"]))
    execution.memory["products", product["id"]] = product
    return paged(variants, call, lambda one: one["id"])


def _variants_count(product: Source, call: FieldCall, execution: Execution) -> int:
    return int(execution.store.variant_count(product["id"]))


def _options(product: Source, call: FieldCall, execution: Execution) -> list[Document]:
    base = product["id"] * 10
    options = [
        {
            "id": base + place,
            "name": name,
            "position": place,
            "values": values,
            "optionValues": [
                {"id": (base + place) * 1000 + at, "name": value, "hasVariants": True}
                for at, value in enumerate(values, 1)
            ],
        }
        for place, (name, values) in enumerate(product["options"], 1)
    ]
    return options[: call.arguments.get("first") or len(options)]


def _status(product: Source, call: FieldCall, execution: Execution) -> str:
    return str(product["status"])


def _description(product: Source, call: FieldCall, execution: Execution) -> str:
    return re.sub(r"<[^>]+>", "", product["descriptionHtml"])


def _url(product: Source, call: FieldCall, execution: Execution) -> str | None:
    if product["publishedAt"] is None:
        return None
    return f"https://{execution.store.settings.domain}/products/{product['handle']}"


def _prices(product: Source, execution: Execution) -> list[int]:
    return [one["price"] for one in execution.store.variants_of(product["id"])] or [0]


def _price_range(product: Source, call: FieldCall, execution: Execution) -> Document:
    prices = _prices(product, execution)
    currency = execution.store.settings.currency
    return {
        "minVariantPrice": {"amount": min(prices), "currencyCode": currency},
        "maxVariantPrice": {"amount": max(prices), "currencyCode": currency},
    }


def _only_default(product: Source, call: FieldCall, execution: Execution) -> bool:
    return bool(product["options"] == [["Title", ["Default Title"]]])


def _product_of(variant: Source, call: FieldCall, execution: Execution) -> Document | None:
    return reference("products", variant["product"], call, execution)


def _variant_name(variant: Source, call: FieldCall, execution: Execution) -> str:
    product = found("products", variant["product"], execution) or {"title": ""}
    return f"{product['title']} - {variant['title']}"


def _selected(variant: Source, call: FieldCall, execution: Execution) -> list[Document]:
    product = found("products", variant["product"], execution) or {"options": []}
    return [
        {"name": name, "value": value}
        for (name, _), value in zip(product["options"], variant["options"], strict=False)
    ]


def inventory_item(variant: Document) -> Document:
    """The inventory item of a variant; its id follows from the variant's."""
    return {
        "__typename": "InventoryItem",
        "id": variant["id"] + 2_000_000_000_000,
        "_variant": variant,
        "sku": variant["sku"],
        "tracked": True,
        "requiresShipping": True,
        "createdAt": variant["createdAt"],
        "updatedAt": variant["updatedAt"],
        "measurement": {"weight": {"unit": "KILOGRAMS", "value": 0.0}},
    }


def inventory_level(item: Document, execution: Execution) -> Document:
    """How much of an item the one location holds."""
    return {
        "__typename": "InventoryLevel",
        "id": f"gid://shopify/InventoryLevel/104875000041?inventory_item_id={item['id']}",
        "_item": item,
        "isActive": True,
        "location": location(execution),
        "createdAt": item["createdAt"],
        "updatedAt": item["updatedAt"],
    }


def _levels(item: Source, call: FieldCall, execution: Execution) -> Page:
    return paged([inventory_level(item, execution)], call, lambda _level: item["id"])


def _quantities(level: Source, call: FieldCall, execution: Execution) -> list[Document]:
    variant = level["_item"]["_variant"]
    held = {"available": variant["inventoryQuantity"], "on_hand": variant["inventoryQuantity"]}
    return [
        {
            "id": f"gid://shopify/InventoryQuantity/{level['_item']['id']}?name={name}",
            "name": name,
            "quantity": held.get(name, 0),
            "updatedAt": variant["updatedAt"] if name == "available" else None,
        }
        for name in call.arguments["names"]
    ]


RESOLVERS: dict[str, Resolver] = {
    "Product.variants": _variants,
    "Product.variantsCount": _variants_count,
    "Product.totalVariants": _variants_count,
    "Product.options": _options,
    "Product.status": _status,
    "Product.description": _description,
    "Product.bodyHtml": lambda product, _call, _execution: product["descriptionHtml"],
    "Product.onlineStoreUrl": _url,
    "Product.onlineStorePreviewUrl": _url,
    "Product.priceRangeV2": _price_range,
    "Product.priceRange": _price_range,
    "Product.hasOnlyDefaultVariant": _only_default,
    "Product.hasOutOfStockVariants": lambda product, _call, execution: any(
        one["inventoryQuantity"] <= 0 for one in execution.store.variants_of(product["id"])
    ),
    "Product.tracksInventory": lambda *_: True,
    "Product.seo": lambda *_: {"title": None, "description": None},
    "ProductVariant.product": _product_of,
    "ProductVariant.displayName": _variant_name,
    "ProductVariant.selectedOptions": _selected,
    "ProductVariant.inventoryItem": lambda variant, _call, _execution: inventory_item(variant),
    "ProductVariant.availableForSale": lambda variant, _call, _execution: (
        variant["inventoryQuantity"] > 0
    ),
    "ProductVariant.sellableOnlineQuantity": lambda variant, _call, _execution: max(
        0, variant["inventoryQuantity"]
    ),
    "InventoryItem.variant": lambda item, _call, _execution: item["_variant"],
    "InventoryItem.inventoryLevels": _levels,
    "InventoryLevel.item": lambda level, _call, _execution: level["_item"],
    "InventoryLevel.quantities": _quantities,
}
