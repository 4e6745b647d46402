"""The rules of merging, one behaviour at a time."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.merge import (
    MergeCounts,
    RowSet,
    mark_deleted,
    merge_partials,
    merge_reads,
)
from shopify_pipeline_tests.warehouse.conftest import (
    CUSTOMERS,
    ITEMS,
    ORDERS,
    PRODUCTS,
    VARIANTS,
    at,
    fetch,
)

PRODUCT = ("shopify_product_id", "title", "variants_count", "updated_at", "observed_at")
VARIANT = ("shopify_variant_id", "shopify_product_id", "title", "updated_at", "observed_at")


def read_product(
    database: Database,
    *,
    updated: float,
    observed: float,
    title: str = "T",
    variants: Sequence[int] = (),
    key: int = 1,
) -> dict[str, MergeCounts]:
    """Merge a complete read of product `key` with these variants."""
    with database.transaction() as connection:
        return merge_reads(
            connection,
            RowSet(PRODUCTS, PRODUCT, [(key, title, len(variants), at(updated), at(observed))]),
            [
                RowSet(
                    VARIANTS,
                    VARIANT,
                    [(number, key, "v", at(updated), at(observed)) for number in variants],
                )
            ],
        )


def tell_product(
    database: Database, *, updated: float, observed: float, title: str = "T", key: int = 1
) -> MergeCounts:
    """Merge a webhook body of product `key`, which carries no variants_count."""
    columns = ("shopify_product_id", "title", "updated_at", "observed_at")
    rows = [(key, title, at(updated), at(observed))]
    with database.transaction() as connection:
        return merge_partials(connection, RowSet(PRODUCTS, columns, rows))[PRODUCTS.name]


def delete_product(database: Database, moment: float, key: int = 1) -> MergeCounts:
    with database.transaction() as connection:
        return mark_deleted(connection, PRODUCTS, [(key, at(moment))], [VARIANTS])


def product(database: Database, columns: str, key: int = 1) -> tuple[Any, ...]:
    with database.transaction() as connection:
        return fetch(
            connection, f"SELECT {columns} FROM shopify_products WHERE shopify_product_id = {key}"
        )[0]


def variants(database: Database, columns: str) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return fetch(
            connection,
            f"SELECT shopify_variant_id, {columns} FROM shopify_product_variants ORDER BY 1",
        )


def test_a_read_that_says_nothing_new_leaves_the_row_untouched(database: Database) -> None:
    read_product(database, updated=1, observed=1, variants=[1])
    before = product(database, "ctid, xmax, observed_at")
    below = variants(database, "ctid, xmax, observed_at")
    counts = read_product(database, updated=1, observed=9, variants=[1])
    assert counts == {
        PRODUCTS.name: MergeCounts(unchanged=1),
        VARIANTS.name: MergeCounts(unchanged=1),
    }
    assert product(database, "ctid, xmax, observed_at") == before
    assert variants(database, "ctid, xmax, observed_at") == below


def test_a_stale_read_leaves_the_row_and_its_children_untouched(database: Database) -> None:
    read_product(database, updated=5, observed=5, title="new", variants=[1])
    before = product(database, "ctid, xmax, title")
    counts = read_product(database, updated=4, observed=6, title="old", variants=[2])
    assert counts[PRODUCTS.name] == MergeCounts(stale=1)
    assert counts[VARIANTS.name] == MergeCounts(stale=1)
    assert product(database, "ctid, xmax, title") == before
    assert variants(database, "deleted_at") == [(1, None)]


def test_of_two_reads_of_one_second_the_later_observed_wins(database: Database) -> None:
    read_product(database, updated=5, observed=7, title="later")
    counts = read_product(database, updated=5, observed=6, title="earlier")
    assert counts[PRODUCTS.name] == MergeCounts(stale=1)
    assert product(database, "title") == ("later",)


def test_a_body_of_the_same_second_is_not_written(database: Database) -> None:
    read_product(database, updated=5, observed=6, title="read")
    assert tell_product(database, updated=5, observed=9, title="body") == MergeCounts(stale=1)
    assert product(database, "title") == ("read",)


def test_a_newer_body_leaves_what_it_does_not_carry_and_the_row_not_whole(
    database: Database,
) -> None:
    read_product(database, updated=5, observed=5, variants=[1, 2])
    assert tell_product(database, updated=6, observed=6, title="body") == MergeCounts(updated=1)
    assert product(
        database,
        "title, variants_count, complete_at < updated_at, complete_at = '2026-01-01 0:0:5Z'",
    ) == ("body", 2, True, True)


def test_observed_at_never_goes_back(database: Database) -> None:
    read_product(database, updated=5, observed=9)
    read_product(database, updated=6, observed=7, title="newer")
    assert product(database, "title, observed_at, complete_at") == ("newer", at(9), at(6))


def test_a_deletion_keeps_the_values_and_marks_the_children(database: Database) -> None:
    read_product(database, updated=1, observed=1, title="kept", variants=[1])
    assert delete_product(database, 5) == MergeCounts(deleted=1)
    assert product(database, "title, deleted_at, observed_at") == ("kept", at(5), at(1))
    assert variants(database, "deleted_at, title") == [(1, at(5), "v")]
    assert delete_product(database, 4) == MergeCounts(unchanged=1)


def test_a_deletion_older_than_what_was_seen_is_dropped(database: Database) -> None:
    read_product(database, updated=1, observed=9, variants=[1])
    assert delete_product(database, 9) == MergeCounts(stale=1)
    assert product(database, "deleted_at") == (None,)
    assert variants(database, "deleted_at") == [(1, None)]


def test_a_late_create_fills_a_tombstone_and_does_not_bring_it_to_life(database: Database) -> None:
    assert delete_product(database, 5) == MergeCounts(deleted=1)
    assert product(database, "title, updated_at, observed_at") == (None, None, None)
    assert tell_product(database, updated=3, observed=3, title="late") == MergeCounts(updated=1)
    assert product(database, "title, deleted_at") == ("late", at(5))
    counts = read_product(database, updated=3, observed=4, variants=[7])
    assert counts[PRODUCTS.name] == MergeCounts(updated=1)
    assert product(database, "deleted_at") == (at(5),)
    assert variants(database, "deleted_at") == [(7, at(5))]


def test_only_a_read_observed_later_takes_a_deletion_back(database: Database) -> None:
    read_product(database, updated=1, observed=1, variants=[1])
    delete_product(database, 5)
    tell_product(database, updated=7, observed=7)
    assert product(database, "deleted_at") == (at(5),)
    read_product(database, updated=7, observed=8, variants=[1])
    assert product(database, "deleted_at") == (None,)
    assert variants(database, "deleted_at") == [(1, None)]


def test_a_read_takes_a_deletion_back_though_nothing_else_changed(database: Database) -> None:
    read_product(database, updated=1, observed=1, variants=[1])
    delete_product(database, 5)
    counts = read_product(database, updated=1, observed=6, variants=[1])
    assert counts[PRODUCTS.name] == MergeCounts(updated=1)
    assert counts[VARIANTS.name] == MergeCounts(updated=1)


def test_a_child_seen_after_the_deletion_of_its_parent_is_marked_when_it_is_written(
    database: Database,
) -> None:
    read_product(database, updated=1, observed=1, variants=[1])
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE shopify_product_variants SET observed_at = '2026-01-01 0:0:9Z'"
        )
    delete_product(database, 5)
    assert variants(database, "deleted_at") == [(1, None)]
    body = ("shopify_product_id", "title", "updated_at", "observed_at")
    with database.transaction() as connection:
        merge_partials(
            connection,
            RowSet(PRODUCTS, body, [(1, "body", at(10), at(10))]),
            [RowSet(VARIANTS, VARIANT, [(1, 1, "v", at(1), at(10))])],
        )
    assert variants(database, "deleted_at") == [(1, at(5))]


def test_a_read_prunes_the_children_that_it_no_longer_has(database: Database) -> None:
    read_product(database, updated=1, observed=1, variants=[1, 2])
    counts = read_product(database, updated=2, observed=3, variants=[2])
    assert counts[VARIANTS.name] == MergeCounts(updated=1, deleted=1)
    assert variants(database, "deleted_at") == [(1, at(3)), (2, None)]


def test_a_read_prunes_below_a_parent_that_did_not_change(database: Database) -> None:
    read_product(database, updated=1, observed=1, variants=[1, 2])
    with database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO shopify_product_variants (shopify_variant_id, shopify_product_id,"
            " product_id) SELECT 3, 1, id FROM shopify_products"
        )
    counts = read_product(database, updated=1, observed=3, variants=[1, 2])
    assert counts[PRODUCTS.name] == MergeCounts(unchanged=1)
    assert counts[VARIANTS.name] == MergeCounts(unchanged=2, deleted=1)


def test_a_read_with_no_children_at_all_prunes_every_child(database: Database) -> None:
    read_product(database, updated=1, observed=1, variants=[1, 2])
    assert read_product(database, updated=1, observed=2)[VARIANTS.name] == MergeCounts(deleted=2)


def test_a_pruned_child_that_comes_back_lives_again(database: Database) -> None:
    read_product(database, updated=1, observed=1, variants=[1])
    read_product(database, updated=2, observed=2)
    counts = read_product(database, updated=2, observed=3, variants=[1])
    assert counts[VARIANTS.name] == MergeCounts(updated=1)
    assert variants(database, "deleted_at") == [(1, None)]


def test_a_variant_is_whole_as_of_the_later_of_its_own_and_the_products_time(
    database: Database,
) -> None:
    with database.transaction() as connection:
        merge_reads(
            connection,
            RowSet(PRODUCTS, PRODUCT, [(1, "T", 2, at(5), at(9))]),
            [
                RowSet(
                    VARIANTS,
                    VARIANT,
                    [(1, 1, "older", at(4), at(9)), (2, 1, "newer", at(8), at(9))],
                )
            ],
        )
    assert variants(database, "complete_at") == [(1, at(5)), (2, at(8))]


def test_in_one_batch_the_latest_version_wins_with_its_own_children(database: Database) -> None:
    with database.transaction() as connection:
        counts = merge_reads(
            connection,
            RowSet(
                PRODUCTS,
                PRODUCT,
                [(1, "new", 1, at(5), at(6)), (1, "old", 1, at(4), at(7))],
            ),
            [
                RowSet(
                    VARIANTS,
                    VARIANT,
                    [
                        (1, 1, "a", at(1), at(6)),
                        (2, 1, "b", at(1), at(7)),
                        (1, 1, "c", at(1), at(7)),
                    ],
                )
            ],
        )
    assert counts[PRODUCTS.name] == MergeCounts(inserted=1)
    assert counts[VARIANTS.name] == MergeCounts(inserted=1, stale=1)
    assert product(database, "title") == ("new",)
    assert variants(database, "title") == [(1, "a")]


def test_of_two_rows_of_one_version_in_a_batch_the_later_wins(database: Database) -> None:
    rows = [(1, title, 1, at(5), at(6)) for title in ("first", "second", "third")]
    with database.transaction() as connection:
        merge_reads(connection, RowSet(PRODUCTS, PRODUCT, rows))
    assert product(database, "title") == ("third",)


def test_events_without_updated_at_go_by_the_time_of_observation(database: Database) -> None:
    read_product(database, updated=5, observed=5)
    columns = ("shopify_product_id", "tags", "observed_at")
    with database.transaction() as connection:
        for moment, tags in ((6, ["x"]), (6, ["late"]), (5, ["older"])):
            merge_partials(connection, RowSet(PRODUCTS, columns, [(1, tags, at(moment))]))
    assert product(database, "tags, title, updated_at, observed_at, complete_at") == (
        ["x"],
        "T",
        at(5),
        at(6),
        at(5),
    )


def read_order(
    database: Database,
    *,
    moment: float,
    customer: int | None = None,
    item_product: int | None = None,
    items: Sequence[int] = (1,),
) -> dict[str, MergeCounts]:
    with database.transaction() as connection:
        return merge_reads(
            connection,
            RowSet(
                ORDERS,
                ("shopify_order_id", "shopify_customer_id", "name", "updated_at", "observed_at"),
                [(1, customer, "#1", at(moment), at(moment))],
            ),
            [
                RowSet(
                    ITEMS,
                    (
                        "shopify_line_item_id",
                        "shopify_order_id",
                        "shopify_product_id",
                        "title",
                        "observed_at",
                    ),
                    [(item, 1, item_product, "line", at(moment)) for item in items],
                )
            ],
        )


def read_customer(database: Database, key: int) -> None:
    columns = ("shopify_customer_id", "email", "updated_at", "observed_at")
    with database.transaction() as connection:
        merge_reads(connection, RowSet(CUSTOMERS, columns, [(key, "e", at(1), at(1))]))


def order_links(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction() as connection:
        return fetch(
            connection,
            "SELECT o.shopify_customer_id, c.shopify_customer_id FROM shopify_orders o "
            "LEFT JOIN shopify_customers c ON c.id = o.customer_id",
        )


def test_a_link_leads_to_the_parent_and_changes_with_its_id(database: Database) -> None:
    read_customer(database, 5)
    read_customer(database, 6)
    read_order(database, moment=1, customer=5)
    assert order_links(database) == [(5, 5)]
    read_order(database, moment=2, customer=6)
    assert order_links(database) == [(6, 6)]
    read_order(database, moment=3, customer=7)
    assert order_links(database) == [(7, None)]
    read_order(database, moment=4, customer=None)
    assert order_links(database) == [(None, None)]


def test_an_open_link_is_set_when_its_row_is_written_again(database: Database) -> None:
    read_order(database, moment=1, customer=5)
    read_customer(database, 5)
    assert order_links(database) == [(5, None)]
    read_order(database, moment=2, customer=5)
    assert order_links(database) == [(5, 5)]


def test_a_line_keeps_its_product_when_shopify_forgets_it(database: Database) -> None:
    read_product(database, updated=1, observed=1, key=9)
    read_order(database, moment=1, item_product=9)
    counts = read_order(database, moment=2, item_product=None)
    assert counts[ITEMS.name] == MergeCounts(updated=1)
    with database.transaction() as connection:
        assert fetch(
            connection, "SELECT shopify_product_id, product_id IS NOT NULL FROM shopify_order_items"
        ) == [(9, True)]
    assert read_order(database, moment=2, item_product=None)[ITEMS.name] == MergeCounts(unchanged=1)


def test_lines_are_never_pruned(database: Database) -> None:
    read_order(database, moment=1, items=[1, 2])
    assert read_order(database, moment=2, items=[1])[ITEMS.name] == MergeCounts(updated=1)


def test_two_shapes_of_one_table_merge_in_one_transaction(database: Database) -> None:
    columns = ("shopify_product_id", "tags", "observed_at")
    with database.transaction() as connection:
        merge_reads(connection, RowSet(PRODUCTS, PRODUCT, [(1, "T", 1, at(1), at(1))]))
        merge_partials(connection, RowSet(PRODUCTS, columns, [(1, ["x"], at(2))]))
        merge_reads(connection, RowSet(PRODUCTS, PRODUCT, [(2, "U", 1, at(1), at(1))]))
    assert product(database, "title, tags") == ("T", ["x"])
    assert product(database, "title", key=2) == ("U",)


def test_nothing_to_merge_writes_nothing(database: Database) -> None:
    with database.transaction() as connection:
        assert merge_reads(connection, RowSet(PRODUCTS, PRODUCT, [])) == {
            PRODUCTS.name: MergeCounts()
        }
        assert mark_deleted(connection, PRODUCTS, []) == MergeCounts()


@pytest.mark.parametrize(
    "columns",
    [
        ("shopify_product_id", "updated_at"),
        ("title", "updated_at", "observed_at"),
        ("shopify_product_id", "price", "updated_at", "observed_at"),
        ("shopify_product_id", "title", "title", "updated_at", "observed_at"),
        ("shopify_product_id", "title", "observed_at"),
    ],
)
def test_a_shape_that_cannot_be_read_whole_is_refused(
    database: Database, columns: tuple[str, ...]
) -> None:
    with database.transaction() as connection, pytest.raises(ValueError, match="shopify_products"):
        merge_reads(connection, RowSet(PRODUCTS, columns, []))


def test_values_survive_exactly(database: Database) -> None:
    big = 2**62 + 1
    columns = (
        "shopify_order_id",
        "name",
        "total_price",
        "net_payment",
        "updated_at",
        "observed_at",
    )
    text = "a\tb\\N\n'\"{} ,\u2028 \U0001f600"
    rows = [
        (big, text, Decimal("12345678901234567890.1234567890"), Decimal("-0.01"), at(0.5), at(1)),
        (2, "", Decimal("0.00"), Decimal("1E+3"), at(1), at(1)),
        (3, None, None, Decimal("1E-20"), at(1), at(1)),
    ]
    with database.transaction() as connection:
        merge_reads(connection, RowSet(ORDERS, columns, rows))
        order = sa.select(*(ORDERS.sql.c[name] for name in columns)).order_by(sa.text("1"))
        found = {row[0]: tuple(row) for row in connection.execute(order)}
    assert found == {row[0]: row for row in rows}
    assert str(found[2][2]) == "0.00"


def test_tags_survive_exactly(database: Database) -> None:
    columns = ("shopify_product_id", "tags", "updated_at", "observed_at")
    tags = [[], None, ["a"], ["a, b", '"quoted"', "back\\slash", "{x}", "", "NULL", "\u00e9"]]
    rows = [(key, value, at(1), at(1)) for key, value in enumerate(tags)]
    with database.transaction() as connection:
        merge_reads(connection, RowSet(PRODUCTS, columns, rows))
        assert fetch(
            connection, "SELECT tags FROM shopify_products ORDER BY shopify_product_id"
        ) == [(value,) for value in tags]


def test_a_batch_does_not_read_the_table_it_goes_into(database: Database) -> None:
    def read(connection: sa.Connection, keys: range) -> MergeCounts:
        products = [(key, "T" * 200, 0, at(1), at(2)) for key in keys]
        return merge_reads(connection, RowSet(PRODUCTS, PRODUCT, products))["shopify_products"]

    def scanned(connection: sa.Connection) -> int:
        """Rows this session has scanned; a transaction may find another's still counted here."""
        query = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = %s"
        return int(connection.exec_driver_sql(query, ("shopify_products",)).scalar_one())

    with database.transaction() as connection:
        read(connection, range(20_000))
    with database.direct(autocommit=True) as connection:
        connection.exec_driver_sql("ANALYZE public.shopify_products")
    with database.transaction() as connection:
        before = scanned(connection)
        assert read(connection, range(0, 20_000, 20)) == MergeCounts(unchanged=1_000)
        assert scanned(connection) == before
