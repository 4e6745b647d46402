"""Every change of a record, by its kind, from fields in GraphQL's names.

Times are ISO 8601, money decimal text, references gids or numbers. Every change stamps
`updatedAt` with the store's clock unless the caller gives one.
"""

from __future__ import annotations

from shopify_pipeline.demo.store.customer_changes import create_customer, update_customer
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_fields import MissingError
from shopify_pipeline.demo.store.line_changes import create_line, delete_line, update_line
from shopify_pipeline.demo.store.order_changes import create_order, update_order
from shopify_pipeline.demo.store.product_changes import (
    bump_product,
    create_product,
    create_variant,
    update_product,
    update_variant,
)
from shopify_pipeline.demo.store.store import Store


def delete(store: Store, kind: str, identity: int) -> Document:
    """Delete a record; a variant's product is bumped, a line's order follows.

    Raises MissingError when it isn't there.
    """
    if kind == "line_items":
        return delete_line(store, identity)
    topic = {"products": "products/delete", "orders": "orders/delete"}.get(kind)
    topic = "customers/delete" if kind == "customers" else topic
    document = store.remove(kind, identity, topic=topic)
    if document is None:
        raise MissingError(f"no {kind} {identity}")
    if kind == "variants":
        product = store.database.document("products", document["product"])
        if product is not None:
            bump_product(store, product)
    return document


CREATE = {
    "products": create_product,
    "variants": create_variant,
    "customers": create_customer,
    "orders": create_order,
    "line_items": create_line,
}
UPDATE = {
    "products": update_product,
    "variants": update_variant,
    "customers": update_customer,
    "orders": update_order,
    "line_items": update_line,
}
