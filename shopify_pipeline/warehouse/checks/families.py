"""Queries for owners whose children are missing or too many."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.checks.rows import written_since
from shopify_pipeline.warehouse.tables import Table


def childless(
    owner: Table, child: Table, since: datetime | None, *, unless: sa.ColumnElement[bool]
) -> sa.Select[Any]:
    """Living owners, read whole, without any child, save those of which `unless` holds."""
    assert child.owner is not None  # noqa: S101
    row, below = owner.sql.c, child.sql.c
    there = sa.exists().where(below[child.owner.column] == row.id, below.deleted_at.is_(None))
    return sa.select(row[owner.key], row.updated_at).where(
        row.deleted_at.is_(None),
        row.complete_at.is_not(None),
        sa.not_(unless),
        sa.not_(there),
        *written_since(owner, since),
    )


def miscounted(
    owner: Table, child: Table, since: datetime | None, *, total: str, before: datetime
) -> sa.Select[Any]:
    """Living owners, read whole, whose column `total` tells another number of children.

    Only those last seen before a moment: a change may be half way.
    """
    assert child.owner is not None  # noqa: S101
    row, below = owner.sql.c, child.sql.c
    number = sa.func.count(below.id)
    return (
        sa.select(row[owner.key], row[total].label("should_have"), number.label("has"))
        .select_from(
            owner.sql.outerjoin(
                child.sql,
                sa.and_(below[child.owner.column] == row.id, below.deleted_at.is_(None)),
            )
        )
        .where(
            row.deleted_at.is_(None),
            row[total].is_not(None),
            row.complete_at >= row.updated_at,
            row.observed_at < before,
            *written_since(owner, since),
        )
        .group_by(row.id)
        .having(number != row[total])
    )
