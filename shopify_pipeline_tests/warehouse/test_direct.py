"""A first load is copied straight into the tables, and every rule still holds."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_pipeline.warehouse import direct, merge, refresh_queue, staging
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.merge import MergeCounts, RowSet, UnfitRowsError, merge_reads
from shopify_pipeline_tests.warehouse.conftest import CUSTOMERS, ITEMS, ORDERS, PRODUCTS, at, fetch

ORDER = ("shopify_order_id", "shopify_customer_id", "name", "test", "updated_at", "observed_at")
ITEM = (
    "shopify_line_item_id",
    "shopify_order_id",
    "shopify_product_id",
    "title",
    "quantity",
    "observed_at",
)


@pytest.fixture(autouse=True)
def staged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Batches of any size go the direct way; notes how many rows went the other."""
    monkeypatch.setattr(merge, "MANY_ROWS", 1)
    found: list[int] = []
    bring = staging.bring

    def noted(connection: sa.Connection, stages: Any, passed: Any) -> None:
        found.append(sum(len(stage.rows) for stage in stages))
        bring(connection, stages, passed)

    with patch.object(merge, "bring", noted):
        yield found


def orders(
    numbers: range, *, customer: int | None = None, items: int = 2, **item: Any
) -> tuple[RowSet, list[RowSet]]:
    values = {"product": None, "title": "t", "quantity": 1, "observed": at(5)} | item
    return (
        RowSet(ORDERS, ORDER, [(n, customer, f"#{n}", False, at(4), at(5)) for n in numbers]),
        [
            RowSet(
                ITEMS,
                ITEM,
                [
                    (
                        n * 10 + k,
                        n,
                        values["product"],
                        values["title"],
                        values["quantity"],
                        values["observed"],
                    )
                    for n in numbers
                    for k in range(items)
                ],
            )
        ],
    )


def test_new_rows_are_copied_with_their_links_and_whole(
    database: Database, staged: list[int]
) -> None:
    customer = ("shopify_customer_id", "updated_at", "observed_at")
    with database.transaction() as connection:
        merge_reads(connection, RowSet(CUSTOMERS, customer, [(7, at(1), at(1))]))
        counts = merge_reads(connection, *orders(range(3), customer=7))
        rows = fetch(
            connection,
            "SELECT o.shopify_order_id, c.shopify_customer_id, o.complete_at, o.deleted_at,"
            " o.synced_at IS NOT NULL, count(i.id), min(i.complete_at), max(i.quantity),"
            " min(substr(o.id::text, 15, 1) || substr(i.id::text, 15, 1))"
            " FROM shopify_orders o JOIN shopify_customers c ON c.id = o.customer_id"
            " JOIN shopify_order_items i ON i.order_id = o.id GROUP BY o.id, c.id ORDER BY 1",
        )
    assert counts == {ORDERS.name: MergeCounts(inserted=3), ITEMS.name: MergeCounts(inserted=6)}
    assert rows == [(n, 7, at(4), None, True, 2, at(4), 1, "77") for n in range(3)]
    assert staged == []


def test_a_known_row_sends_the_batch_to_staging(database: Database, staged: list[int]) -> None:
    with database.transaction() as connection:
        merge_reads(connection, *orders(range(3)))
        assert merge_reads(connection, *orders(range(2, 5)))[ORDERS.name] == MergeCounts(
            inserted=2, unchanged=1
        )
    assert staged == [9]


def test_a_known_row_that_no_sample_showed_undoes_the_copy(
    database: Database, staged: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "_any_known", lambda *_: False)
    with database.transaction() as connection:
        merge_reads(connection, *orders(range(3)))
        counts = merge_reads(connection, *orders(range(2, 5)))
        assert fetch(connection, "SELECT count(*) FROM shopify_order_items") == [(10,)]
    assert counts[ORDERS.name] == MergeCounts(inserted=2, unchanged=1)
    assert staged == [9]


def test_a_known_child_undoes_the_copy(database: Database, staged: list[int]) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO shopify_order_items (shopify_line_item_id) VALUES (11)"
        )
        counts = merge_reads(connection, *orders(range(3)))
    assert counts[ITEMS.name] == MergeCounts(inserted=5, updated=1)
    assert staged == [9]


def test_a_tombstone_is_a_known_row(database: Database) -> None:
    with database.transaction() as connection:
        merge.mark_deleted(connection, ORDERS, [(1, at(9))], [ITEMS])
        merge_reads(connection, *orders(range(3)))
        assert fetch(
            connection, "SELECT deleted_at FROM shopify_orders ORDER BY shopify_order_id"
        ) == [(None,), (at(9),), (None,)]
        assert fetch(
            connection,
            "SELECT count(*) FROM shopify_order_items WHERE deleted_at = '2026-01-01 0:0:9Z'",
        ) == [(2,)]


