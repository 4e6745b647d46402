"""The rules of which write wins, as SQL expressions over a new row and the row that is there."""

from collections.abc import Iterable
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.elements import KeyedColumnElement

from shopify_pipeline.warehouse.tables import Table

Columns = sa.sql.base.ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
Condition = sa.ColumnElement[bool]

WRITTEN = ("inserted", "updated")
"""Verdicts on rows that are to be written."""

SETTLED = ("inserted", "updated", "locked")
"""Verdicts on parents whose row this transaction has locked: their children may be written."""

LONG_AGO: sa.ColumnElement[Any] = sa.literal_column("'-infinity'::timestamptz")


WAS_INSERTED: sa.ColumnElement[bool] = sa.literal_column("xmax = 0", sa.Boolean)
"""In RETURNING of an upsert: nobody had locked the row, so it was not there to be updated."""


class Write(Enum):
    """The kind of a write, which decides when it applies."""

    READ = "a complete answer of the API"
    BODY = "a webhook's body: some columns, with updated_at"
    EVENT = "a webhook's event without updated_at: some columns"

    @property
    def is_whole(self) -> bool:
        """Whether it carries everything that there is to know."""
        return self is Write.READ


def applies(write: Write, new: Columns, row: Columns) -> Condition:
    """Whether a new version of a parent wins against the row that is there."""
    observed = sa.func.coalesce(row.observed_at, LONG_AGO)
    if write is Write.BODY:
        return sa.or_(row.updated_at.is_(None), new.updated_at > row.updated_at)
    if write is Write.EVENT:
        return new.observed_at > observed
    updated = sa.func.coalesce(row.updated_at, LONG_AGO)
    newly_updated = sa.func.coalesce(new.updated_at, LONG_AGO)
    return sa.tuple_(newly_updated, new.observed_at) >= sa.tuple_(updated, observed)


def child_applies(new: Columns, row: Columns) -> Condition:
    """Whether a child whose parent's write passed wins against the row that is there."""
    return new.observed_at >= sa.func.coalesce(row.observed_at, LONG_AGO)


def resurrects(write: Write, new: Columns, row: Columns) -> Condition:
    """Whether the write takes back a deletion: a complete read observed after it does."""
    if not write.is_whole:
        return sa.false()
    return sa.func.coalesce(new.observed_at > row.deleted_at, sa.false())


def value(table: Table, name: str, new: Columns, row: Columns) -> sa.ColumnElement[Any]:
    """Return the value that a source column has after the write."""
    if table.column(name).write_once:
        return sa.func.coalesce(row[name], new[name])
    return new[name]


def says_the_same(table: Table, names: Iterable[str], new: Columns, row: Columns) -> Condition:
    """Whether the columns would keep their values."""
    return sa.and_(
        *(value(table, name, new, row).is_not_distinct_from(row[name]) for name in names)
    )
