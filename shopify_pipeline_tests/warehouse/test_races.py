"""Two writers of one row: the second waits for the first, and judges what that left."""

import threading
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.merge import MergeCounts, mark_deleted, merge_partials, merge_reads
from shopify_pipeline.warehouse.rows import RowSet
from shopify_pipeline_tests.warehouse.conftest import PRODUCTS, VARIANTS, at, fetch

PRODUCT = ("shopify_product_id", "title", "updated_at", "observed_at")
VARIANT = ("shopify_variant_id", "shopify_product_id", "title", "updated_at", "observed_at")

Counts = dict[str, MergeCounts]


def read(
    connection: sa.Connection, *, updated: float, observed: float, variants: tuple[int, ...] = ()
) -> Counts:
    return merge_reads(
        connection,
        RowSet(PRODUCTS, PRODUCT, [(1, f"{updated}", at(updated), at(observed))]),
        [RowSet(VARIANTS, VARIANT, [(v, 1, "v", at(1), at(observed)) for v in variants])],
    )


class Second:
    """A writer in a transaction of its own, started and found waiting for the test's."""

    def __init__(self, database: Database, work: Callable[[sa.Connection], Counts]) -> None:
        self._found: list[Counts] = []
        self._thread = threading.Thread(target=lambda: self._found.append(database.retrying(work)))
        self._thread.start()
        deadline = time.monotonic() + 20
        while not _waits(database):
            assert time.monotonic() < deadline, "it did not wait"
            time.sleep(0.02)

    def result(self) -> Counts:
        """Its counts, when it has ended."""
        self._thread.join(20)
        (found,) = self._found
        return found


def _waits(database: Database) -> bool:
    with database.transaction() as connection:
        return fetch(
            connection,
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'",
        ) != [(0,)]


def outcome(database: Database) -> tuple[object, ...]:
    with database.transaction() as connection:
        return (
            *fetch(connection, "SELECT title, deleted_at FROM shopify_products")[0],
            fetch(connection, "SELECT shopify_variant_id FROM shopify_product_variants ORDER BY 1"),
        )


@pytest.mark.parametrize("is_read", [True, False])
def test_of_two_that_insert_one_row_at_once_the_newer_stays(
    database: Database, *, is_read: bool
) -> None:
    def older(connection: sa.Connection) -> Counts:
        if is_read:
            return read(connection, updated=4, observed=6, variants=(2,))
        rows = RowSet(PRODUCTS, PRODUCT, [(1, "4", at(4), at(6))])
        return merge_partials(connection, rows)

    with database.transaction() as connection:
        read(connection, updated=5, observed=5, variants=(1,))
        second = Second(database, older)
    assert second.result()[PRODUCTS.name] == MergeCounts(stale=1)
    assert outcome(database) == ("5", None, [(1,)])


def test_children_of_an_unchanged_parent_wait_for_its_next_version(database: Database) -> None:
    with database.transaction() as connection:
        read(connection, updated=1, observed=1, variants=(1,))
    with database.transaction() as connection:
        read(connection, updated=2, observed=4, variants=(1,))
        second = Second(database, lambda other: read(other, updated=1, observed=3, variants=(1, 2)))
    assert second.result()[VARIANTS.name] == MergeCounts(stale=2)
    assert outcome(database) == ("2", None, [(1,)])


def test_children_of_an_unchanged_parent_wait_for_its_deletion(database: Database) -> None:
    with database.transaction() as connection:
        read(connection, updated=1, observed=1, variants=(1,))
    with database.transaction() as connection:
        mark_deleted(connection, PRODUCTS, [(1, at(9))], [VARIANTS])
        second = Second(database, lambda other: read(other, updated=1, observed=3, variants=(1, 2)))
    second.result()
    with database.transaction() as connection:
        assert fetch(
            connection,
            "SELECT shopify_variant_id, deleted_at FROM shopify_product_variants ORDER BY 1",
        ) == [(1, at(9)), (2, at(9))]


def test_two_that_write_rows_in_another_order_both_end(database: Database) -> None:
    def rows(moment: float, numbers: list[int]) -> RowSet:
        return RowSet(PRODUCTS, PRODUCT, [(n, "t", at(moment), at(moment)) for n in numbers])

    def write(moment: float, first: int, second: int) -> None:
        def work(connection: sa.Connection) -> None:
            merge_reads(connection, rows(moment, [first]))
            time.sleep(0.2)
            merge_reads(connection, rows(moment, [second]))

        database.retrying(work)

    threads = [
        threading.Thread(target=write, args=arguments) for arguments in ((2, 1, 2), (3, 2, 1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.transaction() as connection:
        assert fetch(connection, "SELECT DISTINCT updated_at FROM shopify_products") == [(at(3),)]
