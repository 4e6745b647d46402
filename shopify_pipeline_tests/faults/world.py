"""A store that lives, a database of its own, and a process that pulls and may be killed."""

import contextlib
import multiprocessing
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import httpx
import psycopg

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline_tests.faults.puller import Task, work
from shopify_pipeline_tests.faults.verdict import Truth, truth_of
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.truth import TRUTH

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["shopify_pipeline_tests.faults.puller", "shopify_pipeline_tests.faults.__main__"]
)

ACTIONS = {
    "new_order": 40, "fulfill": 18, "edit_order": 10, "refund": 8, "cancel": 4, "new_customer": 8,
    "change_customer": 6, "change_price": 6, "sell_elsewhere": 3, "new_product": 2,
}  # fmt: skip
"""What the store does by itself, by weight: nothing that only a webhook or a sweep can see."""

DELETABLE = ("product_variants", "products", "orders")

PASSING = (
    "throttled", "429", "500", "503", "dropped", "dropped_midway", "truncated", "not_json",
    "internal_server_error", "internal_server_error_in_data", "timeout_error",
)  # fmt: skip
PASSING_BULK = ("bulk_failed", "bulk_canceled", "bulk_truncated_file", "bulk_missing_lines")

SLOWEST_RUN_SECONDS = 240.0


@dataclass
class Ended:
    """How a process ended: by itself ("done" with its steps, "failed" with a reason) or killed."""

    how: str
    steps: int = 0
    why: str = ""
    seconds: float = 0.0


@dataclass
class World:
    """One store and one database; everything random in it comes from `draw`."""

    store: SimulatedStore
    database_url: str
    draw: random.Random
    first_day: date = field(init=False)
    _truth: Truth | None = None

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=f"{self.store.url}/_store/", timeout=120)
        created = self._control("state", method="GET")["createdAt"]
        self.first_day = datetime.fromisoformat(created).astimezone(UTC).date()

    # -- what is true

    def truth(self) -> Truth:
        """What the tables should hold; asked for again only when the store has changed."""
        if self._truth is None:
            self._truth = truth_of(self.store.url)
        return self._truth

    def _control(self, path: str, body: Any = None, *, method: str = "POST") -> Any:
        """`SimulatedStore.control`, over one connection; any of it may have changed the store."""
        if method != "GET":
            self._truth = None
        answer = self._http.request(method, path, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    # -- what the store does

    def live(self, *, hours: float, changes: int) -> None:
        """Let hours pass in which the store changes, in bursts; some of it for many at once."""
        bursts = self.draw.randint(3, 6)
        for _ in range(bursts):
            self._control("clock", {"advance": int(hours * 3600 / bursts)})
            self.change(changes // bursts)
            if self.draw.random() < 0.3:
                kind = self.draw.choice(("products", "orders", "customers", "orders"))
                count = self.draw.randint(20, 400)
                self._control("mass-edit", {"kind": kind, "count": count})
        if self.draw.random() < 0.6:
            self._delete(self.draw.randint(1, 4))

    def change(self, steps: int) -> None:
        """Make so many changes now."""
        actions = Counter(self.draw.choices(list(ACTIONS), list(ACTIONS.values()), k=steps))
        for action, times in actions.items():
            self._control("traffic", {"steps": times, "action": action})

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let the store change all the while, and its index lag behind."""
        lag = self.draw.choice((0, 30, 90))
        self._control("settings", {"indexLag": lag})
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(0.1):
                self.change(1)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self._control("clock", {"advance": lag + 30})
            self._control("settings", {"indexLag": 0})

    def disturb(self, *, in_bulk: bool) -> int:
        """Let some of the next calls fail in ways that pass; returns how many."""
        count = self.draw.randint(0, 3)
        for _ in range(count):
            skip = self.draw.randint(0, 20)
            fault: dict[str, Any]
            if in_bulk and self.draw.random() < 0.4:
                fault = {"kind": self.draw.choice(PASSING_BULK)}
            else:
                fault = {"kind": self.draw.choice(PASSING), "skip": skip, "retry_after": 1}
            self.store.control("faults", fault)
        return count

    def calm(self) -> None:
        """Forget the faults that met no call."""
        self.store.control("faults", method="DELETE")

    def _delete(self, count: int) -> None:
        """Delete records, and queue their ids for a read as a webhook or a sweep does."""
        for name in self.draw.choices(DELETABLE, k=count):
            entity = ENTITIES[name]
            with psycopg.connect(self.database_url) as connection:
                known = connection.execute(
                    f"SELECT {entity.key} FROM {entity.table_name} WHERE deleted_at IS NULL "
                    f"ORDER BY {entity.key}"
                ).fetchall()
            if not known:
                continue
            number = int(self.draw.choice(known)[0])
            with contextlib.suppress(AssertionError):  # the store knows reasons to keep it
                self._control(f"{TRUTH[name]}/{number}", method="DELETE")
                self._queue(name, number)

    def _queue(self, entity: str, number: int) -> None:
        now = datetime.fromisoformat(self._control("state", method="GET")["clock"])
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                "INSERT INTO shopify_internal.refresh_queue "
                "(entity, shopify_id, reason, urgent, queued_at) VALUES (%s, %s, %s, true, %s) "
                "ON CONFLICT (entity, shopify_id) DO UPDATE SET queued_at = excluded.queued_at",
                [entity, number, "deleted", now - timedelta(seconds=1)],
            )

    # -- what pulls

    def task(self, **options: Any) -> Task:
        """A task of this world."""
        return Task(
            store_url=self.store.url,
            database_url=self.database_url,
            first_day=self.first_day,
            **options,
        )

    def run(self, task: Task, *, kill_after: float | None = None) -> Ended:
        """Pull in a process of its own; SIGKILL it after so many seconds, unless it has ended."""
        with pulling(task) as running:
            return running.wait(kill_after=kill_after)

    def let_leases_end(self) -> None:
        """Let the minutes pass for which a killed process holds ids of the refresh queue."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute("UPDATE shopify_internal.refresh_queue SET due_at = now()")


@dataclass
class Running:
    """A process that pulls."""

    process: BaseProcess
    telling: Connection
    began: float

    def wait(self, *, kill_after: float | None = None) -> Ended:
        """Wait for its end; SIGKILL it after so many seconds.

        Raises:
            TimeoutError: it hangs.
        """
        self.process.join(SLOWEST_RUN_SECONDS if kill_after is None else kill_after)
        if self.process.is_alive():
            hangs = kill_after is None
            self.process.kill()
            self.process.join()
            if hangs:
                raise TimeoutError(f"a run did not end within {SLOWEST_RUN_SECONDS:.0f} s")
        seconds = time.monotonic() - self.began
        with contextlib.suppress(EOFError):
            if self.telling.poll():
                how, what = self.telling.recv()
                steps, why = (what, "") if how == "done" else (0, what)
                return Ended(how, steps=steps, why=why, seconds=seconds)
        return Ended("killed", why=f"exit code {self.process.exitcode}", seconds=seconds)


@contextmanager
def pulling(task: Task) -> Iterator[Running]:
    """Start a process that does the task; it is dead at the end of the block."""
    telling, told = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=work, args=(task, told), daemon=True)
    process.start()
    told.close()
    try:
        yield Running(process, telling, time.monotonic())
    finally:
        process.kill()
        process.join()
        telling.close()
