"""One GraphQL operation to be sent: its text, its variables, what it is called in messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import orjson
from graphql import DocumentNode, FieldNode, OperationDefinitionNode, OperationType, parse

Shape = tuple[tuple[str, int], ...]
"""The sizes among a query's variables: its whole numbers and the lengths of its lists."""


@lru_cache(maxsize=256)
def parsed(query: str) -> DocumentNode:
    """Return the syntax tree of `query`; raises graphql's GraphQLSyntaxError if it has none."""
    return parse(query, no_location=True)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation of `query` (the one called `name`, if it has several) with its variables."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    name: str | None = None

    @cached_property
    def definition(self) -> OperationDefinitionNode:
        """Its syntax tree; raises ValueError if `query` has no such operation."""
        for node in parsed(self.query).definitions:
            if isinstance(node, OperationDefinitionNode):
                name = node.name.value if node.name else None
                if self.name is None or name == self.name:
                    return node
        raise ValueError(f"the query has no operation {self.name or ''}".rstrip())

    @property
    def label(self) -> str:
        """What messages call it: its name, else its first field."""
        if self.definition.name:
            return self.definition.name.value
        first = self.definition.selection_set.selections[0]
        return first.name.value if isinstance(first, FieldNode) else "without a name"

    @property
    def is_mutation(self) -> bool:
        """Whether sending it twice may do something twice."""
        return self.definition.operation is OperationType.MUTATION

    @property
    def shape(self) -> Shape:
        """The sizes among its variables, by which the cost of one query text can differ."""
        sizes = {
            name: value if isinstance(value, int) else len(value)
            for name, value in self.variables.items()
            if isinstance(value, int | list | tuple) and not isinstance(value, bool)
        }
        return tuple(sorted(sizes.items()))

    @property
    def body(self) -> bytes:
        """The request's JSON body."""
        body: dict[str, Any] = {"query": self.query, "variables": dict(self.variables)}
        if self.name:
            body["operationName"] = self.name
        return orjson.dumps(body)
