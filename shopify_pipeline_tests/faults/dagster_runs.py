"""Runs of Dagster's, launched as the UI does, killed or left without Postgres; Dagster retries."""

import contextlib
import os
import signal
import time
from random import Random

import psycopg

from shopify_pipeline_tests.faults.instance import Instance, dagster_instance
from shopify_pipeline_tests.faults.report import Report
from shopify_pipeline_tests.faults.trial import Trial
from shopify_pipeline_tests.faults.verdict import LEFT_OVER, judged
from shopify_pipeline_tests.faults.world import World

NAME = "dagster"
DAYS = 20
"""Days that a backfill reads again: every change made here is of today."""

SLOW_SECONDS = 0.25
"""Time that each call of the API takes, so that a small run lasts as long as a larger one."""

LONGEST_RUN_SECONDS = 12.0
NOTICED_WITHIN_SECONDS = 300.0


def dagster(report: Report, *, kills: int, crashes: int, seed: int) -> None:
    """Kill hourly runs and backfills under the daemon, then take Postgres from all of Dagster."""
    began = time.monotonic()
    report.begin(NAME)
    with dagster_instance() as instance:
        report.say(NAME, f"up after {time.monotonic() - began:.0f} s")
        instance.store.control("delivery", {"drop": 1.0})  # webhooks would repair what is missing
        world = World(instance.store, instance.database_url, Random(f"{seed}-{NAME}"))
        trial = Trial(NAME, report, world)
        done = 0
        while done < kills and report.in_time(NAME, done=done, wanted=kills):
            done += _round(trial, instance, most=kills - done, number=done + 1)
            report.say(NAME, f"{done} of {kills} kills, {report.findings} differences")
        for number in range(1, crashes + 1):
            _crash(trial, instance, number=number)
            report.say(NAME, f"{number} of {crashes} crashes, {report.findings} differences")
    report.took(NAME, time.monotonic() - began)


def _round(trial: Trial, instance: Instance, *, most: int, number: int) -> int:
    """Let an hourly run and a backfill go on at once, kill one or both; returns how many."""
    draw, where = trial.world.draw, f"kill {number} under Dagster"
    runs, backfill = _launched(trial, instance)
    chosen = runs if draw.random() < 0.7 else [draw.choice(runs)]
    killed = 0
    for run in chosen[:most]:
        pid = instance.pid(run)
        time.sleep(draw.uniform(1.0, LONGEST_RUN_SECONDS))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
            trial.report.count(NAME, "kills")
    _settle(trial, instance, runs, backfill, where)
    return killed


def _crash(trial: Trial, instance: Instance, *, number: int) -> None:
    """Crash the Postgres that holds the tables and Dagster's own storage, in mid-merge."""
    where = f"crash {number} under Dagster"
    runs, backfill = _launched(trial, instance)
    instance.pid(runs[-1])
    _await_writing(instance)
    instance.postgres.crash(away_seconds=trial.world.draw.choice((0.5, 3.0)))
    trial.report.count(NAME, "crashes of Postgres")
    _settle(trial, instance, runs, backfill, where)


def _launched(trial: Trial, instance: Instance) -> tuple[list[str], str]:
    """Change the store, and launch a backfill and an hourly run: the runs, the backfill."""
    world = trial.world
    world.change(world.draw.randint(30, 100))
    for kind in ("orders", "products", "customers"):
        world.store.control("mass-edit", {"kind": kind, "count": world.draw.randint(30, 400)})
    world.store.control(
        "faults", {"kind": "slow", "seconds": SLOW_SECONDS, "count": None, "match": "query"}
    )
    backfill, of_backfill = instance.launch_backfill(days=DAYS)
    return [of_backfill, instance.launch_hourly()], backfill


def _settle(trial: Trial, instance: Instance, runs: list[str], backfill: str, where: str) -> None:
    """Wait until each run, or a retry of it, has succeeded; compare."""
    report, world = trial.report, trial.world
    world.calm()
    for run in runs:
        attempts = _ended(instance, run)
        report.count(NAME, "retries by Dagster", len(attempts) - 1)
        if attempts[-1][1] != "SUCCESS":
            why = instance.dagster.failure(attempts[-1][0])
            said = ", ".join(status for _, status in attempts)
            report.wrong(NAME, where, [f"the run and its retries ended {said}: {why}"])
    deadline = time.monotonic() + 120
    while not (ended := instance.dagster.backfill(backfill)).has_ended:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    if not ended.succeeded:
        report.wrong(NAME, where, [f"the backfill is {ended.status}"])
    if _queue_waits(world):  # what the backfill queued waits for the next hourly run
        world.let_leases_end()
        _ended(instance, instance.launch_hourly())
    report.compared(NAME, where, judged(world.truth(), world.database_url))


def _ended(instance: Instance, run: str) -> list[tuple[str, str]]:
    """The attempts at a run when the last has succeeded, or no more come."""
    deadline = time.monotonic() + NOTICED_WITHIN_SECONDS
    known = 0
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):  # while its Postgres is away, it answers nothing
            attempts = instance.attempts(run)
            if attempts[-1][1] == "SUCCESS":
                return attempts
            if len(attempts) > known:
                known, deadline = len(attempts), time.monotonic() + NOTICED_WITHIN_SECONDS
        time.sleep(1)
    return instance.attempts(run)


def _await_writing(instance: Instance) -> None:
    """Wait until a run has a transaction open that has written to the tables."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'shopify_pipeline dagster' AND backend_xid IS NOT NULL"
    )
    deadline = time.monotonic() + 60
    with psycopg.connect(instance.database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute(query).fetchone()
            if row and row[0]:
                return
            time.sleep(0.003)


def _queue_waits(world: World) -> bool:
    query = LEFT_OVER["ids are left in the refresh queue"]
    with psycopg.connect(world.database_url) as connection:
        row = connection.execute(query).fetchone()
    return row is not None and row[0] > 0
