"""The root lists and counts: search, sort, page, then read each hit's present document."""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store.amounts import padded
from shopify_pipeline.demo.store.clock import parse_time, precise
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, FieldError, Source
from shopify_pipeline.demo.store.paging import Page, PagingError, decode_cursor, encode_cursor
from shopify_pipeline.demo.store.paging import window as page_window
from shopify_pipeline.demo.store.search import (
    BadSearchError,
    Condition,
    SearchRules,
    compile_search,
)
from shopify_pipeline.demo.store.search_fields import FIELDS

_TIMES = frozenset({"created_at", "updated_at", "processed_at", "published_at"})

SORT_COLUMNS: dict[str, dict[str, str]] = {
    "products": {
        "CREATED_AT": "created_at",
        "UPDATED_AT": "updated_at",
        "PUBLISHED_AT": "published_at",
        "TITLE": "title",
        "VENDOR": "vendor",
        "PRODUCT_TYPE": "product_type",
        "INVENTORY_TOTAL": "inventory_total",
    },
    "variants": {
        "SKU": "sku",
        "TITLE": "title",
        "NAME": "title",
        "FULL_TITLE": "full_title",
        "INVENTORY_QUANTITY": "inventory_quantity",
        "POSITION": "position",
        "POPULAR": "position",
    },
    "customers": {
        "CREATED_AT": "created_at",
        "UPDATED_AT": "updated_at",
        "NAME": "name",
        "ORDERS_COUNT": "orders_count",
        "TOTAL_SPENT": "total_spent",
        "LAST_ORDER_DATE": "last_order_id",
        "LOCATION": "country",
    },
    "orders": {
        "CREATED_AT": "created_at",
        "UPDATED_AT": "updated_at",
        "PROCESSED_AT": "processed_at",
        "ORDER_NUMBER": "number",
        "TOTAL_PRICE": "total",
        "CURRENT_TOTAL_PRICE": "total",
        "CUSTOMER_NAME": "customer_name",
        "FINANCIAL_STATUS": "financial_status",
        "FULFILLMENT_STATUS": "fulfillment_status",
        "TOTAL_ITEMS_QUANTITY": "quantity",
    },
}


def condition_of(
    kind: str, text: str | None, call: FieldCall, execution: Execution, *, fields: str | None = None
) -> Condition:
    """The search condition of a call; warnings go to the answer's `extensions.search`.

    Raises FieldError (BAD_REQUEST) for a timestamp that can't be read.
    """
    store = execution.store
    rules = SearchRules(
        store.settings.zone, store.clock.now(), exclusive_seconds=execution.version >= "2026-10"
    )
    try:
        condition = compile_search(kind, text, rules, fields=FIELDS[fields] if fields else None)
    except BadSearchError as error:
        raise FieldError(str(error), code="BAD_REQUEST") from None
    if condition.parsed is not None and (
        condition.warnings or execution.memory.get("search_debug")
    ):
        execution.searches.append(
            {
                "path": [call.key],
                "query": text,
                "parsed": condition.parsed,
                "warnings": condition.warnings,
            }
        )
    return condition


def _hidden(kind: str, execution: Execution, condition: Condition) -> None:
    if kind == "orders" and not execution.trusted:
        earliest = execution.store.visible_from()
        if earliest:
            condition.sql = f"({condition.sql}) AND created_at >= ?"
            condition.values.append(earliest)


def count_of(kind: str, call: FieldCall, execution: Execution, *, fields: str | None = None) -> Any:
    """The answer of a `…Count` field: a count that stops at `limit`, and its precision."""
    store = execution.store
    store.refresh_index()
    condition = condition_of(kind, call.arguments.get("query"), call, execution, fields=fields)
    _hidden(kind, execution, condition)
    limit = call.arguments.get("limit")
    sql = f"SELECT 1 FROM {kind}_index WHERE {condition.sql}"  # noqa: S608
    if limit is not None:
        sql += f" LIMIT {int(limit) + 1}"
    found = store.database.value(f"SELECT COUNT(*) FROM ({sql})", condition.values)  # noqa: S608
    if limit is not None and found > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": found, "precision": "EXACT"}


