"""Rows that do not fit are named before anything is written."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.fitting import fitting
from shopify_pipeline.warehouse.merge import RowSet, UnfitRowsError, merge_reads
from shopify_pipeline.warehouse.rows import MergeCounts
from shopify_pipeline_tests.warehouse.conftest import ORDERS, PRODUCTS, VARIANTS, at, fetch

SHAPE = ("shopify_product_id", "title", "tags", "variants_count", "updated_at", "observed_at")


def row(key: Any = 1, title: Any = "t", tags: Any = None, count: Any = 1, updated: Any = 1) -> Any:
    moment = at(updated) if isinstance(updated, int) else updated
    return (key, title, tags, count, moment, at(1))


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (row(key=2**63), "shopify_product_id"),
        (row(key=None), "shopify_product_id"),
        (row(key="1"), "shopify_product_id"),
        (row(title=5), "title"),
        (row(title=0), "title"),
        (row(title="\ud800"), "title"),
        (row(tags="a, b"), "tags"),
        (row(tags=["a", None]), "tags"),
        (row(tags=["a", 1]), "tags"),
        (row(count=2**31), "variants_count"),
        (row(count=True), "variants_count"),
        (row(count=1.0), "variants_count"),
        (row(updated="2026-01-01"), "updated_at"),
        (row(updated=datetime(2026, 1, 1)), "updated_at"),
    ],
)
def test_a_value_that_does_not_fit_is_named_without_being_told(bad: Any, column: str) -> None:
    with pytest.raises(UnfitRowsError) as caught:
        fitting(PRODUCTS, SHAPE, [row(key=7), bad])
    (value,) = caught.value.values
    assert (value.table, value.column) == ("shopify_products", column)
    assert value.shopify_id == (bad[0] if isinstance(bad[0], int) else None)


@pytest.mark.parametrize(
    "money", [1.5, Decimal("NaN"), Decimal("Infinity"), Decimal("1E+200000"), 1]
)
def test_money_is_a_finite_decimal(money: Any) -> None:
    shape = ("shopify_order_id", "total_price", "observed_at")
    with pytest.raises(UnfitRowsError, match="shopify_orders 4: total_price"):
        fitting(ORDERS, shape, [(4, money, at(1))])


def test_every_unfit_row_of_every_table_is_listed_and_none_written(database: Database) -> None:
    parents = [row(key=1), row(key=2, count=2**31), row(key=3, title=1, count=2.5)]
    variant = ("shopify_variant_id", "shopify_product_id", "price", "observed_at")
    children = [(1, 1, Decimal(1), at(1)), (2, 1, 2.5, at(1))]
    with pytest.raises(UnfitRowsError) as caught, database.transaction() as connection:
        merge_reads(
            connection,
            RowSet(PRODUCTS, SHAPE, parents),
            [RowSet(VARIANTS, variant, children)],
        )
    assert caught.value.shopify_ids("shopify_products") == {2, 3}
    assert caught.value.shopify_ids("shopify_product_variants") == {2}
    assert len(caught.value.values) == 4
    with database.transaction() as connection:
        assert fetch(connection, "SELECT count(*) FROM shopify_products") == [(0,)]


def test_text_with_a_nul_is_stored_without_it_and_counted(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.transaction() as connection:
        counts = merge_reads(
            connection,
            RowSet(PRODUCTS, SHAPE, [row(key=1, title="a\0b", tags=["\0", "x"]), row(key=2)]),
        )
        found = fetch(connection, "SELECT title, tags FROM shopify_products ORDER BY 1")
    assert found == [("ab", ["", "x"]), ("t", None)]
    assert counts[PRODUCTS.name] == MergeCounts(inserted=2, cleaned=2)
    assert "U+0000 removed from 2 texts" in caplog.text


class Word(StrEnum):
    ACTIVE = "active"


def test_a_subclass_of_text_fits() -> None:
    assert fitting(PRODUCTS, SHAPE, [row(title=Word.ACTIVE)])[0] == [row(title="active")]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row has 2 values for 6 columns"):
        RowSet(PRODUCTS, SHAPE, [row(), (1, 2)]).listed()


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            st.none() | st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
            st.none() | st.integers(-(2**31), 2**31 - 1),
            st.none() | st.datetimes(timezones=st.timezones()),
            st.datetimes(timezones=st.timezones()),
        )
    )
)
def test_whatever_its_column_can_hold_fits(rows: list[Any]) -> None:
    kept, cleaned = fitting(PRODUCTS, SHAPE, rows)
    nul = [text for one in rows for text in (one[1] or "", "".join(one[2] or ())) if "\0" in text]
    assert cleaned == len(nul)
    if not nul:
        assert kept == rows


def test_counts_add_up() -> None:
    one = MergeCounts(inserted=1, updated=2, unchanged=3, stale=4, deleted=5, cleaned=6)
    assert one + one == MergeCounts(2, 4, 6, 8, 10, 12)
    assert one.written == 8
