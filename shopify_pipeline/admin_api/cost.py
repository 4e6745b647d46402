"""What a query will cost: an upper bound read from its text, and what Shopify charged before."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
)

from shopify_pipeline.admin_api.operations import Operation, Shape, parsed

MAX_PAGE_SIZE = 250
"""Most nodes a page, and most items of an input list, may have
(https://shopify.dev/docs/api/usage/pagination-graphql)."""

_MUTATION = 10.0
_COUNT = 10.0
_CONNECTION = 2.0


def cost_bound(operation: Operation) -> float:
    """Return points that `operation` surely won't exceed: objects 1 each, connections in full.

    Shopify's own price of a connection grows less than linearly, so this is often far above it
    (https://shopify.dev/docs/api/usage/limits). Only a list of objects that takes no `first` is
    beyond it: the query doesn't tell its length.
    """
    definition = operation.definition
    fragments = {
        node.name.value: node
        for node in parsed(operation.query).definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    defaults = {
        node.variable.name.value: node.default_value
        for node in definition.variable_definitions or ()
    }
    cost = _Walk(operation.variables, defaults, fragments).selections(definition.selection_set)
    if operation.is_mutation:
        cost += _MUTATION * len(definition.selection_set.selections)
    return cost


class _Walk:
    def __init__(
        self,
        variables: Mapping[str, Any],
        defaults: Mapping[str, ValueNode | None],
        fragments: Mapping[str, FragmentDefinitionNode],
    ) -> None:
        self._variables = variables
        self._defaults = defaults
        self._fragments = fragments

    def selections(self, selection_set: SelectionSetNode | None) -> float:
        total = 0.0
        for selection in selection_set.selections if selection_set else ():
            if isinstance(selection, FieldNode):
                total += self._field(selection)
            elif isinstance(selection, InlineFragmentNode):
                total += self.selections(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                fragment = self._fragments.get(selection.name.value)
                total += self.selections(fragment.selection_set if fragment else None)
        return total

    def _field(self, field: FieldNode) -> float:
        if field.selection_set is None:
            return 0.0
        inner = self.selections(field.selection_set)
        arguments = {argument.name.value: argument.value for argument in field.arguments}
        if field.name.value.endswith("Count"):
            return _COUNT + inner
        for name in ("first", "last"):
            if name in arguments:
                return _CONNECTION + self._size(arguments[name]) * max(inner, 1.0)
        if "ids" in arguments:
            return self._size(arguments["ids"]) * (1.0 + inner)
        return 1.0 + inner

    def _size(self, value: ValueNode | None) -> float:
        if isinstance(value, IntValueNode):
            return float(value.value)
        if isinstance(value, ListValueNode):
            return float(len(value.values))
        if isinstance(value, VariableNode):
            given = self._variables.get(value.name.value)
            if isinstance(given, int):
                return float(given)
            if isinstance(given, Sequence) and not isinstance(given, str):
                return float(len(given))
            return self._size(self._defaults.get(value.name.value))
        return float(MAX_PAGE_SIZE)


class CostMemory:
    """Remembers what each query text cost at which sizes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[str, dict[Shape, float]] = {}
        self._refused: dict[str, int] = {}

    def remember(self, operation: Operation, requested: float) -> None:
        """Keep the requested cost that Shopify named for `operation` at its sizes."""
        with self._lock:
            self._known.setdefault(operation.query, {})[operation.shape] = requested

    def predict(self, operation: Operation) -> float:
        """Return the points it will ask for: as last time at the same sizes, else its bound."""
        with self._lock:
            known = self._known.get(operation.query, {}).get(operation.shape)
        return cost_bound(operation) if known is None else known

    def refuse(self, query: str, size: int) -> None:
        """Propose only less than `size` for `query` from now on: it was too dear or too slow."""
        with self._lock:
            self._refused[query] = min(size, self._refused.get(query, size))

    def page_size(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        size_variable: str,
        largest_query: float,
        max_page_size: int = MAX_PAGE_SIZE,
    ) -> int:
        """Return the largest page that won't cost over `largest_query` points; at least 1.

        Before anything is known, by the bound; then scaled up from the largest page paid for (the
        price grows less than linearly, so scaling it linearly is safe).
        """
        with self._lock:
            known = {
                dict(sizes)[size_variable]: cost
                for sizes, cost in self._known.get(query, {}).items()
                if size_variable in dict(sizes)
            }
            ceiling = min(max_page_size, self._refused.get(query, max_page_size + 1) - 1)
        affordable = [size for size, cost in known.items() if cost <= largest_query and size > 0]
        if affordable:
            size = max(affordable)
            proposed = int(size * largest_query / known[size]) if known[size] > 0 else max_page_size
        else:
            base, one = (self._bound(query, variables, size_variable, size) for size in (0, 1))
            each = one - base
            proposed = int((largest_query - base) / each) if each > 0 else max_page_size
        return max(1, min(proposed, ceiling))

    @staticmethod
    def _bound(query: str, variables: Mapping[str, Any], size_variable: str, size: int) -> float:
        # A list of ids counts by its length, a page by its number; both bounds are linear.
        value: Any = [""] * size if isinstance(variables.get(size_variable), list) else size
        return cost_bound(Operation(query=query, variables={**variables, size_variable: value}))
