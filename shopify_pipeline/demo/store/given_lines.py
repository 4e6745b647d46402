"""Lines of orders made from given fields, and what an order becomes when its lines change."""

from __future__ import annotations

from collections.abc import Sequence

from shopify_pipeline.demo.store import pricing
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_fields import ChangeError, Fields
from shopify_pipeline.demo.store.given_values import MOST_MONEY
from shopify_pipeline.demo.store.store import Store

_COUNTED = ("currentQuantity", "refundableQuantity")


def new_line(store: Store, order: Document, given: Fields) -> Document:
    """A line from validated fields, under the given id or the next free one."""
    identity = given.get("id")
    if identity is None:
        return line_of(store, order, store.new_id("lines"), given)
    holder = store.order_of_line(identity)
    if holder is not None and holder["id"] != order["id"]:
        raise ChangeError(f"line {identity} belongs to another order")
    return line_of(store, order, identity, given)


def line_of(store: Store, order: Document, identity: int, given: Fields) -> Document:
    """A line document; what is not given is taken from the variant and product."""
    variant_id, product_id = given.get("variant"), given.get("product")
    variant = product = None
    if variant_id is not None:
        variant = store.database.document("variants", variant_id)
        product_id = variant["product"] if variant else product_id
    if product_id is not None:
        product = store.database.document("products", product_id)
    variant_title = variant["title"] if variant else None
    price: int = variant["price"] if variant else 0
    gift_card: bool = product["isGiftCard"] if product else False
    line = pricing.line_of(
        identity=identity,
        title=given.get("title") or (product["title"] if product else "Custom item"),
        quantity=given.get("quantity", 1),
        unit_price=given.get("price", price),
        currency=order["currencyCode"],
        discount=given.get("discount", 0),
        order_discount=given.get("orderDiscount", 0),
        tax_rate=given.get("taxRate", 0),
        product=product_id,
        variant=variant_id,
        variant_title=given.get(
            "variantTitle", None if variant_title == "Default Title" else variant_title
        ),
        sku=given.get("sku", variant["sku"] if variant else None),
        vendor=given.get("vendor", product["vendor"] if product else None),
        taxable=given.get("taxable", True),
        gift_card=given.get("isGiftCard", gift_card),
        added=given.get("added", False),
        taxes_included=order["taxesIncluded"],
    )
    for name in (*_COUNTED, "requiresShipping"):
        if name in given:
            line[name] = given[name]
    _check(line)
    return line


def _check(line: Document) -> None:
    gross = line["originalUnitPriceSet"] * line["quantity"]
    if gross > MOST_MONEY:
        raise ChangeError("a line may cost at most 10,000,000,000")
    if line["totalDiscountSet"] + line["orderDiscount"] > gross:
        raise ChangeError("a line's discounts may not exceed its price")
    for name in _COUNTED:
        if line[name] > line["quantity"]:
            raise ChangeError(f"{name} may not exceed quantity")


def new_lines(store: Store, order: Document, given: Sequence[Fields]) -> list[Document]:
    """An order's lines from validated fields. Raises ChangeError when two have one id."""
    lines = [new_line(store, order, one) for one in given]
    if len({line["id"] for line in lines}) < len(lines):
        raise ChangeError("two of the lines have the same id")
    return lines


def check_totals(order: Document) -> None:
    """Raise ChangeError when the order's totals are more than the store can hold."""
    for name, value in order.items():
        if name.endswith("Set") and value is not None and abs(value) > MOST_MONEY:
            raise ChangeError(f"the order's {name} is more than 10,000,000,000")


def follow_lines(order: Document) -> None:
    """Let an order's totals and its words for payment and fulfilment follow its lines."""
    present = {line["id"] for line in order["lines"]}
    for refund in order["refunds"]:
        refund["lines"] = [one for one in refund["lines"] if one["line"] in present]
    for sent in order["fulfillments"]:
        sent["lines"] = [one for one in sent["lines"] if one[0] in present]
    pricing.price(order)
    check_totals(order)
    if order["displayFinancialStatus"] in {"PAID", "PARTIALLY_PAID"} and order["received"]:
        whole = order["received"] >= order["currentTotalPriceSet"]
        order["displayFinancialStatus"] = "PAID" if whole else "PARTIALLY_PAID"
    if order["fulfillments"] and order["displayFulfillmentStatus"] in {
        "FULFILLED",
        "PARTIALLY_FULFILLED",
    }:
        left = any(line["currentQuantity"] > sent_of(order, line) for line in order["lines"])
        order["displayFulfillmentStatus"] = "PARTIALLY_FULFILLED" if left else "FULFILLED"


def sent_of(order: Document, line: Document) -> int:
    """How many pieces of a line were fulfilled."""
    return sum(
        quantity
        for one in order["fulfillments"]
        for identity, quantity in one["lines"]
        if identity == line["id"]
    )
