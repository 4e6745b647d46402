"""Foreign keys in the statements of a merge: the parent's row is looked up by its Shopify id."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from psycopg import sql

from shopify_pipeline.warehouse.tables import Link, Table
from shopify_pipeline.warehouse.versions import Columns, value


def parent_of(link: Link) -> sa.TableClause:
    """Return the table of a link's parent, as far as links need it."""
    columns = sa.column("id", sa.Uuid), sa.column(link.parent_key, sa.BigInteger)
    return sa.table(link.parent, *columns, schema="public")


def _effective(link: Link, new: Columns) -> sa.ColumnElement[Any]:
    kept = f"kept_{link.id_column}"
    return new[kept] if kept in new else new[link.id_column]


@cache
def ids_of(link: Link) -> sql.Composed:
    """Return the query of the ids of a link's parents by their Shopify ids, both as text."""
    return sql.SQL("SELECT {key}::text, id::text FROM public.{table} WHERE {key} = ANY(%s)").format(
        key=sql.Identifier(link.parent_key), table=sql.Identifier(link.parent)
    )


def carried_links(table: Table, shape: Sequence[str]) -> list[Link]:
    """Return the links, the owner's aside, whose ids a shape carries."""
    return [link for link in table.links if link.id_column in shape]


def kept_ids(
    table: Table, shape: Sequence[str], new: Columns, row: Columns
) -> list[sa.ColumnElement[Any]]:
    """Return what the write-once ids of the links will be: what to look the parents up by."""
    return [
        value(table, link.id_column, new, row).label(f"kept_{link.id_column}")
        for link in carried_links(table, shape)
        if table.column(link.id_column).write_once
    ]


def link_after(link: Link, table: Table, target: Columns, new: Columns) -> sa.ColumnElement[Any]:
    """Return the link after an update: looked up again when its id changed or it was open."""
    after = value(table, link.id_column, new, target)
    same = target[link.id_column].is_not_distinct_from(after)
    return sa.case(
        (same, sa.func.coalesce(target[link.column], new[link.column])), else_=new[link.column]
    )


def joined_to_parents(
    table: Table, shape: Sequence[str], judged: sa.CTE
) -> tuple[list[sa.ColumnElement[Any]], sa.FromClause]:
    """Return the links of judged rows, and the rows joined to the parents that they lead to."""
    links: list[sa.ColumnElement[Any]] = []
    source: sa.FromClause = judged
    for link in carried_links(table, shape):
        parent = parent_of(link).alias(f"parent_{link.column}")
        source = source.outerjoin(parent, parent.c[link.parent_key] == _effective(link, judged.c))
        links.append(parent.c.id.label(link.column))
    return links, source
