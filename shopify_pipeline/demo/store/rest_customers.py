"""Customers, their addresses and consents in the shape of REST and webhooks."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from shopify_pipeline.demo.store.amounts import padded
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.rest_values import local_time
from shopify_pipeline.demo.store.store import Store


def postal_address(document: Document, holder: int | None = None) -> Document | None:
    """The address of an order, or of the customer who holds it; None when there is none."""
    address = document.get("address")
    if not address:
        return None
    names = " ".join(part for part in (address["firstName"], address["lastName"]) if part)
    body: Document = {
        "first_name": address["firstName"],
        "last_name": address["lastName"],
        "company": address["company"],
        "address1": address["address1"],
        "address2": address["address2"],
        "city": address["city"],
        "province": address["province"],
        "country": address["country"],
        "zip": address["zip"],
        "phone": address["phone"],
        "name": names,
        "province_code": address["provinceCode"],
        "country_code": address["countryCode"],
    }
    if holder is not None:
        body |= {
            "id": holder + 1,
            "customer_id": holder,
            "country_name": address["country"],
            "default": True,
        }
    else:
        body |= {"latitude": None, "longitude": None}
    return body


def customer(store: Store, document: Document, *, webhook: bool = False) -> Document:
    """A customer; webhooks have lacked tags, totals and consent since 2025-01."""
    zone = store.settings.zone
    address = postal_address(document, document["id"])
    body: Document = {
        "id": document["id"],
        "created_at": local_time(document["createdAt"], zone),
        "updated_at": local_time(document["updatedAt"], zone),
        "first_name": document["firstName"],
        "last_name": document["lastName"],
        "state": document["state"].lower(),
        "note": document["note"],
        "verified_email": document["verifiedEmail"],
        "multipass_identifier": None,
        "tax_exempt": document["taxExempt"],
        "email": document["email"],
        "phone": document["phone"],
        "currency": store.settings.currency,
        "addresses": [address] if address else [],
        "tax_exemptions": [],
        "admin_graphql_api_id": f"gid://shopify/Customer/{document['id']}",
    }
    if address:
        body["default_address"] = address
    if not webhook:
        count, spent, last = store.purchases(document["id"])
        body |= {
            "tags": ", ".join(document["tags"]),
            "orders_count": count,
            "total_spent": padded(spent),
            "last_order_id": last,
            "last_order_name": None,
            "email_marketing_consent": (
                consent(document["marketing"], zone) if document["email"] else None
            ),
            "sms_marketing_consent": consent(document["sms"], zone) if document["phone"] else None,
        }
    return body


def consent(given: Document, zone: ZoneInfo) -> Document:
    """A marketing consent."""
    return {
        "state": given["state"].lower(),
        "opt_in_level": given["level"].lower() if given["level"] else None,
        "consent_updated_at": local_time(given["at"], zone),
    }
