"""The documents of checks, sweeps and reconciliation are valid in every version of the schema."""

import pytest

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync.reconcile_queries import (
    counted_children,
    documents,
    drifting_columns,
    swept_selection,
)
from shopify_pipeline_tests.reference import VERSIONS, needs_reference, schema
from shopify_pipeline_tests.sync.test_queries import problems

DOCUMENTS = documents(ENTITIES.values())


@needs_reference
@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_valid_and_uses_nothing_deprecated(version: str) -> None:
    found = {name: problems(schema(version), text) for name, text in DOCUMENTS.items()}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_a_sweep_asks_for_what_drifts_and_how_many_children_there_are() -> None:
    customers, orders = ENTITIES["customers"], ENTITIES["orders"]
    assert drifting_columns(customers) == ("orders_count", "total_spent")
    assert "numberOfOrders amountSpent { amount }" in swept_selection(customers, frozenset())
    assert [child.name for child in counted_children(orders)] == ["order_items"]
    assert "subtotalLineItemsQuantity" in swept_selection(orders, frozenset())


def test_an_omitted_column_is_not_swept() -> None:
    omit = frozenset({"customers.total_spent"})
    assert drifting_columns(ENTITIES["customers"], omit) == ("orders_count",)
    assert "amountSpent" not in swept_selection(ENTITIES["customers"], omit)
