"""Rows of one table in one shape, and what came of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.tables import BOOKKEEPING, Table

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """What became of the rows of one table; counts of rows after folding repeats of an id.

    `inserted` and `updated` were written, `unchanged` said what the table says already, `stale`
    lost against a newer row (or, for children, their parent's write did not pass), `deleted` were
    marked as deleted. `cleaned` counts texts from which U+0000 was removed.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    deleted: int = 0
    cleaned: int = 0

    def __add__(self, other: "MergeCounts") -> "MergeCounts":
        return MergeCounts(
            inserted=self.inserted + other.inserted,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            stale=self.stale + other.stale,
            deleted=self.deleted + other.deleted,
            cleaned=self.cleaned + other.cleaned,
        )

    @property
    def written(self) -> int:
        """Rows of the table that were inserted, updated or marked."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True)
class RowSet:
    """Rows of one table in one shape.

    `columns` are those that the source carries, always with the table's key and `observed_at`,
    for children with their owner's Shopify id, for parents with `updated_at` (events of a webhook
    that have none may lack it, see `merge_partials`). `rows` are tuples in the order of `columns`:
    int, str, bool, Decimal, aware datetime, list of str, or None.
    """

    table: Table
    columns: Sequence[str]
    rows: Iterable[Row]

    def listed(self) -> list[Row]:
        """Return the rows.

        Raises:
            ValueError: one has more or fewer values than there are columns.
        """
        rows = list(self.rows)
        if ragged := set(map(len, rows)) - {len(self.columns)}:
            raise ValueError(
                f"{self.table.name}: a row has {ragged.pop()} values "
                f"for {len(self.columns)} columns"
            )
        return rows

    @property
    def shape(self) -> tuple[str, ...]:
        """The columns, hashable.

        Raises:
            ValueError: a column is unknown, repeated or missing.
        """
        return shape_of(self.table, self.columns)


def shape_of(table: Table, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of rows, hashable.

    Raises:
        ValueError: a column is unknown, repeated or missing.
    """
    shape = tuple(columns)
    required = {table.key, "observed_at"}
    if table.owner:
        required.add(table.owner.id_column)
    known = {column.name for column in table.columns} | {"observed_at"}
    if wrong := (set(shape) - known) | (required - set(shape)):
        raise ValueError(f"{table.name}: unknown or missing columns {sorted(wrong)}")
    if len(set(shape)) != len(shape):
        raise ValueError(f"{table.name}: a column is named twice in {shape}")
    return shape


def column_types(table: Table, shape: Sequence[str]) -> list[sa.types.TypeEngine[Any]]:
    """Return the types of the columns of a shape."""
    types = {column.name: column.type for column in BOOKKEEPING}
    types |= {column.name: column.type for column in table.columns}
    return [types[name] for name in shape]
