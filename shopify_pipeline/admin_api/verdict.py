"""Judges an answer of the Admin API: its data where all is well, else which failure it is."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from shopify_pipeline.admin_api.answers import Cost, Envelope
from shopify_pipeline.admin_api.bucket import MAX_QUERY_COST
from shopify_pipeline.admin_api.denial import ColumnsAt, access_denied, field_of
from shopify_pipeline.admin_api.errors import (
    GraphQLErrorsError,
    MaxCostExceededError,
    RequestRefusedError,
    SearchWarningsError,
    ShopUnavailableError,
    redact,
)
from shopify_pipeline.admin_api.patience import PassingFailure

_PASSING_CODES = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT", "SERVICE_UNAVAILABLE"})
_PASSING_STATUSES = frozenset({408, 425})
_SHOP_STATUSES = {
    402: "the shop is frozen; its owner has to settle the bill with Shopify",
    403: "Shopify refuses this app or shop; check that the app is installed and the shop in order",
    404: "there is no such shop; check SHOPIFY_SHOP (and SHOPIFY_API_URL, if it is set)",
    423: "the shop is locked; its owner has to contact Shopify's support",
}


def judge(
    parts: Envelope,
    *,
    operation: str,
    variables: Mapping[str, Any],
    secrets: tuple[str, ...],
    columns_at: ColumnsAt | None = None,
) -> dict[str, Any]:
    """The data of an answer in which nothing is wrong. A 401 and the version are the caller's.

    `columns_at` is as for the client.

    Raises:
        PassingFailure: throttled, or a failure of Shopify's that may pass.
        AdminApiError: one of its subclasses, for everything else.
    """
    about: dict[str, Any] = {"operation": operation, "request_id": parts.request_id}

    def clean(text: Any) -> str:
        return redact(str(text), values=variables, secrets=secrets)

    _judge_status(parts, about=about, seen="; ".join(clean(e.message) for e in parts.errors))
    if parts.errors:
        _raise_errors(parts, about=about, clean=clean, columns_at=columns_at)
    warnings = [
        f"{clean(warning.get('field'))}: {clean(warning.get('message'))}"
        for search in parts.extensions.get("search") or ()
        for warning in (search.get("warnings") or ())
    ]
    if warnings:
        raise SearchWarningsError(
            "Shopify ignored a part of the search filter, so its answer is of another set of "
            f"records than the one asked for: {'; '.join(warnings)}. Correct the filter; nothing "
            "was read",
            **about,
        )
    if not isinstance(parts.data, dict):
        raise PassingFailure("an answer that is no GraphQL response", request_id=parts.request_id)
    return parts.data


def _judge_status(parts: Envelope, *, about: dict[str, Any], seen: str) -> None:
    status, said = parts.status, f": {seen}" if seen else ""
    if status == httpx.codes.OK:
        return
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise PassingFailure(
            "HTTP 429, too many requests",
            request_id=parts.request_id,
            throttled=True,
            retry_after=parts.retry_after,
        )
    if status >= 500 or status in _PASSING_STATUSES:
        raise PassingFailure(
            f"HTTP {status}{said}",
            request_id=parts.request_id,
            timed_out=status in {408, 504},
            retry_after=parts.retry_after,
        )
    if status in _SHOP_STATUSES:
        raise ShopUnavailableError(
            f"Shopify answered HTTP {status}: {_SHOP_STATUSES[status]}{said}",
            status=status,
            **about,
        )
    raise RequestRefusedError(
        f"Shopify answered HTTP {status}, which no retry changes{said}; check SHOPIFY_SHOP and "
        "SHOPIFY_API_URL, and give Shopify's support the request id",
        status=status,
        **about,
    )


def _raise_errors(
    parts: Envelope,
    *,
    about: dict[str, Any],
    clean: Callable[[Any], str],
    columns_at: ColumnsAt | None,
) -> None:
    codes = tuple(entry.code for entry in parts.errors)
    messages = [clean(entry.message) for entry in parts.errors]
    paths = tuple(entry.path for entry in parts.errors)
    if "THROTTLED" in codes:
        raise PassingFailure(
            "Shopify throttled the request",
            request_id=parts.request_id,
            throttled=True,
            retry_after=_throttle_wait(parts.cost),
        )
    if set(codes) <= _PASSING_CODES:
        raise PassingFailure(
            f"{codes[0]}: {messages[0]}",
            request_id=parts.request_id,
            timed_out="TIMEOUT" in codes,
        )
    if "MAX_COST_EXCEEDED" in codes:
        extensions = parts.errors[codes.index("MAX_COST_EXCEEDED")].extensions
        raise MaxCostExceededError(
            f"The query costs {extensions.get('cost')} points, and Shopify allows a query "
            f"{extensions.get('maxCost')}: ask for smaller pages or fewer fields",
            cost=float(extensions.get("cost") or 0.0),
            max_cost=float(extensions.get("maxCost") or MAX_QUERY_COST),
            **about,
        )
    if "SHOP_INACTIVE" in codes:
        raise ShopUnavailableError(
            "Shopify says that the shop is inactive; its owner has to reactivate it", **about
        )
    if "ACCESS_DENIED" in codes or any("not approved to access" in m for m in messages):
        raise access_denied(parts.errors, messages, about=about, columns_at=columns_at)
    listed = "; ".join(
        dict.fromkeys(
            f"{code or 'error'}{f' at {path}' if path else ''}: {message}"
            for code, path, message in zip(codes, map(field_of, paths), messages, strict=True)
        )
    )
    raise GraphQLErrorsError(
        f"Shopify answered with errors: {listed}. Its data was not used. Correct the query or "
        "the API version",
        codes=codes,
        paths=paths,
        **about,
    )


def _throttle_wait(cost: Cost | None) -> float | None:
    if cost is None or cost.throttle_status is None or cost.throttle_status.restore_rate <= 0:
        return None
    status = cost.throttle_status
    missing = min(cost.requested, status.maximum_available) - status.currently_available
    return max(missing / status.restore_rate, 1.0)
