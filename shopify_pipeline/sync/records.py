"""Turns the nodes of one read into rows, and has the warehouse merge them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from operator import itemgetter
from typing import Any, TypeVar

import sqlalchemy as sa

from shopify_pipeline.entities import Entity, MalformedRecordError
from shopify_pipeline.entities.line_pattern import LinePattern, Tree
from shopify_pipeline.entities.line_reader import NOT_USUAL
from shopify_pipeline.sync.queries import selected
from shopify_pipeline.warehouse.copying import Line, Lines
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.merge import MergeCounts, RowSet, UnfitRowsError, merge_reads

Node = Mapping[str, Any]
Counts = dict[str, MergeCounts]
Row = tuple[Any, ...]
T = TypeVar("T")
ByMember = Sequence[list[T]]
"""What belongs to a record, by member: of the record itself, then of its children of each kind."""


@dataclass
class Records:
    """The rows of some nodes and their children, and what was wrong with those left out.

    `lines` are those whose values had their usual form, by table, the parents' first; `parents`
    and `children` the others.
    """

    lines: Sequence[Lines]
    parents: RowSet
    children: Sequence[RowSet]
    malformed: list[str] = field(default_factory=list)

    @property
    def ids(self) -> dict[str, set[int]]:
        """The Shopify ids of the rows, by table."""
        found = {lines.table.name: set(map(int, lines.keys)) for lines in self.lines}
        for others in (self.parents, *self.children):
            place = others.columns.index(others.table.key)
            found[others.table.name].update(row[place] for row in others.rows)
        return found

    def merge(self, database: Database, then: Callable[[sa.Connection], None]) -> Counts:
        """Write them as complete reads, and do `then` in the same transaction; counts by table.

        Rows that their columns cannot hold are left out with their whole family, and named in
        `malformed`.
        """

        def work(connection: sa.Connection) -> Counts:
            parents, *children = self.lines
            counts = merge_reads(connection, parents, children)
            if self.parents.rows:
                counts = added(counts, merge_reads(connection, self.parents, self.children))
            then(connection)
            return counts

        while True:
            try:
                return database.retrying(work)
            except UnfitRowsError as unfit:
                self._leave_out(unfit)

    def _leave_out(self, unfit: UnfitRowsError) -> None:
        self.malformed += [str(value) for value in unfit.values]
        owners = set(unfit.shopify_ids(self.parents.table.name))
        for child in self.children:
            wrong = unfit.shopify_ids(child.table.name)
            key, owner = child.columns.index(child.table.key), _owner_position(child)
            owners |= {row[owner] for row in child.rows if row[key] in wrong}
        if not owners:
            raise unfit
        position = self.parents.columns.index(self.parents.table.key)
        self.parents = replace(
            self.parents, rows=[row for row in self.parents.rows if row[position] not in owners]
        )
        self.children = [
            replace(
                child, rows=[row for row in child.rows if row[_owner_position(child)] not in owners]
            )
            for child in self.children
        ]


class FamilyReader:
    """Reads nodes of one read: a record and its children, observed at one time.

    `members` are the record's entity and those of its children, in the order of their rows.
    """

    def __init__(self, entity: Entity, *, observed_at: datetime, omit: frozenset[str]) -> None:
        self.entity = entity
        self.members = entity.family
        self._observed_at = observed_at
        self._written = observed_at.isoformat()
        self._omit = omit
        self._columns = [member.read_columns(omit) for member in self.members]
        self._readers = [
            member.line_reader(columns)
            for member, columns in zip(self.members, self._columns, strict=True)
        ]

    def line(self, member: int, node: Node, owner: str) -> Line:
        """Return the line of a node, `member` its place among the members.

        Raises one of `NOT_USUAL` for a node that is to be read with `row`.
        """
        return self._readers[member](node, owner, self._written)

    def pattern(self, member: int, head: Sequence[str]) -> LinePattern:
        """Return what takes the usual lines of a member in a bulk file, with fields of its head."""
        return self.members[member].line_pattern(
            self._columns[member], self.tree(member), head, observed=self._written
        )

    def tree(self, member: int) -> Tree:
        """Return the fields of a member that a bulk file holds."""
        return selected(self.members[member], self._omit, totals=True)

    def row(self, member: int, node: Node, owner: int) -> Row:
        """Return the row of a node, validated.

        Raises:
            MalformedRecordError: the node does not have the form of its table.
        """
        row = self.members[member].row
        values = row.read_values(node, columns=self._columns[member], owner=owner)
        return (*values, self._observed_at)

    def lines_of(self, node: Node) -> ByMember[Line]:
        """Return the lines of a node that has all its children; raises as `line`."""
        owner = node["id"].rpartition("/")[2]
        return self._by_place(node, lambda member, one: self.line(member, one, owner))

    def rows_of(self, node: Node) -> ByMember[Row]:
        """Return the rows of a node that has all its children; raises as `row`."""
        owner = int(node["id"].rpartition("/")[2])
        return self._by_place(node, lambda member, one: self.row(member, one, owner))

    def _by_place(self, node: Node, read: Callable[[int, Node], T]) -> ByMember[T]:
        children = [
            [read(member, one) for one in node[_field(child)]["nodes"]]
            for member, child in enumerate(self.members[1:], 1)
        ]
        return [[read(0, node)], *children]

    def records(
        self, usual: Iterable[ByMember[Line]], others: Iterable[ByMember[Row]] = ()
    ) -> Records:
        """Put the lines and rows of families together, by table."""
        columns = [(*names, "observed_at") for names in self._columns]
        tables = [member.table for member in self.members]
        lines = [Lines(*one) for one in zip(tables, columns, self._by_member(usual), strict=True)]
        parents, *children = (
            RowSet(*one) for one in zip(tables, columns, self._by_member(others), strict=True)
        )
        return Records(lines, parents, children)

    def _by_member(self, families: Iterable[ByMember[T]]) -> list[list[T]]:
        every = list(families)
        places = map(itemgetter, range(len(self.members)))
        return [list(chain.from_iterable(map(place, every))) for place in places]


def records_of(
    entity: Entity, nodes: Iterable[Node], *, observed_at: datetime, omit: frozenset[str]
) -> Records:
    """Read nodes that were read whole, children to their end, at `observed_at`.

    A node that is malformed, or has a malformed child, is left out with its children, and named
    in `malformed`.
    """
    reader = FamilyReader(entity, observed_at=observed_at, omit=omit)
    usual, others, malformed = [], [], []
    for node in nodes:
        try:
            usual.append(reader.lines_of(node))
        except NOT_USUAL:
            try:
                others.append(reader.rows_of(node))
            except MalformedRecordError as error:
                malformed.append(str(error))
    records = reader.records(usual, others)
    records.malformed += malformed
    return records


def added(one: Counts, other: Counts) -> Counts:
    """The sum of both, by table."""
    tables = {**one, **other}
    return {
        table: one.get(table, MergeCounts()) + other.get(table, MergeCounts()) for table in tables
    }


def _field(child: Entity) -> str:
    assert child.owner is not None  # noqa: S101
    return child.owner.field


def _owner_position(child: RowSet) -> int:
    assert child.table.owner is not None  # noqa: S101
    return child.columns.index(child.table.owner.id_column)
