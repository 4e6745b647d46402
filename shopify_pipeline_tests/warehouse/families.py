"""The two families of tables, driven and read back in the model's terms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.merge import (
    MergeCounts,
    RowSet,
    mark_deleted,
    merge_partials,
    merge_reads,
)
from shopify_pipeline.warehouse.tables import Table
from shopify_pipeline_tests.warehouse.conftest import ITEMS, ORDERS, PRODUCTS, START, VARIANTS, at
from shopify_pipeline_tests.warehouse.model import Child, Model, Row, Write


@dataclass(frozen=True)
class Family:
    """A table of parents and one of children, and what each kind of source carries of them."""

    parents: Table
    children: Table
    read: tuple[str, ...]
    body: tuple[str, ...]
    event: tuple[str, ...]
    child: tuple[str, ...]
    versioned_children: bool

    def model(self) -> Model:
        """The model of empty tables."""
        once = frozenset(c.name for c in self.children.columns if c.write_once)
        return Model(prune=self.children.prune, write_once=once)

    def merge(self, connection: sa.Connection, writes: Sequence[Write]) -> dict[str, MergeCounts]:
        """Merge one batch of writes of one kind."""
        names = tuple(writes[0].values)
        version = () if writes[0].updated_at is None else ("updated_at",)
        parents = RowSet(
            self.parents,
            (self.parents.key, *names, *version, "observed_at"),
            [
                (
                    write.key,
                    *(write.values[name] for name in names),
                    *([_at(write.updated_at)] if version else []),
                    at(write.observed_at),
                )
                for write in writes
            ],
        )
        owner = self.children.owner
        assert owner is not None
        own_version = ("updated_at",) if self.versioned_children else ()
        children = RowSet(
            self.children,
            (self.children.key, owner.id_column, *self.child, *own_version, "observed_at"),
            [
                (
                    child.key,
                    write.key,
                    *(child.values[name] for name in self.child),
                    *([_at(child.updated_at)] if own_version else []),
                    at(write.observed_at),
                )
                for write in writes
                for child in write.children
            ],
        )
        merge = merge_reads if writes[0].whole else merge_partials
        return merge(connection, parents, [children])

    def delete(
        self, connection: sa.Connection, deletions: Sequence[tuple[int, float]]
    ) -> MergeCounts:
        """Merge one batch of deletions."""
        times = [(key, at(moment)) for key, moment in deletions]
        return mark_deleted(connection, self.parents, times, [self.children])

    def clear(self, connection: sa.Connection) -> None:
        """Empty both tables."""
        connection.execute(sa.delete(self.children.sql))
        connection.execute(sa.delete(self.parents.sql))

    def found(self, connection: sa.Connection) -> tuple[dict[int, Row], dict[int, Row]]:
        """What the tables hold."""
        parents, children = self.parents.sql, self.children.sql
        keys = {
            row.id: row._mapping[self.parents.key] for row in connection.execute(sa.select(parents))
        }
        names = dict.fromkeys((*self.read, *self.body, *self.event))
        owner = self.children.owner
        assert owner is not None
        return (
            {
                row[self.parents.key]: _row(row, list(names), owner=None)
                for row in connection.execute(sa.select(parents)).mappings()
            },
            {
                row[self.children.key]: _row(row, self.child, owner=keys.get(row[owner.column]))
                for row in connection.execute(sa.select(children)).mappings()
            },
        )


def told(rows: dict[int, Row], names: Sequence[str]) -> dict[int, Row]:
    """The model's rows with every column, so that they compare with the tables'."""
    return {
        key: Row(**{**vars(row), "values": {n: row.values.get(n) for n in names}})
        for key, row in rows.items()
    }


def _at(moment: float | None) -> datetime | None:
    return None if moment is None else at(moment)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - START).total_seconds()


def _row(row: Any, names: Sequence[str], *, owner: int | None) -> Row:
    return Row(
        values={name: row[name] for name in names},
        owner=owner,
        updated_at=_seconds(row.get("updated_at")),
        observed_at=_seconds(row["observed_at"]),
        complete_at=_seconds(row["complete_at"]),
        deleted_at=_seconds(row["deleted_at"]),
    )


PRODUCT_FAMILY = Family(
    parents=PRODUCTS,
    children=VARIANTS,
    read=("title", "variants_count", "tags"),
    body=("title",),
    event=("tags",),
    child=("title", "price"),
    versioned_children=True,
)
ORDER_FAMILY = Family(
    parents=ORDERS,
    children=ITEMS,
    read=("name", "net_payment", "test"),
    body=("name",),
    event=("test",),
    child=("title", "shopify_product_id"),
    versioned_children=False,
)

POSSIBLE: dict[str, Sequence[Any]] = {
    "title": ("a", "b", None),
    "variants_count": (1, 2),
    "tags": ([], ["x"], ["x", "y, z"]),
    "name": ("#1", "#2"),
    "net_payment": (Decimal("0.00"), Decimal("1.50"), None),
    "test": (True, False),
    "price": (Decimal(1), Decimal("2.25")),
    "shopify_product_id": (None, 7, 8),
}
__all__ = ["ORDER_FAMILY", "POSSIBLE", "PRODUCT_FAMILY", "Child", "Family", "told"]
