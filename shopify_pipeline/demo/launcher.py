"""`shopify-pipeline run`: fills the tables through Dagster, says so, and stays up."""

import os
import sys
import time
from collections.abc import Callable, Mapping

from shopify_pipeline.demo.dagster_api import ENDED, DagsterApi, RunRequest
from shopify_pipeline.demo.services import Options, Services
from shopify_pipeline.demo.terminal import say
from shopify_pipeline.entities import ROOTS
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import open_database
from shopify_pipeline.warehouse import checkpoints
from shopify_pipeline.warehouse.counts import row_count

SHOWN = [
    member
    for root in sorted(ROOTS, key=lambda root: (len(root.parents), -len(root.children)))
    for member in root.family
]
"""The entities, parents before what points to them."""

ASSETS = [("shopify", entity.name) for entity in SHOWN]
HOURLY_JOB = "shopify_hourly"
HOURLY_SCHEDULE = "shopify_hourly_schedule"


def run(options: Options) -> bool:
    """Bring everything up, load what is due, and stay up until a signal ends it.

    Returns whether it got as far as being up.
    """
    services = Services(options, headless=False)
    is_up = False
    try:
        with services.interrupts.caught(), services.started() as settings:
            dagster = services.start_dagster()
            ok = _load(services, dagster, settings)
            _summarise(services, settings, ok=ok)
            is_up = True
            while True:
                services.processes.check()
                time.sleep(1)
    except KeyboardInterrupt:
        left = services.processes.alive()
        say("Everything is stopped." if not left else f"Still alive, by their ids: {left}")
    return is_up


def run_once(options: Options) -> bool:
    """Load everything once through Dagster, without UI, and stop; returns whether it succeeded."""
    services = Services(options, headless=True)
    with services.interrupts.caught(), services.started() as settings:
        from shopify_pipeline.definitions import days, defs  # noqa: PLC0415 - reads the settings
        from shopify_pipeline.orchestration.headless import (  # noqa: PLC0415 - takes seconds
            materialize_all,
        )

        say("Materializing every day of every table …")
        problem = materialize_all(defs, days)
        _print_counts(settings)
        if problem:
            say(f"\nThe run failed: {problem}")
        return problem is None


def _load(services: Services, dagster: DagsterApi, settings: Settings) -> bool:
    """Load what is due: all days at the first start, later what the hourly schedule asks for."""
    if backfill := dagster.open_backfill():
        say("Going on with a backfill that an earlier start left behind …")
    elif _first_load_is_due(settings):
        days = dagster.partitions(ASSETS[0])
        say(f"First load: a backfill of {len(days)} days, from {days[0]} to {days[-1]}.")
        say("  Dagster looks for backfills every 30 s, and first notes down every day of them …")
        backfill = dagster.launch_backfill(ASSETS, days, title="First load")
    else:
        return _load_changes(services, dagster, settings)
    _watch(services, settings, lambda: dagster.backfill(backfill).has_ended)
    ended = dagster.backfill(backfill)
    if ended.succeeded:
        hourly = dagster.evaluate_schedule(HOURLY_SCHEDULE)
        if isinstance(hourly, RunRequest):
            dagster.launch_run(HOURLY_JOB, hourly)
            say("The first hourly run links customers and checks the tables meanwhile; see the UI.")
        return True
    if ended.error:
        say(f"The backfill failed: {ended.error.splitlines()[0]}")
    explained = [_explain(services, dagster, run_id) for run_id in ended.runs]
    return bool(explained) and all(explained)


def _first_load_is_due(settings: Settings) -> bool:
    database = open_database(settings, application_name="shopify_pipeline run")
    try:
        with database.transaction() as connection:
            return any(checkpoints.read(connection, root.name) is None for root in ROOTS)
    finally:
        database.close()


def _load_changes(services: Services, dagster: DagsterApi, settings: Settings) -> bool:
    say("Reading what has changed in the store …")
    due = dagster.evaluate_schedule(HOURLY_SCHEDULE)
    if not isinstance(due, RunRequest):
        say(due)
        return True
    run_id = dagster.launch_run(HOURLY_JOB, due)
    _watch(services, settings, lambda: dagster.run_status(run_id) in ENDED)
    return _explain(services, dagster, run_id)


def _watch(services: Services, settings: Settings, ended: Callable[[], bool]) -> None:
    """Print the tables' row counts, as they change, until `ended`."""
    begun = time.monotonic()
    last: dict[str, int] = {}
    while True:
        over = ended()
        counts = _row_counts(settings)
        if counts != last and any(counts.values()):
            figures = " · ".join(f"{name} {count:,}" for name, count in counts.items())
            say(f"  {time.monotonic() - begun:5.0f} s   {figures}")
            last = counts
        if over:
            return
        services.processes.check()
        time.sleep(2)


def _explain(services: Services, dagster: DagsterApi, run_id: str) -> bool:
    if dagster.run_status(run_id) == "SUCCESS":
        return True
    say(f"\nThe run failed: {dagster.failure(run_id) or 'no reason is given.'}")
    say(f"It is at {services.ui_url}/runs/{run_id}")
    return False


def _summarise(services: Services, settings: Settings, *, ok: bool) -> None:
    _print_counts(settings)
    say()
    say(f"  Dagster UI   {services.ui_url}/locations/shopify_pipeline/asset-groups/shopify/lineage")
    if services.demonstration:
        say(f"  Store        {services.store_url}/_store/")
    if services.receives_webhooks:
        say(f"  Webhooks     {services.webhook_url}/webhooks/shopify")
    if services.postgres is not None:
        say(f'  Tables       psql "{os.environ["DATABASE_URL"]}"')
    say()
    if ok:
        say("The tables hold what the store holds; the hourly schedule keeps it so.")
        if services.demonstration:
            say(
                "Next: open the UI; or set SHOPIFY_SHOP, its credentials, SHOPIFY_START_DATE and "
                "DATABASE_URL, and run this again for a store of yours."
            )
    else:
        say("Not everything was loaded: see above. Mend it, then materialize again in the UI.")
    say("Ctrl-C stops everything that was started here.")


def _print_counts(settings: Settings) -> None:
    say()
    for name, count in _row_counts(settings, exact=True).items():
        say(f"  {name:<28}{count:>12,} rows")


def _row_counts(settings: Settings, *, exact: bool = False) -> dict[str, int]:
    database = open_database(settings, application_name="shopify_pipeline run")
    limit: Mapping[str, int] = {"counted_up_to": sys.maxsize} if exact else {}
    try:
        with database.transaction() as connection:
            return {
                (entity.table_name if exact else entity.name): row_count(
                    connection, entity.table, **limit
                )
                for entity in SHOWN
            }
    finally:
        database.close()
