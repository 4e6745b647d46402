"""Foreign keys that wait for their parent: set once it is there, listed while it is not."""

from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.links import parent_of
from shopify_pipeline.warehouse.tables import Link, Table

_BY_INDEX = (
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off;"
    " SET LOCAL enable_mergejoin = off"
)
"""For a few rows of a large table whose statistics say nothing yet: looked up, never scanned."""


def relink(
    connection: sa.Connection,
    tables: Iterable[Table],
    *,
    arrived: Mapping[str, Collection[int]] | None = None,
) -> int:
    """Set the links of these tables whose parent has come; return how many.

    To be called in a transaction after the one that wrote: it also heals two that missed each
    other. Without `arrived` every unresolved link is looked at. With it (Shopify ids by table
    name: what the commit brought) only those of these rows, and those that lead to them.
    """
    linked = 0
    for table in tables:
        for link in table.all_links:
            if arrived is None:
                linked += connection.execute(_linking(table, link, None)).rowcount
                continue
            for end, name in (("parent", link.parent), ("child", table.name)):
                if ids := arrived.get(name):
                    statement = _linking(table, link, end)
                    linked += connection.execute(statement, {"ids": sorted(ids)}).rowcount
    return linked


def relink_all(database: Database, tables: Iterable[Table], *, at_once: int = 20_000) -> int:
    """Do the same for every unresolved link, `at_once` to a transaction; return how many were set.

    Whatever the number (a first load of orders before their customers leaves millions), no row is
    locked for long.
    """
    linked = 0
    for table in tables:
        for link in table.all_links:
            statement = _linking_some(table, link)

            def work(connection: sa.Connection, statement: Any = statement) -> int:
                connection.exec_driver_sql(_BY_INDEX)
                return connection.execute(statement, {"most": at_once}).rowcount

            while done := database.retrying(work):
                linked += done
                if done < at_once:
                    break
    return linked


@cache
def _linking_some(table: Table, link: Link) -> Any:
    target, parent = table.sql, parent_of(link)
    waiting = (
        sa.select(target.c.id.label("row_id"), parent.c.id.label("parent_id"))
        .where(
            target.c[link.column].is_(None),
            target.c[link.id_column].is_not(None),
            target.c[link.id_column] == parent.c[link.parent_key],
        )
        .limit(sa.bindparam("most"))
        .with_for_update(of=target, key_share=True)
        .cte("waiting")
    )
    return (
        sa.update(target)
        .values({link.column: waiting.c.parent_id, "synced_at": sa.func.now()})
        .where(target.c.id == waiting.c.row_id)
    )


@cache
def _linking(table: Table, link: Link, end: str | None) -> Any:
    target, parent = table.sql, parent_of(link)
    matches = [
        target.c[link.column].is_(None),
        target.c[link.id_column].is_not(None),
        target.c[link.id_column] == parent.c[link.parent_key],
    ]
    ids = sa.any_(sa.bindparam("ids", type_=sa.ARRAY(sa.BigInteger)))
    if end == "parent":
        matches.append(parent.c[link.parent_key] == ids)
    elif end == "child":
        matches.append(target.c[table.key] == ids)
    return (
        sa.update(target)
        .values({link.column: parent.c.id, "synced_at": sa.func.now()})
        .where(*matches)
    )


def missing_parents(connection: sa.Connection, table: Table, *, limit: int) -> dict[str, list[int]]:
    """Return ids of parents that have no row, by their table's name, at most `limit` a link."""
    missing: dict[str, list[int]] = {}
    for link in table.all_links:
        ids = connection.execute(_missing(table, link), {"most": limit}).scalars().all()
        if ids:
            known = missing.setdefault(link.parent, [])
            known += [shopify_id for shopify_id in ids if shopify_id not in known]
    return missing


@cache
def _missing(table: Table, link: Link) -> Any:
    target, parent = table.sql, parent_of(link)
    there = sa.exists().where(parent.c[link.parent_key] == target.c[link.id_column])
    return (
        sa.select(target.c[link.id_column])
        .distinct()
        .where(
            target.c[link.column].is_(None),
            target.c[link.id_column].is_not(None),
            sa.not_(there),
        )
        .order_by(target.c[link.id_column])
        .limit(sa.bindparam("most"))
    )
