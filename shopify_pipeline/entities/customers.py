"""Customers: https://shopify.dev/docs/api/admin-graphql/latest/objects/Customer."""

from typing import Annotated

from pydantic import BeforeValidator

from shopify_pipeline.entities.entity import Connection, Entity
from shopify_pipeline.entities.row import Drifts, Known, Personal, Read, Row, Webhook
from shopify_pipeline.entities.types import Flag, Id, Integer, Money, Tags, Text, Timestamp, Word

CONSENT = frozenset({"customers_email_marketing_consent/update"})
SALES = frozenset({"customers/purchasing_summary"})
WHOLE = frozenset({"customers/create", "customers/update", "customers/enable", "customers/disable"})


def _is_subscribed(state: object) -> object:
    return state.upper() == "SUBSCRIBED" if isinstance(state, str) else state


class Customer(Row):
    """A customer of the store; may have no e-mail, no phone, no name."""

    shopify_customer_id: Annotated[
        Id,
        Read("legacyResourceId"),
        Webhook("id", topics=WHOLE),
        Webhook("customer_id", topics=CONSENT),
        Webhook("customerId", topics=SALES),
    ]
    """Shopify's id of the customer."""
    email: Annotated[
        Text | None,
        Personal(),
        Read("defaultEmailAddress.emailAddress"),
        Webhook("email", topics=WHOLE, empty_is_null=True),
    ]
    """E-mail address as the customer wrote it."""
    phone: Annotated[
        Text | None,
        Personal(),
        Read("defaultPhoneNumber.phoneNumber"),
        Webhook("phone", topics=WHOLE, empty_is_null=True),
    ]
    """Phone number."""
    first_name: Annotated[
        Text | None, Personal(), Read("firstName"), Webhook("first_name", topics=WHOLE)
    ]
    """First name."""
    last_name: Annotated[
        Text | None, Personal(), Read("lastName"), Webhook("last_name", topics=WHOLE)
    ]
    """Last name."""
    accepts_marketing: Annotated[
        Flag | None,
        BeforeValidator(_is_subscribed),
        Read("defaultEmailAddress.marketingState"),
        Webhook("email_marketing_consent.state", topics=CONSENT),
    ]
    """Whether the e-mail address is subscribed to marketing; NULL without an address."""
    orders_count: Annotated[
        Integer, Drifts(), Read("numberOfOrders"), Webhook("numberOfOrders", topics=SALES)
    ]
    """Number of orders as Shopify keeps it; moves without `updated_at`."""
    total_spent: Annotated[
        Money, Drifts(), Read("amountSpent.amount"), Webhook("amountSpent.amount", topics=SALES)
    ]
    """Amount spent as Shopify keeps it; moves without `updated_at`."""
    total_spent_currency: Annotated[
        Text, Read("amountSpent.currencyCode"), Webhook("amountSpent.currencyCode", topics=SALES)
    ]
    """Currency of `total_spent`."""
    state: Annotated[
        Word,
        Known.of("declined disabled enabled invited"),
        Read("state"),
        Webhook("state", topics=WHOLE),
    ]
    """Classic account: declined, disabled, enabled, invited."""
    tags: Annotated[Tags, Read("tags")]
    """The merchant's tags."""
    verified_email: Annotated[Flag, Read("verifiedEmail"), Webhook("verified_email", topics=WHOLE)]
    """Whether the address was verified."""
    locale: Annotated[Text, Read("locale")]
    """Language of the customer."""
    merged_into_shopify_customer_id: Id | None
    """The customer that this one was merged into; told by a webhook only."""
    created_at: Annotated[Timestamp, Read("createdAt"), Webhook("created_at", topics=WHOLE)]
    """When it was made in Shopify."""
    updated_at: Annotated[Timestamp, Read("updatedAt"), Webhook("updated_at", topics=WHOLE)]
    """When Shopify last changed it."""


ENTITY = Entity(
    name="customers",
    table_name="shopify_customers",
    row=Customer,
    key="shopify_customer_id",
    gid_type="Customer",
    scopes=frozenset({"read_customers"}),
    connection=Connection(
        field="customers", count="customersCount", created_filter="customer_date", whole_days=True
    ),
    topics=WHOLE | CONSENT | SALES,
)
