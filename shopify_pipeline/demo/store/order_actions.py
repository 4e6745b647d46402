"""What happens to an order: refunds, cancellation, fulfilment, payment, edits."""

from __future__ import annotations

from shopify_pipeline.demo.store import pricing, seed_orders
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_actions import ORDER_ACTIONS
from shopify_pipeline.demo.store.given_fields import ChangeError, Fields, existing, read
from shopify_pipeline.demo.store.given_lines import check_totals, follow_lines, new_line
from shopify_pipeline.demo.store.store import Store


def act_on_order(store: Store, identity: int, action: str, fields: Fields) -> Document:
    """refund, cancel, fulfill, pay, close, reopen or edit. Raises ChangeError."""
    order = existing(store, "orders", identity)
    if action not in ORDER_ACTIONS:
        raise ChangeError(f"unknown action {action!r}; known are {', '.join(ORDER_ACTIONS)}")
    return _act(store, order, action, read(ORDER_ACTIONS[action], fields))


def add_by_edit(store: Store, order: Document, line: Fields) -> Document:
    """Add a line, from validated fields, to an order by an edit."""
    return _act(store, order, "edit", {"add": [line]})


def _act(store: Store, order: Document, action: str, fields: Fields) -> Document:
    moment = store.clock.now()
    topics: list[str] = []
    details: Fields = {}
    if action == "refund":
        topics, details = _refund(store, order, fields, moment)
    elif action == "cancel":
        order["cancelledAt"] = order["closedAt"] = moment
        order["cancelReason"] = fields.get("reason", "CUSTOMER")
        quantities = [line["currentQuantity"] for line in order["lines"]]
        seed_orders.refund(order, store.new_id("refunds"), moment, quantities)
        order["displayFinancialStatus"] = "REFUNDED" if order["received"] else "VOIDED"
        topics = ["orders/cancelled"]
    elif action == "fulfill":
        _fulfill(store, order, fields, moment)
        whole = order["displayFulfillmentStatus"] == "FULFILLED"
        topics = ["orders/fulfilled" if whole else "orders/partially_fulfilled"]
    elif action == "pay":
        order["received"] = order["currentTotalPriceSet"]
        order["displayFinancialStatus"] = "PAID"
        topics = ["orders/paid"]
    elif action in {"close", "reopen"}:
        order["closedAt"] = moment if action == "close" else None
    elif action == "edit":
        topics, details = _edit(store, order, fields, moment)
    order["updatedAt"] = moment
    pricing.price(order)
    check_totals(order)
    store.put("orders", order)
    for topic in [*topics, "orders/updated"]:
        store.tell("orders", topic, order, **details)
    return order


def _wanted(order: Document, fields: Fields) -> dict[int, int]:
    """How many of which line; empty for all of all."""
    wanted = {one["id"]: one["quantity"] for one in fields.get("lineItems", [])}
    strange = wanted.keys() - {line["id"] for line in order["lines"]}
    if strange:
        raise ChangeError(f"the order has no line {min(strange)}")
    return wanted


def _refund(store: Store, order: Document, fields: Fields, moment: int) -> tuple[list[str], Fields]:
    wanted = _wanted(order, fields)
    quantities = [
        wanted.get(line["id"], 0 if wanted else line["currentQuantity"]) for line in order["lines"]
    ]
    seed_orders.refund(order, store.new_id("refunds"), moment, quantities)
    whole = order["totalRefundedSet"] >= order["received"]
    order["displayFinancialStatus"] = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
    return ["refunds/create"], {"refund": order["refunds"][-1]}


def _fulfill(store: Store, order: Document, fields: Fields, moment: int) -> None:
    wanted = _wanted(order, fields)
    sent = {line["id"]: 0 for line in order["lines"]}
    for one in order["fulfillments"]:
        for identity, quantity in one["lines"]:
            sent[identity] = sent.get(identity, 0) + quantity
    lines = []
    for line in order["lines"]:
        left = line["currentQuantity"] - sent[line["id"]]
        quantity = min(left, wanted.get(line["id"], 0 if wanted else left))
        if quantity > 0:
            lines.append([line["id"], quantity])
            sent[line["id"]] += quantity
    identity = store.new_id("fulfillments")
    order["fulfillments"].append({"id": identity, "createdAt": moment, "lines": lines})
    whole = all(sent[line["id"]] >= line["currentQuantity"] for line in order["lines"])
    order["displayFulfillmentStatus"] = "FULFILLED" if whole else "PARTIALLY_FULFILLED"


def _edit(store: Store, order: Document, fields: Fields, moment: int) -> tuple[list[str], Fields]:
    """`remove`: lines set to quantity 0; `add`: new lines. The lines stay in the order."""
    removed = set(fields.get("remove", []))
    additions, removals = [], []
    for line in order["lines"]:
        if line["id"] in removed and line["currentQuantity"]:
            removals.append([line["id"], line["currentQuantity"]])
            line["currentQuantity"] = line["refundableQuantity"] = 0
    for given in fields.get("add", []):
        if given.get("id") in {line["id"] for line in order["lines"]}:
            raise ChangeError(f"line {given['id']} exists already")
        line = new_line(store, order, given | {"added": True})
        order["lines"].append(line)
        additions.append([line["id"], line["quantity"]])
    order["edited"] = True
    follow_lines(order)
    edit = {
        "id": store.new_id("edits"),
        "committedAt": moment,
        "additions": additions,
        "removals": removals,
    }
    return ["orders/edited"], {"edit": edit}
