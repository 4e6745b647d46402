"""Customers for a seed: plain ones, and the odd ones that break importers."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from shopify_pipeline.demo.store import blueprints
from shopify_pipeline.demo.store.clock import DAY, SECOND
from shopify_pipeline.demo.store.database import Document

FIRST_CUSTOMER = 7_200_000_000_000

_FIRST = (
    "Ada", "Grace", "Alan", "Linus", "Marie", "Søren", "José", "Chloë", "Zoë", "Ingrid", "Omar",
    "Yuki", "李", "Łukasz", "Nadia", "Priya", "Tom", "Eva",
)  # fmt: skip
_LAST = (
    "Smith", "Müller", "García", "O'Brien", "Nguyễn", "Kowalska", "Johansson", "Tanaka", "王",
    "Dupont", "Rossi", "van der Berg", "Silva", "Hansen", "Brown", "Novák",
)  # fmt: skip
_PLACES = (
    ("Canada", "CA", "Ontario", "ON", "Toronto", "M5H 2M9"),
    ("United States", "US", "New York", "NY", "New York", "10001"),
    ("Germany", "DE", None, None, "Köln", "50667"),
    ("Japan", "JP", "Tokyo", "JP-13", "東京", "100-0001"),
    ("France", "FR", None, None, "Besançon", "25000"),
)
_TAGS = ("vip", "wholesale", "newsletter", "b2b", "été", "Has Kids")
STATES = ("DISABLED", "ENABLED", "INVITED", "DECLINED")
MARKETING = ("NOT_SUBSCRIBED", "SUBSCRIBED", "UNSUBSCRIBED", "PENDING", "INVALID")
_LOCALES = ("en", "de", "fr", "ja", "pt-BR")


def _email(draw: Random, first: str, last: str, place: int) -> str:
    plain = f"{first}.{last}".encode("ascii", "ignore").decode().replace(" ", "").replace("'", "")
    name = f"{plain.lower() or 'buyer'}.{place}"
    if draw.random() < 0.04:
        name = "".join(draw.choice((letter.upper(), letter)) for letter in name)
    if place % 350 == 9:
        name = f"bücher+{place}"
    return f"{name}@example.com"


def address(draw: Random, first: str | None, last: str | None) -> dict[str, str | None]:
    """A postal address of the demo."""
    country, code, province, province_code, city, code_zip = draw.choice(_PLACES)
    return {
        "firstName": first,
        "lastName": last,
        "address1": f"{draw.randrange(1, 400)} Demo Street",
        "address2": "Hinterhaus" if draw.random() < 0.1 else None,
        "company": None,
        "city": city,
        "province": province,
        "provinceCode": province_code,
        "country": country,
        "countryCode": code,
        "zip": code_zip,
        "phone": None,
    }


def customers(seed: int, count: int, start: int, end: int) -> Iterator[Document]:
    """Customers in order of creation."""
    draw = Random(f"{seed}-customers")  # noqa: S311
    identity = FIRST_CUSTOMER
    for place in range(count):
        identity += 32_768 + draw.randrange(7)
        created = start + (end - start) * place // (count + 1) + draw.randrange(DAY // 8)
        created = min(end - SECOND, created)
        updated = min(end - SECOND, created + int(draw.expovariate(1 / (45 * DAY))))
        first: str | None = draw.choice(_FIRST)
        last: str | None = draw.choice(_LAST)
        email: str | None = _email(draw, first or "", last or "", place)
        phone = f"+1555{place % 10_000_000:07d}" if draw.random() < 0.25 else None
        roll = draw.random()
        if roll < 0.006:
            email, phone, first = None, f"+4915{place % 10_000_000:08d}", None
        elif roll < 0.012:
            email, phone = None, None
        elif roll < 0.018:
            last, first = None, None
        elif roll < 0.022:
            first = "Maximiliane " * 18
        elif roll < 0.025:
            first = ""
        state = "DISABLED"
        if draw.random() < 0.1:
            state = draw.choice(STATES)
        word = draw.choices(MARKETING, (50, 40, 6, 3, 1))[0]
        has_address = draw.random() < 0.7
        yield blueprints.customer(
            identity,
            created,
            firstName=first,
            lastName=last,
            email=email,
            phone=phone,
            state=state,
            tags=sorted(draw.sample(_TAGS, draw.choice((0, 0, 1, 2)))),
            updatedAt=updated,
            verifiedEmail=draw.random() < 0.9,
            locale=draw.choices(_LOCALES, (80, 6, 6, 4, 4))[0],
            note="Ligne 1\nLigne 2 – ✓" if draw.random() < 0.01 else None,  # noqa: RUF001
            marketing={
                "state": word if email else "NOT_SUBSCRIBED",
                "level": "SINGLE_OPT_IN",
                "at": created if word != "NOT_SUBSCRIBED" else None,
            },
            address=address(draw, first, last) if has_address else None,
        )
