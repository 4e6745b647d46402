"""The served schema against Shopify's own: nothing that Shopify lacks, nothing looser."""

from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    validate_schema,
)

from shopify_pipeline.demo.store.schemas import SCHEMA_VERSIONS, schema_of
from shopify_pipeline_tests.reference import needs_reference, schema


def _differences(ours: GraphQLSchema, theirs: GraphQLSchema) -> Iterator[str]:
    for name, mine in ours.type_map.items():
        if name.startswith("__"):
            continue
        original = theirs.type_map.get(name)
        if original is None or type(original) is not type(mine):
            yield f"type {name}"
        elif isinstance(mine, GraphQLObjectType | GraphQLInterfaceType):
            yield from _fields(mine, original)
        elif isinstance(mine, GraphQLInputObjectType):
            for field, one in mine.fields.items():
                wanted = original.fields.get(field)  # type: ignore[attr-defined]
                if wanted is None or str(wanted.type) != str(one.type):
                    yield f"input {name}.{field}"
        elif isinstance(mine, GraphQLEnumType):
            extra = set(mine.values) - set(original.values)  # type: ignore[attr-defined]
            yield from (f"enum {name}.{value}" for value in extra)
        elif isinstance(mine, GraphQLUnionType):
            known = {one.name for one in original.types}  # type: ignore[attr-defined]
            yield from (f"union {name}: {one.name}" for one in mine.types if one.name not in known)


def _fields(mine, original) -> Iterator[str]:  # type: ignore[no-untyped-def]
    known = {one.name for one in original.interfaces}
    yield from (
        f"{mine.name} implements {one.name}" for one in mine.interfaces if one.name not in known
    )
    for name, one in mine.fields.items():
        wanted = original.fields.get(name)
        if wanted is None or str(wanted.type) != str(one.type):
            yield f"{mine.name}.{name}: {one.type}"
            continue
        for argument, given in one.args.items():
            theirs = wanted.args.get(argument)
            if theirs is None or str(theirs.type) != str(given.type):
                yield f"{mine.name}.{name}({argument})"
            elif theirs.default_value != given.default_value:
                yield f"{mine.name}.{name}({argument}) default"


@needs_reference
@pytest.mark.parametrize("version", SCHEMA_VERSIONS)
def test_nothing_is_served_that_shopify_lacks(version: str) -> None:
    assert list(_differences(schema_of(version), schema(version))) == []


@pytest.mark.parametrize("version", SCHEMA_VERSIONS)
def test_each_version_is_a_valid_schema(version: str) -> None:
    assert validate_schema(schema_of(version)) == []


def test_a_word_of_2026_10_is_not_in_older_versions() -> None:
    def words(version: str) -> set[str]:
        wanted = schema_of(version).type_map["OrderDisplayFulfillmentStatus"]
        assert isinstance(wanted, GraphQLEnumType)
        return set(wanted.values)

    assert "FULFILLMENT_NOT_REQUIRED" in words("2026-10")
    assert "FULFILLMENT_NOT_REQUIRED" not in words("2026-07")
