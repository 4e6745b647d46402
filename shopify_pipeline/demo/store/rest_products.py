"""Products and variants in the shape of REST and webhooks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from shopify_pipeline.demo.store.amounts import padded
from shopify_pipeline.demo.store.clock import SECOND
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.rest_values import local_time
from shopify_pipeline.demo.store.store import Store

WEBHOOK_VARIANTS = 100


def variant(document: Document, zone: ZoneInfo) -> Document:
    """A variant."""
    price, compare = document["price"], document["compareAtPrice"]
    options = [*document["options"], None, None, None]
    return {
        "id": document["id"],
        "admin_graphql_api_id": f"gid://shopify/ProductVariant/{document['id']}",
        "product_id": document["product"],
        "title": document["title"],
        "price": padded(price),
        "compare_at_price": None if compare is None else padded(compare),
        "sku": document["sku"],
        "barcode": document["barcode"],
        "position": document["position"],
        "inventory_policy": document["inventoryPolicy"].lower(),
        "inventory_quantity": document["inventoryQuantity"],
        "old_inventory_quantity": document["inventoryQuantity"],
        "inventory_item_id": document["id"] + 2_000_000_000_000,
        "taxable": document["taxable"],
        "option1": options[0],
        "option2": options[1],
        "option3": options[2],
        "image_id": None,
        "created_at": local_time(document["createdAt"], zone),
        "updated_at": local_time(document["updatedAt"], zone),
    }


def product(store: Store, document: Document, *, webhook: bool = False) -> Document:
    """A product with its variants; REST and webhooks stop at the first hundred."""
    zone = store.settings.zone
    variants = store.variants_of(document["id"])
    identity = document["id"]
    body: Document = {
        "id": identity,
        "admin_graphql_api_id": f"gid://shopify/Product/{identity}",
        "title": document["title"],
        "body_html": document["descriptionHtml"],
        "vendor": document["vendor"],
        "product_type": document["productType"],
        "created_at": local_time(document["createdAt"], zone),
        "handle": document["handle"],
        "updated_at": local_time(document["updatedAt"], zone),
        "published_at": local_time(document["publishedAt"], zone),
        "template_suffix": None,
        "published_scope": "web",
        "tags": ", ".join(document["tags"]),
        "status": document["status"].lower(),
        "variants": [variant(one, zone) for one in variants[:WEBHOOK_VARIANTS]],
        "options": [
            {
                "id": identity * 10 + place,
                "product_id": identity,
                "name": name,
                "position": place,
                "values": values,
            }
            for place, (name, values) in enumerate(document["options"], 1)
        ],
        "images": [],
        "image": None,
    }
    if webhook:
        body["media"] = []
        body["variant_gids"] = [
            {
                "admin_graphql_api_id": f"gid://shopify/ProductVariant/{one['id']}",
                "updated_at": datetime.fromtimestamp(
                    one["updatedAt"] // SECOND, ZoneInfo("UTC")
                ).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            }
            for one in variants
        ]
        body["has_variants_that_requires_components"] = False
        body["category"] = None
    return body
