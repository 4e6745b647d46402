"""SIGKILL of the process that pulls, at random instants of pulls and of backfills."""

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from random import Random

from shopify_pipeline_tests.faults.postgres import Server
from shopify_pipeline_tests.faults.report import Report
from shopify_pipeline_tests.faults.trial import TRIES, Trial
from shopify_pipeline_tests.faults.world import Ended, World
from shopify_pipeline_tests.simulated import SimulatedStore, serving

PRODUCTS, CUSTOMERS, ORDERS = 120, 400, 2_000
TOLD_EVERY = 5


@dataclass
class Measure:
    """How long runs of a kind take, so that the instants of death fall anywhere in one."""

    seconds: deque[float] = field(default_factory=lambda: deque([3.0], maxlen=4))
    steps: deque[int] = field(default_factory=lambda: deque([150], maxlen=4))

    def take(self, ended: Ended) -> None:
        """Learn from a run that was not disturbed."""
        if ended.how == "done":
            self.seconds.append(ended.seconds)
            self.steps.append(ended.steps)

    def instant(self, draw: Random) -> tuple[float | None, int | None]:
        """Seconds after the start, or a step: half of the deaths each."""
        if draw.random() < 0.5:
            return draw.uniform(0.02, max(self.seconds)), None
        return None, draw.randint(1, max(self.steps))


@dataclass
class Killing(Trial):
    """A scenario: kills of one kind, until there are as many as are wanted."""

    kills: int = 0
    done: int = 0
    measures: dict[str, Measure] = field(default_factory=dict)

    def until_dead(self, *, backfill: bool, fresh: bool, busy: bool) -> None:
        """Kill a run, and some of its restarts; let one end; compare."""
        measure = self.measures.setdefault(f"{backfill} {fresh}", Measure())
        where = f"kill {self.done + 1}" + (" (busy store)" if busy else "")
        with self.world.changing() if busy else nullcontext():
            killed = self._kill(measure, where, backfill=backfill, once=fresh, quiet=not busy)
        if not killed:
            self.report.count(self.name, "kills that came too late")
        self.recover(where, backfill=backfill, busy=busy)

    def _kill(
        self, measure: Measure, where: str, *, backfill: bool, once: bool, quiet: bool
    ) -> bool:
        """Kill at least one run; say whether that came about."""
        world, draw, before = self.world, self.world.draw, self.done
        for _ in range(TRIES):
            after, step = measure.instant(draw)
            world.disturb(in_bulk=backfill)
            ended = world.run(world.task(backfill=backfill, die_at=step), kill_after=after)
            self.note(ended, where)
            if ended.how == "killed":
                self.done += 1
                self.report.count(self.name, "kills")
                if quiet:
                    self.check_promises(where)
                if self.done >= self.kills or draw.random() < 0.7:
                    break
            else:  # it came too late: another run, and another instant
                measure.take(ended)
                if once or self.done > before:
                    break
        return self.done > before


def pulls(report: Report, server: Server, *, kills: int, seed: int) -> None:
    """Kill hourly pulls: the store lived on for hours, and what changed is read by pages."""
    _scenario("pulls", _one_pull, report, server, kills=kills, seed=seed)


def backfills(report: Report, server: Server, *, kills: int, seed: int) -> None:
    """Kill backfills by bulk operations, into empty tables and into filled ones."""
    _scenario("backfills", _one_backfill, report, server, kills=kills, seed=seed)


def _one_pull(killing: Killing, _: Server) -> None:
    draw = killing.world.draw
    killing.world.live(hours=draw.choice((0.5, 2, 6, 30)), changes=draw.randint(40, 150))
    killing.until_dead(backfill=False, fresh=False, busy=draw.random() < 0.25)


def _one_backfill(killing: Killing, server: Server) -> None:
    world, draw = killing.world, killing.world.draw
    world.live(hours=draw.choice((0.5, 6)), changes=draw.randint(10, 60))
    fresh = draw.random() < 0.5
    if fresh:
        server.drop_database(world.database_url)
        world.database_url = server.fresh_database()
    killing.until_dead(backfill=True, fresh=fresh, busy=draw.random() < 0.25)


def living(draw: Random) -> AbstractContextManager[SimulatedStore]:
    """A store of the scenarios' size, each with records of its own."""
    return serving(
        products=PRODUCTS,
        customers=CUSTOMERS,
        orders=ORDERS,
        seed=draw.randrange(10_000),
        quiet=True,  # it complains of each client that is killed
    )


def _scenario(
    name: str,
    one: Callable[[Killing, Server], None],
    report: Report,
    server: Server,
    *,
    kills: int,
    seed: int,
) -> None:
    began = time.monotonic()
    report.begin(name)
    draw = Random(f"{seed}-{name}")
    with living(draw) as store:
        world = World(store, server.fresh_database(), draw)
        killing = Killing(name, report, world, kills=kills)
        killing.recover("first load", backfill=True)
        told = 0
        while killing.done < kills and report.in_time(name, done=killing.done, wanted=kills):
            one(killing, server)
            if killing.done >= told + TOLD_EVERY or killing.done >= kills:
                told = killing.done
                report.say(name, f"{killing.done} of {kills} kills, {report.findings} differences")
    server.drop_database(world.database_url)
    report.took(name, time.monotonic() - began)
