"""Measures a backfill by bulk operation against raw COPY, its repeat, and hourly pulls."""

import functools
import resource
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import Any, LiteralString

import psycopg
from pydantic import SecretStr

from shopify_pipeline.admin_api import AdminApi
from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync import families
from shopify_pipeline.sync.axis import UPDATED
from shopify_pipeline.sync.bulk import BulkRead
from shopify_pipeline.sync.context import SyncContext, open_sync
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.queries import bulk_query
from shopify_pipeline.sync.window import DAY, Window, midnight
from shopify_pipeline.warehouse import direct, merge, staging
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline_tests.benchmarks import merge_load, merge_rows
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore, serving

ORDERS = ENTITIES["orders"]
START = date(2015, 1, 1)
CHANGES = 1_000

Figures = dict[str, Any]


@contextmanager
def joined(store: SimulatedStore, url: str, *, bulk_threshold: int) -> Iterator[SyncContext]:
    """A synchronisation between this store and this database."""
    settings = Settings(
        shopify_shop=store.shop,
        shopify_access_token=SecretStr(TOKEN),
        shopify_api_url=store.url,
        shopify_start_date=START,
        database_url=SecretStr(url),
    )
    with open_sync(settings, application_name="benchmark") as sync:
        yield replace(sync, bulk_threshold=bulk_threshold)


class Clock:
    """Adds up the seconds spent inside functions, own time only, per name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._undo: list[Callable[[], None]] = []

    def watch(self, owner: Any, function: str, name: str) -> None:
        """Count the seconds of the thread's own processor and of waiting inside a function."""
        original = getattr(owner, function)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                spent = time.perf_counter() - began
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

        setattr(owner, function, timed)
        self._undo.append(lambda: setattr(owner, function, original))

    def stop(self) -> None:
        """Watch no longer."""
        for undo in self._undo:
            undo()


def prepare(sync: SyncContext) -> None:
    """Let the store run the bulk operation of the orders beforehand: a pull then takes it up."""
    window = everything(sync)
    now = Window(window.start, sync.api.now())
    reading = BulkRead(
        sync=sync, entity=ORDERS, purpose=UPDATED.purpose, asked=window, tell=lambda _: None
    )
    query = bulk_query(ORDERS, sync.omit, UPDATED.filtered(sync, ORDERS, now))
    reading.run(reading.claim(now, query), query, adopt=False)


def everything(sync: SyncContext) -> Window:
    """All days to the end of the current one."""
    return Window(midnight(START), midnight(sync.api.now().date()) + DAY)


@dataclass(frozen=True)
class Round:
    """One load into empty tables, the same load again, and COPY of the same rows, in seconds."""

    rows: int
    first: float
    again: float
    copied: float
    peak_mb: float
    spent: Mapping[str, float]

    @property
    def ratio_to_copy(self) -> float:
        """How close the load comes to COPY."""
        return self.copied / self.first

    @property
    def speedup(self) -> float:
        """How much faster the same load is when nothing has changed."""
        return self.first / self.again


