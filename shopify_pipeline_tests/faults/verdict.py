"""What must hold after a fault: the tables are the truth, or at least no checkpoint lies."""

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from shopify_pipeline.entities import ENTITIES, ROOTS, Entity
from shopify_pipeline_tests.truth import DRIFTING, Rows, differences, expected_rows

MOST = 20

LEFT_OVER = {
    "lines of bulk files are left aside": "SELECT count(*) FROM shopify_internal.bulk_parked",
    "claims of bulk operations are left open": (
        "SELECT count(*) FROM shopify_internal.bulk_claims WHERE ended_at IS NULL"
    ),
    "ids are left in the refresh queue": "SELECT count(*) FROM shopify_internal.refresh_queue",
}


Truth = Mapping[str, Rows]
"""The rows that should be there, by entity and Shopify's id."""


def truth_of(store_url: str) -> Truth:
    """What the tables should hold now; good until the store changes."""
    return {entity.name: expected_rows(store_url, entity) for entity in ENTITIES.values()}


def judged(truth: Truth, database_url: str) -> list[str]:
    """What is wrong after a run that succeeded, nothing having changed since it began.

    All five tables against the truth, rows that are not whole, foreign keys that lead nowhere or
    elsewhere, checkpoints that promise too much, and what should have been cleared away.
    """
    found = differences("", database_url, most=MOST, ignoring=DRIFTING, known=truth)
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        for name, query in LEFT_OVER.items():
            found += [f"{count} {name}"] if (count := _number(connection, query)) else []
        for entity in ENTITIES.values():
            found += _unfinished(connection, entity)
    return found + broken_promises(truth, database_url)


def broken_promises(truth: Truth, database_url: str) -> list[str]:
    """What a checkpoint says was read, and is not in the tables as it is in the store.

    Holds at every instant, also right after a kill.
    """
    found: list[str] = []
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        query = "SELECT entity, checkpoint FROM shopify_internal.checkpoints"
        reached = {row["entity"]: row["checkpoint"] for row in connection.execute(query)}
        for root in ROOTS:
            if root.name not in reached:
                continue
            kept = {
                number
                for number, row in truth[root.name].items()
                if row["updated_at"] < reached[root.name]
            }
            for member in root.family:
                for line in _missing(truth[member.name], connection, member, kept):
                    found.append(f"before the checkpoint {reached[root.name]:%d %H:%M:%S}: {line}")
                    if len(found) >= MOST:
                        return found
    return found


def _missing(
    expected: Rows,
    connection: psycopg.Connection[dict[str, Any]],
    entity: Entity,
    owners: set[int],
) -> Iterator[str]:
    """What differs among the records with these owners' ids (their own, for a root)."""
    of = entity.key if entity.owner is None else str(entity.row.owner_column())
    rows = {
        row[entity.key]: row for row in connection.execute(f"SELECT * FROM {entity.table_name}")
    }
    for number, true in expected.items():
        if true[of] not in owners:
            continue
        row = rows.get(number)
        if row is None:
            yield f"{entity.name} {number} is not in the table"
            continue
        for column, value in true.items():
            forgotten = value is None and entity.table.column(column).write_once
            if row[column] != value and not forgotten and column not in DRIFTING:
                yield f"{entity.name} {number}: {column} is {row[column]!r}, not {value!r}"


def _unfinished(connection: psycopg.Connection[dict[str, Any]], entity: Entity) -> list[str]:
    if entity.owner is not None:
        return []
    query = (
        f"SELECT count(*) FROM {entity.table_name} "
        "WHERE deleted_at IS NULL AND (complete_at IS NULL OR complete_at < updated_at)"
    )
    count = _number(connection, query)
    return [f"{entity.name}: {count} rows are not whole"] if count else []


def _number(connection: psycopg.Connection[dict[str, Any]], query: str) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(next(iter(row.values())))
