"""Events: what was created and destroyed in the shop, kept for a year."""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store.catalogue_fields import paged
from shopify_pipeline.demo.store.clock import DAY
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source
from shopify_pipeline.demo.store.identifiers import number_of
from shopify_pipeline.demo.store.listings import condition_of
from shopify_pipeline.demo.store.paging import Page

KEPT = 365 * DAY
FIRST = 181_000_000_000_000

_SUBJECTS = {
    "Product": "PRODUCT",
    "ProductVariant": "PRODUCT_VARIANT",
    "Customer": "CUSTOMER",
    "Order": "ORDER",
}


def _event(row: tuple[Any, ...]) -> Document:
    identity, moment, kind, subject, action = row
    return {
        "__typename": "BasicEvent",
        "id": FIRST + identity,
        "action": action,
        "appTitle": None,
        "attributeToApp": False,
        "attributeToUser": True,
        "createdAt": moment,
        "criticalAlert": False,
        "message": "",
        "additionalContent": "null",
        "additionalData": "null",
        "arguments": [],
        "author": "Shopify",
        "hasAdditionalContent": False,
        "secondaryMessage": None,
        "subjectId": f"gid://shopify/{kind}/{subject}",
        "subjectType": _SUBJECTS[kind],
    }


def _found(call: FieldCall, execution: Execution) -> list[tuple[Any, ...]]:
    condition = condition_of(
        "events", call.arguments.get("query"), call, execution, fields="events"
    )
    since = execution.store.clock.now() - KEPT
    found: list[tuple[Any, ...]] = execution.store.database.rows(
        "SELECT id, created_at, kind, subject, action FROM events"  # noqa: S608
        f" WHERE created_at >= ? AND ({condition.sql}) ORDER BY id",
        [since, *condition.values],
    )
    return found


def _list(source: Source, call: FieldCall, execution: Execution) -> Page:
    return paged([_event(row) for row in _found(call, execution)], call, lambda one: one["id"])


def _count(source: Source, call: FieldCall, execution: Execution) -> Document:
    found = len(_found(call, execution))
    limit = 10_000
    precision = "AT_LEAST" if found > limit else "EXACT"
    return {"count": min(found, limit), "precision": precision}


def _one(source: Source, call: FieldCall, execution: Execution) -> Document | None:
    identity = number_of(call.arguments["id"], "BasicEvent")
    if identity is None:
        return None
    rows = execution.store.database.rows(
        "SELECT id, created_at, kind, subject, action FROM events WHERE id = ?",
        (identity - FIRST,),
    )
    return _event(rows[0]) if rows else None


RESOLVERS: dict[str, Resolver] = {
    "QueryRoot.event": _one,
    "QueryRoot.events": _list,
    "QueryRoot.eventsCount": _count,
}
