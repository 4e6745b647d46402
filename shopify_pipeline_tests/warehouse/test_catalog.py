"""The listing of what the migrations make is true, and what a database lacks of it is found."""

import os

import pytest
import sqlalchemy as sa

from shopify_pipeline.warehouse.checks.catalog import (
    LISTING,
    differences,
    read_catalog,
    written,
)
from shopify_pipeline.warehouse.database import Database

INDEX = "shopify_orders_synced_at_idx"


@pytest.fixture
def connected(database_url: str) -> Database:
    """A migrated database of the test's own."""
    return Database(database_url)


def test_the_listing_is_what_the_migrations_make(connected: Database) -> None:
    with connected.transaction() as connection:
        made = written(read_catalog(connection))
    if os.environ.get("WRITE_SCHEMA"):
        LISTING.write_text(made, encoding="utf-8")
    assert made == LISTING.read_text(encoding="utf-8"), "write it anew: see CONTRIBUTING.md"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "DROP INDEX shopify_internal.webhook_inbox_pending_idx",
            "shopify_internal.webhook_inbox: index webhook_inbox_pending_idx is missing",
        ),
        (
            f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{INDEX}'::regclass",
            f"public.shopify_orders: index {INDEX} is not as the migrations make it",
        ),
        (
            "ALTER TABLE shopify_internal.checkpoints ALTER checkpoint TYPE text",
            "shopify_internal.checkpoints: column checkpoint is not as the migrations make it",
        ),
        (
            "ALTER TABLE shopify_internal.webhook_inbox DROP CONSTRAINT webhook_inbox_state_check",
            "shopify_internal.webhook_inbox: constraint webhook_inbox_state_check is missing",
        ),
        (
            "ALTER VIEW shopify_revenue_by_day RESET (security_invoker)",
            "public.shopify_revenue_by_day: relation is not as the migrations make it",
        ),
        (
            "DROP TABLE shopify_internal.swept",
            "shopify_internal.swept: relation is missing",
        ),
    ],
)
def test_what_is_missing_or_changed_is_found(
    connected: Database, statement: str, said: str
) -> None:
    with connected.transaction() as connection:
        if statement.startswith("UPDATE pg_") and not connection.scalar(
            sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        ):
            pytest.skip("only a superuser can make an index invalid")
        connection.execute(sa.text(statement))
    with connected.transaction() as connection:
        assert said in [str(one) for one in differences(connection)]


def test_what_others_add_is_left_to_them(connected: Database) -> None:
    with connected.transaction() as connection:
        for statement in (
            "CREATE INDEX theirs ON shopify_orders (name)",
            "CREATE VIEW shopify_theirs AS SELECT 1 AS one",
            "ALTER TABLE shopify_internal.checkpoints ADD COLUMN theirs text",
            "ALTER TABLE shopify_orders ADD CONSTRAINT theirs CHECK (true)",
        ):
            connection.execute(sa.text(statement))
        assert differences(connection) == []
