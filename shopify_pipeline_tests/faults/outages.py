"""Postgres crashing in mid-merge, and its connections cut, while a run goes on."""

import contextlib
import time
from collections.abc import Callable
from random import Random

import psycopg

from shopify_pipeline_tests.faults.kills import living
from shopify_pipeline_tests.faults.postgres import Server, serving_postgres
from shopify_pipeline_tests.faults.puller import APPLICATION
from shopify_pipeline_tests.faults.report import Report
from shopify_pipeline_tests.faults.trial import Trial
from shopify_pipeline_tests.faults.world import Running, World, pulling

LOOKED_EVERY_SECONDS = 0.003
TOLD_EVERY = 5

WRITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = %s AND backend_xid IS NOT NULL"
)
CUT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = %s AND pid <> pg_backend_pid()"
)


def postgres(report: Report, *, crashes: int, seed: int) -> None:
    """Crash Postgres, immediate mode, during pulls and backfills; it comes back within seconds."""
    with serving_postgres() as server:

        def crash(trial: Trial, where: str, running: Running) -> bool:
            draw = trial.world.draw
            in_merge = _await_instant(trial.world, running)
            if not running.process.is_alive():
                return False
            server.crash(away_seconds=draw.choice((0.0, 0.5, 2.0)))
            trial.report.count(trial.name, "crashes of Postgres")
            if in_merge:
                trial.report.count(trial.name, "of them with a transaction open that had written")
            return True

        _scenario("postgres", crash, report, server, wanted=crashes, seed=seed)


def connections(report: Report, server: Server, *, cuts: int, seed: int) -> None:
    """Cut every connection of a run, some of its reconnections too."""

    def cut(trial: Trial, where: str, running: Running) -> bool:
        url, cut_any = trial.world.database_url, False
        for _ in range(trial.world.draw.randint(1, 3)):
            _await_instant(trial.world, running)
            with psycopg.connect(url, autocommit=True) as connection:
                row = connection.execute(CUT, [APPLICATION]).fetchone()
            if row and row[0]:
                trial.report.count(trial.name, "connections cut", int(row[0]))
                cut_any = True
        return cut_any

    _scenario("connections", cut, report, server, wanted=cuts, seed=seed)


def _await_instant(world: World, running: Running) -> bool:
    """Wait for a random instant of the run; half of them when it has written and not committed.

    Returns whether it is one of these.
    """
    _sleep(world.draw.uniform(0.1, 2.5), running)
    if world.draw.random() < 0.3:
        return False
    with (
        contextlib.suppress(psycopg.OperationalError),
        psycopg.connect(world.database_url, autocommit=True) as connection,
    ):
        while running.process.is_alive():
            row = connection.execute(WRITING, [APPLICATION]).fetchone()
            if row and row[0]:
                return True
            time.sleep(LOOKED_EVERY_SECONDS)
    return False


def _sleep(seconds: float, running: Running) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and running.process.is_alive():
        time.sleep(0.01)


def _scenario(
    name: str,
    strike: Callable[[Trial, str, Running], bool],
    report: Report,
    server: Server,
    *,
    wanted: int,
    seed: int,
) -> None:
    began = time.monotonic()
    report.begin(name)
    draw = Random(f"{seed}-{name}")
    with living(draw) as store:
        world = World(store, server.fresh_database(), draw)
        trial = Trial(name, report, world, by_fault="runs that failed of it")
        trial.recover("first load", backfill=True)
        done = 0
        while done < wanted and report.in_time(name, done=done, wanted=wanted):
            done += _struck_once(trial, strike, server, number=done + 1)
            if done % TOLD_EVERY == 0:
                report.say(name, f"{done} of {wanted}, {report.findings} differences")
    server.drop_database(world.database_url)
    report.took(name, time.monotonic() - began)


def _struck_once(
    trial: Trial, strike: Callable[[Trial, str, Running], bool], server: Server, *, number: int
) -> bool:
    """Strike during one run, let another succeed, compare; whether the run was still going on."""
    world, draw, where = trial.world, trial.world.draw, f"{trial.name} {number}"
    backfill = draw.random() < 0.5
    world.live(hours=draw.choice((0.5, 6)), changes=draw.randint(20, 100))
    if backfill and draw.random() < 0.5:
        server.drop_database(world.database_url)
        world.database_url = server.fresh_database()
    world.disturb(in_bulk=backfill)
    with pulling(world.task(backfill=backfill)) as running:
        struck = strike(trial, where, running)
        trial.note(running.wait(), where)
    if struck:
        trial.check_promises(where)
    trial.recover(where, backfill=backfill)
    return struck
