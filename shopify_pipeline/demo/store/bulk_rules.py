"""What Shopify refuses in a bulk query, with its messages.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from shopify_pipeline.demo.store import validation

MAX_CONNECTIONS = 5
MAX_DEPTH = 2
MAX_BYTES = 65_535


@dataclass
class _Findings:
    connections: int = 0
    depth: int = 0
    in_list: bool = False
    with_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)


def _error(message: str) -> dict[str, Any]:
    return {"field": ["query"], "message": message, "code": "INVALID"}


def refusals(schema: GraphQLSchema, text: str) -> list[dict[str, Any]]:
    """The user errors of a bulk query; empty when it may run."""
    if len(text.encode()) > MAX_BYTES:
        return [_error("Query is too long (maximum is 65535 bytes)")]
    document = validation.parsed(text)
    if isinstance(document, list):
        message = document[0]["message"].split(" at [")[0]
        return [_error(f"Invalid bulk query: {message}")]
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation.value != "query":
        return [_error("Invalid operation type. Only `query` operations are supported.")]
    entries = validation.validated(schema, document)
    if entries:
        return [_error(f"Invalid bulk query: {entries[0]['message']}")]
    fragments = {
        one.name.value: one
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    found = _Findings()
    errors = []
    for name in ("node", "nodes"):
        if any(_named(one, name) for one in operations[0].selection_set.selections):
            errors.append(_error(f"Bulk queries cannot contain a top level `{name}` field."))  # noqa: PERF401
    _walk(
        _Walker(schema, fragments, found),
        operations[0].selection_set,
        schema.query_type,
        depth=0,
        in_list=False,
    )
    if found.connections == 0:
        errors.append(_error("Bulk queries must contain at least one connection."))
    if found.with_nodes:
        first, names = found.with_nodes[0], ", ".join(f"'{one}'" for one in found.with_nodes)
        errors.append(
            _error(
                "All connection fields in a bulk query must select their contents using 'edges' > "
                f"'node', e.g: '{first} {{ edges {{ node {{'. Selecting via 'nodes' is not "
                f"supported. Invalid connection fields: {names}."
            )
        )
    if found.connections > MAX_CONNECTIONS:
        errors.append(_error("Bulk queries cannot contain more than 5 connections."))
    if found.depth > MAX_DEPTH:
        text = "Bulk queries cannot contain connections with a nesting depth greater than 2."
        errors.append(_error(text))
    if found.without_id:
        errors.append(
            _error(
                "The parent 'node' field for a nested connection must select the 'id' field "
                "without an alias and must be of 'ID' return type. Connection fields without "
                f"'id': {', '.join(found.without_id)}."
            )
        )
    if found.in_list:
        errors.append(
            _error(
                "Queries that contain a connection field within a list field are not currently "
                "supported."
            )
        )
    return errors


def _named(node: object, name: str) -> bool:
    return isinstance(node, FieldNode) and node.name.value == name


@dataclass(frozen=True)
class _Walker:
    schema: GraphQLSchema
    fragments: dict[str, FragmentDefinitionNode]
    found: _Findings


def _fields(walker: _Walker, selections: SelectionSetNode, parent: Any) -> list[tuple[Any, Any]]:
    fields: list[tuple[Any, Any]] = []
    for one in selections.selections:
        if isinstance(one, FieldNode):
            fields.append((parent, one))
            continue
        if isinstance(one, FragmentSpreadNode):
            fragment: Any = walker.fragments[one.name.value]
        else:
            fragment = one
        inner = parent
        if isinstance(fragment, InlineFragmentNode | FragmentDefinitionNode):
            condition = fragment.type_condition
            inner = walker.schema.type_map[condition.name.value] if condition else parent
        fields += _fields(walker, fragment.selection_set, inner)
    return fields


def _walk(
    walker: _Walker, selections: SelectionSetNode, parent: Any, *, depth: int, in_list: bool
) -> bool:
    """Look at every field below; returns whether a connection is among them."""
    nested = False
    for owner, node in _fields(walker, selections, parent):
        if node.selection_set is None or node.name.value.startswith("__"):
            continue
        wanted = owner.fields[node.name.value].type
        named = get_named_type(wanted)
        if not named.name.endswith("Connection"):
            bare = wanted.of_type if isinstance(wanted, GraphQLNonNull) else wanted
            listed = in_list or (isinstance(bare, GraphQLList) and depth > 0)
            if _walk(walker, node.selection_set, named, depth=depth, in_list=listed):
                nested = True
            continue
        nested = True
        found, name = walker.found, node.name.value
        found.connections += 1
        found.depth = max(found.depth, depth)
        found.in_list = found.in_list or in_list
        _inside(walker, node, named, name, depth=depth)
    return nested


def _inside(walker: _Walker, node: FieldNode, named: Any, name: str, *, depth: int) -> None:
    found = walker.found
    if node.selection_set is None:
        return
    for _, part in _fields(walker, node.selection_set, named):
        if part.name.value == "nodes":
            found.with_nodes.append(name)
            node_type = get_named_type(named.fields["nodes"].type)
            _walk(walker, part.selection_set, node_type, depth=depth + 1, in_list=False)
        if part.name.value != "edges" or part.selection_set is None:
            continue
        edge = get_named_type(named.fields["edges"].type)
        for _, inner in _fields(walker, part.selection_set, edge):
            if inner.name.value != "node":
                continue
            node_type = get_named_type(edge.fields["node"].type)
            has_child = _walk(
                walker, inner.selection_set, node_type, depth=depth + 1, in_list=False
            )
            chosen = _fields(walker, inner.selection_set, node_type)
            plain_id = any(one.name.value == "id" and one.alias is None for _, one in chosen)
            if has_child and not plain_id:
                found.without_id.append(name)
