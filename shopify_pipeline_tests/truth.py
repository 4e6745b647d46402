"""Compares the tables with what the simulated store says is true, row for row."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx
import orjson
import psycopg
from psycopg.rows import dict_row

from shopify_pipeline.entities import ENTITIES, Entity

TRUTH = {
    "products": "products",
    "product_variants": "variants",
    "customers": "customers",
    "orders": "orders",
    "order_items": "line_items",
}
"""What the store calls each entity under `/_store/truth/`."""

WORDS = {
    "status",
    "state",
    "financial_status",
    "fulfillment_status",
    "cancel_reason",
    "return_status",
}


DRIFTING = frozenset({"orders_count", "total_spent"})
"""What Shopify changes without moving `updated_at`: only a reconciliation sees it."""

BATCH = 2_000
"""Rows that are compared at once where not all can be held."""

Rows = dict[int, dict[str, Any]]
"""The rows that a table should have, by Shopify's id."""


def differences(
    store_url: str,
    database_url: str,
    *,
    most: int = 20,
    ignoring: frozenset[str] = frozenset(),
    known: Mapping[str, Rows] | None = None,
) -> list[str]:
    """What the tables say otherwise than the store; at most so many lines.

    An id that the store has forgotten and the table keeps (write-once) is no difference. `known`
    spares asking the store, for what `expected_rows` gave since it last changed.
    """
    found: list[str] = []
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        for entity in ENTITIES.values():
            expected = known[entity.name] if known else expected_rows(store_url, entity)
            for line in _differences(expected, connection, entity, ignoring):
                found.append(line)
                if len(found) >= most:
                    return found
    return found


def streamed_differences(
    store_url: str, database_url: str, *, share: float = 1.0, seed: int = 7, most: int = 20
) -> tuple[list[str], int]:
    """As `differences`, in memory that doesn't grow with the store; and how many rows it compared.

    Of a `share` under 1, records drawn by the seed are compared, and for all the number of rows.
    """
    draw = random.Random(seed)
    found: list[str] = []
    compared = 0
    with psycopg.connect(database_url, row_factory=dict_row, prepare_threshold=None) as connection:
        for entity in ENTITIES.values():
            records = 0
            for lines in _batches(truth_lines(store_url, entity)):
                records += len(lines)
                drawn = [orjson.loads(line) for line in lines if draw.random() < share]
                rows = {row[entity.key]: row for row in (expected_row(entity, n) for n in drawn)}
                compared += len(rows)
                found += _differences(rows, connection, entity, frozenset(), only=list(rows))
                if len(found) >= most:
                    return found[:most], compared
            held = connection.execute(
                f"SELECT count(*) AS rows FROM {entity.table_name} WHERE deleted_at IS NULL"
            ).fetchone()
            if held is None or held["rows"] != records:
                found.append(f"{entity.name}: {held} in the table, {records} in the store")
    return found[:most], compared


def _batches(lines: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(lines, BATCH)):
        yield batch


def truth(store_url: str, entity: Entity) -> Iterator[dict[str, Any]]:
    """The store's records of an entity, as they are now."""
    return map(orjson.loads, truth_lines(store_url, entity))


def truth_lines(store_url: str, entity: Entity) -> Iterator[str]:
    """The same, each as the line of JSON that the store sends."""
    url = f"{store_url}/_store/truth/{TRUTH[entity.name]}"
    with httpx.stream("GET", url, timeout=600) as answer:
        answer.raise_for_status()
        yield from answer.iter_lines()


def expected_rows(store_url: str, entity: Entity) -> Rows:
    """The rows that an entity's table should have now."""
    rows = (expected_row(entity, node) for node in truth(store_url, entity))
    return {row[entity.key]: row for row in rows}


def _differences(
    expected: Rows,
    connection: psycopg.Connection[dict[str, Any]],
    entity: Entity,
    ignoring: frozenset[str],
    *,
    only: Sequence[int] | None = None,
) -> Iterator[str]:
    links = "".join(
        f" LEFT JOIN {link.parent} p{n} ON p{n}.id = t.{link.column}"
        for n, link in enumerate(entity.table.all_links)
    )
    linked = "".join(
        f", p{n}.{link.parent_key} AS linked_{link.id_column}"
        for n, link in enumerate(entity.table.all_links)
    )
    query = f"SELECT t.*{linked} FROM {entity.table_name} t{links} WHERE t.deleted_at IS NULL"
    if only is not None:
        query += f" AND t.{entity.key} = ANY(%(only)s)"
    rows = connection.execute(query, {"only": only})
    seen = set()
    for row in rows:
        key = row[entity.key]
        seen.add(key)
        true = expected.get(key)
        if true is None:
            yield f"{entity.name} {key}: in the table, not in the store"
            continue
        for column, value in true.items():
            forgotten = value is None and entity.table.column(column).write_once
            if row[column] != value and not forgotten and column not in ignoring:
                yield f"{entity.name} {key}: {column} is {row[column]!r}, not {value!r}"
        for link in entity.table.all_links:
            if row[link.id_column] is not None and (
                row[f"linked_{link.id_column}"] != row[link.id_column]
            ):
                yield f"{entity.name} {key}: {link.column} leads not to {row[link.id_column]}"
    for key in expected.keys() - seen:
        yield f"{entity.name} {key}: in the store, not in the table"


def expected_row(entity: Entity, node: dict[str, Any]) -> dict[str, Any]:
    """The columns that a record of the store should have."""
    row = {}
    for column, path in entity.row.read_paths().items():
        value: Any = node
        for step in path:
            value = None if value is None else value[step]
        row[column] = expected_value(value, column, entity)
    if entity.owner is not None:
        owner = ENTITIES[entity.owner.entity].gid_type
        gid = node[owner[0].lower() + owner[1:]]["id"]
        row[str(entity.row.owner_column())] = int(gid.rsplit("/", 1)[-1])
    return row


def expected_value(value: Any, column: str, entity: Entity) -> Any:
    """What a column should hold for a value of Shopify's, said without the code under test."""
    if value is None:
        return None
    kind = str(entity.table.column(column).type)
    if column == "accepts_marketing":
        return value == "SUBSCRIBED"
    if kind == "BIGINT":
        return int(str(value).rsplit("/", 1)[-1])
    if kind == "INTEGER":
        return int(value)
    if kind == "NUMERIC":
        return Decimal(value)
    if kind == "DATETIME":
        return datetime.fromisoformat(value)
    if column in WORDS:
        return value.lower()
    return str(value) if column == "order_number" else value
