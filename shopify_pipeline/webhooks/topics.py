"""The topics that we know: header value, name in the Admin API, and what a body of it means."""

from dataclasses import dataclass
from enum import Enum

from shopify_pipeline.entities import ENTITIES


class Handling(Enum):
    """What is done with a body."""

    WRITE = "its columns are written under its own updated_at"
    PATCH = "it has a few columns and no updated_at: they are laid over an older row"
    REFRESH = "it only says which row changed"
    DELETE = "the row is marked deleted"
    MERGE = "one customer went up into another"
    BULK = "a bulk operation is over"
    NOTICE = "a person should hear of it"
    PRIVACY = "Shopify passes on a request about personal data"


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One topic.

    `name` is the member of WebhookSubscriptionTopic; None for compliance topics, which only the
    app's configuration can subscribe to. `id_path` leads to the object's id in the body. `urgent`
    bodies say least about the row, and are refreshed first.
    """

    header: str
    name: str | None
    handling: Handling
    entity: str | None = None
    id_path: tuple[str, ...] = ("id",)
    urgent: bool = False
    scope: str | None = None


def _topics() -> dict[str, Topic]:
    orders = {"entity": "orders", "scope": "read_orders"}
    customers = {"entity": "customers", "scope": "read_customers", "urgent": True}
    products = {"entity": "products", "scope": "read_products"}
    write, patch, delete = Handling.WRITE, Handling.PATCH, Handling.DELETE
    camel = ("customerId",)
    rows = [
        ("orders/create", "ORDERS_CREATE", write, orders),
        ("orders/updated", "ORDERS_UPDATED", write, orders),
        ("orders/paid", "ORDERS_PAID", write, orders),
        ("orders/cancelled", "ORDERS_CANCELLED", write, orders),
        ("orders/fulfilled", "ORDERS_FULFILLED", write, orders),
        ("orders/partially_fulfilled", "ORDERS_PARTIALLY_FULFILLED", write, orders),
        (
            "orders/edited",
            "ORDERS_EDITED",
            Handling.REFRESH,
            {**orders, "id_path": ("order_edit", "order_id"), "urgent": True},
        ),
        (
            "refunds/create",
            "REFUNDS_CREATE",
            Handling.REFRESH,
            {**orders, "id_path": ("order_id",), "urgent": True},
        ),
        ("orders/delete", "ORDERS_DELETE", delete, orders),
        ("customers/create", "CUSTOMERS_CREATE", write, customers),
        ("customers/update", "CUSTOMERS_UPDATE", write, customers),
        ("customers/enable", "CUSTOMERS_ENABLE", write, customers),
        ("customers/disable", "CUSTOMERS_DISABLE", write, customers),
        ("customers/delete", "CUSTOMERS_DELETE", delete, customers),
        (
            "customers/merge",
            "CUSTOMERS_MERGE",
            Handling.MERGE,
            {**customers, "scope": "read_customer_merge"},
        ),
        (
            "customers/purchasing_summary",
            "CUSTOMERS_PURCHASING_SUMMARY",
            patch,
            {**customers, "id_path": camel},
        ),
        (
            "customers_email_marketing_consent/update",
            "CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE",
            patch,
            {**customers, "id_path": ("customer_id",)},
        ),
        (
            "customer.tags_added",
            "CUSTOMER_TAGS_ADDED",
            patch,
            {**customers, "id_path": camel},
        ),
        (
            "customer.tags_removed",
            "CUSTOMER_TAGS_REMOVED",
            patch,
            {**customers, "id_path": camel},
        ),
        ("products/create", "PRODUCTS_CREATE", write, products),
        ("products/update", "PRODUCTS_UPDATE", write, products),
        ("products/delete", "PRODUCTS_DELETE", delete, products),
        ("bulk_operations/finish", "BULK_OPERATIONS_FINISH", Handling.BULK, {}),
        ("app/uninstalled", "APP_UNINSTALLED", Handling.NOTICE, {}),
        ("app/scopes_update", "APP_SCOPES_UPDATE", Handling.NOTICE, {}),
        ("customers/data_request", None, Handling.PRIVACY, {}),
        ("customers/redact", None, Handling.PRIVACY, {}),
        ("shop/redact", None, Handling.PRIVACY, {}),
    ]
    return {
        header: Topic(header=header, name=name, handling=handling, **rest)  # type: ignore[arg-type]
        for header, name, handling, rest in rows
    }


TOPICS = _topics()
"""Every topic that we know, by its header value.

Header values do not follow from the names by a rule (`customer.tags_added`), so they stand here.
Source: WebhookSubscriptionTopic in the Admin API's schema, and
https://shopify.dev/docs/api/webhooks
"""

COMPLIANCE = frozenset(
    topic.header for topic in TOPICS.values() if topic.handling is Handling.PRIVACY
)
"""Topics about personal data, that every app must answer."""

SUBSCRIBED = tuple(topic for topic in TOPICS.values() if topic.name is not None)
"""The topics that the Admin API lets us subscribe to."""

assert {topic.entity for topic in TOPICS.values() if topic.entity} <= set(ENTITIES)  # noqa: S101
