"""Answers changed by a fault after they were made: another shop, an empty page, a warning."""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store.faults import Fault


def altered(data: Any, fault: Fault | None) -> Any:
    """The data as the fault would have it."""
    if fault is None or not isinstance(data, dict):
        return data
    if fault.kind == "wrong_shop" and isinstance(data.get("shop"), dict):
        other = {"id": "gid://shopify/Shop/1", "myshopifyDomain": "other-store.myshopify.com"}
        shop = data["shop"]
        return {**data, "shop": {key: other.get(key, value) for key, value in shop.items()}}
    if fault.kind == "empty_page":
        return {key: _emptied(value) for key, value in data.items()}
    return data


def invented_warning(data: Any) -> dict[str, Any]:
    """An entry of `extensions.search` about a search field that nobody wrote."""
    return {
        "path": [next(iter(data or {"orders": None}))],
        "query": "updated_on:>'2026-01-01'",
        "parsed": {"field": "updated_on", "range": {"gt": "2026-01-01"}},
        "warnings": [
            {
                "field": "updated_on",
                "message": "Invalid search field for this query.",
                "code": "invalid_field",
            }
        ],
    }


def _emptied(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    emptied = dict(value)
    for key in ("nodes", "edges"):
        if key in emptied:
            emptied[key] = []
    if isinstance(emptied.get("pageInfo"), dict):
        emptied["pageInfo"] = {
            key: False if key.startswith("has") else None for key in emptied["pageInfo"]
        }
    return emptied
