"""From the inbox to the tables: what each topic writes, leaves alone, queues and forgets."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline.webhooks.letters import replay
from shopify_pipeline_tests.webhooks.bodies import customer, line_item, order, product, variant
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop

SECOND = timedelta(seconds=1)


def read_whole(shop: Shop, table: str, key: str, number: int, **values: Any) -> None:
    """Make a row look as if a complete read had written it at NOW."""
    columns = {key: number, "updated_at": NOW, "observed_at": NOW, "complete_at": NOW, **values}
    names = ", ".join(columns)
    places = ", ".join(["%s"] * len(columns))
    shop.connection.execute(
        f"INSERT INTO {table} ({names}) VALUES ({places})",
        list(columns.values()),
    )


def test_an_order_comes_with_its_lines_and_is_queued(shop: Shop, batches: Batches) -> None:
    shop.deliver("orders/create", order(1, NOW, tags="a, b", financial_status="paid"))
    report = batches.process_next()
    assert (report.done, report.failed) == (1, 0)
    row = shop.order(1)
    assert row["total_price"] == Decimal("21.60")
    assert row["tags"] == ["a", "b"]
    assert row["updated_at"] == NOW
    assert row["complete_at"] is None
    items = shop.rows("SELECT * FROM shopify_order_items WHERE shopify_order_id = 1")
    assert {item["shopify_line_item_id"] for item in items} == {11, 12}
    assert {item["order_id"] for item in items} == {row["id"]}
    assert shop.queued()["orders", 1]["urgent"]
    assert set(shop.states().values()) == {"done"}


def test_a_newer_row_is_left_alone_and_the_refresh_queued_all_the_same(
    shop: Shop, batches: Batches
) -> None:
    read_whole(shop, "shopify_orders", "shopify_order_id", 1, total_price=5)
    shop.deliver("orders/updated", order(1, NOW))
    shop.deliver("orders/updated", order(1, NOW - SECOND))
    report = batches.process_next()
    assert report.counts["shopify_orders"].stale == 1
    assert shop.order(1)["total_price"] == 5
    assert ("orders", 1) in shop.queued()


def test_a_null_fulfillment_status_leaves_the_status_alone(shop: Shop, batches: Batches) -> None:
    read_whole(shop, "shopify_orders", "shopify_order_id", 1, fulfillment_status="on_hold")
    shop.deliver("orders/updated", order(1, NOW + SECOND))
    batches.process_next()
    assert shop.order(1)["fulfillment_status"] == "on_hold"
    shop.deliver(
        "orders/partially_fulfilled", order(1, NOW + 2 * SECOND, fulfillment_status="partial")
    )
    batches.process_next()
    assert shop.order(1)["fulfillment_status"] == "partially_fulfilled"


def test_versions_of_one_id_in_a_batch_end_in_the_newest(shop: Shop, batches: Batches) -> None:
    for seconds, status in ((2, "refunded"), (0, "pending"), (1, "paid")):
        body = order(1, NOW + seconds * SECOND, financial_status=status)
        shop.deliver("orders/updated", body, at=NOW + seconds * SECOND)
    report = batches.process_next()
    assert shop.order(1)["financial_status"] == "refunded"
    assert report.counts["shopify_orders"].inserted == 1


def test_a_column_of_an_older_body_does_not_ride_on_a_newer_version(
    shop: Shop, batches: Batches
) -> None:
    read_whole(shop, "shopify_orders", "shopify_order_id", 1, fulfillment_status="on_hold")
    shop.deliver("orders/fulfilled", order(1, NOW, fulfillment_status="fulfilled"))
    shop.deliver("orders/updated", order(1, NOW + SECOND), at=NOW + SECOND)
    batches.process_next()
    row = shop.order(1)
    assert row["fulfillment_status"] == "on_hold"
    assert row["updated_at"] == NOW + SECOND


def test_a_product_brings_its_variants_and_prunes_none(shop: Shop, batches: Batches) -> None:
    shop.deliver(
        "products/create",
        product(5, NOW, variants=[variant(51, 5, NOW), variant(52, 5, NOW)]),
    )
    batches.process_next()
    shop.deliver(
        "products/update",
        product(5, NOW + SECOND, variants=[variant(52, 5, NOW, price="12.50")]),
        at=NOW + SECOND,
    )
    batches.process_next()
    rows = shop.rows("SELECT * FROM shopify_product_variants ORDER BY shopify_variant_id")
    assert [row["shopify_variant_id"] for row in rows] == [51, 52]
    assert [row["deleted_at"] for row in rows] == [None, None]
    assert rows[1]["price"] == Decimal("12.50")


def test_a_customer_body_leaves_what_it_lost_alone(shop: Shop, batches: Batches) -> None:
    read_whole(
        shop,
        "shopify_customers",
        "shopify_customer_id",
        7,
        tags=["vip"],
        orders_count=3,
        total_spent=9,
        accepts_marketing=True,
    )
    shop.deliver("customers/update", customer(7, NOW + SECOND, first_name="Eve"), at=NOW + SECOND)
    batches.process_next()
    row = shop.customer(7)
    assert row["first_name"] == "Eve"
    assert (row["tags"], row["orders_count"], row["total_spent"]) == (["vip"], 3, 9)
    assert row["accepts_marketing"] is True
    assert shop.queued()["customers", 7]["urgent"]


def test_events_without_updated_at_lie_over_older_rows_only(shop: Shop, batches: Batches) -> None:
    read_whole(shop, "shopify_customers", "shopify_customer_id", 7, orders_count=1, total_spent=1)
    summary = {
        "customerId": "gid://shopify/Customer/7",
        "numberOfOrders": 4,
        "amountSpent": {"amount": "40.10", "currencyCode": "USD"},
        "occurredAt": "2026-11-20T12:00:01.000Z",
    }
    shop.deliver("customers/purchasing_summary", summary, at=NOW - SECOND)
    batches.process_next()
    assert shop.customer(7)["orders_count"] == 1
    shop.deliver("customers/purchasing_summary", summary, at=NOW + SECOND)
    batches.process_next()
    row = shop.customer(7)
    assert (row["orders_count"], row["total_spent"]) == (4, Decimal("40.10"))
    assert row["updated_at"] == NOW

    consent = {
        "customer_id": 7,
        "email_address": "a@example.com",
        "email_marketing_consent": {"state": "subscribed"},
    }
    shop.deliver("customers_email_marketing_consent/update", consent, at=NOW + 2 * SECOND)
    batches.process_next()
    assert shop.customer(7)["accepts_marketing"] is True


def test_tags_are_added_and_taken_where_the_row_has_them(shop: Shop, batches: Batches) -> None:
    read_whole(shop, "shopify_customers", "shopify_customer_id", 7, tags=["a", "b"])
    tags = {"customerId": "gid://shopify/Customer/7", "tags": ["c", "a"]}
    shop.deliver("customer.tags_added", tags, at=NOW + SECOND)
    shop.deliver("customer.tags_removed", {**tags, "tags": ["b"]}, at=NOW + 2 * SECOND)
    shop.deliver("customer.tags_removed", {**tags, "tags": ["a"]}, at=NOW - SECOND)
    shop.deliver("customer.tags_added", {**tags, "customerId": "gid://shopify/Customer/8"})
    batches.process_next()
    assert shop.customer(7)["tags"] == ["a", "c"]
    assert not shop.rows("SELECT * FROM shopify_customers WHERE shopify_customer_id = 8")
    assert ("customers", 8) in shop.queued()


def test_a_deletion_marks_and_keeps_and_a_late_create_stays_dead(
    shop: Shop, batches: Batches
) -> None:
    shop.deliver("orders/create", order(1, NOW))
    shop.deliver("orders/delete", {"id": 1}, at=NOW + SECOND)
    shop.deliver("orders/delete", {"id": 2}, at=NOW + SECOND)
    batches.process_next()
    shop.deliver("orders/create", order(2, NOW))
    batches.process_next()
    assert shop.order(1)["deleted_at"] == NOW + SECOND
    assert shop.order(1)["total_price"] == Decimal("21.60")
    assert shop.order(2)["deleted_at"] is not None


def test_a_deletion_older_than_the_row_does_nothing(shop: Shop, batches: Batches) -> None:
    read_whole(shop, "shopify_products", "shopify_product_id", 5)
    shop.deliver("products/delete", {"id": 5}, at=NOW - SECOND)
    shop.deliver("products/delete", {"id": 6}, at=None)
    batches.process_next()
    assert shop.row("shopify_products", "shopify_product_id", 5)["deleted_at"] is None
    assert not shop.rows("SELECT * FROM shopify_products WHERE shopify_product_id = 6")
    assert ("products", 6) in shop.queued()


def test_edits_and_refunds_only_queue_their_order(shop: Shop, batches: Batches) -> None:
    shop.deliver("orders/edited", {"order_edit": {"id": 9, "order_id": 1}})
    shop.deliver("refunds/create", {"id": 9, "order_id": 2, "transactions": [{"amount": 1.5}]})
    batches.process_next()
    assert {key: row["urgent"] for key, row in shop.queued().items()} == {
        ("orders", 1): True,
        ("orders", 2): True,
    }


def test_a_merge_marks_the_loser_and_queues_both_and_its_orders(
    shop: Shop, batches: Batches
) -> None:
    shop.deliver("customers/create", customer(7, NOW))
    shop.deliver("orders/create", order(1, NOW, customer={"id": 7}))
    merge = {
        "admin_graphql_api_customer_kept_id": "gid://shopify/Customer/8",
        "admin_graphql_api_customer_deleted_id": "gid://shopify/Customer/7",
        "status": "completed",
        "errors": [],
    }
    shop.deliver("customers/merge", {**merge, "status": "failed"}, at=NOW + SECOND)
    batches.process_next()
    assert shop.customer(7)["deleted_at"] is None
    shop.connection.execute("DELETE FROM shopify_internal.refresh_queue")
    shop.deliver("customers/merge", merge, at=NOW + SECOND)
    batches.process_next()
    row = shop.customer(7)
    assert row["merged_into_shopify_customer_id"] == 8
    assert row["deleted_at"] == NOW + SECOND
    assert set(shop.queued()) == {("customers", 7), ("customers", 8), ("orders", 1)}


def test_links_are_set_in_any_order_of_arrival(shop: Shop, batches: Batches) -> None:
    lines = [line_item(11, product_id=5, variant_id=51)]
    shop.deliver("orders/create", order(1, NOW, customer={"id": 7}, lines=lines))
    batches.process_next()
    shop.deliver("customers/create", customer(7, NOW))
    shop.deliver("products/create", product(5, NOW, variants=[variant(51, 5, NOW)]))
    batches.process_next()
    assert shop.order(1)["customer_id"] == shop.customer(7)["id"]
    item = shop.row("shopify_order_items", "shopify_line_item_id", 11)
    assert item["product_id"] is not None
    assert item["variant_id"] is not None


def test_unknown_topics_and_samples_are_skipped_visibly(shop: Shop, batches: Batches) -> None:
    shop.deliver("themes/publish", {"id": 1})
    shop.deliver("orders/create", order(1, NOW), is_test=True)
    report = batches.process_next()
    assert report.skipped == 2
    assert set(shop.states().values()) == {"skipped"}
    reasons = {r["last_error"] for r in shop.rows("SELECT * FROM shopify_internal.webhook_inbox")}
    assert len(reasons) == 2
    assert not shop.rows("SELECT * FROM shopify_orders")


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("orders/create", b"not json"),
        ("orders/create", b"[]"),
        ("orders/create", b'{"id": true}'),
        ("orders/create", b"{}"),
        ("orders/create", b'{"id": 99999999999999999999}'),
        ("orders/create", b"[" * 100_000),
        ("orders/create", {**order(1, NOW), "total_price_set": "x"}),
        ("orders/create", {**order(1, NOW), "line_items": [3]}),
        ("orders/create", {**order(1, NOW), "line_items": 3}),
        ("orders/create", {**order(1, NOW), "created_at": "0001-01-01T00:00:00+14:00"}),
        ("orders/create", {**order(1, NOW), "customer": [1]}),
        ("customers/merge", {"status": "completed"}),
        ("customers/redact", {"customer": 3}),
        ("bulk_operations/finish", {}),
        ("products/create", {**product(5, NOW), "tags": 7}),
    ],
)
def test_a_failing_body_is_isolated_retried_and_then_dead(
    shop: Shop, batches: Batches, topic: str, body: Any
) -> None:
    bad = shop.deliver(topic, body)
    good = shop.deliver("products/create", product(77, NOW))
    batches.process_next()
    states = shop.states()
    assert states[good] == "done"
    assert states[bad] == "pending"
    for _ in range(5):
        shop.connection.execute(
            "UPDATE shopify_internal.webhook_inbox SET next_attempt_at = now() "
            "WHERE state = 'pending'"
        )
        batches.process_next()
    assert shop.states()[bad] == "dead"
    (notice,) = shop.rows("SELECT * FROM shopify_internal.webhook_notices")
    assert notice["detail"] == {"delivery": bad, "topic": topic}


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("customers/update", {**customer(9, NOW), "id": "ada@example.com"}),
        ("customers/update", {**customer(9, NOW), "id": "ada@example.com: /9", "updated_at": "x"}),
        ("customers/update", {**customer(9, NOW), "updated_at": "ada@example.com"}),
        ("orders/create", {**order(9, NOW), "line_items": [{"id": ["ada@example.com"]}]}),
        ("orders/create", {**order(9, NOW), "id": {"ada@example.com": 1}}),
        ("customers/purchasing_summary", {"customerId": "ada@example.com"}),
        (
            "customers/purchasing_summary",
            {"customerId": 9, "id": "ada@example.com", "numberOfOrders": "x"},
        ),
    ],
)
def test_no_value_of_a_body_stands_in_its_error_or_the_log(
    shop: Shop, batches: Batches, caplog: pytest.LogCaptureFixture, topic: str, body: Any
) -> None:
    number = shop.deliver(topic, body)
    assert batches.process_next().failed == 1
    (row,) = shop.rows("SELECT * FROM shopify_internal.webhook_inbox WHERE id = %s", number)
    assert row["last_error"]
    assert "ada" not in row["last_error"]
    assert "ada" not in caplog.text


@pytest.mark.parametrize(
    ("field", "moment"),
    [
        ("updated_at", "9999-12-31T23:59:59-12:00"),
        ("updated_at", "0001-01-01T00:00:00+14:00"),
        ("created_at", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_a_moment_beyond_the_calendar_is_malformed_and_splits_no_batch(
    shop: Shop, batches: Batches, caplog: pytest.LogCaptureFixture, field: str, moment: str
) -> None:
    number = shop.deliver("customers/update", {**customer(9, NOW), field: moment})
    for other in range(20, 24):
        shop.deliver("customers/update", customer(other, NOW))
    report = batches.process_next()
    assert (report.done, report.failed) == (4, 1)
    assert shop.states()[number] == "pending"
    assert "split" not in caplog.text


def test_a_bulk_operation_that_ended_beyond_the_calendar_has_no_end(
    shop: Shop, batches: Batches
) -> None:
    finished = {"admin_graphql_api_id": "gid://shopify/BulkOperation/1", "status": "completed"}
    shop.deliver(
        "bulk_operations/finish", {**finished, "completed_at": "9999-12-31T23:59:59-12:00"}
    )
    assert batches.process_next().done == 1
    (row,) = shop.rows("SELECT * FROM shopify_internal.finished_bulk_operations")
    assert row["completed_at"] is None


def test_a_row_that_the_database_refuses_takes_no_other_with_it(
    shop: Shop, batches: Batches
) -> None:
    shop.connection.execute(
        "ALTER TABLE shopify_orders ADD CONSTRAINT odd CHECK (shopify_order_id <> 13)"
    )
    numbers = {number: shop.deliver("orders/create", order(number, NOW)) for number in range(1, 30)}
    report = batches.process_next()
    assert report.failed == 1
    assert report.done == 28
    states = shop.states()
    assert [n for n, delivery in numbers.items() if states[delivery] != "done"] == [13]
    (row,) = shop.rows("SELECT * FROM shopify_internal.webhook_inbox WHERE state = 'pending'")
    assert row["attempts"] == 1
    assert "23514" in row["last_error"]
    assert "buyer13" not in row["last_error"]
    assert ("orders", 13) in shop.queued()


def test_a_dead_delivery_is_replayed(shop: Shop, batches: Batches) -> None:
    shop.connection.execute("ALTER TABLE shopify_orders ADD CONSTRAINT odd CHECK (false) NOT VALID")
    shop.deliver("orders/create", order(1, NOW))
    for _ in range(3):
        shop.connection.execute("UPDATE shopify_internal.webhook_inbox SET next_attempt_at = now()")
        batches.process_next()
    assert set(shop.states().values()) == {"dead"}
    shop.connection.execute("ALTER TABLE shopify_orders DROP CONSTRAINT odd")
    assert replay(batches.database, None) == 1
    batches.process_next()
    assert shop.order(1)["total_price"] == Decimal("21.60")


def test_omitted_columns_are_not_written(shop: Shop, batches: Batches) -> None:
    omitting = Batches(database=batches.database, omit=frozenset({"customers.email"}))
    shop.deliver("customers/create", customer(7, NOW))
    omitting.process_next()
    assert shop.customer(7)["email"] is None
    assert shop.customer(7)["first_name"] == "Ada"


def test_a_batch_holds_no_more_bytes_than_it_may(shop: Shop, batches: Batches) -> None:
    small = Batches(database=batches.database, batch_bytes=10_000)
    for number in range(1, 8):
        shop.deliver("orders/create", order(number, NOW))
    found = [small.process_next().found for _ in range(5)]
    assert sum(found) == 7
    assert max(found) <= 3


def test_a_finished_bulk_operation_and_notices_are_kept(shop: Shop, batches: Batches) -> None:
    finished = {
        "admin_graphql_api_id": "gid://shopify/BulkOperation/1",
        "completed_at": "2026-11-20T07:34:56-05:00",
        "error_code": None,
        "status": "completed",
        "type": "query",
    }
    shop.deliver("bulk_operations/finish", finished)
    shop.deliver("app/uninstalled", {"id": 1, "email": "owner@example.com"})
    shop.deliver("app/scopes_update", {"previous": ["read_orders"], "current": []})
    batches.process_next()
    (row,) = shop.rows("SELECT * FROM shopify_internal.finished_bulk_operations")
    assert (row["gid"], row["status"]) == ("gid://shopify/BulkOperation/1", "completed")
    notices = shop.rows("SELECT kind, detail FROM shopify_internal.webhook_notices ORDER BY id")
    assert [notice["kind"] for notice in notices] == ["app_uninstalled", "app_scopes_update"]
    assert "owner" not in str(notices)
    assert notices[1]["detail"] == {"previous": ["read_orders"], "current": []}


def test_each_batch_leaves_a_line_for_each_table(shop: Shop, batches: Batches) -> None:
    shop.deliver("orders/create", order(1, NOW))
    shop.deliver("orders/create", order(2, NOW))
    batches.process_next()
    lines = shop.rows("SELECT * FROM shopify_internal.webhook_batches ORDER BY relation")
    assert [(r["relation"], r["deliveries"], r["inserted"]) for r in lines] == [
        ("shopify_order_items", 2, 4),
        ("shopify_orders", 2, 2),
    ]
    assert all(row["slowest_seconds"] >= 0 for row in lines)
