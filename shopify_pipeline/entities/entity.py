"""What the machinery needs to know of an entity; everything else about it is in its module."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from shopify_pipeline.entities.line_pattern import LinePattern, Tree, line_pattern
from shopify_pipeline.entities.line_reader import LineReader, line_reader
from shopify_pipeline.entities.row import Row
from shopify_pipeline.warehouse.tables import Link, Table


@dataclass(frozen=True, kw_only=True)
class Connection:
    """The root connection that lists an entity, with its count and the filters it knows.

    Sources: the `QueryRoot` fields of the Admin API's schema and their descriptions.
    """

    field: str
    count: str
    created_filter: str = "created_at"
    """Search field for the time of creation (customers call it `customer_date`)."""
    created_sort: str = "CREATED_AT"
    always: str = ""
    """Search terms that every query adds, so that no default filter hides records."""
    whole_days: bool = False
    """The `updated_at` filter is described as matching whole days only."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The entity whose rows own these, and the nested connection that lists them."""

    entity: str
    field: str
    webhook: str | None = None
    """The list in the owner's webhook body."""
    via: str | None = None
    """The child's field that leads to its owner, where Shopify has one."""
    prune: bool
    """Whether a complete read of the owner marks the rows that it no longer lists as deleted."""
    column: str
    """The foreign key to the owner."""
    total: str | None = None
    """The owner's field that tells how many there are: `variantsCount.count`."""
    total_unless: str | None = None
    """The owner's field that, when true, makes that total unsure: some don't count."""
    counted_by: str | None = None
    """The child's field whose sum is that total; None where each child counts one."""


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A row of another entity that a row points to."""

    entity: str
    column: str
    id_column: str


@dataclass(frozen=True, kw_only=True)
class Entity:
    """One kind of record: its row, its table, how Shopify lists it and whom it belongs to."""

    name: str
    table_name: str
    row: type[Row]
    key: str
    gid_type: str
    scopes: frozenset[str]
    connection: Connection | None = None
    owner: Owner | None = None
    parents: Sequence[Parent] = ()
    topics: frozenset[str] = frozenset()

    registry: ClassVar[dict[str, "Entity"]] = {}

    def __post_init__(self) -> None:
        self.registry[self.name] = self

    @cached_property
    def children(self) -> tuple["Entity", ...]:
        """The entities whose rows this one owns."""
        return tuple(
            other
            for other in self.registry.values()
            if other.owner is not None and other.owner.entity == self.name
        )

    @property
    def family(self) -> tuple["Entity", ...]:
        """The entity and its children: what one read brings."""
        return (self, *self.children)

    @cached_property
    def table(self) -> Table:
        """The table, as the warehouse describes it."""
        owner = None
        if self.owner is not None:
            id_column = self.row.owner_column()
            assert id_column is not None, f"{self.name} has an owner but no FromOwner column"  # noqa: S101
            owner = self._link(self.owner.entity, self.owner.column, id_column)
        return Table(
            name=self.table_name,
            key=self.key,
            columns=self.row.columns(),
            links=tuple(self._link(p.entity, p.column, p.id_column) for p in self.parents),
            owner=owner,
            prune=self.owner.prune if self.owner else False,
        )

    def read_columns(self, omit: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """The columns that a read carries, without the omitted `entity.column`."""
        carried = {*self.row.read_paths(), self.row.owner_column()}
        return tuple(
            name
            for name in self.row.model_fields
            if name in carried and f"{self.name}.{name}" not in omit
        )

    def line_reader(self, columns: tuple[str, ...]) -> LineReader:
        """What makes lines of nodes, for the warehouse's merge, of what a read carries.

        It raises one of `NOT_USUAL` for a node that is to be read with `row.read_values`.
        """
        annotations = {name: self.row.__annotations__[name] for name in columns}
        return line_reader(annotations, self.row.read_paths())

    def line_pattern(
        self, columns: tuple[str, ...], tree: Tree, head: Sequence[str], *, observed: str
    ) -> LinePattern:
        """What makes lines of the lines of a bulk file whose query selects `tree`.

        It answers None for a line that is to be read as a node.
        """
        owner = self.registry[self.owner.entity] if self.owner else None
        return line_pattern(
            {name: self.row.__annotations__[name] for name in columns},
            self.row.read_paths(),
            tree,
            head=head,
            gid_type=self.gid_type,
            owner_type=owner.gid_type if owner else None,
            observed=observed,
        )

    def gid(self, number: int) -> str:
        """Shopify's global id of a record."""
        return f"gid://shopify/{self.gid_type}/{number}"

    def _link(self, entity: str, column: str, id_column: str) -> Link:
        parent = self.registry[entity]
        return Link(
            column=column, id_column=id_column, parent=parent.table_name, parent_key=parent.key
        )
