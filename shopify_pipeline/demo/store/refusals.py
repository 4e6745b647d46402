"""Bodies of GraphQL answers that refuse: costs, throttling, internal errors, bad variables."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLEnumType, GraphQLError, GraphQLSchema, OperationDefinitionNode

from shopify_pipeline.demo.store import validation
from shopify_pipeline.demo.store.cost import MAX_QUERY_COST

Answer = dict[str, Any]

_RATE_LIMITS = "https://shopify.dev/api/usage/rate-limits"


def internal_error(request_id: str) -> dict[str, Any]:
    """The entry of `errors` that stands for a fault on Shopify's side."""
    return {
        "message": "Internal error. Looks like something went wrong on our end.\n"
        f"Request ID: {request_id} (include this in support requests).",
        "extensions": {"requestId": request_id, "code": "INTERNAL_SERVER_ERROR"},
    }


def throttled(requested: int, status: Answer) -> Answer:
    """The body for a call that the bucket can't afford; `status` is the bucket's."""
    return {
        "errors": [
            {
                "message": "Throttled",
                "extensions": {
                    "code": "THROTTLED",
                    "documentation": "https://shopify.dev/api/usage/limits#rate-limits",
                },
            }
        ],
        "extensions": {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": None,
                "throttleStatus": status,
            }
        },
    }


def too_dear(cost: int) -> Answer:
    """The body for a query that requests more points than any may."""
    return {
        "errors": [
            {
                "message": f"Query cost is {cost}, which exceeds the single query max cost limit "
                f"({MAX_QUERY_COST}).\n\nSee https://shopify.dev/concepts/about-apis/rate-limits "
                "for more information on how the\ncost of a query is calculated.\n\nTo query "
                "larger amounts of data with fewer limits, bulk operations should be used "
                "instead.\nSee https://shopify.dev/api/usage/bulk-operations/queries for usage "
                "details.\n",
                "extensions": {
                    "code": "MAX_COST_EXCEEDED",
                    "cost": cost,
                    "maxCost": MAX_QUERY_COST,
                    "documentation": _RATE_LIMITS,
                },
            }
        ]
    }


def variable_entry(
    error: GraphQLError,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
    schema: GraphQLSchema,
) -> dict[str, Any]:
    """The entry of `errors` for a variable that can't be coerced."""
    node: Any = error.nodes[0] if error.nodes else None
    definition = next(
        (
            one
            for one in operation.variable_definitions or ()
            if one is node or f"'${one.variable.name.value}'" in error.message
        ),
        None,
    )
    if definition is None or definition.loc is None:
        return {"message": error.message, "extensions": {"code": "INVALID_VARIABLE"}}
    name = definition.variable.name.value
    kind = _spelled(definition.type)
    value = variables.get(name)
    explanation = error.message.split("; ", 1)[-1]
    wanted = schema.type_map.get(kind.strip("[]!"))
    if value is None:
        explanation = "Expected value to not be null"
    elif isinstance(wanted, GraphQLEnumType):
        explanation = f'Expected "{value}" to be one of: {", ".join(wanted.values)}'
    start = definition.loc.start_token
    return {
        "message": f"Variable ${name} of type {kind} was provided invalid value",
        "locations": [{"line": start.line, "column": start.column}],
        "extensions": {
            "code": "INVALID_VARIABLE",
            "value": value,
            "problems": [{"path": [], "explanation": explanation}],
        },
    }


def bad_ids(operation: OperationDefinitionNode, variables: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of `errors` for variables of type ID that hold no global id."""
    entries = []
    for one in operation.variable_definitions or ():
        kind = _spelled(one.type)
        value = variables.get(one.variable.name.value)
        if kind.strip("[]!") != "ID" or value is None or one.loc is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            if item is None or validation.is_global_id(item):
                continue
            text = f"Invalid global id '{item}'"
            problem = {"path": [], "explanation": text, "message": text}
            start = one.loc.start_token
            entries.append(
                {
                    "message": f"Variable ${one.variable.name.value} of type {kind} was provided "
                    "invalid value",
                    "locations": [{"line": start.line, "column": start.column}],
                    "extensions": {
                        "code": "INVALID_VARIABLE",
                        "value": value,
                        "problems": [problem],
                    },
                }
            )
            break
    return entries


def _spelled(node: Any) -> str:
    if node.kind == "non_null_type":
        return f"{_spelled(node.type)}!"
    if node.kind == "list_type":
        return f"[{_spelled(node.type)}]"
    return str(node.name.value)
