"""The GraphQL documents of checks and reconciliation, made from what the entities declare.

Documents and arguments: https://shopify.dev/docs/api/admin-graphql/latest/queries.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from shopify_pipeline.admin_api.pages import Nested
from shopify_pipeline.entities import Entity
from shopify_pipeline.entities.row import Drifts
from shopify_pipeline.sync.queries import Filter

COUNTS_AT_ONCE = 40
"""Counts in one query: each costs about ten points, of the thousand that one may."""

VERSIONS = "query Versions { publicApiVersions { handle supported } }"
"""Which versions of the API there are."""

_PAGE_INFO = "pageInfo { hasNextPage endCursor }"


@cache
def counts_query(entities: tuple[Entity, ...]) -> str:
    """One exact count an entity, as often as it stands there: `$f0`…, answers in `c0`…."""
    variables = ", ".join(f"$f{n}: String!" for n in range(len(entities)))
    counts = " ".join(
        f"c{n}: {_connection(entity).count}(query: $f{n}, limit: null) {{ count precision }}"
        for n, entity in enumerate(entities)
    )
    return f"query Counts({variables}) {{ {counts} }}"


def drifting_columns(entity: Entity, omit: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The columns whose values a sweep compares, those left out aside."""
    return tuple(
        name
        for name in entity.row.model_fields
        if entity.row.marks(name, Drifts) and f"{entity.name}.{name}" not in omit
    )


def counted_children(entity: Entity) -> tuple[Entity, ...]:
    """The children of which Shopify tells how many there are."""
    return tuple(child for child in entity.children if child.owner and child.owner.total)


@cache
def swept_selection(entity: Entity, omit: frozenset[str]) -> str:
    """What a sweep asks of a record: its id, its version, what may drift, how many children."""
    paths = entity.row.read_paths()
    wanted: list[tuple[str, ...]] = [("id",), ("updatedAt",)]
    wanted += [paths[name] for name in drifting_columns(entity, omit)]
    wanted += [
        tuple(child.owner.total.split("."))
        for child in counted_children(entity)
        if child.owner and child.owner.total
    ]
    tree: dict[str, Any] = {}
    for path in wanted:
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
    return _written(tree)


@cache
def sweep_page_query(entity: Entity, omit: frozenset[str], sort_key: str) -> str:
    """A page of a sweep with the exact count beside it: as `page_query`, without the rest."""
    connection = _connection(entity)
    return (
        f"query Sweep_{entity.name}($first: Int!, $after: String, $filter: String!,"
        f" $counted: String!) {{"
        f" {connection.field}(first: $first, after: $after, query: $filter, sortKey: {sort_key})"
        f" {{ nodes {{ {swept_selection(entity, omit)} }} {_PAGE_INFO} }}"
        f" count: {connection.count}(query: $counted, limit: null) {{ count precision }} }}"
    )


@cache
def sweep_bulk_query(entity: Entity, omit: frozenset[str], filtered: Filter) -> str:
    """The document of a sweep by a bulk operation: one line a record."""
    connection = _connection(entity)
    terms = filtered.terms.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'{{ {connection.field}(query: "{terms}", sortKey: {filtered.sort_key})'
        f" {{ edges {{ node {{ {swept_selection(entity, omit)} }} }} }} }}"
    )


@cache
def newest_totals_query(entity: Entity, child: Entity, sort_key: str) -> str:
    """The newest `$first` records of `$filter`, each with how many children it has."""
    connection = _connection(entity)
    assert child.owner is not None  # noqa: S101
    assert child.owner.total is not None  # noqa: S101
    *outer, last = child.owner.total.split(".")
    total = " { ".join([*outer, last]) + " }" * len(outer)
    return (
        f"query Newest_{child.name}($first: Int!, $filter: String!) {{"
        f" newest: {connection.field}(first: $first, query: $filter, sortKey: {sort_key},"
        f" reverse: true) {{ nodes {{ id updatedAt {total} }} }} }}"
    )


@cache
def children_query(entity: Entity, child: Entity) -> str:
    """The ids of all children of one kind of the records in `$ids`."""
    assert child.owner is not None  # noqa: S101
    return (
        f"query Children_{child.name}($ids: [ID!]!) {{ nodes(ids: $ids) {{"
        f" ... on {entity.gid_type} {{ id updatedAt {child.owner.field}(first: 50)"
        f" {{ nodes {{ id }} {_PAGE_INFO} }} }} }} }}"
    )


@cache
def more_children(entity: Entity, child: Entity) -> Nested:
    """How the ids of the children are read to their end."""
    assert child.owner is not None  # noqa: S101
    return Nested(
        field=child.owner.field,
        query=(
            f"query More_ids_{child.name}($id: ID!, $first: Int!, $after: String) {{"
            f" node(id: $id) {{ ... on {entity.gid_type} {{ updatedAt"
            f" {child.owner.field}(first: $first, after: $after)"
            f" {{ nodes {{ id }} {_PAGE_INFO} }} }} }} }}"
        ),
    )


def documents(entities: Iterable[Entity]) -> Mapping[str, str]:
    """Every document made here for these entities, by a name that says which."""
    found = {"versions": VERSIONS}
    none: frozenset[str] = frozenset()
    for entity in entities:
        if entity.connection is None:
            continue
        found[f"{entity.name}: counts"] = counts_query((entity, entity))
        found[f"{entity.name}: sweep"] = sweep_page_query(entity, none, "ID")
        found[f"{entity.name}: sweep in bulk"] = sweep_bulk_query(
            entity, none, Filter(terms="id:>0", sort_key="ID")
        )
        for child in entity.children:
            found[f"{entity.name}: {child.name}"] = children_query(entity, child)
            if child.owner and child.owner.total:
                found[f"{entity.name}: newest {child.name}"] = newest_totals_query(
                    entity, child, "CREATED_AT"
                )
            found[f"{entity.name}: more {child.name}"] = more_children(entity, child).query
    return found


def _connection(entity: Entity) -> Any:
    if entity.connection is None:
        raise ValueError(f"{entity.name} has no connection of its own: ask for its owner")
    return entity.connection


def _written(tree: Mapping[str, Any]) -> str:
    return " ".join(
        f"{name} {{ {_written(branch)} }}" if branch else name for name, branch in tree.items()
    )
