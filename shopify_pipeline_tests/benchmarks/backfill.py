"""Measures a backfill of every day, launched by the same GraphQL call as the button in the UI.

    python -m shopify_pipeline_tests.benchmarks.backfill --orders 1000000

Everything is as `shopify-pipeline run` has it for a store of one's own: the embedded Postgres, the
migrations, Dagster's webserver, daemon and code server; nothing is loaded before. The store is
simulated: a new one of so many orders, one kept in `--store-dir`, or one at `--store-url`.

What it prints: the seconds from the call to the end of the backfill, those until its run started
and those of the run alone, with and without what the store took for bulk operations; the peak
memory of the largest process of the run; whether each day of each table is green; and, after the
hourly run that follows, what the tables say otherwise than the store, row for row, or for a share
of the rows and the numbers of all. The last line is JSON.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path

import httpx
from tabulate import tabulate

from shopify_pipeline.demo.dagster_api import DagsterApi, DagsterFailedError
from shopify_pipeline.demo.launcher import ASSETS
from shopify_pipeline.demo.services import Options, Services
from shopify_pipeline.settings import Settings
from shopify_pipeline_tests.benchmarks.backfill_outcome import (
    LOOK_SECONDS,
    Figures,
    bulk_operations,
    compare,
    counts,
    estimates,
    look_at_days,
    run_hourly,
    say,
)
from shopify_pipeline_tests.benchmarks.backfill_runs import Backfill
from shopify_pipeline_tests.benchmarks.backfill_store import serving_from_disk
from shopify_pipeline_tests.benchmarks.watching import PeakMemory
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore
from shopify_pipeline_tests.test_cli import NAMES, free_port

THREE_YEARS = timedelta(days=3 * 365)
TOLD_EVERY_SECONDS = 10.0


def measure(options: argparse.Namespace, home: Path, store: SimulatedStore) -> Figures:
    """Bring everything up, run the backfill, and look at what it left."""
    first_day = options.start_date or _first_day(store)
    _set_environment(store, first_day)
    launch = Options(home=home, ui_port=free_port())
    services = Services(launch, headless=False)
    with services.interrupts.caught(), services.started() as settings:
        dagster = services.start_dagster()
        days = dagster.partitions(ASSETS[0])
        say(
            f"A backfill of {len(days)} days, from {days[0]} to {days[-1]}, of {len(ASSETS)} tables"
        )
        found = _backfill(services, dagster, settings, days, timeout=options.timeout)
        found |= bulk_operations(settings, store, found) | look_at_days(dagster)
        found |= run_hourly(dagster, settings, timeout=options.timeout)
        return found | compare(settings, store, share=options.compare)


def _backfill(
    services: Services,
    dagster: DagsterApi,
    settings: Settings,
    days: list[str],
    *,
    timeout: float,
) -> Figures:
    began = time.time()
    backfill = Backfill(dagster, dagster.launch_backfill(ASSETS, days, title="All days"))
    memory = PeakMemory(backfill.processes)
    memory.start()
    try:
        _wait(services, settings, backfill, memory, until=began + timeout)
    finally:
        peak = memory.stop()
    seconds = time.time() - began
    succeeded = backfill.status == "COMPLETED_SUCCESS"
    if not succeeded:
        say(f"The backfill is {backfill.status}: {backfill.why_failed()}")
    rows = counts(settings)
    first = min((run.started for run in backfill.runs if run.started), default=began)
    run_seconds = sum((run.ended or time.time()) - (run.started or began) for run in backfill.runs)
    return {
        "succeeded": succeeded,
        "runs": len(backfill.runs),
        "days": len(days),
        "rows": rows,
        "rows_total": sum(rows.values()),
        "seconds": round(seconds, 1),
        "seconds_to_run": round(first - began, 1),
        "run_seconds": round(run_seconds, 1),
        "rows_per_s": round(sum(rows.values()) / seconds),
        "run_rows_per_s": round(sum(rows.values()) / run_seconds) if run_seconds else 0,
        "peak_rss_mb": round(peak),
    }


def _wait(
    services: Services, settings: Settings, backfill: Backfill, memory: PeakMemory, *, until: float
) -> None:
    """Look until the backfill has ended, and tell how far it is.

    Raises:
        TimeoutError: it takes too long.
    """
    began = told = time.time()
    while True:
        # A busy webserver may be late to answer, or not answer at all.
        with contextlib.suppress(httpx.HTTPError, DagsterFailedError):
            backfill.look()
        now = time.time()
        if backfill.has_ended or now - told >= TOLD_EVERY_SECONDS:
            told = now
            runs = ", ".join(run.status.lower() for run in backfill.runs) or "no run yet"
            so_far = " · ".join(f"{name} {n:,}" for name, n in estimates(settings).items())
            say(f"{now - began:6.0f} s  {runs}  {so_far}  peak {memory.peak_mb:.0f} MB")
        if backfill.has_ended:
            return
        if now > until:
            raise TimeoutError(f"the backfill is still {backfill.status}")
        services.processes.check()
        time.sleep(LOOK_SECONDS)


def _first_day(store: SimulatedStore) -> date:
    """Three years ago, or the day on which the store was created, whichever is earlier."""
    state = store.control("state", method="GET")
    now, created = (date.fromisoformat(state[name][:10]) for name in ("clock", "createdAt"))
    return min(created, now - THREE_YEARS)


def _set_environment(store: SimulatedStore, first_day: date) -> None:
    """The settings of a store of one's own; without those of whoever runs this."""
    for name in [name for name in os.environ if name.startswith((*NAMES, "WEBHOOK_", "ALERT_"))]:
        del os.environ[name]
    os.environ |= {
        "SHOPIFY_SHOP": store.shop,
        "SHOPIFY_ACCESS_TOKEN": TOKEN,
        "SHOPIFY_API_URL": store.url,
        "SHOPIFY_START_DATE": first_day.isoformat(),
    }


@contextmanager
def _store(options: argparse.Namespace, home: Path) -> Iterator[SimulatedStore]:
    if options.store_url:
        yield SimulatedStore(url=options.store_url.rstrip("/"))
        return
    directory = options.store_dir or home / "simulated"
    say(f"Starting a store of {options.orders:,} orders in {directory} …")
    began = time.monotonic()
    with serving_from_disk(directory, orders=options.orders, log=home / "store.log") as store:
        say(f"  it serves after {time.monotonic() - began:.0f} s, at {store.url}")
        yield store


def main() -> None:
    """Measure, print, and exit 1 unless all days are green and nothing differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--store-url", help="a simulated store that runs already")
    parser.add_argument("--store-dir", type=Path, help="keep the simulated store here")
    parser.add_argument("--start-date", type=date.fromisoformat, help="default: three years ago")
    parser.add_argument("--compare", type=float, help="share of the rows; default: all, if few")
    parser.add_argument("--home", type=Path, help="keep databases and logs here")
    parser.add_argument("--timeout", type=float, default=4 * 3600.0, help="seconds")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = options.home or Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="backfill", ignore_cleanup_errors=True)
            )
        )
        home.mkdir(parents=True, exist_ok=True)
        store = stack.enter_context(_store(options, home))
        found = measure(options, home / "pipeline", store)
    print(tabulate([(f"backfill.{n}", v) for n, v in found.items()], tablefmt="plain"))
    print(json.dumps({"backfill": found}))
    sys.exit(0 if found["succeeded"] and found["all_green"] and not found["differences"] else 1)


if __name__ == "__main__":
    main()
