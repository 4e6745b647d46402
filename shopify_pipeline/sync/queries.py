"""The GraphQL documents of an entity, made from the paths that its columns declare.

Documents and arguments: https://shopify.dev/docs/api/admin-graphql/latest/queries.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from shopify_pipeline.admin_api.pages import Nested
from shopify_pipeline.entities import Connection, Entity
from shopify_pipeline.entities.line_pattern import short_names

CHILDREN_AT_ONCE = 10
"""Children read with each node of a page: most orders and products have no more; the rest follow
by pages of their own."""

_PAGE_INFO = "pageInfo { hasNextPage endCursor }"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which records a query is for: search terms, and the sort key that goes with them.

    `count_terms` are those of the count of the same records, where it knows other search fields
    than the list does.
    """

    terms: str
    sort_key: str
    count_terms: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """What `page_query` and `count_query` are sent with."""
        return {"filter": self.terms, "counted": self.count_terms or self.terms}


@cache
def selection(entity: Entity, omit: frozenset[str] = frozenset()) -> str:
    """The fields of a node, without those of its children."""
    return _written(selected(entity, omit))


@cache
def selected(
    entity: Entity, omit: frozenset[str] = frozenset(), *, totals: bool = False
) -> Mapping[str, Any]:
    """The same as a tree, in the order in which Shopify answers: none below a leaf.

    With `totals`, also those that tell how many children it has, or counts as.
    """
    paths = entity.row.read_paths()
    wanted = [("id",), *(paths.get(column, ()) for column in entity.read_columns(omit))]
    if entity.connection is not None:
        wanted.append(("updatedAt",))
    if totals:
        owners = (child.owner for child in entity.children if child.owner)
        fields = (field for owner in owners for field in (owner.total, owner.total_unless) if field)
        wanted += [tuple(field.split(".")) for field in fields]
        if entity.owner is not None and entity.owner.counted_by:
            wanted.append((entity.owner.counted_by,))
    tree: dict[str, Any] = {}
    for path in wanted:
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
    return tree


@cache
def page_query(entity: Entity, omit: frozenset[str], sort_key: str) -> str:
    """A page of the entity's connection with the exact count of the same filter beside it.

    Variables: `$first`, `$after`, `$filter`, `$counted`. The count stands in `data.count`.
    """
    connection = _connection(entity)
    return (
        f"query Pull_{entity.name}($first: Int!, $after: String, $filter: String!,"
        f" $counted: String!) {{"
        f" {connection.field}(first: $first, after: $after, query: $filter, sortKey: {sort_key})"
        f" {{ nodes {{ {_whole(entity, omit)} }} {_PAGE_INFO} }}"
        f" count: {connection.count}(query: $counted, limit: null) {{ count precision }} }}"
    )


@cache
def count_query(entity: Entity) -> str:
    """The exact count of a filter: variable `$counted`, answer in `data.count`."""
    return (
        f"query Count_{entity.name}($counted: String!) {{"
        f" count: {_connection(entity).count}(query: $counted, limit: null)"
        " { count precision } }"
    )


@cache
def nodes_query(entity: Entity, omit: frozenset[str]) -> str:
    """The records of the global ids in `$ids`, each whole."""
    return (
        f"query Refresh_{entity.name}($ids: [ID!]!) {{ nodes(ids: $ids) {{"
        f" ... on {entity.gid_type} {{ {_whole(entity, omit)} }} }} }}"
    )


@cache
def owners_query(entity: Entity) -> str:
    """Which record owns each child in `$ids`: answers `{ id owner { id } }`."""
    owner = entity.owner
    assert owner is not None  # noqa: S101
    return (
        f"query Owners_{entity.name}($ids: [ID!]!) {{ nodes(ids: $ids) {{"
        f" ... on {entity.gid_type} {{ id owner: {owner.via} {{ id }} }} }} }}"
    )


def existence_query() -> str:
    """Which of the global ids in `$ids` there are: answers `{ id }` or null for each."""
    return "query Exists($ids: [ID!]!) { nodes(ids: $ids) { id } }"


@cache
def bulk_query(entity: Entity, omit: frozenset[str], filtered: Filter) -> str:
    """The document that a bulk operation runs: no variables, `edges`, no page sizes.

    Its fields are aliased by `short_names`.
    """
    connection = _connection(entity)
    children = " ".join(
        f"{child.owner.field} {{ edges {{ node {{ {_aliased(child, omit)} }} }} }}"
        for child in entity.children
        if child.owner is not None
    )
    terms = filtered.terms.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'{{ {connection.field}(query: "{terms}", sortKey: {filtered.sort_key})'
        f" {{ edges {{ node {{ {_aliased(entity, omit)} {children} }} }} }} }}"
    )


@cache
def newest_query(entity: Entity) -> str:
    """When the record that changed last was changed: answers `records { nodes { updatedAt } }`."""
    return (
        f"query Newest_{entity.name} {{ records: {_connection(entity).field}"
        "(first: 1, sortKey: UPDATED_AT, reverse: true) { nodes { updatedAt } } }"
    )


@cache
def nested(entity: Entity, omit: frozenset[str]) -> tuple[Nested, ...]:
    """How the children of a node are read to their end."""
    return tuple(
        Nested(
            field=child.owner.field,
            query=(
                f"query More_{child.name}($id: ID!, $first: Int!, $after: String) {{"
                f" node(id: $id) {{ ... on {entity.gid_type} {{ updatedAt"
                f" {child.owner.field}(first: $first, after: $after)"
                f" {{ nodes {{ {selection(child, omit)} }} {_PAGE_INFO} }} }} }} }}"
            ),
        )
        for child in entity.children
        if child.owner is not None
    )


def documents(entities: Iterable[Entity]) -> Mapping[str, str]:
    """Every document made here for these entities, by a name that says which."""
    found = {"existence": existence_query()}
    for entity in entities:
        if entity.connection is not None:
            found[f"{entity.name}: page"] = page_query(entity, frozenset(), "UPDATED_AT")
            found[f"{entity.name}: count"] = count_query(entity)
            found[f"{entity.name}: newest"] = newest_query(entity)
            found[f"{entity.name}: bulk"] = bulk_query(
                entity, frozenset(), Filter(terms="id:>0", sort_key="UPDATED_AT")
            )
            found[f"{entity.name}: nodes"] = nodes_query(entity, frozenset())
            for more in nested(entity, frozenset()):
                found[f"{entity.name}: {more.field}"] = more.query
        if entity.owner is not None and entity.owner.via:
            found[f"{entity.name}: owners"] = owners_query(entity)
    return found


def _whole(entity: Entity, omit: frozenset[str]) -> str:
    children = " ".join(
        f"{child.owner.field}(first: {CHILDREN_AT_ONCE})"
        f" {{ nodes {{ {selection(child, omit)} }} {_PAGE_INFO} }}"
        for child in entity.children
        if child.owner is not None
    )
    return f"{selection(entity, omit)} {children}".strip()


def _connection(entity: Entity) -> Connection:
    if entity.connection is None:
        raise ValueError(f"{entity.name} has no connection of its own: read its owner")
    return entity.connection


def _aliased(entity: Entity, omit: frozenset[str]) -> str:
    return _written(selected(entity, omit, totals=True), aliased=True)


def _written(tree: Mapping[str, Any], *, aliased: bool = False) -> str:
    aliases = short_names(tree) if aliased else {}
    fields = []
    for name, branch in tree.items():
        alias = aliases.get(name, name)
        field = name if alias == name else f"{alias}: {name}"
        fields.append(f"{field} {{ {_written(branch, aliased=aliased)} }}" if branch else field)
    return " ".join(fields)