def list_of(
    kind: str,
    call: FieldCall,
    execution: Execution,
    *,
    restriction: tuple[str, list[Any]] | None = None,
) -> Page:
    """A page of a kind's records. Raises FieldError (BAD_REQUEST) for refused arguments."""
    store = execution.store
    store.refresh_index()
    arguments = call.arguments
    condition = condition_of(kind, arguments.get("query"), call, execution)
    _hidden(kind, execution, condition)
    if restriction:
        condition.sql = f"({condition.sql}) AND {restriction[0]}"
        condition.values += restriction[1]
    column = SORT_COLUMNS[kind].get(arguments.get("sortKey") or "ID", "id")
    try:
        size, backward = page_window(arguments)
        where, values = _bounds(column, condition, arguments)
    except PagingError as error:
        raise FieldError(str(error), code="BAD_REQUEST") from None
    descending = bool(arguments.get("reverse")) != backward
    way = "DESC" if descending else "ASC"
    sort = f"COALESCE({column}, 0)" if column == "published_at" else column
    order = f"id {way}" if column == "id" else f"{sort} {way}, id {way}"
    rows = store.database.rows(
        f"SELECT id, {sort} FROM {kind}_index WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608
        [*values, size + 1],
    )
    more = len(rows) > size
    rows = rows[:size]
    if backward:
        rows.reverse()
    sort_values = dict(rows)
    documents = store.database.documents(kind, [row[0] for row in rows])
    items = [documents[row[0]] for row in rows if row[0] in documents]

    def cursor(item: Document) -> str:
        value = sort_values[item["id"]]
        return encode_cursor(item["id"], _written(column, value))

    if backward:
        return Page(items, cursor, bool(arguments.get("before")), more)
    return Page(items, cursor, more, bool(arguments.get("after")))


def _written(column: str, value: Any) -> Any:
    if column in _TIMES and value is not None:
        return precise(value)
    if column in {"total", "total_spent"}:
        return padded(value)
    return value if value is None or column in {"number", "position"} else str(value)


_WHOLE = frozenset(
    {
        "inventory_total", "orders_count", "quantity", "inventory_quantity", "position", "number",
        "last_order_id",
    }
)  # fmt: skip


def _read(column: str, value: Any) -> Any:
    """The value under a sort key that a cursor holds. Raises PagingError when it is none."""
    try:
        found = _unwritten(column, value)
    except (ValueError, OverflowError):
        found = None
    if found is None or (isinstance(found, int) and abs(found) >= 2**63):
        raise PagingError("Invalid cursor for current pagination sort.")
    return found


def _unwritten(column: str, value: Any) -> Any:
    if column in _TIMES:
        return value * 1000 if isinstance(value, int) else parse_time(str(value))
    if column in {"total", "total_spent"}:
        whole, _, rest = str(value).partition(".")
        return int(whole) * 1_000_000 + int(rest.ljust(6, "0"))
    return int(value) if column in _WHOLE else value


def _bounds(column: str, condition: Condition, arguments: dict[str, Any]) -> tuple[str, list[Any]]:
    where, values = condition.sql, list(condition.values)
    down = bool(arguments.get("reverse"))
    for name, beyond in (("after", "<" if down else ">"), ("before", ">" if down else "<")):
        if not arguments.get(name):
            continue
        identity, value = decode_cursor(arguments[name])
        if column == "id":
            where = f"({where}) AND id {beyond} ?"
            values.append(identity)
        elif value is None:
            where = (
                f"({where}) AND ({column} IS NOT NULL OR id > ?)"
                if beyond == ">"
                else f"({where}) AND ({column} IS NULL AND id < ?)"
            )
            values.append(identity)
        else:
            sort = f"COALESCE({column}, 0)" if column == "published_at" else column
            nullable = beyond == "<" and column not in _TIMES
            nulls = f" OR {column} IS NULL" if nullable else ""
            where = f"({where}) AND (({sort}, id) {beyond} (?, ?){nulls})"
            values += [_read(column, value), identity]
    return where, values


def resolve_list(kind: str) -> Any:
    """The resolver of a root list."""

    def resolve(source: Source, call: FieldCall, execution: Execution) -> Page:
        return list_of(kind, call, execution)

    return resolve


def resolve_count(kind: str, fields: str | None = None) -> Any:
    """The resolver of a root count."""

    def resolve(source: Source, call: FieldCall, execution: Execution) -> Any:
        return count_of(kind, call, execution, fields=fields)

    return resolve
