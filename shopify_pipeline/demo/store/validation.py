"""Syntax and validation errors in the words of Shopify's server (graphql-ruby), not ours."""

from __future__ import annotations

import re
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    StringValueNode,
    ValidationRule,
    get_named_type,
    parse,
    specified_rules,
    validate,
)
from graphql.language import Node, OperationDefinitionNode, OperationType

Entry = dict[str, Any]

_PATTERNS: tuple[tuple[re.Pattern[str], str, str, tuple[str, ...]], ...] = (
    (
        re.compile(r"Cannot query field '(\w+)' on type '(\w+)'\."),
        "Field '{0}' doesn't exist on type '{1}'",
        "undefinedField",
        ("fieldName", "typeName"),
    ),
    (
        re.compile(r"Unknown argument '(\w+)' on field '\w+\.(\w+)'\."),
        "Field '{1}' doesn't accept argument '{0}'",
        "argumentNotAccepted",
        ("argumentName", "name"),
    ),
    (
        re.compile(r"Field '(\w+)' argument '(\w+)' of type"),
        "Field '{0}' is missing required arguments: {1}",
        "missingRequiredArguments",
        ("name", "arguments"),
    ),
    (
        re.compile(r"Unknown type '(\w+)'\."),
        "No such type {0}, so it can't be a fragment condition",
        "undefinedType",
        ("typeName",),
    ),
    (
        re.compile(r"Unknown directive '@(\w+)'\."),
        "Directive @{0} is not defined",
        "undefinedDirective",
        ("directiveName",),
    ),
    (
        re.compile(r"Variable '\$(\w+)' is never used in operation '(\w+)'\."),
        "Variable ${0} is declared by {1} but not used",
        "variableNotUsed",
        ("variableName",),
    ),
    (
        re.compile(r"Field '(\w+)' of type '([\w!\[\]]+)' must have a selection of subfields"),
        (
            "Field must have selections (field '{0}' returns {1} but has no selections. "
            "Did you mean '{0} {{ ... }}'?)"
        ),
        "selectionMismatch",
        ("nodeName", "typeName"),
    ),
)
_EXTRAS = {
    "argumentNotAccepted": {"typeName": "Field"},
    "missingRequiredArguments": {"className": "Field"},
}


def parsed(text: str) -> DocumentNode | list[Entry]:
    """The document, or the errors of a text that is no GraphQL."""
    try:
        return parse(text)
    except GraphQLSyntaxError as error:
        return [_syntax_entry(text, error)]


def _syntax_entry(text: str, error: GraphQLSyntaxError) -> Entry:
    location = error.locations[0] if error.locations else None
    line, column = (location.line, location.column) if location else (1, 1)
    if "<EOF>" in error.message:
        rows = text.splitlines() or [""]
        last = max((n for n, row in enumerate(rows, 1) if row.strip()), default=1)
        line, column = last, len(rows[last - 1]) - len(rows[last - 1].lstrip()) + 1
        message = f"syntax error, unexpected end of file at [{line}, {column}]"
    else:
        found = re.search(r"(?:Unexpected|found) (?:character: )?(\S+?)\.?$", error.message)
        token = found[1].strip("'\"") if found else error.message
        message = f'syntax error, unexpected invalid token ("{token}") at [{line}, {column}]'
    return {
        "message": message,
        "locations": [{"line": line, "column": column}],
        "extensions": {"code": "PARSE_ERROR"},
    }


class _GlobalIds(ValidationRule):
    """Refuses a literal that stands where an id is due and is no global id."""

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        """Look at one literal."""
        wanted = self.context.get_input_type()
        if wanted is None or get_named_type(wanted).name != "ID":
            return
        if not is_global_id(node.value):
            self.report_error(GraphQLError(f"Invalid global id '{node.value}'", node))


def is_global_id(text: Any) -> bool:
    """Whether a value may stand where the schema says `ID`."""
    return isinstance(text, str) and text.startswith("gid://")


def validated(schema: GraphQLSchema, document: DocumentNode) -> list[Entry]:
    """The validation errors of a document; empty when it is good."""
    rootless = [one for one in document.definitions if _has_no_root(one, schema)]
    if rootless:
        return [_without_root(one) for one in rootless]
    errors = validate(schema, document, [*specified_rules, _GlobalIds])
    return [_entry(error, document, schema) for error in errors]


def _has_no_root(node: Node, schema: GraphQLSchema) -> bool:
    return (
        isinstance(node, OperationDefinitionNode)
        and node.operation is OperationType.SUBSCRIPTION
        and schema.subscription_type is None
    )


