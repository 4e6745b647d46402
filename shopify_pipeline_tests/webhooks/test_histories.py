"""Random histories of changes, webhooks, polls, refreshes, repeats and crashes end in the truth."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.merge import RowSet, mark_deleted, merge_reads
from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline_tests.webhooks.bodies import customer, line_item, order
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop

ORDERS, ITEMS, CUSTOMERS = (ENTITIES[n] for n in ("orders", "order_items", "customers"))
READ_ORDER = ("shopify_order_id", "financial_status", "fulfillment_status", "tags", "updated_at")
READ_ITEM = ("shopify_line_item_id", "shopify_order_id", "quantity", "current_quantity")
READ_CUSTOMER = ("shopify_customer_id", "email", "tags", "orders_count", "updated_at")


@dataclass
class Store:
    """What is true, and the clock by which it changes; ids are never used again."""

    now: datetime = NOW
    orders: dict[int, dict[str, Any]] = field(default_factory=dict)
    customers: dict[int, dict[str, Any]] = field(default_factory=dict)
    gone: set[tuple[str, int]] = field(default_factory=set)

    def tick(self, milliseconds: int) -> datetime:
        """Let time pass; several changes may fall into one second."""
        self.now += timedelta(milliseconds=milliseconds)
        return self.now.replace(microsecond=0)


class History:
    """A store, its webhooks on their way, and the pipeline that receives them."""

    def __init__(self, shop: Shop, batches: Batches) -> None:
        self.shop = shop
        self.batches = batches
        self.store = Store()
        self.sent: list[tuple[str, Any, datetime]] = []
        self.was_true: set[tuple[str, int, datetime, str]] = set()
        self.seen: dict[tuple[str, int], datetime] = {}

    def change_order(self, number: int, status: str, milliseconds: int, lines: int) -> None:
        """Create or change an order; a webhook about it is on its way."""
        if ("orders", number) in self.store.gone:
            return
        updated_at = self.store.tick(milliseconds)
        new = number not in self.store.orders
        items = {number * 10 + n: 1 for n in range(lines)}
        known = self.store.orders.get(number, {"items": {}})["items"]
        self.store.orders[number] = {
            "financial_status": status,
            # What the API knows and the body does not say.
            "fulfillment_status": "on_hold" if milliseconds % 2 else "unfulfilled",
            "tags": [status],
            "updated_at": updated_at,
            # A line that an edit removes stays, at a current quantity of 0.
            "items": {**dict.fromkeys(known, 0), **items},
        }
        self.was_true.add(("orders", number, updated_at, status))
        topic = "orders/create" if new else "orders/updated"
        self.sent.append((topic, self._order_body(number), self.store.now))

    def change_customer(self, number: int, email: str, milliseconds: int, count: int) -> None:
        """Create or change a customer; its count of orders moves in silence, with an event."""
        if ("customers", number) in self.store.gone:
            return
        updated_at = self.store.tick(milliseconds)
        known = self.store.customers.get(number, {"tags": []})
        self.store.customers[number] = {
            "email": email,
            "tags": sorted({*known["tags"], email[:1]}),
            "orders_count": count,
            "updated_at": updated_at,
        }
        self.was_true.add(("customers", number, updated_at, email))
        body = customer(number, updated_at, email=email)
        self.sent.append(("customers/update", body, self.store.now))
        gid = f"gid://shopify/Customer/{number}"
        tags = {"customerId": gid, "tags": [email[:1]]}
        self.sent.append(("customer.tags_added", tags, self.store.now))
        money = {"amount": "1.00", "currencyCode": "USD"}
        summary = {"customerId": gid, "numberOfOrders": count, "amountSpent": money}
        self.sent.append(("customers/purchasing_summary", summary, self.store.now))

    def delete(self, kind: str, number: int, milliseconds: int) -> None:
        """Delete a record that there is."""
        records = getattr(self.store, kind)
        if number not in records:
            return
        self.store.tick(milliseconds)
        del records[number]
        self.store.gone.add((kind, number))
        self.sent.append((f"{kind}/delete", {"id": number}, self.store.now))

    def deliver(self, places: list[int]) -> None:
        """Some of what was ever sent arrives, in any order, again and again."""
        for place in places:
            if self.sent:
                topic, body, at = self.sent[place % len(self.sent)]
                self.shop.deliver(topic, body, at=at)

    def process(self, *, crash: bool) -> None:
        """A worker does a batch, or dies just before it commits."""
        if not crash:
            self.batches.process_next()
            return

        class Killed(BaseException):
            """The process is gone."""

        original = Database.retrying

        def dying(database: Database, work: Any, **_: Any) -> None:
            with database.transaction() as connection:
                work(connection)
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Database, "retrying", dying)
            with pytest.raises(Killed):
                self.batches.process_next()
        assert Database.retrying is original

    def poll(self, *, late: bool) -> None:
        """A complete read of everything, or one that is written after later changes."""
        seen = copy.deepcopy(self.store)
        seen_at = self.store.now
        if late:
            self.change_order(1, "voided", 700, 1)
            self.process(crash=False)
        self._write_reads(seen, seen_at, set(seen.orders), set(seen.customers))

    def refresh(self) -> None:
        """Drain the refresh queue: a null answer is a deletion."""
        self.store.tick(1)
        for entity in (ORDERS, CUSTOMERS):
            with self.batches.database.transaction() as connection:
                claimed = refresh_queue.claim(connection, entity.name, limit=100, lease_seconds=60)
            ids = {one.shopify_id for one in claimed}
            records = getattr(self.store, entity.name)
            there = ids & set(records)
            none: set[int] = set()
            orders, customers = (there, none) if entity is ORDERS else (none, there)
            self._write_reads(self.store, self.store.now, orders, customers)
            with self.batches.database.transaction() as connection:
                gone = [(number, self.store.now) for number in ids - there]
                mark_deleted(connection, entity.table, gone, [c.table for c in entity.children])
                refresh_queue.forget(connection, entity.name, [n for n, _ in gone])
                refresh_queue.release(connection, entity.name, ids)

    def finish(self) -> None:
        """Everything that was sent arrives at last, and is worked off."""
        self.deliver(list(range(len(self.sent))))
        for _ in range(20):
            if not self.batches.process_next().found:
                break
            self.look()
        for _ in range(3):
            self.refresh()

    def check(self) -> None:
        """The tables say what is true, and nothing waits."""
        assert set(self.shop.states().values()) <= {"done"}
        assert not self.shop.queued()
        for kind, entity, columns in (
            ("orders", ORDERS, READ_ORDER),
            ("customers", CUSTOMERS, READ_CUSTOMER),
        ):
            rows = {
                row[entity.key]: row for row in self.shop.rows(f"SELECT * FROM {entity.table_name}")
            }
            records: dict[int, dict[str, Any]] = getattr(self.store, kind)
            alive = {number for number, row in rows.items() if row["deleted_at"] is None}
            assert alive == set(records)
            for number, record in records.items():
                for name in columns[1:]:
                    assert rows[number][name] == record[name], (kind, number, name)
                assert rows[number]["complete_at"] == rows[number]["updated_at"]
        items = {
            (row["shopify_order_id"], row["shopify_line_item_id"]): row["current_quantity"]
            for row in self.shop.rows(
                "SELECT i.* FROM shopify_order_items i JOIN shopify_orders o ON o.id = i.order_id "
                "WHERE o.deleted_at IS NULL"
            )
        }
        assert items == {
            (number, line): quantity
            for number, record in self.store.orders.items()
            for line, quantity in record["items"].items()
        }

    def look(self) -> None:
        """At no time does a row say what never was true, go back, or claim to be whole if not."""
        for kind, entity, said, api_only in (
            ("orders", ORDERS, "financial_status", ("fulfillment_status",)),
            ("customers", CUSTOMERS, "email", ("tags", "orders_count")),
        ):
            for row in self.shop.rows(f"SELECT * FROM {entity.table_name}"):
                number, updated_at = row[entity.key], row["updated_at"]
                if updated_at is None:
                    continue
                assert (kind, number, updated_at, row[said]) in self.was_true
                assert updated_at >= self.seen.get((kind, number), updated_at)
                self.seen[kind, number] = updated_at
                if row["complete_at"] is None:
                    assert kind == "customers" or row["fulfillment_status"] is None
                else:
                    assert all(row[name] is not None for name in api_only)

    def _order_body(self, number: int) -> dict[str, Any]:
        record = self.store.orders[number]
        return order(
            number,
            record["updated_at"],
            financial_status=record["financial_status"],
            tags=", ".join(record["tags"]),
            customer=None,
            lines=[
                line_item(line, current_quantity=quantity, product_id=None, variant_id=None)
                for line, quantity in record["items"].items()
            ],
        )

    def _write_reads(
        self, seen: Store, seen_at: datetime, orders: set[int], customers: set[int]
    ) -> None:
        # The API's clock stands at whole milliseconds before the answer.
        at = seen_at
        order_rows = [
            (number, *(seen.orders[number][name] for name in READ_ORDER[1:]), at)
            for number in sorted(orders)
        ]
        item_rows = [
            (line, number, 1, quantity, at)
            for number in sorted(orders)
            for line, quantity in seen.orders[number]["items"].items()
        ]
        customer_rows = [
            (number, *(seen.customers[number][name] for name in READ_CUSTOMER[1:]), at)
            for number in sorted(customers)
        ]

        def work(connection: sa.Connection) -> None:
            merge_reads(
                connection,
                RowSet(ORDERS.table, (*READ_ORDER, "observed_at"), order_rows),
                [RowSet(ITEMS.table, (*READ_ITEM, "observed_at"), item_rows)],
            )
            merge_reads(
                connection,
                RowSet(CUSTOMERS.table, (*READ_CUSTOMER, "observed_at"), customer_rows),
            )

        self.batches.database.retrying(work)


NUMBERS = st.integers(1, 3)
PAUSES = st.sampled_from([1, 2, 400, 1001, 5000])
STEPS = st.one_of(
    st.tuples(
        st.just("change_order"),
        NUMBERS,
        st.sampled_from(["pending", "paid", "refunded"]),
        PAUSES,
        st.integers(1, 3),
    ),
    st.tuples(
        st.just("change_customer"),
        NUMBERS,
        st.sampled_from(["a@example.com", "b@example.com"]),
        PAUSES,
        st.integers(0, 5),
    ),
    st.tuples(st.just("delete"), st.sampled_from(["orders", "customers"]), NUMBERS, PAUSES),
    st.tuples(st.just("deliver"), st.lists(st.integers(0, 60), min_size=1, max_size=8)),
)
EVENTS: st.SearchStrategy[Any] = st.one_of(
    STEPS,
    st.builds(lambda crash: ("process", {"crash": crash}), st.booleans()),
    st.builds(lambda late: ("poll", {"late": late}), st.booleans()),
    st.just(("refresh", {})),
)


@pytest.fixture
def history(database_url: str) -> Iterator[Any]:
    """Makes histories, each on emptied tables of one database."""
    shop = Shop(database_url)
    database = Database(database_url, application_name="tests")

    def begin() -> History:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "TRUNCATE shopify_orders, shopify_order_items, shopify_customers, "
                "shopify_products, shopify_product_variants, shopify_internal.refresh_queue, "
                "shopify_internal.webhook_inbox, shopify_internal.webhook_bodies CASCADE"
            )
        return History(shop, Batches(database=database))

    yield begin
    database.close()
    shop.close()


def play(history: History, events: list[Any]) -> None:
    """Play a history to its end, and look."""
    for name, *arguments in events:
        if arguments and isinstance(arguments[0], dict):
            getattr(history, name)(**arguments[0])
        else:
            getattr(history, name)(*arguments)
        history.look()
    history.finish()
    history.check()


@given(events=st.lists(EVENTS, min_size=1, max_size=14))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_history_ends_in_the_truth(history: Any, events: list[Any]) -> None:
    play(history(), events)


@pytest.mark.long
@given(events=st.lists(EVENTS, min_size=1, max_size=30))
@settings(
    max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_long_history_ends_in_the_truth(history: Any, events: list[Any]) -> None:
    play(history(), events)
