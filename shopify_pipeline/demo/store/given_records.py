"""Fields that can be given of each kind of record, in GraphQL's names and in shorter ones."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from shopify_pipeline.demo.store.given_values import (
    Amount,
    Count,
    Given,
    Moment,
    Price,
    Rate,
    Stock,
    reference,
    refused,
    shown,
    word,
)

_Currency = Annotated[str, word("CurrencyCode")]


def _option(value: Any) -> list[Any]:
    """An option of a product: `{"name": …, "values": […]}`, or the two in a list."""
    if isinstance(value, dict):
        value = [value.get("name"), value.get("values")]
    match value:
        case [str(name), [str(), *_] as values] if all(isinstance(one, str) for one in values):
            return [name, values]
    raise refused(f'should be {{"name": …, "values": […]}}, not {shown(value)}')


class _Dated(Given):
    created_at: Moment = 0
    updated_at: Moment = 0


class GivenVariant(_Dated):
    """A variant; `bumpProduct` false leaves its product's `updatedAt` alone."""

    id: Annotated[int, reference("ProductVariant")] = 0
    product: Annotated[int, reference("Product")] = 0
    title: str = ""
    sku: str | None = None
    barcode: str | None = None
    position: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    price: Price = 0
    compare_at_price: Price | None = None
    inventory_quantity: Stock = 0
    taxable: bool = True
    inventory_policy: Annotated[str, word("ProductVariantInventoryPolicy")] = ""
    options: list[str] = Field(default_factory=list)
    bump_product: bool = True


class GivenProduct(_Dated):
    """A product and its variants."""

    id: Annotated[int, reference("Product")] = 0
    title: str = ""
    handle: str = ""
    vendor: str = ""
    product_type: str = ""
    status: Annotated[str, word("ProductStatus")] = ""
    tags: list[str] = Field(default_factory=list)
    published_at: Moment | None = None
    is_gift_card: bool = False
    total_inventory: Stock = 0
    description_html: str = ""
    template_suffix: str | None = None
    gift_card_template_suffix: str | None = None
    options: list[Annotated[list[Any], BeforeValidator(_option)]] = Field(default_factory=list)
    variants: list[GivenVariant] = Field(default_factory=list)


