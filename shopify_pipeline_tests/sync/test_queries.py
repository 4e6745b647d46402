"""Every document that the package sends is one that Shopify's schema accepts, in each version."""

import pytest
from graphql import (
    GraphQLSchema,
    NoDeprecatedCustomRule,
    parse,
    specified_rules,
    validate,
)

from shopify_pipeline.admin_api import access
from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync.queries import Filter, bulk_query, documents, selection
from shopify_pipeline_tests.reference import VERSIONS, needs_reference, schema

DOCUMENTS = {**documents(ENTITIES.values()), "access": access.QUERY}


def problems(schema: GraphQLSchema, document: str) -> list[str]:
    """What the schema has against a document, use of deprecated fields included."""
    return [
        error.message
        for error in validate(
            schema, parse(document), rules=[*specified_rules, NoDeprecatedCustomRule]
        )
    ]


@needs_reference
@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid_and_uses_nothing_deprecated(version: str) -> None:
    found = {name: problems(schema(version), text) for name, text in DOCUMENTS.items()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@needs_reference
def test_the_check_itself_sees_deprecated_and_unknown_fields() -> None:
    wrong = problems(schema("2026-10"), "{ customers(first: 1) { nodes { email nonsense } } }")
    assert any("email is deprecated" in message for message in wrong)
    assert any("nonsense" in message for message in wrong)


def test_an_omitted_column_is_not_asked_for() -> None:
    omit = frozenset({"customers.email", "customers.accepts_marketing"})
    assert "defaultEmailAddress" in selection(ENTITIES["customers"])
    assert "defaultEmailAddress" not in selection(ENTITIES["customers"], omit)
    assert "defaultPhoneNumber" in selection(ENTITIES["customers"], omit)


def test_a_bulk_document_keeps_the_quotes_of_its_filter() -> None:
    text = bulk_query(
        ENTITIES["orders"], frozenset(), Filter(terms='name:"a\\b"', sort_key="UPDATED_AT")
    )
    assert 'query: "name:\\"a\\\\b\\""' in text
    parse(text)
