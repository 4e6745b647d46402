"""Creating, changing and merging customers."""

from __future__ import annotations

from shopify_pipeline.demo.store import blueprints
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.given_fields import (
    ChangeError,
    Fields,
    changed,
    existing,
    new_identity,
    read,
)
from shopify_pipeline.demo.store.given_records import GivenAddress, GivenCustomer
from shopify_pipeline.demo.store.store import Store

_CONTACTS = (
    ("defaultEmailAddress", "emailAddress", "email", "marketing"),
    ("defaultPhoneNumber", "phoneNumber", "phone", "sms"),
)
_ADDRESS: Document = GivenAddress().model_dump(by_alias=True)


def full_address(given: Fields | None) -> Document | None:
    """An address with null for what isn't given."""
    return None if given is None else _ADDRESS | given


def _flat(fields: Fields) -> tuple[Fields, Fields]:
    """The given fields as documents hold them, and the consents among them by their field."""
    given = read(GivenCustomer, fields)
    consents: Fields = {}
    for nested, inner, short, consent in _CONTACTS:
        if nested not in given:
            continue
        contact = given.pop(nested) or {inner: None}
        if inner in contact:
            given[short] = contact[inner]
        said = {
            "state": contact.get("marketingState"),
            "level": contact.get("marketingOptInLevel"),
            "at": contact.get("marketingUpdatedAt"),
        }
        consents[consent] = {name: value for name, value in said.items() if value is not None}
    if "acceptsMarketing" in given:
        state = "SUBSCRIBED" if given.pop("acceptsMarketing") else "UNSUBSCRIBED"
        consents["marketing"] = {"state": state}
    if "marketingState" in given:
        consents["marketing"] = {"state": given.pop("marketingState")}
    if "defaultAddress" in given:
        given["address"] = full_address(given.pop("defaultAddress"))
    return given, consents


def _consent(customer: Document, consents: Fields, moment: int) -> None:
    for field, said in consents.items():
        if said:
            customer[field] = customer[field] | {"at": moment} | said


def create_customer(store: Store, fields: Fields) -> Document:
    """A customer, its contacts and consents nested as in GraphQL or short.

    `acceptsMarketing` or `marketingState` sets the e-mail consent.
    """
    moment = store.clock.now()
    given, consents = _flat(fields)
    identity = new_identity(store, "customers", given)
    customer = blueprints.customer(identity, moment, **given)
    _consent(customer, consents, moment)
    store.put("customers", customer, created=True, topic="customers/create")
    return customer


def update_customer(store: Store, identity: int, fields: Fields) -> Document:
    """Change a customer; changed tags, state and consent have topics of their own."""
    before = existing(store, "customers", identity)
    given, consents = _flat(fields)
    given.pop("id", None)
    customer = changed(store, dict(before), given)
    _consent(customer, consents, store.clock.now())
    store.put("customers", customer, topic="customers/update")
    added = [tag for tag in customer["tags"] if tag not in before["tags"]]
    removed = [tag for tag in before["tags"] if tag not in customer["tags"]]
    if added:
        store.tell("customers", "customer.tags_added", customer, tags=added)
    if removed:
        store.tell("customers", "customer.tags_removed", customer, tags=removed)
    if customer["state"] != before["state"]:
        topic = "enable" if customer["state"] == "ENABLED" else "disable"
        store.tell("customers", f"customers/{topic}", customer)
    if customer["marketing"] != before["marketing"]:
        store.tell("customers", "customers_email_marketing_consent/update", customer)
    return customer


def merge_customers(store: Store, identity: int, into: int) -> Document:
    """Merge a customer into another: its orders move, its id ceases to exist."""
    gone = existing(store, "customers", identity)
    kept = existing(store, "customers", into)
    if identity == into:
        raise ChangeError("a customer can't be merged into itself")
    moment = store.clock.now()
    moved = store.database.rows("SELECT id FROM orders WHERE customer_id = ?", (identity,))
    for (order_id,) in moved:
        order = existing(store, "orders", order_id)
        order["customer"] = into
        order["updatedAt"] = moment
        store.put("orders", order, topic="orders/updated")
    kept["tags"] = sorted({*kept["tags"], *gone["tags"]})
    for name in ("email", "phone", "firstName", "lastName"):
        kept[name] = kept[name] or gone[name]
    kept["updatedAt"] = moment
    store.remove("customers", identity)
    store.put("customers", kept, topic="customers/update")
    store.tell("customers", "customers/merge", kept, deleted=identity)
    store.tell("customers", "customers/delete", gone)
    return kept
