"""`python -m shopify_pipeline_tests.faults`: kills, crashes and lost connections, each survived."""

import random
import signal
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import click

from shopify_pipeline_tests.faults import dagster_runs, kills, outages, webhooks
from shopify_pipeline_tests.faults.postgres import serving_postgres
from shopify_pipeline_tests.faults.report import Report, Stopped

SCENARIOS = ("pulls", "backfills", "postgres", "connections", "dagster", "webhooks")

LANES = 3
"""Scenarios at once: a run waits a good deal, for its store and for its Postgres."""


@click.command()
@click.option("--kills", "wanted", default=100, show_default=True, help="SIGKILLs of runs, in all.")
@click.option("--seed", type=int, help="Default: another each time; it is printed.")
@click.option("--minutes", default=60.0, show_default=True, help="No fault is begun after that.")
@click.option("--only", type=click.Choice(SCENARIOS), multiple=True, help="May be repeated.")
def main(wanted: int, seed: int | None, minutes: float, only: tuple[str, ...]) -> None:
    """Kill runs, crash Postgres, cut connections; compare all tables with the truth each time."""
    seed = random.randrange(10**6) if seed is None else seed
    report = Report(seed=seed, seconds=minutes * 60)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: report.stop())
    report.say("faults", f"seed {seed}")
    chosen = only or SCENARIOS
    outages_wanted = max(2, wanted // 8)
    of_pulls = wanted // 2 if {"pulls", "backfills"} <= set(chosen) else wanted
    with serving_postgres() as server:
        jobs: dict[str, Callable[[], None]] = {
            "dagster": lambda: dagster_runs.dagster(
                report, kills=min(5, max(1, wanted // 5)), crashes=1, seed=seed
            ),
            "pulls": lambda: kills.pulls(report, server, kills=of_pulls, seed=seed),
            "backfills": lambda: kills.backfills(
                report, server, kills=wanted - of_pulls or wanted, seed=seed
            ),
            "postgres": lambda: outages.postgres(report, crashes=outages_wanted, seed=seed),
            "connections": lambda: outages.connections(
                report, server, cuts=outages_wanted, seed=seed
            ),
            "webhooks": lambda: webhooks.webhooks(report),
        }
        with ThreadPoolExecutor(LANES) as lanes:
            running = [
                lanes.submit(_guarded, report, name, job)
                for name, job in jobs.items()
                if name in chosen
            ]
            try:
                for one in running:
                    one.result()
            except Stopped:
                sys.exit("Stopped.")
    click.echo(f"\n{report.table()}\n")
    if report.findings:
        click.echo(f"FAILED: {report.findings} findings; seed {seed}.")
        sys.exit(1)
    of_dagster = report.counted("kills", "dagster")
    click.echo(
        f"{report.counted('kills')} SIGKILLs ({of_dagster} of runs under Dagster's daemon, which "
        f"noticed and retried them; the others of the same pulls in processes of their own); all "
        f"tables compared with the truth {report.counted('compared')} times: no difference."
    )


def _guarded(report: Report, name: str, job: Callable[[], None]) -> None:
    report.begin(name)
    try:
        job()
    except Exception as error:  # noqa: BLE001 - the other scenarios go on
        traceback.print_exc()
        report.wrong(name, "the scenario itself", [f"{type(error).__name__}: {error}"[:500]])


if __name__ == "__main__":
    main()
