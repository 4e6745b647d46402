"""Which API version a request is served with: as asked, or fallen forward to the oldest one."""

from __future__ import annotations

import re

RELEASE_CANDIDATE = "2027-01"
_FORM = re.compile(r"\d{4}-(01|04|07|10)$")


def served_version(asked: str, supported: list[str]) -> str | None:
    """The version that answers, or None where Shopify would answer 404.

    https://shopify.dev/docs/api/usage/versioning: a version out of support is served by the
    oldest accessible one; only `X-Shopify-API-Version` tells.
    """
    if asked in {"unstable", RELEASE_CANDIDATE} or asked in supported:
        return asked
    if not _FORM.match(asked) or asked > max(supported):
        return None
    return min(supported)