def _without_root(node: Node) -> Entry:
    start = node.loc.start_token if node.loc else None
    return {
        "message": "Schema is not configured for subscriptions",
        "locations": [{"line": start.line, "column": start.column}] if start else [],
        "path": ["subscription"],
        "extensions": {"code": "missingSubscriptionConfiguration"},
    }


def _entry(error: GraphQLError, document: DocumentNode, schema: GraphQLSchema) -> Entry:
    locations = [
        {"line": place.line, "column": place.column} for place in (error.locations or [])[:1]
    ]
    path = _path(document, error.nodes[0]) if error.nodes else []
    special = _special(error, path, schema)
    if special is not None:
        return special | {"locations": _field_place(document, path) or locations, "path": path}
    for pattern, template, code, names in _PATTERNS:
        found = pattern.match(error.message)
        if found is None:
            continue
        groups = [group.rstrip("!") for group in found.groups()]
        extensions: dict[str, Any] = {"code": code, **_EXTRAS.get(code, {})}
        extensions |= dict(zip(names, groups, strict=True))
        if code == "selectionMismatch":
            extensions["nodeName"] = f"field '{groups[0]}'"
        if code == "argumentNotAccepted":
            path.append(groups[0])
        return {
            "message": template.format(*groups),
            "locations": locations,
            "path": path,
            "extensions": extensions,
        }
    return {"message": error.message, "locations": locations, "path": path}


_BAD_ENUM = re.compile(r"Value '(\w+)' does not exist in '(\w+)' enum\.")


def _special(error: GraphQLError, path: list[str], schema: GraphQLSchema) -> Entry | None:
    """Errors that Shopify tells of the argument: a bad id, a word that the enum lacks."""
    code = "argumentLiteralsIncompatible"
    if error.message.startswith("Invalid global id"):
        return {
            "message": error.message,
            "extensions": {"code": code, "typeName": "CoercionError"},
        }
    found = _BAD_ENUM.match(error.message)
    if found is None or len(path) < 3:
        return None
    field, argument = path[-2], path[-1]
    wanted = found[2]
    for root in (schema.mutation_type, schema.query_type):
        if root is not None and field in root.fields and argument in root.fields[field].args:
            wanted = str(root.fields[field].args[argument].type)
    return {
        "message": f"Argument '{argument}' on Field '{field}' has an invalid value "
        f"({found[1]}). Expected type '{wanted}'.",
        "extensions": {"code": code, "typeName": "Field", "argumentName": argument},
    }


def _field_place(document: DocumentNode, path: list[str]) -> list[dict[str, int]] | None:
    """Where the field that owns a refused argument begins."""
    if not isinstance(document.definitions[0], OperationDefinitionNode) or len(path) < 2:
        return None
    selections: Any = document.definitions[0].selection_set
    place = None
    for name in path[1:-1]:
        if selections is None:
            break
        for one in selections.selections:
            if isinstance(one, FieldNode) and name in {
                one.name.value,
                one.alias.value if one.alias else None,
            }:
                place = one.loc
                selections = one.selection_set
                break
    if place is None:
        return None
    return [{"line": place.start_token.line, "column": place.start_token.column}]


def _path(document: DocumentNode, wanted: Node) -> list[str]:
    """The way to a node as graphql-ruby writes it: operation, fields, fragments."""

    def search(node: Any, way: list[str]) -> list[str] | None:
        kind = node.kind
        if kind == "operation_definition":
            name = f" {node.name.value}" if node.name else ""
            way = [f"{node.operation.value}{name}"]
        elif kind == "fragment_definition":
            way = [f"fragment {node.name.value}"]
        elif kind == "field":
            way = [*way, node.alias.value if node.alias else node.name.value]
        elif kind in {"argument", "object_field"}:
            way = [*way, node.name.value]
        elif kind == "inline_fragment":
            on = f" on {node.type_condition.name.value}" if node.type_condition else ""
            way = [*way, f"...{on}"]
        if node is wanted:
            return way
        for key in node.keys:
            inner = getattr(node, key, None)
            for one in inner if isinstance(inner, list | tuple) else (inner,):
                if isinstance(one, Node):
                    found = search(one, way)
                    if found is not None:
                        return found
        return None

    return search(document, []) or []


def chosen_operation(
    document: DocumentNode, name: str | None
) -> OperationDefinitionNode | list[Entry]:
    """The operation to run, or the error that Shopify answers with."""
    operations = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if name:
        for one in operations:
            if one.name and one.name.value == name:
                return one
        return [{"message": f'No operation named "{name}"'}]
    if len(operations) == 1:
        return operations[0]
    return [{"message": "An operation name is required"}]
