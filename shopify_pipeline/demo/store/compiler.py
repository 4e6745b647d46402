"""Compiles a validated GraphQL operation to closures, which are then applied to documents.

graphql-core parses, validates and coerces; executing through it costs about ten times as much,
which a store of a million orders can't afford. Each compiled field knows its requested cost,
and adds its actual cost while it runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    OperationDefinitionNode,
    SelectionNode,
    get_argument_values,
    get_named_type,
    is_leaf_type,
)

from shopify_pipeline.demo.store import leaves
from shopify_pipeline.demo.store.connections import connection_of
from shopify_pipeline.demo.store.cost import COUNT_COST, MUTATION_COST, extra_cost, own_cost
from shopify_pipeline.demo.store.execution import (
    Completer,
    Execution,
    FieldCall,
    FieldError,
    Run,
    Source,
)
from shopify_pipeline.demo.store.field_values import (
    by_name,
    list_completer,
    object_completer,
    plain_leaf,
)
from shopify_pipeline.demo.store.selections import collect, names_asked


@dataclass(frozen=True)
class Compiled:
    """A selection ready to run, and the points that it requests."""

    run: Run
    requested: int


def compile_operation(operation: OperationDefinitionNode, execution: Execution) -> Compiled:
    """Compile one operation for its variables."""
    schema = execution.schema
    mutation = operation.operation.value == "mutation"
    root = schema.mutation_type if mutation else schema.query_type
    if root is None:
        raise AssertionError("the schema has no such root")
    compiler = Compiler(execution)
    return compiler.selection(root, operation.selection_set.selections)


def compile_node(type_name: str, selections: Sequence[SelectionNode], execution: Execution) -> Run:
    """Compile a selection on one object type, for streaming records of that type."""
    chosen = cast("GraphQLObjectType", execution.schema.type_map[type_name])
    return Compiler(execution).selection(chosen, selections).run


class Compiler:
    """Turns selections into closures for one request."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution

    # -- selections

    def selection(self, parent: GraphQLObjectType, selections: Sequence[SelectionNode]) -> Compiled:
        """The fields of one object type."""
        groups: dict[str, list[FieldNode]] = {}
        collect(self.execution, parent, selections, groups)
        runs: list[tuple[str, Run]] = []
        requested = 0
        for key, nodes in groups.items():
            compiled = self.field(parent, key, nodes)
            runs.append((key, compiled.run))
            requested += compiled.requested
        pairs = tuple(runs)

        def run(source: Source, execution: Execution) -> dict[str, Any]:
            return {key: one(source, execution) for key, one in pairs}

        return Compiled(run, requested)

    # -- fields

    def field(  # noqa: PLR0915 - what one field needs is decided in one place
        self, parent: GraphQLObjectType, key: str, nodes: list[FieldNode]
    ) -> Compiled:
        """One field of an object type, with all the nodes that ask for it under one key."""
        node = nodes[0]
        name = node.name.value
        if name == "__typename":
            return Compiled(lambda *_: parent.name, 0)
        if name in {"__schema", "__type"}:
            return Compiled(self._introspection(key), 0)
        definition = parent.fields[name]
        if definition.deprecation_reason:
            self.execution.deprecated.append(f"{parent.name}.{name}")
        arguments = get_argument_values(definition, node, self.execution.variables)
        named = get_named_type(definition.type)
        selections = [
            inner for one in nodes if one.selection_set for inner in one.selection_set.selections
        ]
        location = [{"line": node.loc.start_token.line, "column": node.loc.start_token.column}]  # type: ignore[union-attr]
        asked = frozenset(names_asked(self.execution, selections))
        given = frozenset(one.name.value for one in node.arguments)
        call = FieldCall(name, key, arguments, asked, given)
        resolver = self.execution.resolvers.get(f"{parent.name}.{name}")
        denial = self.execution.denied(parent.name, name, definition)
        if is_leaf_type(named) and resolver is None and denial is None:
            return Compiled(plain_leaf(name, parent.name, definition.type), 0)
        resolve = resolver or by_name(name, definition.type)
        complete, requested = self.complete(definition.type, selections, arguments)
        if parent.name == "Mutation":
            requested = MUTATION_COST
        elif named.name == "Count" and parent.name == "QueryRoot":
            requested = COUNT_COST
        requested += extra_cost(parent.name, name)
        nullable = not isinstance(definition.type, GraphQLNonNull)
        if denial is not None:
            template = denial

            def resolve(source: Source, call: FieldCall, execution: Execution) -> Any:
                raise FieldError(template.message, **template.extensions)

        flat = parent.name == "Mutation"
        counted = named.name == "Count" and parent.name == "QueryRoot"
        extra = extra_cost(parent.name, name)

        def run(source: Source, execution: Execution) -> Any:
            before = len(execution.errors)
            spent = execution.cost
            try:
                value = complete(resolve(source, call, execution), source, execution)
            except FieldError as error:
                error.path.append(key)
                if not error.locations:
                    error.locations = location
                if not nullable:
                    raise
                execution.errors.append(error)
                value = None
            else:
                if len(execution.errors) > before:
                    for one in execution.errors[before:]:
                        one.path.append(key)
            if flat:
                execution.cost = spent + MUTATION_COST
            elif counted:
                execution.cost = spent + COUNT_COST
            execution.cost += extra
            return value

        return Compiled(run, requested)

    def _introspection(self, key: str) -> Run:
        def run(source: Source, execution: Execution) -> Any:
            return execution.memory["introspection"].get(key)

        return run

    # -- values

    def complete(  # noqa: PLR0911
        self,
        wanted: GraphQLOutputType,
        selections: Sequence[SelectionNode],
        arguments: dict[str, Any],
    ) -> tuple[Completer, int]:
        """How a resolved value of a type becomes its answer, and the points that requests."""
        if isinstance(wanted, GraphQLNonNull):
            inner, requested = self.complete(wanted.of_type, selections, arguments)
            empty = leaves.zero(wanted.of_type)

            def complete_required(value: Any, source: Source, execution: Execution) -> Any:
                return inner(empty if value is None else value, source, execution)

            return complete_required, requested
        if isinstance(wanted, GraphQLList):
            inner, requested = self.complete(wanted.of_type, selections, {})
            return list_completer(inner), requested
        if isinstance(wanted, GraphQLScalarType | GraphQLEnumType):
            write = leaves.writer(wanted.name)
            if write is None:
                return lambda value, _source, _execution: value, 0
            return lambda value, _source, _execution: None if value is None else write(value), 0
        if isinstance(wanted, GraphQLObjectType):
            if wanted.name.endswith("Connection"):
                return connection_of(self, wanted, selections, arguments)
            if wanted.name == "MoneyBag":
                return self._money_bag(wanted, selections)
            compiled = self.selection(wanted, selections)
            own = own_cost(wanted.name)
            return object_completer(wanted.name, compiled.run, own), own + compiled.requested
        return self._abstract(cast("GraphQLAbstractType", wanted), selections)

    def _abstract(
        self, wanted: GraphQLAbstractType, selections: Sequence[SelectionNode]
    ) -> tuple[Completer, int]:
        by_type = {
            possible.name: self.selection(possible, selections)
            for possible in self.execution.schema.get_possible_types(wanted)
        }
        requested = max((one.requested for one in by_type.values()), default=0)

        def complete(value: Any, source: Source, execution: Execution) -> Any:
            execution.cost += 1
            if value is None:
                return None
            return by_type[value["__typename"]].run(value, execution)

        return complete, 1 + requested

    def _money_bag(
        self, wanted: GraphQLObjectType, selections: Sequence[SelectionNode]
    ) -> tuple[Completer, int]:
        compiled = self.selection(wanted, selections)

        def complete(value: Any, source: Source, execution: Execution) -> Any:
            if value is None:
                return None
            if isinstance(value, int):
                value = {"amount": value, "of": source.get("_order", source)}
            return compiled.run(value, execution)

        return complete, 0
