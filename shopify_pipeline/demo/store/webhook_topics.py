"""Webhook topics: the header value of each enum name, the scope it needs, the body it carries."""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store import (
    rest_customers,
    rest_order_parts,
    rest_orders,
    rest_products,
    rest_values,
)
from shopify_pipeline.demo.store.amounts import padded
from shopify_pipeline.demo.store.clock import iso
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.store import Store

HEADERS = {
    "ORDERS_CREATE": "orders/create",
    "ORDERS_UPDATED": "orders/updated",
    "ORDERS_PAID": "orders/paid",
    "ORDERS_CANCELLED": "orders/cancelled",
    "ORDERS_FULFILLED": "orders/fulfilled",
    "ORDERS_PARTIALLY_FULFILLED": "orders/partially_fulfilled",
    "ORDERS_EDITED": "orders/edited",
    "ORDERS_DELETE": "orders/delete",
    "REFUNDS_CREATE": "refunds/create",
    "CUSTOMERS_CREATE": "customers/create",
    "CUSTOMERS_UPDATE": "customers/update",
    "CUSTOMERS_DELETE": "customers/delete",
    "CUSTOMERS_MERGE": "customers/merge",
    "CUSTOMERS_ENABLE": "customers/enable",
    "CUSTOMERS_DISABLE": "customers/disable",
    "CUSTOMERS_PURCHASING_SUMMARY": "customers/purchasing_summary",
    "CUSTOMER_TAGS_ADDED": "customer.tags_added",
    "CUSTOMER_TAGS_REMOVED": "customer.tags_removed",
    "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE": "customers_email_marketing_consent/update",
    "CUSTOMERS_MARKETING_CONSENT_UPDATE": "customers_marketing_consent/update",
    "PRODUCTS_CREATE": "products/create",
    "PRODUCTS_UPDATE": "products/update",
    "PRODUCTS_DELETE": "products/delete",
    "BULK_OPERATIONS_FINISH": "bulk_operations/finish",
    "APP_UNINSTALLED": "app/uninstalled",
    "APP_SCOPES_UPDATE": "app/scopes_update",
    "SHOP_UPDATE": "shop/update",
}

COMPLIANCE = ("customers/data_request", "customers/redact", "shop/redact")


def needed_scope(name: str) -> str | None:
    """The scope that a subscription to the topic needs."""
    if name == "CUSTOMERS_MERGE":
        return "read_customer_merge"
    for prefix, scope in (
        ("ORDERS_", "read_orders"),
        ("REFUNDS_", "read_orders"),
        ("CUSTOMER", "read_customers"),
        ("PRODUCTS_", "read_products"),
    ):
        if name.startswith(prefix):
            return scope
    return None


def body(store: Store, topic: str, document: Document, details: dict[str, Any]) -> Document:  # noqa: PLR0911
    """What a delivery of the topic carries about a record, as it is now."""
    zone, identity = store.settings.zone, document.get("id")
    if topic in {"orders/delete", "products/delete"}:
        return {"id": identity}
    if topic == "orders/edited":
        return _edited(store, document, details["edit"])
    if topic == "refunds/create":
        return rest_order_parts.refund(store, document, details["refund"])
    if topic.startswith("orders/"):
        return rest_orders.order(store, document, webhook=True)
    if topic.startswith("products/"):
        return rest_products.product(store, document, webhook=True)
    if topic == "customers/delete":
        gid = f"gid://shopify/Customer/{identity}"
        return {"id": identity, "tax_exemptions": [], "admin_graphql_api_id": gid}
    if topic == "customers/merge":
        return {
            "admin_graphql_api_customer_kept_id": f"gid://shopify/Customer/{identity}",
            "admin_graphql_api_customer_deleted_id": f"gid://shopify/Customer/{details['deleted']}",
            "admin_graphql_api_job_id": None,
            "status": details.get("status", "completed"),
            "errors": details.get("errors", []),
        }
    if topic == "customers/purchasing_summary":
        return _summary(store, document)
    if topic in {"customer.tags_added", "customer.tags_removed"}:
        return {
            "customerId": f"gid://shopify/Customer/{identity}",
            "tags": details["tags"],
            "occurredAt": _precise(store),
        }
    if topic == "customers_email_marketing_consent/update":
        return {
            "customer_id": identity,
            "email_address": document["email"],
            "email_marketing_consent": rest_customers.consent(document["marketing"], zone),
        }
    if topic.startswith("customers/") and topic not in COMPLIANCE:
        return rest_customers.customer(store, document, webhook=True)
    if topic == "bulk_operations/finish":
        error = document["errorCode"]
        return {
            "admin_graphql_api_id": f"gid://shopify/BulkOperation/{identity}",
            "completed_at": rest_values.local_time(document["completedAt"], zone),
            "created_at": rest_values.local_time(document["createdAt"], zone),
            "error_code": error.lower() if error else None,
            "status": document["status"].lower(),
            "type": document["type"].lower(),
        }
    return document


def _precise(store: Store) -> str:
    return iso(store.clock.now()).replace("Z", ".000Z")


def _summary(store: Store, document: Document) -> Document:
    count, spent, last = store.purchases(document["id"])
    currency = store.settings.currency
    return {
        "customerId": f"gid://shopify/Customer/{document['id']}",
        "numberOfOrders": count,
        "amountSpent": {"amount": padded(spent), "currencyCode": currency},
        "lastOrderId": None if last is None else f"gid://shopify/Order/{last}",
        "occurredAt": _precise(store),
    }


def _edited(store: Store, order: Document, edit: Document) -> Document:
    moment = rest_values.local_time(edit["committedAt"], store.settings.zone)
    return {
        "order_edit": {
            "id": edit["id"],
            "app_id": None,
            "created_at": moment,
            "committed_at": moment,
            "notify_customer": False,
            "order_id": order["id"],
            "staff_note": "",
            "user_id": None,
            "line_items": {
                name: [{"id": identity, "delta": delta} for identity, delta in edit[name]]
                for name in ("additions", "removals")
            },
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }
