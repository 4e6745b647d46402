"""Line items: https://shopify.dev/docs/api/admin-graphql/latest/objects/LineItem."""

from typing import Annotated

from shopify_pipeline.entities.entity import Entity, Owner, Parent
from shopify_pipeline.entities.row import FromOwner, Read, Row, Webhook, WriteOnce
from shopify_pipeline.entities.types import Flag, Id, Integer, Money, Reference, Text


class OrderItem(Row):
    """One line of an order; a line that an edit removed stays, at `current_quantity` 0."""

    shopify_line_item_id: Annotated[Id, Read("id"), Webhook("id")]
    """Shopify's id of the line."""
    shopify_order_id: Annotated[Id, FromOwner()]
    """Shopify's id of its order."""
    shopify_product_id: Annotated[
        Reference | None, WriteOnce(), Read("product.id"), Webhook("product_id")
    ]
    """Shopify's id of the product sold; NULL for a custom line; kept when the product goes."""
    shopify_variant_id: Annotated[
        Reference | None, WriteOnce(), Read("variant.id"), Webhook("variant_id")
    ]
    """Shopify's id of the variant sold; as above."""
    title: Annotated[Text, Read("title"), Webhook("title")]
    """The product's title when it was sold."""
    variant_title: Annotated[Text | None, Read("variantTitle"), Webhook("variant_title")]
    """The variant's title when it was sold."""
    sku: Annotated[Text | None, Read("sku"), Webhook("sku")]
    """Stock keeping unit when it was sold."""
    vendor: Annotated[Text | None, Read("vendor"), Webhook("vendor")]
    """Vendor when it was sold."""
    quantity: Annotated[Integer, Read("quantity"), Webhook("quantity")]
    """Quantity as ordered, removed and refunded ones included."""
    current_quantity: Annotated[Integer, Read("currentQuantity"), Webhook("current_quantity")]
    """Quantity after edits and refunds."""
    price: Annotated[
        Money,
        Read("originalUnitPriceSet.shopMoney.amount"),
        Webhook("price_set.shop_money.amount"),
    ]
    """Price of one before discounts, in the shop's currency."""
    discounted_price: Annotated[
        Money, Read("discountedUnitPriceAfterAllDiscountsSet.shopMoney.amount")
    ]
    """Price of one after all discounts, in the shop's currency."""
    total_discount: Annotated[
        Money,
        Read("totalDiscountSet.shopMoney.amount"),
        Webhook("total_discount_set.shop_money.amount"),
    ]
    """Discounts given on this line, those on the whole order not included."""
    is_gift_card: Annotated[Flag, Read("isGiftCard"), Webhook("gift_card")]
    """Whether a gift card was sold: a liability rather than revenue."""
    taxable: Annotated[Flag, Read("taxable"), Webhook("taxable")]
    """Whether taxes apply."""


ENTITY = Entity(
    name="order_items",
    table_name="shopify_order_items",
    row=OrderItem,
    key="shopify_line_item_id",
    gid_type="LineItem",
    scopes=frozenset({"read_orders", "read_products"}),
    owner=Owner(
        entity="orders",
        field="lineItems",
        webhook="line_items",
        prune=False,
        column="order_id",
        total="subtotalLineItemsQuantity",
        total_unless="edited",  # the lines that an edit removed stay, and add nothing to it
        counted_by="quantity",
    ),
    parents=(
        Parent(entity="products", column="product_id", id_column="shopify_product_id"),
        Parent(entity="product_variants", column="variant_id", id_column="shopify_variant_id"),
    ),
)
