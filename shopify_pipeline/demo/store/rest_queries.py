"""Legacy REST lists: filters, order and `page_info` cursors over the index."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from shopify_pipeline.demo.store.clock import SECOND, parse_time
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.store import Store

DEFAULT_LIMIT = 50
MAX_LIMIT = 250

_TIMES = ("created_at", "updated_at", "processed_at", "published_at")
_EQUAL = {
    "products": ("vendor", "product_type", "handle", "title"),
    "customers": (),
    "orders": ("name",),
}
_STATUS = {
    "open": "status = 'open'",
    "closed": "status = 'closed'",
    "cancelled": "cancelled_at IS NOT NULL",
    "any": "1",
}
_SORTS = frozenset({"id", "created_at", "updated_at", "processed_at", "published_at", "title"})


class RestRefusalError(Exception):
    """A request that REST refuses: status and the value of `errors`."""

    def __init__(self, status: int, errors: Any) -> None:
        super().__init__(str(errors))
        self.status = status
        self.errors = errors


@dataclass(frozen=True)
class Plan:
    """A list as asked for; its parameters are what `page_info` stands for."""

    given: Mapping[str, str]
    where: str
    values: list[Any]
    column: str
    descending: bool
    after: tuple[Any, int] | None = None
    backward: bool = False

    def encoded(self, edge: tuple[Any, int], *, backward: bool) -> str:
        """The `page_info` of the page beyond an edge."""
        dropped = {"page_info", "limit", "fields"}
        kept = {
            "given": {name: value for name, value in self.given.items() if name not in dropped},
            "edge": list(edge),
            "direction": "prev" if backward else "next",
        }
        return base64.urlsafe_b64encode(orjson.dumps(kept)).decode().rstrip("=")


def limit_of(given: Mapping[str, str]) -> int:
    """The page size. Raises RestRefusalError."""
    text = given.get("limit", str(DEFAULT_LIMIT))
    if not text.isdigit() or int(text) < 1:
        raise RestRefusalError(400, {"limit": "Limit is not a valid number"})
    return min(int(text), MAX_LIMIT)


def plan_of(kind: str, given: Mapping[str, str]) -> Plan:  # noqa: PLR0912
    """The list that the parameters ask for. Raises RestRefusalError."""
    if "page_info" in given:
        extra = set(given) - {"page_info", "limit", "fields"}
        if extra:
            name = min(extra)
            text = f"{name} cannot be passed when page_info is present"
            raise RestRefusalError(400, {name: text})
        return _decoded(kind, given["page_info"])
    conditions: list[str] = ["1"]
    values: list[Any] = []
    for column in _TIMES:
        for edge, operator in (("min", ">="), ("max", "<=")):
            bound = given.get(f"{column}_{edge}")
            if not bound:
                continue
            moment = _moment(column, edge, bound)
            conditions.append(f"{column} {operator} ?")
            values.append(moment if edge == "min" else moment + SECOND - 1)
    if given.get("since_id"):
        conditions.append("id > ?")
        values.append(_number(given["since_id"], "since_id"))
    if given.get("ids"):
        identities = [_number(one, "ids") for one in given["ids"].split(",") if one]
        conditions.append(f"id IN ({','.join('?' * len(identities))})")
        values += identities
    for column in _EQUAL[kind]:
        if given.get(column):
            conditions.append(f"{column} = ?")
            values.append(given[column])
    if kind == "orders":
        conditions.append(_STATUS.get(given.get("status", "open"), "status = 'open'"))
        for name in ("financial_status", "fulfillment_status"):
            word = given.get(name, "any")
            if word != "any":
                conditions.append(f"LOWER({name}) = ?")
                values.append(word)
    elif given.get("status"):
        words = given["status"].lower().split(",")
        conditions.append(f"LOWER(status) IN ({','.join('?' * len(words))})")
        values += words
    column, descending = _order(kind, given)
    return Plan(given, " AND ".join(conditions), values, column, descending)


def _order(kind: str, given: Mapping[str, str]) -> tuple[str, bool]:
    if given.get("since_id"):
        return "id", False
    text = given.get("order", "")
    column, _, way = text.strip().partition(" ")
    if column in _SORTS:
        return column, way.strip().lower() == "desc"
    return ("created_at", True) if kind == "orders" else ("id", False)


def _number(text: str, name: str) -> int:
    if not text.strip().isdigit():
        raise RestRefusalError(400, {name: f"{name} must be a number"})
    return int(text)


def _moment(column: str, edge: str, text: str) -> int:
    try:
        return parse_time(text.replace(" ", "+"))
    except ValueError:
        name = f"{column}_{edge}"
        raise RestRefusalError(400, {name: "Invalid timestamp"}) from None


def _decoded(kind: str, text: str) -> Plan:
    try:
        kept = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        edge = (kept["edge"][0], int(kept["edge"][1]))
        given, backward = dict(kept["given"]), kept["direction"] == "prev"
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise RestRefusalError(400, {"page_info": "Invalid value."}) from None
    given.pop("page_info", None)
    return replace(plan_of(kind, given), after=edge, backward=backward)


def _restricted(store: Store, kind: str, plan: Plan) -> tuple[str, list[Any]]:
    where, values = plan.where, list(plan.values)
    earliest = store.visible_from() if kind == "orders" else 0
    if earliest:
        where += " AND created_at >= ?"
        values.append(earliest)
    return where, values


def count(store: Store, kind: str, plan: Plan) -> int:
    """How many records the list holds."""
    store.refresh_index()
    where, values = _restricted(store, kind, plan)
    sql = f"SELECT COUNT(*) FROM {kind}_index WHERE {where}"  # noqa: S608
    return int(store.database.value(sql, values))


@dataclass(frozen=True)
class RestPage:
    """Documents of a page, with the `page_info` of its neighbours."""

    documents: list[Document]
    following: str | None
    previous: str | None


def page(store: Store, kind: str, plan: Plan, limit: int) -> RestPage:
    """One page of a list."""
    store.refresh_index()
    where, values = _restricted(store, kind, plan)
    column = f"COALESCE({plan.column}, 0)" if plan.column == "published_at" else plan.column
    down = plan.descending != plan.backward
    if plan.after is not None:
        where += f" AND ({column}, id) {'<' if down else '>'} (?, ?)"
        values += plan.after
    way = "DESC" if down else "ASC"
    rows = store.database.rows(
        f"SELECT id, {column} FROM {kind}_index WHERE {where}"  # noqa: S608
        f" ORDER BY {column} {way}, id {way} LIMIT ?",
        [*values, limit + 1],
    )
    more = len(rows) > limit
    rows = rows[:limit]
    if plan.backward:
        rows.reverse()
    documents = store.database.documents(kind, [row[0] for row in rows])
    following = previous = None
    if rows and (more or plan.backward):
        following = plan.encoded((rows[-1][1], rows[-1][0]), backward=False)
    if rows and (plan.after is not None and (more or not plan.backward)):
        previous = plan.encoded((rows[0][1], rows[0][0]), backward=True)
    return RestPage([documents[row[0]] for row in rows if row[0] in documents], following, previous)
