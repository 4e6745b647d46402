"""Orders: https://shopify.dev/docs/api/admin-graphql/latest/objects/Order.

Money is in the shop's currency unless the column says presentment. `total_price` and its
neighbours are the order as it was placed; the `current_` ones are after edits and refunds.
"""

from typing import Annotated

from pydantic import BeforeValidator

from shopify_pipeline.entities.entity import Connection, Entity, Parent
from shopify_pipeline.entities.row import Drifts, Known, Personal, Read, Row, Webhook
from shopify_pipeline.entities.types import (
    Flag,
    Id,
    Money,
    Numeral,
    Reference,
    Tags,
    Text,
    Timestamp,
    Word,
)


def _display_word(status: object) -> object:
    """The display word for REST's `partial`; the other words are the same in both."""
    return "partially_fulfilled" if status == "partial" else status


class Order(Row):
    """An order, tests and cancelled ones included."""

    shopify_order_id: Annotated[Id, Read("legacyResourceId"), Webhook("id")]
    """Shopify's id of the order."""
    shopify_customer_id: Annotated[Reference | None, Read("customer.id"), Webhook("customer.id")]
    """Shopify's id of its customer; NULL for a guest."""
    order_number: Annotated[Numeral, Read("number"), Webhook("order_number")]
    """The number in its name, as text: 1001."""
    name: Annotated[Text, Read("name"), Webhook("name")]
    """What the merchant and the customer see: #1001."""
    email: Annotated[Text | None, Personal(), Read("email"), Webhook("email", empty_is_null=True)]
    """E-mail address of the order; may differ from the customer's."""
    phone: Annotated[Text | None, Personal(), Read("phone"), Webhook("phone", empty_is_null=True)]
    """Phone number of the order."""
    total_price: Annotated[
        Money,
        Drifts(),
        Read("totalPriceSet.shopMoney.amount"),
        Webhook("total_price_set.shop_money.amount"),
    ]
    """Total when the order was placed: lines, shipping, taxes, less discounts."""
    subtotal_price: Annotated[
        Money | None,
        Drifts(),
        Read("subtotalPriceSet.shopMoney.amount"),
        Webhook("subtotal_price_set.shop_money.amount"),
    ]
    """Lines less discounts, when the order was placed."""
    total_tax: Annotated[
        Money | None,
        Read("totalTaxSet.shopMoney.amount"),
        Webhook("total_tax_set.shop_money.amount"),
    ]
    """Taxes, when the order was placed."""
    total_discounts: Annotated[
        Money | None,
        Read("totalDiscountsSet.shopMoney.amount"),
        Webhook("total_discounts_set.shop_money.amount"),
    ]
    """Discounts of lines and order, when the order was placed."""
    total_shipping: Annotated[
        Money,
        Read("totalShippingPriceSet.shopMoney.amount"),
        Webhook("total_shipping_price_set.shop_money.amount"),
    ]
    """Shipping, when the order was placed."""
    current_total_price: Annotated[
        Money,
        Drifts(),
        Read("currentTotalPriceSet.shopMoney.amount"),
        Webhook("current_total_price_set.shop_money.amount"),
    ]
    """Total after edits and refunds."""
    current_subtotal_price: Annotated[
        Money,
        Read("currentSubtotalPriceSet.shopMoney.amount"),
        Webhook("current_subtotal_price_set.shop_money.amount"),
    ]
    """Lines less discounts, after edits and refunds."""
    current_total_tax: Annotated[
        Money,
        Read("currentTotalTaxSet.shopMoney.amount"),
        Webhook("current_total_tax_set.shop_money.amount"),
    ]
    """Taxes after edits and refunds."""
    current_total_discounts: Annotated[
        Money,
        Read("currentTotalDiscountsSet.shopMoney.amount"),
        Webhook("current_total_discounts_set.shop_money.amount"),
    ]
    """Discounts after edits and refunds."""
    total_refunded: Annotated[Money, Drifts(), Read("totalRefundedSet.shopMoney.amount")]
    """Money given back."""
    net_payment: Annotated[Money, Read("netPaymentSet.shopMoney.amount")]
    """Money received less money given back."""
    total_tip: Annotated[
        Money, Read("totalTipReceivedSet.shopMoney.amount"), Webhook("total_tip_received")
    ]
    """Tips received, apart from the lines."""
    currency: Annotated[Text, Read("currencyCode"), Webhook("currency")]
    """The shop's currency, in which all amounts are that don't say presentment."""
    presentment_currency: Annotated[
        Text, Read("presentmentCurrencyCode"), Webhook("presentment_currency")
    ]
    """The currency in which the customer paid."""
    presentment_total_price: Annotated[
        Money,
        Read("totalPriceSet.presentmentMoney.amount"),
        Webhook("total_price_set.presentment_money.amount"),
    ]
    """Total when the order was placed, in the presentment currency."""
    financial_status: Annotated[
        Word | None,
        Known.of(
            "authorized expired paid partially_paid partially_refunded pending refunded voided"
        ),
        Read("displayFinancialStatus"),
        Webhook("financial_status"),
    ]
    """authorized, expired, paid, partially_paid, partially_refunded, pending, refunded, voided."""
    fulfillment_status: Annotated[
        Word,
        Known.of(
            "fulfilled fulfillment_not_required in_progress on_hold open partially_fulfilled"
            " pending_fulfillment request_declined restocked scheduled unfulfilled"
        ),
        Drifts(),
        BeforeValidator(_display_word),
        Read("displayFulfillmentStatus"),
        Webhook("fulfillment_status", null_is_unknown=True),
    ]
    """Shopify's display word: unfulfilled, partially_fulfilled, fulfilled, on_hold …"""
    landing_site: Annotated[
        Text | None, Personal(), Read("customerJourneySummary.lastVisit.landingPage")
    ]
    """First page of the last visit before the order; NULL for orders made elsewhere."""
    referring_site: Annotated[
        Text | None, Personal(), Read("customerJourneySummary.lastVisit.referrerUrl")
    ]
    """Where that visit came from."""
    source_name: Annotated[Text | None, Read("sourceName"), Webhook("source_name")]
    """Where the order was made: web, pos, an app."""
    tags: Annotated[Tags, Read("tags"), Webhook("tags")]
    """The merchant's tags."""
    test: Annotated[Flag, Read("test"), Webhook("test")]
    """A test order: no revenue."""
    confirmed: Annotated[Flag, Read("confirmed"), Webhook("confirmed")]
    """Whether its inventory is reserved."""
    edited: Annotated[Flag, Read("edited")]
    """Whether it was edited after it was placed."""
    taxes_included: Annotated[Flag, Read("taxesIncluded"), Webhook("taxes_included")]
    """Whether prices of lines contain the taxes."""
    cancel_reason: Annotated[
        Word | None,
        Known.of("customer declined fraud inventory other staff"),
        Read("cancelReason"),
        Webhook("cancel_reason"),
    ]
    """customer, declined, fraud, inventory, staff, other; NULL unless cancelled."""
    return_status: Annotated[
        Word,
        Known.of(
            "in_progress inspection_complete no_return return_failed return_requested returned"
        ),
        Read("returnStatus"),
    ]
    """no_return, return_requested, in_progress, returned …"""
    created_at: Annotated[Timestamp, Read("createdAt"), Webhook("created_at")]
    """When it was made in Shopify."""
    updated_at: Annotated[Timestamp, Read("updatedAt"), Webhook("updated_at")]
    """When Shopify last changed it."""
    processed_at: Annotated[Timestamp, Read("processedAt"), Webhook("processed_at")]
    """When it was placed; imports may set it to an earlier day."""
    closed_at: Annotated[Timestamp | None, Read("closedAt"), Webhook("closed_at")]
    """When it was closed."""
    cancelled_at: Annotated[Timestamp | None, Read("cancelledAt"), Webhook("cancelled_at")]
    """When it was cancelled."""


ENTITY = Entity(
    name="orders",
    table_name="shopify_orders",
    row=Order,
    key="shopify_order_id",
    gid_type="Order",
    scopes=frozenset({"read_orders"}),
    connection=Connection(field="orders", count="ordersCount"),
    parents=(Parent(entity="customers", column="customer_id", id_column="shopify_customer_id"),),
    topics=frozenset(
        f"orders/{event}"
        for event in ("create", "updated", "paid", "cancelled", "fulfilled", "partially_fulfilled")
    ),
)
