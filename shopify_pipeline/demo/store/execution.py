"""What one GraphQL request sees and gathers while it runs, and what resolvers deal in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import FragmentDefinitionNode, GraphQLField, GraphQLSchema

Source = dict[str, Any]
Run = Callable[[Source, "Execution"], Any]
Completer = Callable[[Any, Source, "Execution"], Any]


class FieldError(Exception):
    """An error at one field; it nulls the nearest nullable field above it."""

    def __init__(self, message: str, *, code: str | None = None, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extensions = ({"code": code} if code else {}) | extensions
        self.path: list[str | int] = []
        self.locations: list[dict[str, int]] = []
        self.code_first = False

    def as_entry(self) -> dict[str, Any]:
        """The entry of `errors`."""
        entry: dict[str, Any] = {"message": self.message, "locations": self.locations}
        if self.extensions:
            entry["extensions"] = self.extensions
        entry["path"] = list(reversed(self.path))
        return entry


@dataclass(frozen=True)
class FieldCall:
    """What a resolver may know of the field it answers: arguments, alias, subfields asked for."""

    name: str
    key: str
    arguments: dict[str, Any]
    asked: frozenset[str]
    given: frozenset[str] = frozenset()


Resolver = Callable[[Source, FieldCall, "Execution"], Any]


@dataclass
class Execution:
    """One request: what it may see, and what it gathers while it runs."""

    schema: GraphQLSchema
    resolvers: dict[str, Resolver]
    store: Any
    version: str
    variables: dict[str, Any] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    denied: Callable[[str, str, GraphQLField], FieldError | None] = lambda *_: None
    trusted: bool = False
    cost: float = 0
    errors: list[FieldError] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)
    memory: dict[Any, Any] = field(default_factory=dict)
    deprecated: list[str] = field(default_factory=list)
