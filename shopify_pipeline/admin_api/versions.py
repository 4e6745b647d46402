"""API versions: which one answered, and which may be asked for.

https://shopify.dev/docs/api/usage/versioning
"""

from collections.abc import Mapping
from typing import Any

from shopify_pipeline.admin_api.errors import ApiVersionError

VERSION_HEADER = "x-shopify-api-version"
"""The header that names the version that really served an answer."""

ASKED_UNDER = "unstable"
"""The version that is always there: under it the question is answered whatever version is set."""

VERSIONS = "query SupportedVersions { publicApiVersions { handle supported } }"


def supported(data: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the stable versions named in the answer to `VERSIONS`; none where it names none."""
    return tuple(
        version["handle"]
        for version in data.get("publicApiVersions") or ()
        if version["supported"] and version["handle"] != "unstable"
    )


def wrong_version(
    *,
    served: str,
    asked: str,
    supported: tuple[str, ...],
    operation: str,
    request_id: str | None,
) -> ApiVersionError:
    """Say that another version served than the one asked for; Shopify does so without an error."""
    choice = _choice(supported)
    return ApiVersionError(
        f"Shopify served API version {served}, not {asked}, which it no longer or not yet "
        f"supports: set SHOPIFY_API_VERSION to {choice}. Nothing of the answer was used",
        asked=asked,
        served=served,
        supported=supported,
        operation=operation,
        request_id=request_id,
    )


def unknown_version(
    *, asked: str, supported: tuple[str, ...], operation: str, request_id: str | None
) -> ApiVersionError:
    """Say that there is no such version; Shopify answers 404, as for a shop that is none."""
    return ApiVersionError(
        f"Shopify has no API version {asked}: set SHOPIFY_API_VERSION to {_choice(supported)}",
        asked=asked,
        supported=supported,
        operation=operation,
        request_id=request_id,
    )


def _choice(supported: tuple[str, ...]) -> str:
    return f"one of {', '.join(supported)}" if supported else "a supported version"
