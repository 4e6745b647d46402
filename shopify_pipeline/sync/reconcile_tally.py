"""Compares the number of children with what their owners say, where Shopify has no count."""

from typing import Any

import sqlalchemy as sa

from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.reconcile_queries import newest_totals_query
from shopify_pipeline.sync.window import Window

NEWEST = 250
"""Owners asked for: one page."""


def tallied(connection: sa.Connection, owner: Entity, child: Entity, total: str) -> tuple[int, int]:
    """The sum that living owners say they have, as of their last reads, and how many are here."""
    row, below = owner.table.sql.c, child.table.sql.c
    assert child.owner is not None  # noqa: S101
    whole = (row.deleted_at.is_(None), row.complete_at >= row.updated_at)
    theirs = connection.execute(
        sa.select(sa.func.coalesce(sa.func.sum(row[total]), 0)).where(*whole)
    ).scalar_one()
    ours = connection.execute(
        sa.select(sa.func.count())
        .select_from(child.table.sql.join(owner.table.sql, row.id == below[child.owner.column]))
        .where(below.deleted_at.is_(None), *whole)
    ).scalar_one()
    return int(theirs), int(ours)


def newest_miscounted(
    sync: SyncContext, owner: Entity, child: Entity, window: Window
) -> tuple[int, list[dict[str, Any]]]:
    """Ask for the newest owners created in the window, and compare the children of each.

    Returns how many were compared, and those of which children are missing here. More here than
    Shopify says is no contradiction: it leaves some out of the sum. Owners that changed since
    they were read are not compared.

    Raises:
        AdminApiError: Shopify could not be asked.
    """
    assert owner.connection is not None  # noqa: S101
    assert child.owner is not None  # noqa: S101
    assert child.owner.total is not None  # noqa: S101
    filtered = window.created(owner.connection)
    query = newest_totals_query(owner, child, filtered.sort_key)
    answer = sync.api.execute(query, {"filter": filtered.terms, "first": NEWEST})
    nodes = answer.data["newest"]["nodes"]
    theirs = {}
    for node in nodes:
        value: Any = node
        for step in child.owner.total.split("."):
            value = value[step]
        theirs[int(node["id"].rpartition("/")[2])] = (node["updatedAt"], int(value))
    with sync.database.transaction() as connection:
        ours = _ours(connection, owner, child, list(theirs))
    found, compared = [], 0
    for number, (updated_at, total) in theirs.items():
        if number not in ours or ours[number][0] != updated_at:
            continue
        compared += 1
        has = ours[number][1]
        if has < total:
            found.append({owner.key: number, "should_have": total, "has": has})
    return compared, found


def _ours(
    connection: sa.Connection, owner: Entity, child: Entity, ids: list[int]
) -> dict[int, tuple[str, int]]:
    assert child.owner is not None  # noqa: S101
    row, below = owner.table.sql.c, child.table.sql.c
    number: Any = sa.func.count(below.id)
    if child.owner.counted_by:
        number = sa.func.coalesce(sa.func.sum(below[child.owner.counted_by]), 0)
    wanted = sa.bindparam("ids", ids, type_=sa.ARRAY(sa.BigInteger))
    query = (
        sa.select(row[owner.key], row.updated_at, number)
        .select_from(
            owner.table.sql.outerjoin(
                child.table.sql,
                sa.and_(below[child.owner.column] == row.id, below.deleted_at.is_(None)),
            )
        )
        .where(row[owner.key] == sa.any_(wanted), row.deleted_at.is_(None))
        .group_by(row.id)
    )
    return {
        key: (f"{updated_at:%Y-%m-%dT%H:%M:%SZ}" if updated_at else "", int(total))
        for key, updated_at, total in connection.execute(query)
    }
