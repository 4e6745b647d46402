"""Global ids: `gid://shopify/<Type>/<number>`, and the ids of shops."""

from __future__ import annotations

import hashlib
import re

DEMO_SHOP_ID = 77_046_218_921
LARGEST = 2**63 - 1

_SUFFIX = ".myshopify.com"
_DEMO_DOMAIN = f"demo-store{_SUFFIX}"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(\.myshopify\.com)?", re.IGNORECASE)
_GID = re.compile(r"gid://shopify/(\w+)/([0-9]+)(?:\?.*)?$")


def parse_gid(text: str) -> tuple[str, int] | None:
    """Type and number of a global id, or None when it is none.

    A number past 64 bits, which no record has, comes as the largest one.
    """
    found = _GID.match(text)
    return (found[1], min(int(found[2]), LARGEST)) if found else None


def number_of(text: str, wanted: str) -> int | None:
    """The number of a global id of the wanted type, else None."""
    parsed = parse_gid(text)
    return parsed[1] if parsed and parsed[0] == wanted else None


def domain_of(shop: str) -> str:
    """The myshopify.com name of a shop, given with or without that ending."""
    return f"{shop.lower().removesuffix(_SUFFIX)}{_SUFFIX}"


def is_shop_name(shop: str) -> bool:
    """Whether a shop may be called that."""
    return _NAME.fullmatch(shop) is not None


def shop_id_of(domain: str) -> int:
    """The number of the shop at a domain: another one for each, the same at every start."""
    if domain == _DEMO_DOMAIN:
        return DEMO_SHOP_ID
    digest = hashlib.sha256(domain.encode()).digest()
    return 10_000_000_000 + int.from_bytes(digest[:8], "big") % 80_000_000_000
