"""How the values of fields are brought into their answers: leaves, objects and lists."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLOutputType, get_named_type

from shopify_pipeline.demo.store import leaves
from shopify_pipeline.demo.store.execution import (
    Completer,
    Execution,
    FieldCall,
    FieldError,
    Resolver,
    Run,
    Source,
)


def object_completer(name: str, run: Run, own: int) -> Completer:
    """Completes an object of a type that costs so many points; a plain value is wrapped."""

    def complete(value: Any, source: Source, execution: Execution) -> Any:
        execution.cost += own
        if value is None:
            return None
        if not isinstance(value, dict):
            value = leaves.wrapped(name, value, source)
        return run(value, execution)

    return complete


def list_completer(inner: Completer) -> Completer:
    """Completes a list, which costs as much as its dearest item."""

    def complete(value: Any, source: Source, execution: Execution) -> Any:
        if value is None:
            return None
        before = execution.cost
        dearest = 0.0
        answer = []
        for index, item in enumerate(value):
            execution.cost = before
            errors = len(execution.errors)
            try:
                answer.append(inner(item, source, execution))
            except FieldError as error:
                error.path.append(index)
                raise
            for one in execution.errors[errors:]:
                one.path.append(index)
            dearest = max(dearest, execution.cost - before)
        execution.cost = before + dearest
        return answer

    return complete


def by_name(name: str, wanted: GraphQLOutputType) -> Resolver:
    """The resolver that reads the document under the field's own name."""
    empty = leaves.zero(wanted.of_type) if isinstance(wanted, GraphQLNonNull) else None
    if get_named_type(wanted).name == "Count":
        empty = 0

    def resolve(source: Source, call: FieldCall, execution: Execution) -> Any:
        value = source.get(name)
        return empty if value is None else value

    return resolve


def plain_leaf(name: str, parent: str, wanted: GraphQLOutputType) -> Run:
    """A leaf without a resolver or denial, in as few steps as can be."""
    required = isinstance(wanted, GraphQLNonNull)
    inner = wanted.of_type if isinstance(wanted, GraphQLNonNull) else wanted
    if name == "id":
        prefix = f"gid://shopify/{parent}/"

        def run_id(source: Source, execution: Execution) -> Any:
            value = source.get("id")
            return value if isinstance(value, str) else f"{prefix}{value}"

        return run_id
    if name == "legacyResourceId":
        return lambda source, _execution: str(source["id"])
    empty = leaves.zero(inner) if required else None
    write = None if isinstance(inner, GraphQLList) else leaves.writer(inner.name)  # type: ignore[union-attr]
    if write is None:

        def run_plain(source: Source, execution: Execution) -> Any:
            value = source.get(name)
            return empty if value is None else value

        return run_plain

    written = write
    nothing = None if empty is None else written(empty)

    def run(source: Source, execution: Execution) -> Any:
        value = source.get(name)
        return nothing if value is None else written(value)

    return run
