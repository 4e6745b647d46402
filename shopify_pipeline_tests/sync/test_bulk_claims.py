"""What a killed run had claimed: one claim is taken up by the next, none stays open for ever."""

import psycopg
import pytest

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync.bulk import BulkRead
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.window import Window
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import OpenSync, everything

ORDERS = ENTITIES["orders"]


@pytest.fixture
def sync(store: SimulatedStore, database_url: str, opened: OpenSync) -> SyncContext:
    """A synchronisation that reads every window by a bulk operation."""
    return opened(store, database_url, bulk_threshold=0)


def still_open(database_url: str) -> list[tuple[str, str]]:
    """Entity and purpose of the claims that have not ended."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT entity, purpose FROM shopify_internal.bulk_claims WHERE ended_at IS NULL "
            "ORDER BY entity, purpose"
        ).fetchall()


def outcomes(database_url: str) -> list[str | None]:
    with psycopg.connect(database_url) as connection:
        query = "SELECT outcome FROM shopify_internal.bulk_claims ORDER BY claimed_at, id"
        return [outcome for (outcome,) in connection.execute(query)]


def reading(sync: SyncContext, asked: Window, *, purpose: str = "updated") -> BulkRead:
    return BulkRead(sync=sync, entity=ORDERS, purpose=purpose, asked=asked, tell=lambda _: None)


def test_the_halves_that_a_killed_run_was_reading_are_closed_by_the_next(
    database_url: str, sync: SyncContext
) -> None:
    window = everything(sync)
    halves = Window(window.start, sync.api.now()).halves()
    assert halves is not None
    for half in halves:
        reading(sync, window).claim(half, "the query of a half")
    reading(sync, window, purpose="created").claim(window, "another's query")
    pull(sync, ORDERS, window)
    assert still_open(database_url) == [("orders", "created")]


def test_a_claim_that_is_not_taken_up_again_is_closed_beside_the_one_that_is(
    database_url: str, sync: SyncContext
) -> None:
    window = everything(sync)
    for query in ("an older query", "a newer query"):
        reading(sync, window).claim(window, query)
    found = reading(sync, window).unfinished(lambda _: "a newer query")
    assert found is not None
    assert found[1] == window
    assert outcomes(database_url) == ["given up: its window is read anew", None]
