"""Creating and changing orders, with their lines and totals."""

from __future__ import annotations

from shopify_pipeline.demo.store import blueprints, pricing
from shopify_pipeline.demo.store.customer_changes import full_address
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_fields import (
    Fields,
    changed,
    existing,
    new_identity,
    read,
)
from shopify_pipeline.demo.store.given_lines import check_totals, follow_lines, new_lines
from shopify_pipeline.demo.store.given_records import GivenOrder
from shopify_pipeline.demo.store.store import Store

_DEMO_LINE: Fields = {"title": "Demo item", "price": 10_000_000}
_UNPAID = frozenset({"PENDING", "AUTHORIZED", "VOIDED", "EXPIRED"})


def _given(fields: Fields) -> tuple[Fields, Fields, Fields]:
    """The given fields: those that documents hold, the totals that stand, and the rest."""
    given = read(GivenOrder, fields)
    totals = {name: value for name, value in given.items() if name.endswith("Set")}
    rest: Fields = {
        name: given.pop(name) for name in ("lineItems", "customerJourneySummary") if name in given
    }
    if "shippingAddress" in given:
        given["address"] = full_address(given.pop("shippingAddress"))
    return given, totals, rest


def _journey(order: Document, rest: Fields) -> None:
    if "customerJourneySummary" not in rest:
        return
    journey = rest["customerJourneySummary"]
    if journey is None:
        order["journey"] = None
        return
    visit = journey if journey.get("lastVisit") is None else journey["lastVisit"]
    order["journey"] = {
        "page": visit.get("landingPage", "/"),
        "referrer": visit.get("referrerUrl"),
        "at": order["createdAt"],
    }


def create_order(store: Store, fields: Fields) -> Document:
    """An order with `lineItems` (one custom line when none is given); paid unless said else."""
    moment = store.clock.now()
    given, totals, rest = _given(fields)
    identity = new_identity(store, "orders", given)
    number = given.pop("number", None)
    if number is None:
        number = int(store.database.fact("last_number", 1000)) + 1
        store.database.keep_fact("last_number", number)
    currency = store.settings.currency
    own = {"currencyCode": currency, "presentmentCurrencyCode": currency} | given
    order = blueprints.order(identity, number, moment, **own)
    if "processedAt" not in given:
        order["processedAt"] = order["createdAt"]
    if "updatedAt" not in given:
        order["updatedAt"] = max(moment, order["createdAt"])
    _journey(order, rest)
    order["lines"] = new_lines(store, order, rest.get("lineItems") or [_DEMO_LINE])
    pricing.price(order)
    if "received" not in given and order["displayFinancialStatus"] not in _UNPAID:
        order["received"] = order["totalPriceSet"]
        pricing.price(order)
    order.update(totals)
    check_totals(order)
    store.put("orders", order, created=True, topic="orders/create")
    if order["displayFinancialStatus"] == "PAID":
        store.tell("orders", "orders/paid", order)
    return order


def update_order(store: Store, identity: int, fields: Fields) -> Document:
    """Change an order; `lineItems` replaces all its lines."""
    order = existing(store, "orders", identity)
    given, totals, rest = _given(fields)
    given.pop("id", None)
    changed(store, order, given)
    _journey(order, rest)
    if "lineItems" in rest:
        order["lines"] = new_lines(store, order, rest["lineItems"])
        said = {name: order[name] for name in given if name.startswith("display")}
        follow_lines(order)
        order.update(said)
    pricing.price(order)
    order.update(totals)
    check_totals(order)
    store.put("orders", order, topic="orders/updated")
    return order
