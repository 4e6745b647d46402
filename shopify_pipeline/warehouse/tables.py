"""Describes a data table to the warehouse: its columns, the rows that it points to, its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

BOOKKEEPING = (
    sa.Column("id", sa.Uuid),
    sa.Column("deleted_at", sa.DateTime(timezone=True)),
    sa.Column("synced_at", sa.DateTime(timezone=True)),
    sa.Column("observed_at", sa.DateTime(timezone=True)),
    sa.Column("complete_at", sa.DateTime(timezone=True)),
)
"""What every data table has besides its own columns; the core migration says what each means."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column that a source can carry."""

    name: str
    type: sa.types.TypeEngine[Any]
    description: str = ""
    write_once: bool = False
    """A value, once there, is never replaced: the source forgets it (a line's deleted product)."""
    personal: bool = False
    """Holds personal data: kept out of previews, logs and metadata, erased by a redaction."""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A foreign key to a parent, NULL until the parent's row exists.

    `column` (UUID) is derived: it is the `id` of the row of `parent` whose `parent_key` equals
    this row's `id_column` (the parent's Shopify id, which the source carries).
    """

    column: str
    id_column: str
    parent: str
    parent_key: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One data table of `public`; there is one object of it, which equals only itself.

    `owner` is the link to the parent under whose version the rows are written (variants under
    their product, line items under their order); None for a table whose rows have a version of
    their own. `prune` says whether a complete read of the owner marks rows it no longer has.
    """

    name: str
    key: str
    columns: Sequence[Column]
    links: Sequence[Link] = ()
    owner: Link | None = None
    prune: bool = False

    @property
    def entity(self) -> str:
        """The entity's name, under which the refresh queue and the checkpoints know it."""
        return self.name.removeprefix("shopify_")

    @property
    def all_links(self) -> tuple[Link, ...]:
        """Every foreign key of the table, the owner's first."""
        return (self.owner, *self.links) if self.owner else tuple(self.links)

    @cached_property
    def sql(self) -> sa.Table:
        """The table for SQLAlchemy Core statements, in schema `public`."""
        return sa.Table(
            self.name,
            sa.MetaData(),
            *(sa.Column(column.name, column.type) for column in self.columns),
            *(sa.Column(link.column, sa.Uuid) for link in self.all_links),
            *(sa.Column(column.name, column.type) for column in BOOKKEEPING),
            schema="public",
        )

    def column(self, name: str) -> Column:
        """Return the source column called `name`.

        Raises:
            KeyError: the table has no such source column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no source column {name!r}")
