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


@cache
def ids_of(link: Link) -> sql.Composed:
    """Return the query of the ids of a link's parents by their Shopify ids, both as text.

    Its parameter is the text of an array, `{1,2}`, as lines hold their ids as text.
    """
    return sql.SQL(
        "SELECT {key}::text, id::text FROM public.{table} WHERE {key} = ANY(%s::bigint[])"
    ).format(key=sql.Identifier(link.parent_key), table=sql.Identifier(link.parent))


def carried_links(table: Table, shape: Sequence[str]) -> list[Link]:
    """Return the links, the owner's aside, whose ids a shape carries."""
    return [link for link in table.links if link.id_column in shape]


def linked_ids(
    table: Table, shape: Sequence[str], new: Columns, row: Columns
) -> list[sa.ColumnElement[Any]]:
    """Return what the ids of the links will be: what to look the parents up by."""
    return [
        value(table, link.id_column, new, row).label(f"linked_{link.id_column}")
        for link in carried_links(table, shape)
    ]


def link_after(link: Link, table: Table, target: Columns, new: Columns) -> sa.ColumnElement[Any]:
    """Return the link after an update: looked up again when its id changed or it was open."""
    after = value(table, link.id_column, new, target)
    same = target[link.id_column].is_not_distinct_from(after)
    return sa.case(
        (same, sa.func.coalesce(target[link.column], new[link.column])), else_=new[link.column]
    )


def joined_to_parents(
    table: Table, shape: Sequence[str], judged: sa.CTE, new: sa.Table
) -> tuple[list[sa.ColumnElement[Any]], sa.FromClause]:
    """Return the links of judged rows, and these joined to what they say and to their parents.

    The judgement carries the `linked_ids` and none of the row's other values: it is held while the
    statement runs, and most rows of a repeat are not to be written.
    """
    links: list[sa.ColumnElement[Any]] = []
    source: sa.FromClause = judged.join(new, new.c[table.key] == judged.c[table.key])
    for link in carried_links(table, shape):
        parent = parent_of(link).alias(f"parent_{link.column}")
        linked = judged.c[f"linked_{link.id_column}"]
        source = source.outerjoin(parent, parent.c[link.parent_key] == linked)
        links.append(parent.c.id.label(link.column))
    return links, source
