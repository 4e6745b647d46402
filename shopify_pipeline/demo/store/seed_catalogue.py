"""Products and variants for a seed, edge cases included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from shopify_pipeline.demo.store import blueprints
from shopify_pipeline.demo.store.clock import DAY, SECOND
from shopify_pipeline.demo.store.database import Document

FIRST_PRODUCT = 8_100_000_000_000
FIRST_VARIANT = 45_200_000_000_000

_THINGS = (
    "Tee", "Hoodie", "Mug", "Cap", "Backpack", "Notebook", "Candle", "Bottle", "Scarf", "Lamp",
    "Poster", "Jacket", "Sneaker", "Sock", "Blanket", "Tasse à café", "Kissen", "旅行バッグ",
)  # fmt: skip
_KINDS = ("Classic", "Organic", "Vintage", "Everyday", "Alpine", "Café", "Nordic", "Møbel", "Linen")
_VENDORS = ("Northwind", "Demo Vendor", "Åre & Co", "Blue Harbor", 'O\'Neil "Works"', "東京工房")
_TYPES = ("Apparel", "Home", "Accessories", "Stationery", "")
_TAGS = ("new", "sale", "summer", "eco", "Best Seller", "été", "limited", "bundle")
_COLORS = ("Black", "White", "Red", "Blue", "Grün", "Sand")
_SIZES = ("XS", "S", "M", "L", "XL")


@dataclass(frozen=True)
class Sellable:
    """A variant as a line item remembers it."""

    product: int
    variant: int
    title: str
    variant_title: str | None
    sku: str | None
    vendor: str
    price: int
    gift_card: bool


def _options(draw: Random, place: int) -> list[list[str]]:
    """The option values of each variant of a product."""
    if place % 250 == 7:
        return [[f"Style {number + 1}"] for number in range(300)]
    roll = draw.random()
    if roll < 0.35:
        return [["Default Title"]]
    if roll < 0.75:
        return [[size] for size in draw.sample(_SIZES, draw.randint(2, 5))]
    return [[color, size] for color in draw.sample(_COLORS, 2) for size in draw.sample(_SIZES, 2)]


def _status(draw: Random, place: int) -> str:
    if place % 100 == 3:
        return "UNLISTED"
    return draw.choices(("ACTIVE", "DRAFT", "ARCHIVED"), (90, 5, 5))[0]


def catalogue(
    seed: int, count: int, start: int, end: int
) -> Iterator[tuple[Document, list[Document]]]:
    """Products with their variants, created between two moments, in order of creation."""
    draw = Random(f"{seed}-products")  # noqa: S311
    identity, variant_id = FIRST_PRODUCT, FIRST_VARIANT
    names = ("Color", "Size") if count else ()
    mass_edit = end - draw.randint(5, 40) * DAY
    for place in range(count):
        identity += 32_768 + draw.randrange(5)
        created = start + (end - start) * place // (count + 1) + draw.randrange(DAY // 4)
        created = min(end - SECOND, created)
        updated = min(end - SECOND, created + int(draw.expovariate(1 / (60 * DAY))))
        if place % 3 == 0 and created < mass_edit:
            updated = mass_edit
        title = f"{draw.choice(_KINDS)} {draw.choice(_THINGS)}"
        if place % 400 == 11:
            title = ("Sehr langer Name – " * 14)[:255]  # noqa: RUF001
        gift_card = place % 200 == 19
        values = [["Default Title"]] if gift_card else _options(draw, place)
        vendor = "" if place % 120 == 5 else draw.choice(_VENDORS)
        status = _status(draw, place)
        document = blueprints.product(
            identity,
            created,
            title="Gift Card" if gift_card else title,
            handle=f"{blueprints.handle_of(title)}-{place}",
            vendor=vendor,
            productType=draw.choice(_TYPES),
            status=status,
            tags=sorted(draw.sample(_TAGS, draw.randint(0, 3))),
            updatedAt=updated,
            publishedAt=None if status == "DRAFT" else created + 3600 * SECOND,
            isGiftCard=gift_card,
            options=[
                [
                    "Title" if value == "Default Title" else names[index],
                    sorted({one[index] for one in values}),
                ]
                for index, value in enumerate(values[0])
            ],
        )
        variants = []
        base = draw.randrange(400, 20_000) * 10_000
        for position, chosen in enumerate(values, 1):
            variant_id += 32_768 + draw.randrange(3)
            roll = draw.random()
            sku = f"SKU-{place:05d}-{position:03d}"
            if roll < 0.03:
                sku = None  # type: ignore[assignment]
            elif roll < 0.05:
                sku = "DUPLICATE-SKU"
            elif roll < 0.06:
                sku = ""
            amount = base + draw.randrange(0, 500) * 10_000
            if place % 300 == 2:
                amount = 0
            elif place % 300 == 4:
                amount = 10_000
            variants.append(
                blueprints.variant(
                    variant_id,
                    identity,
                    created,
                    title=" / ".join(chosen),
                    sku=sku,
                    barcode=f"{draw.randrange(10**12):012d}" if draw.random() < 0.5 else None,
                    position=position,
                    price=amount,
                    compareAtPrice=amount + 5_000_000 if draw.random() < 0.2 else None,
                    inventoryQuantity=draw.randrange(-3, 200),
                    updatedAt=updated,
                    taxable=draw.random() < 0.95,
                    options=chosen,
                )
            )
        document["totalInventory"] = sum(one["inventoryQuantity"] for one in variants)
        yield document, variants


def sellables(document: Document, variants: list[Document]) -> list[Sellable]:
    """What a product offers to orders."""
    return [
        Sellable(
            document["id"],
            one["id"],
            document["title"],
            None if one["title"] == "Default Title" else one["title"],
            one["sku"],
            document["vendor"],
            one["price"],
            document["isGiftCard"],
        )
        for one in variants[:40]
    ]
