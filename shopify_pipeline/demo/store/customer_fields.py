"""Fields of customers."""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store import records
from shopify_pipeline.demo.store.catalogue_fields import paged
from shopify_pipeline.demo.store.clock import DAY
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source
from shopify_pipeline.demo.store.listings import list_of
from shopify_pipeline.demo.store.lookups import found
from shopify_pipeline.demo.store.paging import Page


def address_of(holder: Source, field: str = "address") -> Document | None:
    """A postal address as the API shows it."""
    address = holder.get(field)
    if not address:
        return None
    names = " ".join(part for part in (address["firstName"], address["lastName"]) if part)
    area = ", ".join(
        part for part in (address["city"], address["provinceCode"], address["country"]) if part
    )
    return {
        **address,
        "__typename": "MailingAddress",
        "id": f"gid://shopify/MailingAddress/{holder['id'] + 1}?model_name="
        + ("CustomerAddress" if "state" in holder else "Address"),
        "name": names,
        "countryCodeV2": address["countryCode"],
        "formatted": [part for part in (names, address["address1"], area) if part],
        "formattedArea": area or None,
        "coordinatesValidated": False,
        "latitude": None,
        "longitude": None,
    }


def _email_address(customer: Source, call: FieldCall, execution: Execution) -> Document | None:
    if customer["email"] is None:
        return None
    consent = customer["marketing"]
    return {
        "emailAddress": customer["email"],
        "marketingState": consent["state"],
        "marketingOptInLevel": consent["level"],
        "marketingUpdatedAt": consent["at"],
        "validFormat": True,
        "openTrackingLevel": "UNKNOWN",
        "marketingUnsubscribeUrl": f"https://{execution.store.settings.domain}/account/unsubscribe",
    }


def _phone_number(customer: Source, call: FieldCall, execution: Execution) -> Document | None:
    if customer["phone"] is None:
        return None
    consent = customer["sms"]
    return {
        "phoneNumber": customer["phone"],
        "marketingState": consent["state"],
        "marketingOptInLevel": consent["level"],
        "marketingUpdatedAt": consent["at"],
        "marketingCollectedFrom": "OTHER" if consent["at"] else None,
    }


def _consent(field: str, contact: str) -> Resolver:
    def resolve(customer: Source, call: FieldCall, execution: Execution) -> Document | None:
        if customer[contact] is None:
            return None
        consent = customer[field]
        return {
            "marketingState": consent["state"],
            "marketingOptInLevel": consent["level"],
            "consentUpdatedAt": consent["at"],
            "consentCollectedFrom": "OTHER" if consent["at"] else None,
            "sourceLocation": None,
        }

    return resolve


def _purchases(customer: Source, execution: Execution) -> tuple[int, int, int | None]:
    key = ("purchases", customer["id"])
    if key not in execution.memory:
        execution.memory[key] = execution.store.purchases(customer["id"])
    known: tuple[int, int, int | None] = execution.memory[key]
    return known


def _spent(customer: Source, call: FieldCall, execution: Execution) -> Document:
    return {
        "amount": _purchases(customer, execution)[1],
        "currencyCode": execution.store.settings.currency,
    }


def _last_order(customer: Source, call: FieldCall, execution: Execution) -> Document | None:
    return found("orders", _purchases(customer, execution)[2], execution)


def _orders(customer: Source, call: FieldCall, execution: Execution) -> Page:
    return list_of("orders", call, execution, restriction=("customer_id = ?", [customer["id"]]))


def _addresses(customer: Source, call: FieldCall, execution: Execution) -> list[Any]:
    address = address_of(customer)
    return [address] if address else []


def _addresses_page(customer: Source, call: FieldCall, execution: Execution) -> Page:
    return paged(_addresses(customer, call, execution), call, lambda _one: customer["id"] + 1)


def _lifetime(customer: Source, call: FieldCall, execution: Execution) -> str:
    days = (execution.store.clock.now() - customer["createdAt"]) // DAY
    return f"{days} days" if days < 60 else f"about {days // 30} months"


RESOLVERS: dict[str, Resolver] = {
    "Customer.displayName": lambda one, _call, _execution: records.display_name(one),
    "Customer.defaultEmailAddress": _email_address,
    "Customer.defaultPhoneNumber": _phone_number,
    "Customer.emailMarketingConsent": _consent("marketing", "email"),
    "Customer.smsMarketingConsent": _consent("sms", "phone"),
    "Customer.numberOfOrders": lambda one, _call, execution: str(_purchases(one, execution)[0]),
    "Customer.amountSpent": _spent,
    "Customer.lastOrder": _last_order,
    "Customer.orders": _orders,
    "Customer.defaultAddress": lambda one, _call, _execution: address_of(one),
    "Customer.addresses": _addresses,
    "Customer.addressesV2": _addresses_page,
    "Customer.canDelete": lambda one, _call, execution: _purchases(one, execution)[0] == 0,
    "Customer.lifetimeDuration": _lifetime,
    "Customer.validEmailAddress": lambda one, _call, _execution: one["email"] is not None,
    "Customer.productSubscriberStatus": lambda *_: "NEVER_SUBSCRIBED",
    "Customer.mergeable": lambda *_: {
        "isMergeable": True,
        "errorFields": [],
        "reason": None,
        "mergeInProgress": None,
    },
}
