"""Creating and changing products and their variants."""

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
from shopify_pipeline.demo.store.given_records import GivenProduct, GivenVariant
from shopify_pipeline.demo.store.store import Store


def create_product(store: Store, fields: Fields) -> Document:
    """A product with its `variants` (one default variant when none is given)."""
    moment = store.clock.now()
    given = read(GivenProduct, fields)
    identity = new_identity(store, "products", given)
    variants = given.pop("variants", None) or [{}]
    product = blueprints.product(identity, moment, **given)
    made = [
        _new_variant(store, identity, moment, position, one)
        for position, one in enumerate(variants, 1)
    ]
    if made[0]["title"] != "Default Title" and "options" not in given:
        product["options"] = [["Title", [one["title"] for one in made]]]
    if "totalInventory" not in given:
        product["totalInventory"] = sum(one["inventoryQuantity"] for one in made)
    store.put("products", product, created=True)
    for variant in made:
        store.put("variants", variant)
    store.tell("products", "products/create", product)
    return product


def _new_variant(store: Store, product: int, moment: int, position: int, given: Fields) -> Document:
    given = {"position": position} | given
    given.pop("product", None)
    given.pop("bumpProduct", None)
    identity = new_identity(store, "variants", given)
    variant = blueprints.variant(identity, product, moment, **given)
    if variant["title"] != "Default Title" and "options" not in given:
        variant["options"] = [variant["title"]]
    return variant


def update_product(store: Store, identity: int, fields: Fields) -> Document:
    """Change a product; `variants` adds (without id) or changes (with id) variants."""
    product = existing(store, "products", identity)
    given = read(GivenProduct, fields)
    given.pop("id", None)
    variants = given.pop("variants", [])
    changed(store, product, given)
    for one in variants:
        if "id" in one:
            number = one.pop("id")
            variant = existing(store, "variants", number)
            if variant["product"] != identity:
                raise ChangeError(f"variant {number} belongs to another product")
            _put_variant(store, variant, one)
        else:
            _add_variant(store, identity, one)
    store.put("products", product)
    for variant in store.variants_of(identity):
        store.put("variants", variant)
    store.tell("products", "products/update", product)
    return product


def _add_variant(store: Store, product: int, given: Fields) -> Document:
    position = store.variant_count(product) + 1
    variant = _new_variant(store, product, store.clock.now(), position, given)
    store.put("variants", variant)
    return variant


def _put_variant(store: Store, variant: Document, given: Fields) -> None:
    given.pop("product", None)
    given.pop("bumpProduct", None)
    changed(store, variant, given)
    store.put("variants", variant)


def create_variant(store: Store, fields: Fields) -> Document:
    """Add a variant to `product`, which is bumped unless `bumpProduct` is false."""
    given = read(GivenVariant, fields)
    if "product" not in given:
        raise ChangeError("product: say to which one the variant belongs")
    product = existing(store, "products", given["product"])
    bump = given.get("bumpProduct", True)
    variant = _add_variant(store, product["id"], given)
    if bump:
        bump_product(store, product)
    return variant


def update_variant(store: Store, identity: int, fields: Fields) -> Document:
    """Change a variant; its product is bumped unless `bumpProduct` is false."""
    variant = existing(store, "variants", identity)
    given = read(GivenVariant, fields)
    given.pop("id", None)
    bump = given.get("bumpProduct", True)
    _put_variant(store, variant, given)
    if bump:
        bump_product(store, existing(store, "products", variant["product"]))
    return variant


def bump_product(store: Store, product: Document) -> None:
    """Let a product follow its variants: stock added up, `updatedAt` now."""
    product["totalInventory"] = sum(
        one["inventoryQuantity"] for one in store.variants_of(product["id"])
    )
    product["updatedAt"] = store.clock.now()
    store.put("products", product, topic="products/update")
