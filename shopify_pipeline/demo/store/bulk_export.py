"""Runs a bulk query to JSON lines: a line a node, children with `__parentId`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_argument_values,
    get_named_type,
)

from shopify_pipeline.demo.store.access import Access
from shopify_pipeline.demo.store.compiler import Compiler
from shopify_pipeline.demo.store.execution import (
    Execution,
    FieldCall,
    FieldError,
    Resolver,
    Run,
)
from shopify_pipeline.demo.store.paging import MAX_PAGE, Page
from shopify_pipeline.demo.store.schemas import schema_of
from shopify_pipeline.demo.store.selections import collect
from shopify_pipeline.demo.store.store import Store

_PAGED = frozenset({"Product", "ProductVariant", "Customer", "Order", "InventoryItem"})
_IGNORED = frozenset({"first", "last", "after", "before"})


@dataclass
class _Connection:
    """One connection of the query: how to resolve it, its nodes' own fields, its children."""

    key: str
    resolver: Resolver
    arguments: dict[str, Any]
    type_name: str
    run: Run
    way: list[tuple[Resolver, FieldCall]] = field(default_factory=list)
    children: list[_Connection] = field(default_factory=list)


class BulkExport:
    """One bulk query, compiled; iterate over `batches`."""

    def __init__(
        self,
        store: Store,
        resolvers: dict[str, Resolver],
        document: DocumentNode,
        *,
        version: str,
        grouped: bool,
    ) -> None:
        schema = schema_of(version)
        settings = store.settings
        self._execution = Execution(
            schema,
            resolvers,
            store,
            version,
            fragments={
                one.name.value: one
                for one in document.definitions
                if isinstance(one, FragmentDefinitionNode)
            },
            denied=Access(
                settings.scopes, denied=frozenset(), protected=frozenset(settings.denied_fields)
            ),
        )
        self._compiler = Compiler(self._execution)
        self._grouped = grouped
        operation = next(
            one for one in document.definitions if isinstance(one, OperationDefinitionNode)
        )
        if schema.query_type is None:
            raise AssertionError("no query type")
        self._roots = self._split(schema.query_type, operation.selection_set.selections)[1]

    # -- compiling

    def _split(
        self, parent: GraphQLObjectType, selections: tuple[SelectionNode, ...] | list[SelectionNode]
    ) -> tuple[list[SelectionNode], list[_Connection]]:
        """Plain fields of a node, and the connections below it."""
        groups: dict[str, list[FieldNode]] = {}
        collect(self._execution, parent, selections, groups)
        plain: list[SelectionNode] = []
        connections: list[_Connection] = []
        for key, nodes in groups.items():
            node = nodes[0]
            name = node.name.value
            if node.selection_set is None or name.startswith("__"):
                plain.append(node)
                continue
            inner: list[SelectionNode] = [
                one for n in nodes if n.selection_set for one in n.selection_set.selections
            ]
            definition = parent.fields[name]
            named = get_named_type(definition.type)
            if isinstance(named, GraphQLObjectType) and named.name.endswith("Connection"):
                connections.append(self._connection(parent, key, node, named, inner))
                continue
            if not isinstance(named, GraphQLObjectType):
                plain.append(node)
                continue
            kept, below = self._split(named, inner)
            if below:
                step = (self._resolver(parent, name), self._call(parent, key, node))
                for one in below:
                    one.way.insert(0, step)
                connections += below
            if kept:
                chosen = SelectionSetNode(selections=tuple(kept))
                plain.append(
                    FieldNode(
                        name=node.name,
                        alias=node.alias,
                        arguments=node.arguments,
                        directives=node.directives,
                        selection_set=chosen,
                        loc=node.loc,
                    )
                )
        return plain, connections

    def _resolver(self, parent: GraphQLObjectType, name: str) -> Resolver:
        known = self._execution.resolvers.get(f"{parent.name}.{name}")
        return known or (lambda source, _call, _execution: source.get(name))

    def _call(self, parent: GraphQLObjectType, key: str, node: FieldNode) -> FieldCall:
        name = node.name.value
        arguments = get_argument_values(parent.fields[name], node, self._execution.variables)
        kept = {one: value for one, value in arguments.items() if one not in _IGNORED}
        return FieldCall(name, key, kept, frozenset({"id", "*"}))

    def _connection(
        self,
        parent: GraphQLObjectType,
        key: str,
        node: FieldNode,
        named: GraphQLObjectType,
        inner: list[SelectionNode],
    ) -> _Connection:
        call = self._call(parent, key, node)
        denial = self._execution.denied(
            parent.name, node.name.value, parent.fields[node.name.value]
        )
        if denial is not None:
            raise denial
        selections: list[SelectionNode] = []
        edge = get_named_type(named.fields["edges"].type)
        groups: dict[str, list[FieldNode]] = {}
        collect(self._execution, named, inner, groups)
        for part in groups.get("edges", []):
            if part.selection_set is None or not isinstance(edge, GraphQLObjectType):
                continue
            below: dict[str, list[FieldNode]] = {}
            collect(self._execution, edge, part.selection_set.selections, below)
            for one in below.get("node", []):
                if one.selection_set is not None:
                    selections += one.selection_set.selections
        node_type = get_named_type(named.fields["nodes"].type)
        if not isinstance(node_type, GraphQLObjectType):
            run: Run = self._abstract(node_type, selections)
            return _Connection(
                key, self._resolver(parent, node.name.value), call.arguments, "", run
            )
        plain, children = self._split(node_type, selections)
        compiled = self._compiler.selection(node_type, plain)
        made = _Connection(
            key,
            self._resolver(parent, node.name.value),
            call.arguments,
            node_type.name,
            compiled.run,
        )
        made.children = children
        return made

    def _abstract(self, node_type: Any, selections: list[SelectionNode]) -> Run:
        by_type = {
            possible.name: self._compiler.selection(possible, selections).run
            for possible in self._execution.schema.get_possible_types(node_type)
        }
        return lambda source, execution: by_type[source["__typename"]](source, execution)

    # -- running

    def batches(self) -> Iterator[tuple[int, list[bytes]]]:
        """Root objects and lines, batch by batch. Raises FieldError when a field fails."""
        for root in self._roots:
            for items in self._pages(root):
                lines: list[bytes] = []
                later: list[bytes] = []
                for item in items:
                    lines.append(self._line(root, item, None))
                    own = lines if self._grouped else later
                    self._children(root, item, own)
                self._execution.memory.clear()
                self._execution.searches.clear()
                yield len(items), lines + later

    def _pages(self, root: _Connection) -> Iterator[list[Any]]:
        name = root.key
        call = FieldCall(name, name, root.arguments | {"_all": True}, frozenset())
        if root.type_name not in _PAGED:
            page = root.resolver({}, call, self._execution)
            if page is not None and page.items:
                yield page.items
            return
        after: str | None = None
        while True:
            paged = root.arguments | {"first": MAX_PAGE, "after": after}
            call = FieldCall(name, name, paged, frozenset())
            found: Page = root.resolver({}, call, self._execution)
            if found.items:
                yield found.items
            if not found.has_next or not found.items:
                return
            after = found.cursor(found.items[-1])

    def _line(self, connection: _Connection, item: Any, parent: str | None) -> bytes:
        answer = connection.run(item, self._execution)
        if self._execution.errors:
            raise self._execution.errors[0]
        if parent is not None:
            answer["__parentId"] = parent
        return orjson.dumps(answer).replace(b"/", b"\\/") + b"\n"

    def _children(self, connection: _Connection, item: Any, lines: list[bytes]) -> None:
        if not connection.children:
            return
        identity = item["id"]
        gid = (
            identity
            if isinstance(identity, str)
            else f"gid://shopify/{connection.type_name}/{identity}"
        )
        for child in connection.children:
            source = item
            for resolver, call in child.way:
                source = resolver(source, call, self._execution)
                if source is None:
                    break
            if source is None:
                continue
            call = FieldCall(child.key, child.key, child.arguments | {"_all": True}, frozenset())
            page = child.resolver(source, call, self._execution)
            if page is None:
                continue
            deeper: list[bytes] = []
            for one in page.items:
                if not isinstance(one, dict):
                    continue
                lines.append(self._line(child, one, gid))
                self._children(child, one, lines if self._grouped else deeper)
            lines += deeper


__all__ = ["BulkExport", "FieldError"]
