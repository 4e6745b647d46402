"""The views for analysis, against examples worked by hand."""

from decimal import Decimal
from typing import Any

import pytest

from shopify_pipeline_tests.profiles.people import People, profile_id

VIEWS = ("shopify_orders_with_profiles", "shopify_revenue_by_day", "shopify_customer_lifetime")


@pytest.fixture
def store(people: People) -> People:
    """Jane with three orders and a test order, Bob with a cancelled one, a guest, a deleted order.

    #1 2026-03-01: 2 x 30.00 and 1 x 15.50 = 75.50; discounts 5.50, shipping 4.00, tax 7.00 on top:
       to pay 81.00; refunded 15.50.
    #2 2026-03-01 at 23:59: 1 x 119.00, tax 19.00 included: to pay 119.00.
    #3 2026-03-02, in JPY: 3 x 1000 = 3000, nothing else.
    """
    people.profile("A", "jane@example.com")
    people.customer(1, "jane@example.com", orders_count=9, total_spent="1.00")
    people.customer(2, "bob@example.com")
    people.customer(3, "gone@example.com", deleted_at="2026-01-01")
    people.link()
    order = people_order(people)
    order(
        1, 1, "2026-03-01T10:00Z", total_price="81.00", total_discounts="5.50",
        total_shipping="4.00", total_tax="7.00", taxes_included=False, total_refunded="15.50",
    )  # fmt: skip
    item(people, 11, 1, "30.00", 2)
    item(people, 12, 1, "15.50", 1, current_quantity=0)
    item(people, 13, 1, "99.00", 1, deleted_at="2026-03-03")
    order(
        2, 1, "2026-03-01T23:59Z", total_price="119.00", total_tax="19.00", taxes_included=True,
        created_at="2026-03-02T00:30Z",
    )  # fmt: skip
    item(people, 21, 2, "119.00", 1)
    order(3, 1, "2026-03-02T00:00Z", total_price="3000", currency="JPY")
    item(people, 31, 3, "1000", 3)
    order(4, 1, "2026-03-01T10:00Z", total_price="500", test=True, cancelled_at="2026-03-02")
    order(5, 2, "2026-03-01T10:00Z", total_price="40.00", cancelled_at="2026-03-02")
    order(6, None, "2026-03-01T10:00Z", total_price="10.00")
    order(7, 1, "2026-03-01T10:00Z", total_price="77.00", deleted_at="2026-03-04")
    return people


def people_order(people: People) -> Any:
    def order(number: int, customer: int | None, at: str, **columns: Any) -> None:
        values = {"currency": "EUR", "created_at": at, **columns}
        names = ", ".join(values)
        people.run(
            f"INSERT INTO shopify_orders (shopify_order_id, shopify_customer_id, processed_at, "
            f"{names}, customer_id) SELECT :number, :customer, :at, "
            + ", ".join(f":{name}" for name in values)
            + ", (SELECT id FROM shopify_customers WHERE shopify_customer_id = :customer)",
            number=number,
            customer=customer,
            at=at,
            **values,
        )

    return order


def item(people: People, number: int, order: int, price: str, quantity: int, **more: Any) -> None:
    values = {"price": price, "quantity": quantity, "current_quantity": quantity, **more}
    people.run(
        f"INSERT INTO shopify_order_items (shopify_line_item_id, shopify_order_id, order_id, "
        f"{', '.join(values)}) SELECT :number, :order_number, id, "
        + ", ".join(f":{name}" for name in values)
        + " FROM shopify_orders WHERE shopify_order_id = :order_number",
        number=number,
        order_number=order,
        **values,
    )


def test_revenue_by_day_and_currency_with_test_and_cancelled_orders_apart(store: People) -> None:
    rows = store.run(
        "SELECT day::text, currency, kind, orders, customers, items, gross_sales, discounts, "
        "shipping, tax, total_sales, refunds, net_of_refunds, net_sales "
        "FROM shopify_revenue_by_day ORDER BY day, currency, kind"
    )
    zero = Decimal(0)
    expected: list[tuple[Any, ...]] = [
        ("2026-03-01", "EUR", "cancelled", 1, 1, 0, zero, zero, zero, zero, "40", zero, "40", "40"),
        # Orders 1, 2 and 6: the guest's has no lines here.
        ("2026-03-01", "EUR", "regular", 3, 1, 4, "194.50", "5.50", "4.00", "26.00", "210.00",
         "15.50", "194.50", "184.00"),
        ("2026-03-01", "EUR", "test", 1, 1, 0, zero, zero, zero, zero, "500", zero, "500", "500"),
        ("2026-03-02", "JPY", "regular", 1, 1, 3, "3000", zero, zero, zero, "3000", zero, "3000",
         "3000"),
    ]  # fmt: skip
    assert [tuple(row) for row in rows] == [
        (*row[:3], *(Decimal(value) for value in row[3:])) for row in expected
    ]


def test_an_order_stands_with_its_person_and_its_money(store: People) -> None:
    [row] = store.run(
        "SELECT unified_profile_id, kind, gross_sales, items_ordered, items_kept, net_of_refunds "
        "FROM shopify_orders_with_profiles WHERE shopify_order_id = 1"
    )
    assert tuple(row) == (
        profile_id("A"), "regular", Decimal("75.50"), 3, 2, Decimal("65.50"),
    )  # fmt: skip
    people = store.run(
        "SELECT shopify_order_id, unified_profile_id IS NOT NULL FROM shopify_orders_with_profiles "
        "ORDER BY 1"
    )
    assert [tuple(row) for row in people] == [
        (1, True), (2, True), (3, True), (4, True), (5, False), (6, False),
    ]  # fmt: skip


def test_a_lifetime_is_computed_from_regular_orders_by_currency(store: People) -> None:
    rows = store.run(
        "SELECT shopify_customer_id, currency, orders, items, total_sales, refunds, "
        "net_of_refunds, average_order, first_order_at::date::text, last_order_at::date::text, "
        "shopify_orders_count FROM shopify_customer_lifetime ORDER BY 1, 2"
    )
    d = Decimal
    assert [tuple(row) for row in rows] == [
        (1, "EUR", 2, 4, d("200.00"), d("15.50"), d("184.50"), d("100.00"), "2026-03-01",
         "2026-03-01", 9),
        (1, "JPY", 1, 3, d(3000), d(0), d(3000), d(3000), "2026-03-02", "2026-03-02", 9),
        (2, None, 0, 0, d(0), d(0), d(0), None, None, None, None),
    ]  # fmt: skip


def test_views_add_nothing_and_lose_nothing(store: People) -> None:
    [(by_day, orders)] = store.run(
        "SELECT (SELECT sum(total_sales) FROM shopify_revenue_by_day), "
        "(SELECT sum(total_price) FROM shopify_orders WHERE deleted_at IS NULL)"
    )
    assert by_day == orders


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_answers_with_the_rights_of_who_asks_and_explains_every_column(
    people: People, view: str
) -> None:
    [(options,)] = people.run("SELECT reloptions FROM pg_class WHERE relname = :view", view=view)
    assert options == ["security_invoker=true"]
    undescribed = people.run(
        "SELECT a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
        "WHERE c.relname = :view AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL "
        "UNION ALL SELECT c.relname FROM pg_class AS c WHERE c.relname = :view "
        "AND obj_description(c.oid) IS NULL",
        view=view,
    )
    assert undescribed == []
    readable = people.run(
        "SELECT has_table_privilege(rolname, :view, 'SELECT') FROM pg_roles "
        "WHERE rolname = 'shopify_reader'",
        view=view,
    )
    assert all(row == (True,) for row in readable)
