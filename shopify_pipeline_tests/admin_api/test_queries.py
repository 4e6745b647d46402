"""Every query of the client itself is valid in all supported API versions, without old fields."""

import pytest
from graphql import NoDeprecatedCustomRule, parse, specified_rules, validate

from shopify_pipeline.admin_api import access, bulk, versions
from shopify_pipeline_tests import reference

QUERIES = {
    "access": access.QUERY,
    "versions": versions.VERSIONS,
    "bulk run": bulk.RUN,
    "bulk read": bulk.READ,
    "bulk list": bulk.LIST,
    "bulk cancel": bulk.CANCEL,
}


@reference.needs_reference
@pytest.mark.parametrize("version", reference.VERSIONS)
@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_valid_in_every_version_and_names_nothing_deprecated(
    name: str, version: str
) -> None:
    rules = [*specified_rules, NoDeprecatedCustomRule]
    assert validate(reference.schema(version), parse(QUERIES[name]), rules) == []
