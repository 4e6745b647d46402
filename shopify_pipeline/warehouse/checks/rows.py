"""Queries over one table for rows that contradict themselves, their parents or the clock."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.links import parent_of
from shopify_pipeline.warehouse.tables import Table

Query = sa.Select[Any]


def written_since(table: Table, since: datetime | None) -> list[sa.ColumnElement[bool]]:
    """The condition for rows written since a moment; none for all rows."""
    return [] if since is None else [table.sql.c.synced_at >= since]


def checked(connection: sa.Connection, table: Table, since: datetime | None) -> int:
    """How many living rows such a query looks at."""
    living = sa.select(sa.func.count()).where(
        table.sql.c.deleted_at.is_(None), *written_since(table, since)
    )
    return connection.execute(living).scalar_one()


def not_whole(table: Table, *, before: datetime) -> Query:
    """Rows whose last complete read is older than their version, since before a moment.

    Served by the partial index of exactly these rows.
    """
    row = table.sql.c
    return sa.select(row[table.key], row.updated_at, row.complete_at, row.synced_at).where(
        row.deleted_at.is_(None),
        sa.or_(row.complete_at.is_(None), row.complete_at < row.updated_at),
        sa.func.coalesce(row.observed_at, row.synced_at) < before,
    )


def unresolved(table: Table, *, before: datetime) -> Query | None:
    """Links whose parent has no row, for longer than since a moment; None for a table without."""
    row = table.sql.c
    parts = [
        sa.select(
            row[table.key],
            sa.literal(link.id_column).label("link"),
            row[link.id_column].label("parent"),
            row.synced_at.label("since"),
        ).where(
            row[link.column].is_(None), row[link.id_column].is_not(None), row.synced_at < before
        )
        for link in table.all_links
    ]
    return _together(parts)


def wrong_links(table: Table, since: datetime | None) -> Query | None:
    """Links that lead to another row than the Shopify id beside them says."""
    parts = []
    for link in table.all_links:
        parent = parent_of(link).alias("parent")
        row = table.sql.c
        parts.append(
            sa.select(
                row[table.key],
                sa.literal(link.column).label("link"),
                row[link.id_column].label("should_lead_to"),
                parent.c[link.parent_key].label("leads_to"),
            )
            .select_from(table.sql.join(parent, parent.c.id == row[link.column]))
            .where(
                row[link.id_column].is_distinct_from(parent.c[link.parent_key]),
                *written_since(table, since),
            )
        )
    return _together(parts)


def duplicates(table: Table, since: datetime | None) -> Query:
    """Shopify ids that stand in more than one row."""
    key = table.sql.c[table.key]
    query = sa.select(key, sa.func.count().label("rows")).group_by(key)
    if since is not None:
        recent = sa.select(key).where(*written_since(table, since))
        query = query.where(key.in_(recent))
    return query.having(sa.func.count() > 1)


def disordered(
    table: Table,
    since: datetime | None,
    *,
    now: datetime,
    free: Collection[str] = (),
    tolerance: timedelta = timedelta(minutes=5),
) -> Query:
    """Rows changed before they were made, or with a time in the future.

    `free` are columns that a merchant may set to any time.
    """
    row = table.sql.c
    times = [
        column for column in row if isinstance(column.type, sa.DateTime) and column.name not in free
    ]
    problems: list[sa.ColumnElement[Any]] = [
        sa.case((column > now + tolerance, f"{column.name} is in the future")) for column in times
    ]
    if "created_at" in row:
        later = [c for c in table.columns if isinstance(c.type, sa.DateTime)]
        problems += [
            sa.case((row[c.name] < row.created_at, f"{c.name} is before created_at"))
            for c in later
            if c.name != "created_at" and c.name not in free
        ]
    problem = sa.func.concat_ws(", ", *problems)
    return sa.select(row[table.key], problem.label("problem")).where(
        row.deleted_at.is_(None), problem != "", *written_since(table, since)
    )


def unknown_words(
    table: Table, since: datetime | None, known: Mapping[str, Collection[str]]
) -> Query | None:
    """Words of enumerations that nobody has heard of, each with how often and one row of it."""
    row = table.sql.c
    parts = [
        sa.select(
            sa.literal(name).label("column"),
            row[name].label("word"),
            sa.func.count().label("rows"),
            sa.func.min(row[table.key]).label(f"one_{table.key}"),
        )
        .where(
            row.deleted_at.is_(None),
            row[name].not_in(sorted(words)),
            *written_since(table, since),
        )
        .group_by(row[name])
        for name, words in known.items()
    ]
    return _together(parts)


def empty_values(table: Table, since: datetime | None, required: Collection[str]) -> Query | None:
    """Rows that were read whole and lack a value that Shopify always gives."""
    if not required:
        return None
    row = table.sql.c
    empty = sa.func.concat_ws(
        ", ", *(sa.case((row[name].is_(None), name)) for name in sorted(required))
    )
    return sa.select(row[table.key], empty.label("empty")).where(
        row.deleted_at.is_(None),
        row.complete_at.is_not(None),
        empty != "",
        *written_since(table, since),
    )


def _together(parts: list[Query]) -> Query | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    union = sa.union_all(*parts).subquery("every")
    return sa.select(*union.c)
