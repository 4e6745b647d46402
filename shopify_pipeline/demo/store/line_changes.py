"""Adding, changing and deleting single lines of orders; the order follows."""

from __future__ import annotations

from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_fields import (
    ChangeError,
    Fields,
    MissingError,
    existing,
    read,
)
from shopify_pipeline.demo.store.given_lines import follow_lines, line_of, new_line
from shopify_pipeline.demo.store.given_records import GivenLine, GivenLineOf
from shopify_pipeline.demo.store.order_actions import add_by_edit
from shopify_pipeline.demo.store.store import Store


def create_line(store: Store, fields: Fields) -> Document:
    """Add a line to `order`, as a merchant's edit does: it counts in the `current…` totals.

    With `added` false it counts as if it had been ordered at first.
    """
    given = read(GivenLineOf, fields)
    order = existing(store, "orders", given.pop("order"))
    if "id" in given and store.order_of_line(given["id"]) is not None:
        raise ChangeError(f"line_items {given['id']} exists already")
    if given.get("added", True):
        add_by_edit(store, order, given)
    else:
        order["lines"].append(new_line(store, order, given))
        _put(store, order)
    return _told(order, order["lines"][-1])


def update_line(store: Store, identity: int, fields: Fields) -> Document:
    """Change a line. With another `variant`, what isn't given comes from that one."""
    order, place = _found(store, identity)
    before = order["lines"][place]
    given = read(GivenLine, fields)
    given.pop("id", None)
    kept = {
        "price": before["originalUnitPriceSet"],
        "discount": before["totalDiscountSet"],
        **{name: before[name] for name in _KEPT},
    }
    if given.get("variant", before["variant"]) != before["variant"]:
        for name in ("title", "variantTitle", "sku", "vendor", "price", "product", "isGiftCard"):
            kept.pop(name)
    quantity = given.get("quantity", before["quantity"])
    for name in ("currentQuantity", "refundableQuantity"):  # what went away stays away
        kept[name] = max(0, quantity - (before["quantity"] - before[name]))
    line = line_of(store, order, identity, kept | given)
    if "variant" not in given and "product" not in given:
        line["product"] = before["product"]
    order["lines"][place] = line
    _put(store, order)
    return _told(order, line)


_KEPT = (
    "title", "variantTitle", "sku", "vendor", "product", "variant", "orderDiscount", "taxRate",
    "taxable", "isGiftCard", "requiresShipping", "added", "quantity",
)  # fmt: skip


def delete_line(store: Store, identity: int) -> Document:
    """Take a line out of its order, with every mention in refunds and fulfilments."""
    order, place = _found(store, identity)
    line = order["lines"].pop(place)
    _put(store, order)
    return _told(order, line)


def _found(store: Store, identity: int) -> tuple[Document, int]:
    order = store.order_of_line(identity)
    for place, line in enumerate(order["lines"] if order else []):
        if order is not None and line["id"] == identity:
            return order, place
    raise MissingError(f"no line_items {identity}")


def _put(store: Store, order: Document) -> None:
    follow_lines(order)
    order["updatedAt"] = max(store.clock.now(), order["createdAt"])
    store.put("orders", order, topic="orders/updated")


def _told(order: Document, line: Document) -> Document:
    """The line with its order's id and times, which it has none of its own of."""
    times = {name: order[name] for name in ("createdAt", "updatedAt")}
    return {**line, "order": order["id"], **times}
