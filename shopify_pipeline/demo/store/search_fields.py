"""The fields that each entity's search knows, as the schema's descriptions list them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchField:
    """How one field is compared: the index column, the kind of value, its accepted words."""

    column: str
    type: str = "text"
    words: dict[str, str] | None = None
    identity: bool = False
    money: bool = False
    whole: bool = False
    negated: bool = False


def _words(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_ID = SearchField("id", "number", identity=True)
_CREATED = SearchField("created_at", "time")
_UPDATED = SearchField("updated_at", "time")
_TAG = SearchField("tags", "tag")
_TAG_NOT = SearchField("tags", "tag", negated=True)

_PRODUCT_STATUS = _words("active", "archived", "draft", "unlisted")
_ORDER_STATUS = {
    "open": "SQL:status = 'open'",
    "closed": "SQL:status = 'closed'",
    "cancelled": "SQL:cancelled_at IS NOT NULL",
    "not_closed": "SQL:status <> 'closed'",
    "any": "SQL:1",
}
_FINANCIAL = {
    **_words("authorized", "expired", "paid", "partially_paid", "partially_refunded", "pending"),
    **_words("refunded", "voided"),
    "unpaid": "SQL:financial_status IN ('PENDING','AUTHORIZED','PARTIALLY_PAID','EXPIRED')",
}
_FULFILLMENT = {
    **_words("fulfilled", "in_progress", "on_hold", "open", "partially_fulfilled"),
    **_words("pending_fulfillment", "request_declined", "restocked", "scheduled", "unfulfilled"),
    **_words("fulfillment_not_required"),
    "partial": "partially_fulfilled",
    "shipped": "fulfilled",
    "unshipped": "unfulfilled",
}

FIELDS: dict[str, dict[str, SearchField]] = {
    "products": {
        "id": _ID,
        "created_at": _CREATED,
        "updated_at": _UPDATED,
        "published_at": SearchField("published_at", "time"),
        "title": SearchField("title"),
        "handle": SearchField("handle", whole=True),
        "vendor": SearchField("vendor", whole=True),
        "product_type": SearchField("product_type", whole=True),
        "status": SearchField("status", "enum", _PRODUCT_STATUS),
        "tag": _TAG,
        "tag_not": _TAG_NOT,
        "inventory_total": SearchField("inventory_total", "number"),
        "gift_card": SearchField("is_gift_card", "bool"),
        "out_of_stock_somewhere": SearchField("out_of_stock", "bool"),
        "published_status": SearchField(
            "published_at",
            "enum",
            {
                "published": "SQL:published_at IS NOT NULL",
                "unpublished": "SQL:published_at IS NULL",
                "any": "SQL:1",
            },
        ),
        "sku": SearchField(
            "(SELECT group_concat(v.sku, ' ') FROM variants_index v"
            " WHERE v.product_id = products_index.id)"
        ),
    },
    "variants": {
        "id": _ID,
        "updated_at": _UPDATED,
        "product_id": SearchField("product_id", "number", identity=True),
        "product_ids": SearchField("product_id", "number", identity=True),
        "sku": SearchField("sku", whole=True),
        "title": SearchField("full_title"),
        "barcode": SearchField("barcode", whole=True),
        "inventory_quantity": SearchField("inventory_quantity", "number"),
        "product_status": SearchField("product_status", "enum", _PRODUCT_STATUS),
        "product_type": SearchField("product_type", whole=True),
        "vendor": SearchField("vendor", whole=True),
        "tag": _TAG,
        "tag_not": _TAG_NOT,
        "taxable": SearchField("taxable", "bool"),
    },
    "customers": {
        "id": _ID,
        "updated_at": _UPDATED,
        "customer_date": _CREATED,
        "email": SearchField("email", whole=True),
        "phone": SearchField("phone", whole=True),
        "first_name": SearchField("first_name"),
        "last_name": SearchField("last_name"),
        "state": SearchField("state", "enum", _words("declined", "disabled", "enabled", "invited")),
        "tag": _TAG,
        "tag_not": _TAG_NOT,
        "orders_count": SearchField("orders_count", "number"),
        "total_spent": SearchField("total_spent", "number", money=True),
        "accepts_marketing": SearchField("accepts_marketing", "bool"),
        "country": SearchField("country", whole=True),
        "order_date": SearchField(
            "(SELECT MAX(o.created_at) FROM orders_index o"
            " WHERE o.customer_id = customers_index.id)",
            "time",
        ),
        "last_abandoned_order_date": SearchField("NULL", "time"),
    },
    "orders": {
        "id": _ID,
        "created_at": _CREATED,
        "updated_at": _UPDATED,
        "processed_at": SearchField("processed_at", "time"),
        "name": SearchField("name", whole=True),
        "email": SearchField("email", whole=True),
        "customer_id": SearchField("customer_id", "number", identity=True),
        "financial_status": SearchField("financial_status", "enum", _FINANCIAL),
        "fulfillment_status": SearchField("fulfillment_status", "enum", _FULFILLMENT),
        "return_status": SearchField("return_status", "enum"),
        "status": SearchField("status", "enum", _ORDER_STATUS),
        "test": SearchField("test", "bool"),
        "tag": _TAG,
        "tag_not": _TAG_NOT,
        "source_name": SearchField("source_name", whole=True),
        "total_weight": SearchField("0", "number"),
        "subtotal_line_items_quantity": SearchField("quantity", "number"),
        "current_total_price": SearchField("total", "number", money=True),
    },
    "customers_count": {"created_at": _CREATED, "updated_at": _UPDATED, "id": _ID},
    "variants_count": {},
    "bulk": {
        "id": _ID,
        "created_at": _CREATED,
        "status": SearchField(
            "status",
            "enum",
            _words("created", "running", "completed", "canceling", "canceled", "failed"),
        ),
        "operation_type": SearchField("type", "enum", _words("query", "mutation")),
    },
    "events": {
        "id": _ID,
        "created_at": _CREATED,
        "action": SearchField("action", whole=True),
        "subject_type": SearchField(
            "CASE kind WHEN 'ProductVariant' THEN 'product_variant' ELSE kind END", "enum"
        ),
        "comments": SearchField("0", "bool"),
    },
}
