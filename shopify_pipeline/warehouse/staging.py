"""Brings the rows of a merge into temporary tables of its transaction, one row an id."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from shopify_pipeline.warehouse.copying import DIALECT, Lines, copy_lines
from shopify_pipeline.warehouse.rows import column_types
from shopify_pipeline.warehouse.tables import Link, Table


class Stage:
    """Rows that are about to be merged, and the temporary table that will hold them."""

    def __init__(self, lines: Lines) -> None:
        self.table = lines.table
        self.shape = lines.shape
        self.rows = lines.rows
        self.temporary = temporary_table(self.table, self.shape)
        self.keys = lines.keys
        self.distinct = len(set(self.keys))
        """How many ids there are."""

    @property
    def has_repeats(self) -> bool:
        """Whether an id stands in more than one row."""
        return self.distinct < len(self.rows)


@cache
def temporary_table(table: Table, shape: tuple[str, ...]) -> sa.Table:
    """Return the temporary table for rows of one shape."""
    types = column_types(table, shape)
    return sa.Table(
        f"staged_{table.name}",
        sa.MetaData(),
        *(sa.Column(name, kind) for name, kind in zip(shape, types, strict=True)),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )


@cache
def passed_table(table: Table) -> sa.Table:
    """Return the temporary table of what became of each staged parent."""
    return sa.Table(
        f"passed_{table.name}",
        sa.MetaData(),
        sa.Column("key", sa.BigInteger),
        sa.Column("id", sa.Uuid),
        sa.Column("updated_at", sa.DateTime(timezone=True)),
        sa.Column("observed_at", sa.DateTime(timezone=True)),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("verdict", sa.Text),
        prefixes=["TEMPORARY"],
        postgresql_on_commit="DROP",
    )


_LOOK_UP = "SET LOCAL random_page_cost = 1.1"
"""As for disks without arms: with the default a batch of a backfill reads its whole table."""


@cache
def _creation(table: sa.Table) -> str:
    # Dropped first: another merge of the same transaction may have left its own.
    create = str(CreateTable(table).compile(dialect=DIALECT)).strip()
    return f"DROP TABLE IF EXISTS pg_temp.{table.name}; {create}"


def bring(connection: sa.Connection, stages: Sequence[Stage], passed: sa.Table) -> None:
    """Create the temporary tables, fill them and leave one row an id in each.

    The rest of the transaction looks rows up rather than reading tables through.
    """
    parent, *children = stages
    tables = [passed, *(stage.temporary for stage in stages)]
    connection.exec_driver_sql("; ".join([_LOOK_UP, *map(_creation, tables)]))
    for stage in stages:
        if stage.rows:
            copy_lines(connection, stage.temporary, stage.shape, stage.rows)
    if parent.has_repeats:
        for statement in folding(parent.table, parent.shape).statements:
            connection.execute(statement)
    for child in children:
        if child.has_repeats:
            for statement in child_folding(
                child.table, child.shape, parent.table, parent.shape
            ).statements:
                connection.execute(statement)
    connection.exec_driver_sql("; ".join(map(_analysis, stages)))


def _analysis(stage: Stage) -> str:
    # A temporary table has no statistics, and their lack costs a scan of the whole target.
    owner = stage.table.owner
    names = ", ".join([stage.table.key] + ([owner.id_column] if owner else []))
    return f"ANALYZE pg_temp.{stage.temporary.name} ({names})"


@dataclass(frozen=True)
class Folding:
    """Leaves of several rows of one id the one of the latest version.

    `order` sorts an id's rows, the one to keep first. A write-once column of it is filled from the
    others before they go.
    """

    table: Table
    shape: tuple[str, ...]
    source: sa.FromClause
    order: tuple[sa.ColumnElement[Any], ...]

    @cached_property
    def statements(self) -> list[sa.Executable]:
        """The statements, to be executed in turn."""
        temporary = temporary_table(self.table, self.shape)
        key = temporary.c[self.table.key]
        place: sa.ColumnElement[Any] = sa.literal_column(f"{temporary.name}.ctid")
        rank = sa.func.row_number().over(partition_by=key, order_by=self.order).label("rank")
        ranked = (
            sa.select(place.label("place"), rank, *temporary.c)
            .select_from(self.source)
            .subquery("ranked")
        )
        statements: list[sa.Executable] = []
        once = [c.name for c in self.table.columns if c.write_once and c.name in self.shape]
        if once:
            # The earliest known value is the one that would have stayed.
            earliest = (
                sa.select(
                    ranked.c[self.table.key].label("key"),
                    *(
                        sa.func.array_agg(
                            postgresql.aggregate_order_by(ranked.c[name], ranked.c.rank.desc()),
                            type_=postgresql.ARRAY(temporary.c[name].type),
                        )
                        .filter(ranked.c[name].is_not(None))
                        .label(name)
                        for name in once
                    ),
                )
                .group_by(ranked.c[self.table.key])
                .having(sa.func.count() > 1)
                .subquery("earliest")
            )
            first = {name: earliest.c[name][1] for name in once}
            statements.append(sa.update(temporary).values(first).where(key == earliest.c.key))
        statements.append(
            sa.delete(temporary).where(
                place.in_(sa.select(ranked.c.place).where(ranked.c.rank > 1))
            )
        )
        return statements


@cache
def folding(table: Table, shape: tuple[str, ...]) -> Folding:
    """Fold rows that have a version of their own."""
    temporary = temporary_table(table, shape)
    version = [temporary.c[name] for name in ("updated_at", "observed_at") if name in shape]
    order = [column.desc().nulls_last() for column in version]
    return Folding(table, shape, temporary, (*order, _arrival(temporary)))


@cache
def child_folding(
    table: Table, shape: tuple[str, ...], owner: Table, owner_shape: tuple[str, ...]
) -> Folding:
    """Fold children: those under the version of their parent that was kept come first."""
    link = cast("Link", table.owner)
    temporary = temporary_table(table, shape)
    parents = temporary_table(owner, owner_shape)
    source = temporary.outerjoin(
        parents,
        sa.and_(
            parents.c[owner.key] == temporary.c[link.id_column],
            parents.c.observed_at == temporary.c.observed_at,
        ),
    )
    order = (
        parents.c[owner.key].is_(None),
        temporary.c.observed_at.desc(),
        _arrival(temporary),
    )
    return Folding(table, shape, source, order)


def _arrival(temporary: sa.Table) -> sa.ColumnElement[Any]:
    return sa.literal_column(f"{temporary.name}.ctid").desc()