def test_children_of_another_read_are_left_out(database: Database, staged: list[int]) -> None:
    with database.transaction() as connection:
        counts = merge_reads(connection, *orders(range(3), observed=at(4)))
    assert counts == {ORDERS.name: MergeCounts(inserted=3), ITEMS.name: MergeCounts(stale=6)}
    assert staged == [9]


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        ({"quantity": 2**31}, "quantity"),
        ({"quantity": "1"}, "quantity"),
        ({"title": 5}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"product": 2**63}, "shopify_product_id"),
        ({"product": 1.5}, "shopify_product_id"),
        ({"observed": "2026-01-01"}, "observed_at"),
    ],
)
def test_values_that_do_not_fit_are_named_and_nothing_is_written(
    database: Database, bad: dict[str, Any], column: str
) -> None:
    with database.transaction() as connection:
        with pytest.raises(UnfitRowsError) as caught:
            merge_reads(connection, *orders(range(2), items=1, **bad))
        assert fetch(connection, "SELECT count(*) FROM shopify_orders") == [(0,)]
    assert {(v.shopify_id, v.column) for v in caught.value.values} == {(0, column), (10, column)}


@pytest.mark.parametrize("bad", [1.5, Decimal("NaN"), 1])
def test_money_that_is_no_finite_decimal_is_named(database: Database, bad: Any) -> None:
    columns = ("shopify_order_id", "total_price", "updated_at", "observed_at")
    with database.transaction() as connection, pytest.raises(UnfitRowsError, match="total_price"):
        merge_reads(connection, RowSet(ORDERS, columns, [(1, bad, at(1), at(1))]))


def test_money_keeps_the_digits_that_it_was_written_with(database: Database) -> None:
    columns = ("shopify_order_id", "total_price", "updated_at", "observed_at")
    written = ["0", "0.00", "0.0", "-0.10", "12.50", "12.5", "99999999999999999.99", "1E+3"]
    rows = [(n, Decimal(text), at(1), at(1)) for n, text in enumerate(written)]
    with database.transaction() as connection:
        merge_reads(connection, RowSet(ORDERS, columns, rows))
        found = fetch(
            connection, "SELECT total_price::text FROM shopify_orders ORDER BY shopify_order_id"
        )
    assert found == [(text if text != "1E+3" else "1000",) for text in written]


def test_text_with_a_nul_is_stored_without_it(database: Database, staged: list[int]) -> None:
    with database.transaction() as connection:
        counts = merge_reads(connection, *orders(range(2), items=1, title="a\0b"))
        assert fetch(connection, "SELECT DISTINCT title FROM shopify_order_items") == [("ab",)]
    assert counts[ITEMS.name] == MergeCounts(inserted=2, cleaned=2)
    assert staged == []


def test_text_is_sent_in_the_encoding_of_the_connection(
    database: Database, staged: list[int]
) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("SET LOCAL client_encoding = 'LATIN1'")
        merge_reads(connection, *orders(range(3), title="Zoë"))
    with database.transaction() as connection:
        titles = fetch(connection, "SELECT DISTINCT title FROM shopify_order_items")
    assert (titles, staged) == ([("Zoë",)], [])


def test_reads_satisfy_what_was_queued_before_them(database: Database) -> None:
    with database.transaction() as connection:
        refresh_queue.enqueue(connection, "orders", [0], reason="r", queued_at=at(4))
        refresh_queue.enqueue(connection, "orders", [1, 9], reason="r", queued_at=at(5))
        merge_reads(connection, *orders(range(3)))
        assert fetch(
            connection, "SELECT shopify_id FROM shopify_internal.refresh_queue ORDER BY 1"
        ) == [(1,), (9,)]


def test_two_first_loads_at_once_end_in_one(database: Database, staged: list[int]) -> None:
    counts: list[MergeCounts] = []

    def load() -> None:
        batch = orders(range(200))
        found = database.retrying(lambda connection: merge_reads(connection, *batch))
        counts.append(found[ORDERS.name])

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.transaction() as connection:
        assert fetch(connection, "SELECT count(*) FROM shopify_order_items") == [(400,)]
    assert sum(found.inserted for found in counts) == 200


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
awkward = st.sampled_from(
    ["\\N", "\\", "\t", "\n", "\r\n", '"', "{}", "NULL", "", "a\\tb", "é\u2028"]
)


@pytest.mark.parametrize("many", [1, 1_000_000], ids=["copied", "staged"])
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(texts | awkward, st.lists(texts | awkward, max_size=3)), max_size=20))
def test_any_text_and_list_of_texts_is_stored_as_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch, many: int, values: list[Any]
) -> None:
    monkeypatch.setattr(merge, "MANY_ROWS", many)
    columns = ("shopify_product_id", "title", "tags", "updated_at", "observed_at")
    rows = [(n, *value, at(1), at(1)) for n, value in enumerate(values)]
    with database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM shopify_products")
        merge_reads(connection, RowSet(PRODUCTS, columns, rows))
        found = fetch(
            connection, "SELECT title, tags FROM shopify_products ORDER BY shopify_product_id"
        )
    assert found == values
