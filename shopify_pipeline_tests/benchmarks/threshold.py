"""Measures what windows of orders cost by pages and in bulk: the reason of SHOPIFY_BULK_THRESHOLD.

    python -m shopify_pipeline_tests.benchmarks.threshold

Calls and points are measured: the simulated store charges as Shopify does, into a bucket of the
standard plan's size, which fills at once, so that nobody waits here. Seconds are reckoned:

- by pages the greater of what the points beyond a full bucket take to be restored (100 a second on
  a standard plan, 1,000 on Plus: https://shopify.dev/docs/api/usage/limits), and 2 s a call;
- in bulk what Shopify takes, which it promises to nobody: a quick one begins after 10 s and finds
  1,000 objects a second, a slow one after 60 s and 200; polling notices the end a tenth late;
- lost is, at worst, by pages what a quick bulk operation would have saved, in bulk what a slow one
  costs. The threshold belongs where both are about the same, and pages still take few points.
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from tabulate import tabulate

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.window import Window, midnight
from shopify_pipeline.warehouse.migrations import migrate
from shopify_pipeline_tests.benchmarks.loading import START, joined
from shopify_pipeline_tests.simulated import SimulatedStore, serving
from shopify_pipeline_tests.truth import truth

ORDERS = ENTITIES["orders"]
SIZES = (250, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
RESTORED = {"standard": (2_000, 100), "plus": (20_000, 1_000)}
"""Points of a full bucket, and points restored a second, by plan."""

CALL_SECONDS = 2.0
"""Assumed of a page of 250 orders with their lines, one after another."""

BULK = {"quick": (10.0, 1_000), "slow": (60.0, 200)}
"""Seconds until a bulk operation begins, and objects that it then finds a second."""

NEVER, ALWAYS = 10**9, 0


@dataclass(frozen=True)
class Cost:
    """What one way of reading a window spent."""

    calls: int
    points: float


@dataclass(frozen=True)
class Measured:
    """A window: its orders, the objects that they are with their lines, the cost by each way."""

    orders: int
    objects: int
    pages: Cost
    bulk: Cost

    def by_pages(self, plan: str) -> float:
        """Seconds on a plan."""
        full, restored = RESTORED[plan]
        return max((self.pages.points - full) / restored, self.pages.calls * CALL_SECONDS)

    def in_bulk(self, kind: str) -> float:
        """Seconds until the end of a bulk operation is noticed."""
        begins, rate = BULK[kind]
        return (begins + self.objects / rate) * 1.1

    def lost_by_pages(self, plan: str) -> float:
        """Seconds lost at worst by choosing pages: a bulk operation would have been quick."""
        return max(self.by_pages(plan) - self.in_bulk("quick"), 0.0)

    def lost_in_bulk(self, plan: str) -> float:
        """Seconds lost at worst by choosing a bulk operation: it turns out to be slow."""
        return max(self.in_bulk("slow") - self.by_pages(plan), 0.0)


def measure(sync: SyncContext, store: SimulatedStore, sizes: Sequence[int]) -> Iterator[Measured]:
    """Read windows of about so many orders, each by both ways."""
    moments = sorted(datetime.fromisoformat(node["updatedAt"]) for node in truth(store.url, ORDERS))
    for size in sizes:
        end = moments[size] if size < len(moments) else moments[-1] + timedelta(seconds=1)
        window = Window(midnight(START), end)
        by_pages = pull(replace(sync, bulk_threshold=NEVER), ORDERS, window)
        in_bulk = pull(replace(sync, bulk_threshold=ALWAYS), ORDERS, window)
        assert by_pages.records == in_bulk.records
        yield Measured(
            orders=by_pages.records,
            objects=sum(c.written + c.unchanged for c in in_bulk.counts.values()),
            pages=Cost(by_pages.api.calls, by_pages.api.points),
            bulk=Cost(in_bulk.api.calls, in_bulk.api.points),
        )


def even(found: Sequence[Measured], plan: str) -> int | None:
    """The smallest window measured in which the bulk operation is the one that loses less."""
    bulk = [one.orders for one in found if one.lost_in_bulk(plan) <= one.lost_by_pages(plan)]
    return min(bulk, default=None)


@contextmanager
def _opened(orders: int) -> Iterator[tuple[SyncContext, SimulatedStore]]:
    with tempfile.TemporaryDirectory(prefix="threshold", ignore_cleanup_errors=True) as directory:
        server = EmbeddedPostgres(Path(directory))
        try:
            url = server.create_database("threshold")
            migrate(url)
            with (
                serving(products=200, customers=1_000, orders=orders, plan="standard") as store,
                joined(store, url, bulk_threshold=NEVER) as sync,
            ):
                full, _ = RESTORED["standard"]
                bucket = {"maximum": full, "restoreRate": 1_000_000, "level": full}
                store.control("settings", {"bucket": bucket})
                yield sync, store
        finally:
            server.stop()


def main() -> None:
    """Print the table, from where on bulk loses less, and as the last line one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="orders of a window")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    found = []
    with _opened(max(options.sizes)) as (sync, store):
        for one in measure(sync, store, sorted(options.sizes)):
            print(f"{one.orders} orders …", file=sys.stderr, flush=True)
            found.append(one)
    rows = [_row(one) for one in found]
    print(tabulate(rows, headers="keys", intfmt=",", floatfmt=",.0f"))
    default = Settings.model_fields["shopify_bulk_threshold"].default
    found_even = {plan: even(found, plan) for plan in RESTORED}
    for plan, orders in found_even.items():
        said = "in no window measured" if orders is None else f"from {orders:,} orders on"
        print(f"{plan}: a bulk operation loses less at worst {said}")
    print(f"SHOPIFY_BULK_THRESHOLD is {default:,} by default")
    figures = {"windows": [asdict(one) for one in found], "even": found_even, "default": default}
    print(json.dumps({"threshold": figures}))


def _row(one: Measured) -> dict[str, float]:
    return {
        "orders": one.orders,
        "objects": one.objects,
        "calls by pages": one.pages.calls,
        "points": round(one.pages.points),
        **{f"s, {plan}": round(one.by_pages(plan)) for plan in RESTORED},
        "calls in bulk": one.bulk.calls,
        "bulk points": round(one.bulk.points),
        **{f"s, {kind} bulk": round(one.in_bulk(kind)) for kind in BULK},
        "s lost by pages": round(one.lost_by_pages("standard")),
        "s lost in bulk": round(one.lost_in_bulk("standard")),
    }


if __name__ == "__main__":
    main()