class GivenAddress(Given):
    """A postal address; what is not given is null."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    country: str | None = None
    country_code: str | None = None
    zip: str | None = None
    phone: str | None = None


class _Consent(Given):
    marketing_opt_in_level: Annotated[str, word("CustomerMarketingOptInLevel")] | None = None
    marketing_updated_at: Moment | None = None


class GivenEmailAddress(_Consent):
    """`Customer.defaultEmailAddress`."""

    email_address: str = ""
    marketing_state: Annotated[str, word("CustomerEmailAddressMarketingState")] = ""


class GivenPhoneNumber(_Consent):
    """`Customer.defaultPhoneNumber`."""

    phone_number: str = ""
    marketing_state: Annotated[str, word("CustomerSmsMarketingState")] = ""


class GivenCustomer(_Dated):
    """A customer, with contacts as GraphQL nests them or short as `email` and `phone`."""

    id: Annotated[int, reference("Customer")] = 0
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None
    default_email_address: GivenEmailAddress | None = None
    default_phone_number: GivenPhoneNumber | None = None
    accepts_marketing: bool = False
    marketing_state: Annotated[str, word("CustomerEmailAddressMarketingState")] = ""
    state: Annotated[str, word("CustomerState")] = ""
    tags: list[str] = Field(default_factory=list)
    verified_email: bool = True
    locale: str = ""
    note: str | None = None
    tax_exempt: bool = False
    default_address: GivenAddress | None = None


class GivenLine(Given):
    """A line of an order; what is not given is taken from its variant and product."""

    id: Annotated[int, reference("LineItem")] = 0
    variant: Annotated[int, reference("ProductVariant")] | None = Field(
        None, validation_alias=AliasChoices("variant", "variantId")
    )
    product: Annotated[int, reference("Product")] | None = Field(
        None, validation_alias=AliasChoices("product", "productId")
    )
    title: str = ""
    variant_title: str | None = None
    sku: str | None = None
    vendor: str | None = None
    quantity: Count = 1
    current_quantity: Count = 0
    refundable_quantity: Count = 0
    price: Price = Field(0, validation_alias=AliasChoices("price", "originalUnitPriceSet"))
    discount: Price = Field(0, validation_alias=AliasChoices("discount", "totalDiscountSet"))
    order_discount: Price = 0
    tax_rate: Rate = 0
    taxable: bool = True
    is_gift_card: bool = False
    requires_shipping: bool = True
    added: bool = False


class GivenLineOf(GivenLine):
    """A line and the order that it belongs to."""

    order: Annotated[int, reference("Order")]


class GivenVisit(Given):
    """`CustomerJourneySummary.lastVisit`."""

    landing_page: str = "/"
    referrer_url: str | None = None


class GivenJourney(GivenVisit):
    """`Order.customerJourneySummary`, its last visit nested or not."""

    last_visit: GivenVisit | None = None


class GivenOrder(_Dated):
    """An order. A `…Set` given stands as it is until the order's totals are next worked out."""

    id: Annotated[int, reference("Order")] = 0
    number: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1
    name: str = ""
    email: str | None = None
    phone: str | None = None
    processed_at: Moment = 0
    closed_at: Moment | None = None
    cancelled_at: Moment | None = None
    cancel_reason: Annotated[str, word("OrderCancelReason")] | None = None
    currency_code: _Currency = ""
    presentment_currency_code: _Currency = ""
    rate: Annotated[int, Field(ge=1, le=10**12)] = 1_000_000
    display_financial_status: Annotated[str, word("OrderDisplayFinancialStatus")] = ""
    display_fulfillment_status: Annotated[str, word("OrderDisplayFulfillmentStatus")] = ""
    return_status: Annotated[str, word("OrderReturnStatus")] = ""
    source_name: str | None = None
    source_identifier: str | None = None
    registered_source_url: str | None = None
    po_number: str | None = None
    client_ip: str | None = None
    cart_token: str | None = None
    checkout_token: str | None = None
    customer_locale: str | None = None
    customer_accepts_marketing: bool = False
    tags: list[str] = Field(default_factory=list)
    test: bool = False
    edited: bool = False
    confirmed: bool = True
    taxes_included: bool = False
    tax_exempt: bool = False
    estimated_taxes: bool = False
    customer: Annotated[int, reference("Customer")] | None = None
    customer_journey_summary: GivenJourney | None = None
    note: str | None = None
    shipping_address: GivenAddress | None = None
    discount_codes: list[str] = Field(default_factory=list)
    gateway: str = ""
    shipping: Price = 0
    received: Price = 0
    line_items: list[GivenLine] = Field(default_factory=list)
    total_tip_received_set: Price = 0
    subtotal_price_set: Amount = 0
    total_tax_set: Amount = 0
    total_discounts_set: Amount = 0
    total_shipping_price_set: Amount = 0
    total_price_set: Amount = 0
    original_total_price_set: Amount = 0
    current_subtotal_price_set: Amount = 0
    current_total_tax_set: Amount = 0
    current_total_discounts_set: Amount = 0
    current_total_price_set: Amount = 0
    total_refunded_set: Amount = 0
    total_refunded_shipping_set: Amount = 0
    total_received_set: Amount = 0
    net_payment_set: Amount = 0
    total_outstanding_set: Amount = 0
    total_capturable_set: Amount = 0
    refund_discrepancy_set: Amount = 0
    cart_discount_amount_set: Amount | None = None
    current_cart_discount_amount_set: Amount | None = None
    current_total_additional_fees_set: Amount | None = None
    current_total_duties_set: Amount | None = None
    original_total_additional_fees_set: Amount | None = None
    original_total_duties_set: Amount | None = None
