"""Compares the database with the models and the migrations: columns, types, keys, files applied."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.copying import DIALECT
from shopify_pipeline.warehouse.migrations import FOLDER, TABLE
from shopify_pipeline.warehouse.tables import BOOKKEEPING, Table

_COLUMNS = sa.text("""
    SELECT attname, format_type(atttypid, atttypmod)
    FROM pg_catalog.pg_attribute
    WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped
""")
_FOREIGN_KEYS = sa.text("""
    SELECT a.attname, c.confrelid::regclass::text, c.convalidated
    FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    WHERE c.conrelid = to_regclass(:name) AND c.contype = 'f' AND cardinality(c.conkey) = 1
""")
_UNIQUE = sa.text("""
    SELECT a.attname
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = to_regclass(:name) AND i.indisunique AND i.indisvalid AND i.indisready
      AND i.indnkeyatts = 1 AND i.indpred IS NULL AND i.indexprs IS NULL
""")
_APPLIED = sa.text("SELECT version FROM shopify_internal.schema_migrations")
_ROW_SECURITY = sa.text(
    "SELECT relrowsecurity FROM pg_catalog.pg_class WHERE oid = to_regclass(:name)"
)


def drift(connection: sa.Connection, table: Table) -> list[str]:
    """What of the table in the database is not as the model says; empty if all is.

    A column that only the database has is drift too: it is filled by nobody.
    """
    name = {"name": f"public.{table.name}"}
    columns: dict[str, str] = {
        row.attname: row.format_type for row in connection.execute(_COLUMNS, name)
    }
    if not columns:
        return [f"the table public.{table.name} is missing: run `shopify-pipeline migrate`"]
    expected = {column.name: _type(column.type) for column in table.columns}
    expected |= {column.name: _type(column.type) for column in BOOKKEEPING}
    expected |= {link.column: "uuid" for link in table.all_links}
    found = [f"{c}: the column is missing" for c in expected if c not in columns]
    found += [
        f"{c}: is {columns[c]}, the model says {kind}"
        for c, kind in expected.items()
        if c in columns and columns[c] != kind
    ]
    unknown = sorted(set(columns) - set(expected) - _others_keys(connection, table))
    found += [f"{c}: the model does not know this column" for c in unknown]
    return found + _keys(connection, table)


def _others_keys(connection: sa.Connection, table: Table) -> set[str]:
    """Columns that belong to other parts of the project: foreign keys to tables not the store's."""
    rows = connection.execute(_FOREIGN_KEYS, {"name": f"public.{table.name}"})
    ours = {link.column for link in table.all_links}
    return {column for column, _, _ in rows} - ours


def _keys(connection: sa.Connection, table: Table) -> list[str]:
    name = {"name": f"public.{table.name}"}
    unguarded = without_unique_index(connection, table)
    found = [f"{c}: no valid unique index" for c in unguarded]
    keys = {
        column: (parent, valid) for column, parent, valid in connection.execute(_FOREIGN_KEYS, name)
    }
    for link in table.all_links:
        parent, valid = keys.get(link.column, (None, False))
        if parent is None or parent.removeprefix("public.") != link.parent:
            found.append(f"{link.column}: no foreign key to {link.parent}")
        elif not valid:
            found.append(f"{link.column}: the foreign key to {link.parent} is not validated")
    if not connection.execute(_ROW_SECURITY, name).scalar_one():
        found.append("row-level security is off")
    return found


def without_unique_index(connection: sa.Connection, table: Table) -> list[str]:
    """The key columns that no valid unique index guards."""
    unique = set(connection.execute(_UNIQUE, {"name": f"public.{table.name}"}).scalars())
    return [column for column in ("id", table.key) if column not in unique]


def unapplied(connection: sa.Connection) -> list[str]:
    """What migrations and database disagree on: files not applied, versions without a file.

    Nothing is known where another tool applied them, which keeps its own record.
    """
    if connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": TABLE}).scalar() is None:
        return []
    files = {path.name.partition("_")[0]: path.name for path in FOLDER.glob("*.sql")}
    applied: Sequence[str] = connection.execute(_APPLIED).scalars().all()
    found = [
        f"{name} is not applied: run `shopify-pipeline migrate`"
        for version, name in sorted(files.items())
        if version not in applied
    ]
    return found + [
        f"migration {version} is applied, and this version of the code has no such file"
        for version in sorted(set(applied) - set(files))
    ]


def _type(kind: sa.types.TypeEngine[Any]) -> str:
    return kind.compile(dialect=DIALECT).lower()
