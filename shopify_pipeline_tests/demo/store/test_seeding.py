"""The records of a filled store, as against its clock."""

import pytest

from shopify_pipeline.demo.store.clock import DAY, SECOND, Clock
from shopify_pipeline.demo.store.database import Database
from shopify_pipeline.demo.store.seeding import Size, fill
from shopify_pipeline.demo.store.store import Store

NOW = 1_790_000_000 * SECOND


@pytest.fixture(scope="module")
def filled() -> Database:
    clock = Clock(start=NOW)
    clock.freeze()
    store = Store(clock=clock)
    fill(store, seed=5, size=Size(6_000, 30_000, 3_000))
    return store.database


@pytest.mark.parametrize("kind", ["products", "variants", "customers", "orders"])
@pytest.mark.parametrize("moment", ["created_at", "updated_at"])
def test_nothing_is_seeded_in_the_future(filled: Database, kind: str, moment: str) -> None:
    newest = filled.value(f"SELECT MAX({moment}) FROM {kind}_index")
    assert NOW - DAY < newest <= NOW
