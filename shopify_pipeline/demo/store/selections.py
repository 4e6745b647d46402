"""What a selection asks for: its fields by key, through fragments and directives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLObjectType,
    InlineFragmentNode,
    SelectionNode,
    is_abstract_type,
)
from graphql.execution.values import get_directive_values
from graphql.type.directives import GraphQLIncludeDirective, GraphQLSkipDirective

from shopify_pipeline.demo.store.execution import Execution


def collect(
    execution: Execution,
    parent: GraphQLObjectType,
    selections: Sequence[SelectionNode],
    groups: dict[str, list[FieldNode]],
) -> None:
    """Gather the fields that apply to the type, by the key under which they answer."""
    for node in selections:
        if not _included(execution, node):
            continue
        if isinstance(node, FieldNode):
            key = node.alias.value if node.alias else node.name.value
            groups.setdefault(key, []).append(node)
            continue
        condition: Any
        if isinstance(node, FragmentSpreadNode):
            fragment = execution.fragments[node.name.value]
            condition, inner = fragment.type_condition, fragment.selection_set
        else:
            inline = cast("InlineFragmentNode", node)
            condition, inner = inline.type_condition, inline.selection_set
        if condition is None or _applies(execution, parent, condition.name.value):
            collect(execution, parent, inner.selections, groups)


def _applies(execution: Execution, parent: GraphQLObjectType, condition: str) -> bool:
    if parent.name == condition:
        return True
    wider = execution.schema.type_map.get(condition)
    return is_abstract_type(wider) and execution.schema.is_sub_type(
        cast("GraphQLAbstractType", wider), parent
    )


def _included(execution: Execution, node: SelectionNode) -> bool:
    if not node.directives:
        return True
    variables = execution.variables
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    if skip and skip["if"]:
        return False
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    return not (include and not include["if"])


def names_asked(execution: Execution, selections: Sequence[SelectionNode]) -> list[str]:
    """The names of the fields selected on a value, fragments included."""
    names: list[str] = []
    for node in selections:
        if isinstance(node, FieldNode):
            names.append(node.name.value)
        elif isinstance(node, FragmentSpreadNode):
            fragment = execution.fragments[node.name.value]
            names += names_asked(execution, fragment.selection_set.selections)
        else:
            names += names_asked(
                execution, cast("InlineFragmentNode", node).selection_set.selections
            )
    return names
