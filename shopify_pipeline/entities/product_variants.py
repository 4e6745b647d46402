"""Variants: https://shopify.dev/docs/api/admin-graphql/latest/objects/ProductVariant."""

from typing import Annotated

from shopify_pipeline.entities.entity import Entity, Owner
from shopify_pipeline.entities.row import FromOwner, Read, Row, Webhook
from shopify_pipeline.entities.types import Id, Integer, Money, Text, Timestamp


class ProductVariant(Row):
    """One version of a product that can be bought: a size, a colour."""

    shopify_variant_id: Annotated[Id, Read("legacyResourceId"), Webhook("id")]
    """Shopify's id of the variant."""
    shopify_product_id: Annotated[Id, FromOwner()]
    """Shopify's id of its product."""
    title: Annotated[Text, Read("title"), Webhook("title")]
    """The options that make it, as one text."""
    sku: Annotated[Text | None, Read("sku"), Webhook("sku")]
    """Stock keeping unit; neither always there nor unique."""
    price: Annotated[Money, Read("price"), Webhook("price")]
    """Price in the shop's currency."""
    compare_at_price: Annotated[Money | None, Read("compareAtPrice"), Webhook("compare_at_price")]
    """Price before a reduction, in the shop's currency."""
    barcode: Annotated[Text | None, Read("barcode"), Webhook("barcode")]
    """Barcode, ISBN or the like."""
    position: Annotated[Integer, Read("position"), Webhook("position")]
    """Place among the product's variants, from 1."""
    inventory_quantity: Annotated[
        Integer | None, Read("inventoryQuantity"), Webhook("inventory_quantity")
    ]
    """Quantity available for sale."""
    created_at: Annotated[Timestamp, Read("createdAt"), Webhook("created_at")]
    """When it was made in Shopify."""
    updated_at: Annotated[Timestamp, Read("updatedAt"), Webhook("updated_at")]
    """When Shopify last changed it."""


ENTITY = Entity(
    name="product_variants",
    table_name="shopify_product_variants",
    row=ProductVariant,
    key="shopify_variant_id",
    gid_type="ProductVariant",
    scopes=frozenset({"read_products"}),
    owner=Owner(
        entity="products",
        field="variants",
        via="product",
        webhook="variants",
        prune=True,
        column="product_id",
        total="variantsCount.count",
    ),
)