def measure_load(url: str, *, orders: int, rounds: int) -> tuple[Figures, Figures]:
    """Figures `load` and `repeat`: orders with their lines, parents loaded before.

    Machines that are shared change their speed within a minute, so each of several rounds has its
    own ratios; told are their medians, and the seconds of the round whose load was the median one.
    """
    with (
        serving(products=500, customers=max(1000, orders // 10), orders=orders) as store,
        joined(store, url, bulk_threshold=0) as sync,
    ):
        for root in ROOTS:
            if root is not ORDERS:
                pull(sync, root, everything(sync))
        measured = [_round(sync, url) for _ in range(rounds)]
    middle = sorted(measured, key=lambda one: one.first)[rounds // 2]
    spent = middle.spent
    load = {
        "rows": middle.rows,
        "rows_per_s": round(middle.rows / middle.first),
        "copy_rows_per_s": round(middle.rows / middle.copied),
        "ratio_to_copy": round(median(one.ratio_to_copy for one in measured), 3),
        "ratios": " ".join(f"{one.ratio_to_copy:.3f}" for one in measured),
        # Later rounds run in a process that has held all rows for COPY.
        "peak_rss_mb": round(measured[0].peak_mb),
        "seconds": {
            "total": round(middle.first, 2),
            "parse": round(spent.get("parse", 0), 2),
            "copy": round(spent.get("copy", 0), 2),
            "merge": round(spent.get("merge", 0) - spent.get("copy", 0), 2),
        },
    }
    repeat = {
        "seconds": round(middle.again, 2),
        "speedup": round(median(one.speedup for one in measured), 2),
        "speedups": " ".join(f"{one.speedup:.2f}" for one in measured),
    }
    return load, repeat


def _round(sync: SyncContext, url: str) -> Round:
    _quietly(url, "TRUNCATE public.shopify_orders, public.shopify_order_items")
    prepare(sync)
    clock = Clock()
    clock.watch(families.Families, "add", "parse")
    clock.watch(merge, "_merge", "merge")
    clock.watch(direct, "copy_lines", "copy")
    clock.watch(staging, "copy_lines", "copy")
    _quietly(url, "CHECKPOINT")
    first, rows = _timed_pull(sync)
    clock.stop()
    prepare(sync)
    # As autovacuum leaves them minutes after any load.
    _quietly(url, "VACUUM ANALYZE public.shopify_orders, public.shopify_order_items")
    again, _ = _timed_pull(sync)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _quietly(url, "CHECKPOINT")
    copied, copied_rows = merge_load.raw_copy(url)
    assert copied_rows == rows, (copied_rows, rows)
    return Round(rows, first, again, copied, peak, clock.seconds)


def _quietly(url: str, statement: LiteralString) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def _timed_pull(sync: SyncContext) -> tuple[float, int]:
    began = time.perf_counter()
    report = pull(sync, ORDERS, everything(sync))
    seconds = time.perf_counter() - began
    return seconds, sum(c.written + c.unchanged for c in report.counts.values())


def measure_hourly(url_of: Callable[[str], str], *, sizes: tuple[int, int]) -> Figures:
    """Figures `hourly`: a pull of 1,000 changed orders beside few others and beside many.

    The seconds are those of the pull without the store's answers, the best of three.
    """
    seconds = {}
    empty = 0.0
    with serving(products=50, customers=200, orders=CHANGES) as store:
        for size in sizes:
            url = url_of(f"hourly_{size}")
            _fill(url, size)
            with joined(store, url, bulk_threshold=10_000) as sync:
                for root in ROOTS:
                    pull(sync, root, everything(sync))
                seconds[size] = min(_changed_pull(store, sync) for _ in range(3))
            store.control("clock", {"advance": 3600})
            with joined(store, url, bulk_threshold=10_000) as sync:
                for _ in range(2):
                    began = time.perf_counter()
                    for root in ROOTS:
                        pull(sync, root, everything(sync), resume=True)
                    empty = time.perf_counter() - began
    small, large = sizes
    return {
        "changes": CHANGES,
        **{f"seconds_at_{size}": round(spent, 3) for size, spent in seconds.items()},
        "ratio_1m_to_100k": round(seconds[large] / seconds[small], 3),
        "empty_work_s": round(empty, 3),
    }


def _fill(url: str, orders: int) -> None:
    database = Database(url)
    for batch in merge_rows.parents():
        with database.transaction() as connection:
            merge.merge_reads(connection, *batch)
    merge_load.load(database, orders, 10_000)
    database.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _changed_pull(store: SimulatedStore, sync: SyncContext) -> float:
    store.control("mass-edit", {"kind": "orders", "count": CHANGES})
    store.control("clock", {"advance": 2})
    sync.api.execute("{ shop { id } }")
    waited = Clock()
    waited.watch(AdminApi, "execute", "store")
    began = time.perf_counter()
    report = pull(sync, ORDERS, everything(sync), resume=True)
    spent = time.perf_counter() - began
    waited.stop()
    assert report.records >= CHANGES, report.records
    return spent - waited.seconds["store"]
