"""Whatever columns may be left out, the others are read and written as ever."""

from dataclasses import replace

import psycopg
import pytest

from shopify_pipeline.admin_api.errors import AccessDeniedError
from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.entities.omission import columns_at, kept_columns
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.warehouse.counts import row_count
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, everything, pull_all

OMITTABLE = frozenset(
    f"{entity.name}.{column}"
    for entity in ENTITIES.values()
    for column in entity.row.model_fields
    if column not in kept_columns(entity)
)


@pytest.mark.parametrize("bulk_threshold", [0, 10_000])
def test_every_column_that_may_be_left_out_can_be(
    store: SimulatedStore, database_url: str, opened: OpenSync, bulk_threshold: int
) -> None:
    sync = opened(store, database_url, omit=OMITTABLE, bulk_threshold=bulk_threshold)
    pull_all(sync)
    pull_all(sync, resume=True)
    with sync.database.transaction() as connection:
        assert all(row_count(connection, entity.table) for entity in ENTITIES.values())
    with psycopg.connect(database_url) as connection:
        for entity in ENTITIES.values():
            written = connection.execute(f"SELECT * FROM {entity.table_name} LIMIT 1")
            names = [column.name for column in written.description or ()]
            row = dict(zip(names, written.fetchone() or (), strict=True))
            for column in entity.row.model_fields:
                assert (row[column] is None) or column in kept_columns(entity), column
        outcomes = connection.execute("SELECT outcome FROM shopify_internal.bulk_claims")
        assert {outcome for (outcome,) in outcomes} <= {"merged"}


def test_a_column_left_out_later_keeps_what_it_had(
    store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(store, database_url)
    pull(sync, ENTITIES["customers"], everything(sync), resume=False)
    without = replace(sync, omit=frozenset({"customers.state"}))
    pull(without, ENTITIES["customers"], everything(sync), resume=False)
    with psycopg.connect(database_url) as connection:
        assert connection.execute(
            "SELECT count(*) FROM shopify_customers WHERE state IS NULL"
        ).fetchone() == (0,)


@pytest.mark.parametrize(
    ("operation", "path", "columns"),
    [
        (
            "Pull_customers",
            "customers.nodes.defaultEmailAddress",
            {"customers.email", "customers.accepts_marketing"},
        ),
        ("Pull_customers", "customers.nodes.defaultEmailAddress.emailAddress", {"customers.email"}),
        ("Pull_customers", "customers.nodes.legacyResourceId", set()),
        ("Pull_customers", "customers", set()),
        ("Pull_orders", "orders.nodes.lineItems.nodes.sku", {"order_items.sku"}),
        ("More_order_items", "node.lineItems.nodes.sku", {"order_items.sku"}),
        ("Refresh_customers", "nodes.state", {"customers.state"}),
        ("Refresh_orders", "nodes.email", {"orders.email"}),
        ("Pull_orders", "orders.nodes.customer", {"orders.shopify_customer_id"}),
    ],
)
def test_a_path_of_an_answer_is_known_by_its_columns(
    operation: str, path: str, columns: set[str]
) -> None:
    assert set(columns_at(ENTITIES.values(), operation, path)) == columns


def test_denied_fields_are_named_once_with_what_to_leave_out(
    new_store: SimulatedStore, database_url: str, opened: OpenSync
) -> None:
    sync = opened(new_store, database_url)
    new_store.control("settings", {"deniedFields": ["CustomerEmailAddress.emailAddress"]})
    with pytest.raises(AccessDeniedError) as denied:
        pull(sync, ENTITIES["customers"], everything(sync), resume=False)
    said = str(denied.value)
    assert denied.value.fields == ("customers.nodes.defaultEmailAddress.emailAddress",)
    assert said.count("emailAddress field") == 1
    assert " times)" in said
    assert "add to SHOPIFY_OMIT_COLUMNS customers.email (" in said
    assert len(said) < 600
