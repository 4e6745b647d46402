"""Products: https://shopify.dev/docs/api/admin-graphql/latest/objects/Product."""

from typing import Annotated

from shopify_pipeline.entities.entity import Connection, Entity
from shopify_pipeline.entities.row import Known, Read, Row, Webhook
from shopify_pipeline.entities.types import Flag, Id, Integer, Tags, Text, Timestamp, Word


class Product(Row):
    """A product of the catalogue, drafts and archived ones included."""

    shopify_product_id: Annotated[Id, Read("legacyResourceId"), Webhook("id")]
    """Shopify's id of the product."""
    title: Annotated[Text, Read("title"), Webhook("title")]
    """Name of the product."""
    handle: Annotated[Text, Read("handle"), Webhook("handle")]
    """Its part of the storefront's address; may be given to another product later."""
    vendor: Annotated[Text, Read("vendor"), Webhook("vendor")]
    """Who makes or sells it; may be empty."""
    product_type: Annotated[Text, Read("productType"), Webhook("product_type")]
    """The merchant's own category; may be empty."""
    status: Annotated[
        Word, Known.of("active archived draft unlisted"), Read("status"), Webhook("status")
    ]
    """active, archived, draft, unlisted."""
    tags: Annotated[Tags, Read("tags"), Webhook("tags")]
    """The merchant's tags."""
    created_at: Annotated[Timestamp, Read("createdAt"), Webhook("created_at")]
    """When it was made in Shopify."""
    updated_at: Annotated[Timestamp, Read("updatedAt"), Webhook("updated_at")]
    """When Shopify last changed it; inventory moves it too."""
    published_at: Annotated[Timestamp | None, Read("publishedAt"), Webhook("published_at")]
    """When it was published to the online store; NULL while it is not."""
    is_gift_card: Annotated[Flag, Read("isGiftCard")]
    """Whether it is a gift card."""
    variants_count: Annotated[Integer | None, Read("variantsCount.count")]
    """How many variants it has."""


ENTITY = Entity(
    name="products",
    table_name="shopify_products",
    row=Product,
    key="shopify_product_id",
    gid_type="Product",
    scopes=frozenset({"read_products"}),
    connection=Connection(
        field="products", count="productsCount", always="status:active,draft,archived,unlisted"
    ),
    topics=frozenset({"products/create", "products/update"}),
)
