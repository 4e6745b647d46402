"""Compares the database's catalog with what the migrations make, as `sql/schema.txt` lists it.

The listing is made by the migrations themselves on an empty database (CONTRIBUTING.md says how).
What is in the database besides, others may have added: it is no business of ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from shopify_pipeline.warehouse.migrations import FOLDER

LISTING = FOLDER.parent / "schema.txt"

# Read with nothing on the search path, so that every name is written in full. Of a view's text the
# names of columns and functions are kept alone: versions of Postgres qualify and wrap it otherwise.
# Constraints that are NOT NULL are in the catalog from Postgres 18 on; the columns say the same.
_CATALOG = sa.text(r"""
    WITH ours AS (
      SELECT c.oid, c.relkind, c.relrowsecurity, c.reloptions, n.nspname || '.' || c.relname AS name
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'S') AND NOT c.relispartition
        AND (n.nspname = 'shopify_internal' OR n.nspname = 'public' AND c.relname ^@ 'shopify_')
        AND c.relname <> 'schema_migrations'
    )
    SELECT name, 'relation' AS object,
      CASE relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END
      || CASE WHEN relrowsecurity THEN ', row-level security' ELSE '' END
      || CASE WHEN relkind = 'v' THEN ', ' || coalesce(array_to_string(reloptions, ' '), '')
        || ', ' || md5(regexp_replace(pg_get_viewdef(oid), '\m\w+\.|[\s()]', '', 'g')) ELSE '' END
    FROM ours
    UNION ALL
    SELECT name, 'column ' || a.attname,
      format_type(a.atttypid, a.atttypmod)
      || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
      || CASE WHEN a.attidentity <> '' THEN ' IDENTITY' ELSE '' END
      || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
    FROM ours
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = ours.oid AND a.attnum > 0
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = ours.oid AND d.adnum = a.attnum
    WHERE NOT a.attisdropped AND relkind <> 'S'
    UNION ALL
    SELECT name, 'index ' || c.relname,
      regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE | WITH \([^)]*\)', '', 'g')
      || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ' INVALID' END
    FROM ours
    JOIN pg_catalog.pg_index AS i ON i.indrelid = ours.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    UNION ALL
    SELECT name, 'constraint ' || k.conname, pg_get_constraintdef(k.oid)
    FROM ours
    JOIN pg_catalog.pg_constraint AS k ON k.conrelid = ours.oid
    WHERE k.contype IN ('c', 'f', 'p', 'u')
    UNION ALL
    SELECT n.nspname || '.' || p.proname, 'function', md5(p.prosrc)
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'shopify_internal'
""")

Objects = Mapping[tuple[str, str], str]
"""Definitions by relation and object."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """An object of the migrations that the database has otherwise, or (`found` is None) lacks."""

    relation: str
    object: str
    should_be: str
    found: str | None

    def __str__(self) -> str:
        if self.found is None:
            return f"{self.relation}: {self.object} is missing"
        return f"{self.relation}: {self.object} is not as the migrations make it"


def read_catalog(connection: sa.Connection) -> Objects:
    """What the database holds of ours now. Any role may ask."""
    with connection.begin_nested() as inner:
        connection.execute(sa.text("SET LOCAL search_path = pg_catalog"))
        rows = connection.execute(_CATALOG).all()
        inner.rollback()  # the search path with it
    return {(name, thing): definition for name, thing, definition in rows}


def read_listing() -> Objects:
    """What the migrations make."""
    lines = LISTING.read_text(encoding="utf-8").splitlines()
    parts = [line.split("\t") for line in lines]
    return {(name, thing): definition for name, thing, definition in parts}


def written(objects: Objects) -> str:
    """The text of the listing."""
    return "".join(f"{name}\t{thing}\t{objects[name, thing]}\n" for name, thing in sorted(objects))


def differences(connection: sa.Connection) -> list[Difference]:
    """What of the migrations' objects is missing or otherwise in the database."""
    found = read_catalog(connection)
    return [
        Difference(relation=key[0], object=key[1], should_be=expected, found=found.get(key))
        for key, expected in sorted(read_listing().items())
        if found.get(key) != expected
    ]
