"""Fills an empty store from a seed: the same seed, size and clock make the same store."""

from __future__ import annotations

import gc
import multiprocessing
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.pool import AsyncResult
from pathlib import Path

from shopify_pipeline.demo.store import records, seed_orders
from shopify_pipeline.demo.store.clock import DAY, SECOND, Clock
from shopify_pipeline.demo.store.database import Database
from shopify_pipeline.demo.store.seed_catalogue import Sellable, catalogue, sellables
from shopify_pipeline.demo.store.seed_customers import customers
from shopify_pipeline.demo.store.store import Settings, Store

HISTORY = 400 * DAY
_PARALLEL_FROM = 40_000
_AHEAD = 6
_BATCH = 5_000


@dataclass(frozen=True)
class Size:
    """How many records of each kind to make."""

    products: int = 500
    customers: int = 2000
    orders: int = 10_000


_plan: seed_orders.OrderPlan | None = None


def fill(store: Store, *, seed: int, size: Size) -> None:
    """Make every record of an empty store, then the indexes."""
    database = store.database
    end = store.clock.now() - 60 * SECOND
    end -= end % SECOND
    start = end - HISTORY
    store.settings.created_at = start - 30 * DAY
    database.empty()
    database.journal("OFF")
    database.execute("BEGIN")
    offers = _fill_catalogue(database, seed, size.products, start, end)
    buyers = _fill_customers(database, seed, size.customers, start, end)
    plan = seed_orders.OrderPlan(
        seed=seed,
        count=size.orders,
        start=start,
        end=end - 120 * SECOND,
        sellables=offers,
        customers=buyers,
        shared_moment=end - 3 * DAY,
        shared_count=min(5000, size.orders // 4),
        currency=store.settings.currency,
    )
    for row_sets in _order_rows(plan):
        order_rows, index_rows, line_rows = row_sets
        database.fill("orders", order_rows)
        database.fill("orders_index", index_rows)
        database.fill("lines", line_rows)
    database.execute("COMMIT")
    database.add_indexes()
    _add_purchases(database)
    database.execute("ANALYZE")
    database.keep_fact("settings", {"created_at": store.settings.created_at, "seed": seed})
    database.keep_fact("last_number", seed_orders.FIRST_NUMBER + size.orders - 1)
    database.journal("WAL")


def fill_apart(directory: Path, start: int, settings: Settings, *, seed: int, size: Size) -> None:
    """Fill a directory from a process of its own, whose memory goes with it."""

    def work() -> None:
        made = Store(settings=settings, clock=Clock(start=start), directory=directory)
        fill(made, seed=seed, size=size)
        made.database.close()

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"filling {directory} failed")


class _Batches:
    """Rows for several tables, written a few thousand at a time, so that few are held."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[str, list[records.Row]] = {}

    def add(self, table: str, row: records.Row) -> None:
        rows = self._held.setdefault(table, [])
        rows.append(row)
        if len(rows) >= _BATCH:
            self._database.fill(table, rows)
            rows.clear()

    def end(self) -> None:
        for table, rows in self._held.items():
            self._database.fill(table, rows)
        self._held.clear()


def _fill_catalogue(
    database: Database, seed: int, count: int, start: int, end: int
) -> list[Sellable]:
    offers: list[Sellable] = []
    batches = _Batches(database)
    for product, own in catalogue(seed, count, start, end):
        batches.add("products", records.product_row(product))
        batches.add("products_index", records.product_index(product))
        for variant in own:
            batches.add("variants", records.variant_row(variant))
            batches.add("variants_index", records.variant_index(variant, product))
        offers += sellables(product, own)
    batches.end()
    return offers


def _fill_customers(
    database: Database, seed: int, count: int, start: int, end: int
) -> list[tuple[int, str | None]]:
    buyers: list[tuple[int, str | None]] = []
    batches = _Batches(database)
    for customer in customers(seed, count, start, end):
        buyers.append((customer["id"], customer["email"]))
        batches.add("customers", records.customer_row(customer))
        batches.add("customers_index", records.customer_index(customer))
    batches.end()
    return buyers


RowSets = tuple[list[records.Row], list[records.Row], list[records.Row]]


def _chunk_rows(index: int) -> RowSets:
    if _plan is None:
        raise AssertionError("no plan")
    orders: list[records.Row] = []
    index_rows: list[records.Row] = []
    lines: list[records.Row] = []
    for order in seed_orders.chunk(_plan, index):
        orders.append(records.order_row(order))
        index_rows.append(records.order_index(order))
        lines += records.line_rows(order)
    return orders, index_rows, lines


def _order_rows(plan: seed_orders.OrderPlan) -> Iterator[RowSets]:
    global _plan  # noqa: PLW0603 - handed to forked workers without pickling
    _plan = plan
    chunks = range((plan.count + seed_orders.CHUNK - 1) // seed_orders.CHUNK)
    try:
        if plan.count < _PARALLEL_FROM:
            yield from map(_chunk_rows, chunks)
            return
        gc.freeze()  # what the workers inherit stays shared, and they make no cycles
        with multiprocessing.get_context("fork").Pool(2, initializer=gc.disable) as pool:
            ahead: deque[AsyncResult[RowSets]] = deque()
            for index in chunks:
                ahead.append(pool.apply_async(_chunk_rows, (index,)))
                if len(ahead) >= _AHEAD:
                    yield ahead.popleft().get()
            while ahead:
                yield ahead.popleft().get()
    finally:
        _plan = None
        gc.unfreeze()


def _add_purchases(database: Database) -> None:
    database.execute(
        "UPDATE customers_index SET orders_count = s.n, total_spent = s.spent, last_order_id = s.l"
        " FROM (SELECT customer_id, COUNT(spent) n, COALESCE(SUM(spent), 0) spent, MAX(id) l"
        " FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id) s"
        " WHERE s.customer_id = customers_index.id"
    )


def stored_seed(store: Store) -> int | None:
    """The seed with which the store's directory was filled, or None when it is empty."""
    facts = store.database.fact("settings")
    if facts is None:
        return None
    store.settings.created_at = facts["created_at"]
    return int(facts["seed"])
