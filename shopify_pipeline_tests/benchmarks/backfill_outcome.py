"""What a backfill left: rows, days in Dagster's UI, what the next hourly run does, differences."""

import sys
import time
from datetime import datetime
from typing import Any

import httpx
import psycopg

from shopify_pipeline.demo.dagster_api import ENDED, DagsterApi, RunRequest
from shopify_pipeline.demo.launcher import ASSETS, HOURLY_JOB, HOURLY_SCHEDULE, SHOWN
from shopify_pipeline.settings import Settings
from shopify_pipeline_tests.benchmarks.backfill_runs import days_of
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore
from shopify_pipeline_tests.truth import streamed_differences

LOOK_SECONDS = 1.0
COMPARED_WHOLE = 200_000
"""Orders up to which every row is compared unless a share was asked for: a minute per 50,000."""

_OPERATION = "query($id: ID!) { bulkOperation(id: $id) { createdAt completedAt } }"

Figures = dict[str, Any]


def say(message: str) -> None:
    """Tell the person at the terminal."""
    print(message, file=sys.stderr, flush=True)


def counts(settings: Settings) -> dict[str, int]:
    """Rows of each table."""
    with psycopg.connect(_database(settings)) as connection:
        return {
            entity.name: _number(connection, f"SELECT count(*) FROM {entity.table_name}")
            for entity in SHOWN
        }


def estimates(settings: Settings) -> dict[str, int]:
    """Rows written so far, by Postgres's own statistics, which cost nothing to ask."""
    with psycopg.connect(_database(settings)) as connection:
        return {
            entity.name: _number(
                connection,
                "SELECT n_live_tup FROM pg_stat_user_tables "
                f"WHERE relid = 'public.{entity.table_name}'::regclass",
            )
            for entity in SHOWN
        }


def bulk_operations(settings: Settings, store: SimulatedStore, found: Figures) -> Figures:
    """How many there were, what the store itself took for them, and the rate without that."""
    with psycopg.connect(_database(settings)) as connection:
        query = "SELECT gid FROM shopify_internal.bulk_claims WHERE gid IS NOT NULL"
        gids = [gid for (gid,) in connection.execute(query)]
    seconds = 0.0
    for gid in gids:
        answer = httpx.post(
            f"{store.url}/admin/api/{settings.shopify_api_version}/graphql.json",
            json={"query": _OPERATION, "variables": {"id": gid}},
            headers={"X-Shopify-Access-Token": TOKEN},
            timeout=60,
        ).json()["data"]["bulkOperation"]
        if answer and answer["completedAt"]:
            began, ended = (datetime.fromisoformat(answer[n]) for n in ("createdAt", "completedAt"))
            seconds += (ended - began).total_seconds()
    without = found["run_seconds"] - seconds
    return {
        "bulk_operations": len(gids),
        "store_bulk_seconds": round(seconds, 1),
        "rows_per_s_without_store": round(found["rows_total"] / without) if without > 0 else 0,
    }


def look_at_days(dagster: DagsterApi) -> Figures:
    """How many days of each table the UI shows as materialized."""
    shown = {path[-1]: days_of(dagster, path) for path in ASSETS}
    for name, days in shown.items():
        say(f"{name:<20} {days.materialized} of {days.partitions} days green, {days.failed} failed")
    return {
        "partitions_materialized": sum(days.materialized for days in shown.values()),
        "partitions_failed": sum(days.failed for days in shown.values()),
        "all_green": all(days.all_green for days in shown.values()),
    }


def run_hourly(dagster: DagsterApi, settings: Settings, *, timeout: float) -> Figures:
    """Let the next hourly run work off what the backfill left in the refresh queue."""
    queued = _queued(settings)
    say(f"{queued} records are left to be read again by the next hourly run …")
    began = time.monotonic()
    due = dagster.evaluate_schedule(HOURLY_SCHEDULE)
    while not isinstance(due, RunRequest) and time.monotonic() - began < timeout:
        time.sleep(5)  # one of the schedule's own goes on
        due = dagster.evaluate_schedule(HOURLY_SCHEDULE)
    if not isinstance(due, RunRequest):
        raise TimeoutError(f"no hourly run is to be had: {due}")
    run_id = dagster.launch_run(HOURLY_JOB, due)
    while (status := dagster.run_status(run_id)) not in ENDED:
        if time.monotonic() - began > timeout:
            raise TimeoutError(f"the hourly run is still {status}")
        time.sleep(LOOK_SECONDS)
    if status != "SUCCESS":
        say(f"The hourly run ended as {status}: {dagster.failure(run_id)}")
    return {
        "queued_after": queued,
        "hourly_seconds": round(time.monotonic() - began, 1),
        "hourly_succeeded": status == "SUCCESS",
        "queued_at_the_end": _queued(settings),
    }


def compare(settings: Settings, store: SimulatedStore, *, share: float | None) -> Figures:
    """Compare the tables with the store, as many rows as can be in some minutes by default."""
    if share is None:
        share = min(1.0, COMPARED_WHOLE / store.control("state", method="GET")["records"]["orders"])
    say(f"Comparing {share:.0%} of the rows with the store, and the numbers of all …")
    with psycopg.connect(_database(settings), autocommit=True) as connection:
        connection.execute("ANALYZE")
    began = time.monotonic()
    lines, compared = streamed_differences(store.url, _database(settings), share=share)
    for line in lines:
        say(f"  {line}")
    return {
        "differences": len(lines),
        "compared_share": round(share, 3),
        "compared_rows": compared,
        "compare_seconds": round(time.monotonic() - began, 1),
    }


def _queued(settings: Settings) -> int:
    with psycopg.connect(_database(settings)) as connection:
        return _number(connection, "SELECT count(*) FROM shopify_internal.refresh_queue")


def _number(connection: psycopg.Connection[Any], query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _database(settings: Settings) -> str:
    return settings.database_url.get_secret_value()
