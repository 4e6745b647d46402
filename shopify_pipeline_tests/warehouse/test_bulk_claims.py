"""Claims of bulk operations: taken up by the same window, closed once nobody will take them up."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from shopify_pipeline.warehouse import bulk_claims
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline_tests.warehouse.conftest import at

HOUR = 3600
START, MIDDLE, END = at(0), at(5 * HOUR), at(10 * HOUR)


@pytest.fixture
def claiming(database: Database) -> Database:
    """The shared database, without claims."""
    with database.transaction() as connection:
        connection.execute(sa.delete(bulk_claims.CLAIMS))
    return database


def claimed(database: Database, **changes: Any) -> UUID:
    """Claim an operation over all of the window, made just now, but for the `changes`."""
    values: dict[str, Any] = {
        "entity": "orders",
        "purpose": "updated",
        "start": START,
        "end": END,
        "asked_end": END,
        "query_hash": "a hash",
    } | changes
    with database.transaction() as connection:
        values.setdefault("claimed_at", connection.execute(sa.select(sa.func.now())).scalar_one())
        return bulk_claims.claim(connection, **values).id


def close_orphans(database: Database, *, keep: UUID | None = None) -> None:
    with database.transaction() as connection:
        bulk_claims.close_orphans(
            connection, "orders", "updated", start=START, asked_end=END, keep=keep
        )


def outcomes(database: Database) -> dict[UUID, str | None]:
    """How each claim ended; None for one that is open."""
    query = sa.select(
        bulk_claims.CLAIMS.c.id, bulk_claims.CLAIMS.c.ended_at, bulk_claims.CLAIMS.c.outcome
    )
    with database.transaction() as connection:
        return {
            row.id: None if row.ended_at is None else row.outcome
            for row in connection.execute(query)
        }


def days_ago(days: float) -> datetime:
    return datetime.now().astimezone() - timedelta(days=days)


GIVEN_UP = "given up: its window is read anew"


def test_claims_of_parts_of_a_window_that_is_read_anew_are_closed(claiming: Database) -> None:
    parts = [
        claimed(claiming),
        claimed(claiming, end=MIDDLE),
        claimed(claiming, start=MIDDLE),
    ]
    close_orphans(claiming)
    assert outcomes(claiming) == dict.fromkeys(parts, GIVEN_UP)


def test_the_claim_that_is_taken_up_stays_open(claiming: Database) -> None:
    kept, half = claimed(claiming), claimed(claiming, start=MIDDLE)
    close_orphans(claiming, keep=kept)
    assert outcomes(claiming) == {kept: None, half: GIVEN_UP}


def test_a_claim_whose_result_shopify_keeps_no_more_is_closed_whatever_its_window(
    claiming: Database,
) -> None:
    elsewhere = {"start": at(-HOUR), "asked_end": at(20 * HOUR)}
    expired = claimed(claiming, claimed_at=days_ago(7.1), **elsewhere)
    fresh = claimed(claiming, claimed_at=days_ago(6.9), **elsewhere)
    close_orphans(claiming)
    assert outcomes(claiming) == {expired: GIVEN_UP, fresh: None}


@pytest.mark.parametrize(
    "changes",
    [
        {"entity": "products"},
        {"purpose": "created"},
        {"start": at(-1)},
        {"asked_end": at(10 * HOUR + 1)},
        {"start": MIDDLE, "end": at(12 * HOUR), "asked_end": at(12 * HOUR)},
    ],
    ids=" ".join,
)
def test_claims_of_anything_else_stay_open(claiming: Database, changes: dict[str, Any]) -> None:
    other = claimed(claiming, **changes)
    close_orphans(claiming)
    assert outcomes(claiming) == {other: None}


@pytest.mark.parametrize("changes", [{"entity": "products"}, {"purpose": "created"}])
def test_expired_claims_of_other_entities_and_purposes_are_left_to_their_own_reads(
    claiming: Database, changes: dict[str, Any]
) -> None:
    other = claimed(claiming, claimed_at=days_ago(8), **changes)
    close_orphans(claiming)
    assert outcomes(claiming) == {other: None}


def test_what_has_ended_keeps_its_outcome(claiming: Database) -> None:
    merged = claimed(claiming)
    with claiming.transaction() as connection:
        bulk_claims.end(connection, merged, "merged")
    close_orphans(claiming)
    assert outcomes(claiming) == {merged: "merged"}


def test_the_newest_open_claim_of_just_this_window_is_the_one_to_take_up(
    claiming: Database,
) -> None:
    claimed(claiming, claimed_at=days_ago(2))
    newest = claimed(claiming, claimed_at=days_ago(1))
    claimed(claiming, start=MIDDLE)
    claimed(claiming, entity="products")
    with claiming.transaction() as connection:
        bulk_claims.end(connection, claimed(claiming), "merged")
    with claiming.transaction() as connection:
        found = bulk_claims.unfinished(connection, "orders", "updated", start=START, asked_end=END)
    assert found is not None
    assert found.id == newest
