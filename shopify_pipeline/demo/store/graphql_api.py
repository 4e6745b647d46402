"""One GraphQL request: validation, cost, throttling, execution, and the answer's envelope."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    get_variable_values,
)

from shopify_pipeline.demo.store import validation
from shopify_pipeline.demo.store.access import Access
from shopify_pipeline.demo.store.altered_answers import altered, invented_warning
from shopify_pipeline.demo.store.bucket import Bucket
from shopify_pipeline.demo.store.compiler import compile_operation
from shopify_pipeline.demo.store.cost import MAX_QUERY_COST
from shopify_pipeline.demo.store.execution import (
    Execution,
    FieldError,
    Resolver,
)
from shopify_pipeline.demo.store.faults import DENIED_UNLESS_SAID, Fault
from shopify_pipeline.demo.store.refusals import (
    Answer,
    bad_ids,
    internal_error,
    throttled,
    too_dear,
    variable_entry,
)
from shopify_pipeline.demo.store.schemas import schema_of
from shopify_pipeline.demo.store.store import Store


@dataclass
class Statistics:
    """Calls and points since the start, in all and by operation."""

    calls: int = 0
    points: float = 0
    throttled: int = 0
    errors: int = 0
    operations: dict[str, dict[str, float]] = field(default_factory=dict)

    def count(self, name: str, points: float) -> None:
        """Add one call."""
        self.calls += 1
        self.points += points
        one = self.operations.setdefault(name, {"calls": 0, "points": 0})
        one["calls"] += 1
        one["points"] += points


@lru_cache(maxsize=512)
def _prepared(version: str, text: str) -> DocumentNode | tuple[Any, ...]:
    document = validation.parsed(text)
    if isinstance(document, list):
        return tuple(document)
    errors = validation.validated(schema_of(version), document)
    return tuple(errors) if errors else document


def _request_id() -> str:
    return f"{uuid.uuid4()}-{uuid.uuid4().int % 10**10}"


class GraphqlApi:
    """Answers GraphQL requests from a store."""

    def __init__(self, store: Store, bucket: Bucket, resolvers: dict[str, Resolver]) -> None:
        self.store = store
        self.bucket = bucket
        self.resolvers = resolvers
        self.statistics = Statistics()
        self.node_resolver: Resolver | None = None
        self.deprecated: list[str] = []

    def answer(
        self,
        *,
        version: str,
        query: str,
        variables: dict[str, Any] | None = None,
        operation_name: str | None = None,
        fault: Fault | None = None,
        request_id: str | None = None,
        search_debug: bool = False,
        base_url: str = "",
    ) -> Answer:
        """The body of the answer to one request, in the version that serves it."""
        request_id = request_id or _request_id()
        prepared = _prepared(version, query)
        if isinstance(prepared, tuple):
            self.statistics.count("(invalid)", 0)
            return {"errors": [dict(entry) for entry in prepared]}
        operation = validation.chosen_operation(prepared, operation_name)
        if isinstance(operation, list):
            return {"errors": operation}
        schema = schema_of(version)
        coerced = get_variable_values(schema, operation.variable_definitions or (), variables or {})
        if isinstance(coerced, list):
            given = variables or {}
            return {
                "errors": [variable_entry(error, operation, given, schema) for error in coerced]
            }
        refused = bad_ids(operation, variables or {})
        if refused:
            return {"errors": refused}
        execution = self._execution(schema, version, prepared, coerced, fault)
        execution.memory["search_debug"] = search_debug
        execution.memory["base_url"] = base_url
        name = operation.name.value if operation.name else "(anonymous)"
        return self._run(operation, execution, name, fault, request_id)

    def _execution(
        self,
        schema: GraphQLSchema,
        version: str,
        document: DocumentNode,
        variables: dict[str, Any],
        fault: Fault | None,
    ) -> Execution:
        settings = self.store.settings
        denied, protected = frozenset[str](), frozenset(settings.denied_fields)
        if fault is not None and fault.kind == "access_denied":
            denied = frozenset({str(fault.options.get("field", DENIED_UNLESS_SAID))})
        if fault is not None and fault.kind == "protected_data":
            protected |= {str(fault.options.get("field", DENIED_UNLESS_SAID))}
        execution = Execution(
            schema,
            self.resolvers,
            self.store,
            version,
            variables=variables,
            fragments={
                one.name.value: one
                for one in document.definitions
                if isinstance(one, FragmentDefinitionNode)
            },
            denied=Access(settings.scopes, denied=denied, protected=protected),
        )
        execution.memory["node_resolver"] = self.node_resolver
        if "__schema" in str(document.loc.source.body if document.loc else "") or "__type(" in str(
            document.loc.source.body if document.loc else ""
        ):
            execution.memory["introspection"] = (
                execute_sync(schema, document, variable_values=variables).data or {}
            )
        return execution

    def _run(
        self,
        operation: OperationDefinitionNode,
        execution: Execution,
        name: str,
        fault: Fault | None,
        request_id: str,
    ) -> Answer:
        compiled = compile_operation(operation, execution)
        self.deprecated = execution.deprecated
        requested = compiled.requested
        if requested > MAX_QUERY_COST or (fault and fault.kind == "max_cost"):
            self.statistics.errors += 1
            return too_dear(requested if requested > MAX_QUERY_COST else 1002)
        if (fault and fault.kind == "throttled") or not self.bucket.affords(requested):
            self.statistics.throttled += 1
            self.statistics.count(name, 0)
            return throttled(requested, self.bucket.status())
        if fault and fault.kind == "internal_server_error":
            self.statistics.errors += 1
            self.statistics.count(name, 0)
            return {"errors": [internal_error(request_id)], "data": None}
        if fault and fault.kind in {"shop_inactive", "timeout_error"}:
            code = "SHOP_INACTIVE" if fault.kind == "shop_inactive" else "TIMEOUT"
            text = "Shop is inactive" if code == "SHOP_INACTIVE" else "Timeout"
            return {"errors": [{"message": text, "extensions": {"code": code}}]}
        data: Any
        try:
            data = compiled.run({}, execution)
        except FieldError as error:
            execution.errors.append(error)
            data = None
        actual = math.ceil(execution.cost) if data is not None else _failed_cost(requested)
        self.bucket.spend(actual)
        self.statistics.count(name, actual)
        body: Answer = {}
        entries = [error.as_entry() for error in execution.errors]
        if fault and fault.kind == "internal_server_error_in_data":
            key = next(iter(data or {"": None}))
            entries.append(internal_error(request_id) | {"path": [key]})
            data = dict(data or {})
            data[key] = None
        if entries:
            self.statistics.errors += 1
            body["errors"] = entries
        body["data"] = altered(data, fault)
        extensions: Answer = {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": self.bucket.status(),
            }
        }
        searches = list(execution.searches)
        if fault and fault.kind == "search_warning":
            searches.append(invented_warning(data))
        if searches:
            extensions["search"] = searches
        body["extensions"] = extensions
        return body


def _failed_cost(requested: int) -> int:
    return min(requested, 2)
