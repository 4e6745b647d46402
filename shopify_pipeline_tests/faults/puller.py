"""The process that is killed: it pulls as the assets' steps do, and can kill itself at a step.

Steps are what another process could see: a statement begun or answered, a commit, a call of the
API begun or answered. The same seed and the same store give the same steps, where a moment of
time would not.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from multiprocessing.connection import Connection
from typing import Any

import httpx
import sqlalchemy as sa
from pydantic import SecretStr

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync import bulk, families, window_read
from shopify_pipeline.sync.context import OVERLAP, SyncContext, open_sync
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.sync.schedule import due_days
from shopify_pipeline.sync.window import Window
from shopify_pipeline.warehouse import checkpoints
from shopify_pipeline_tests.simulated import TOKEN

APPLICATION = "shopify_pipeline faults"

IN_ORDER = sorted(ROOTS, key=lambda root: len(root.parents))
"""Parents first, as the assets' priorities have it."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What to pull, from where, and the step to die at (None: never).

    `backfill` reads every day whole, else the days that are due are read from the checkpoint.
    The sizes make a small store take as many transactions as a large one takes with ours.
    """

    store_url: str
    database_url: str
    first_day: date
    backfill: bool
    die_at: int | None = None
    bulk_threshold: int = 150
    chunk: int = 100
    batch: int = 120
    max_open: int = 150


class Steps:
    """Counts the steps of this process, and kills it at one of them."""

    def __init__(self, die_at: int | None) -> None:
        self.die_at = die_at
        self.count = 0
        self._lock = threading.Lock()

    def step(self, *_: Any) -> None:
        """Count a step; at the last one there is no way back."""
        with self._lock:
            self.count += 1
            if self.count == self.die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Count what this process does from now on."""
        for event in ("before_cursor_execute", "after_cursor_execute", "commit", "rollback"):
            sa.event.listen(sa.engine.Engine, event, self.step)
        sa.event.listen(sa.pool.Pool, "checkin", self.step)
        sending: Callable[..., httpx.Response] = httpx.Client.send

        def send(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
            self.step()
            response = sending(client, request, **options)
            self.step()
            return response

        httpx.Client.send = send  # type: ignore[assignment,method-assign]


def work(task: Task, told: Connection) -> None:
    """Do the task in this process, and tell: ("done", steps) or ("failed", why)."""
    logging.disable(logging.WARNING)  # of the store's faults, which are ours
    steps = Steps(task.die_at)
    steps.watch()
    window_read.CHUNK = task.chunk
    bulk.BATCH = task.batch
    families.MAX_OPEN = task.max_open
    try:
        _pull_all(task)
    except Exception as error:  # noqa: BLE001 - a run fails of whatever it fails of
        told.send(("failed", f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"))
    else:
        told.send(("done", steps.count))


def _pull_all(task: Task) -> None:
    settings = settings_of(task)
    with _opened(settings, task) as sync:
        window = window_of(task, sync)
    for entity in IN_ORDER:
        with _opened(settings, task) as sync:
            pull(sync, entity, window, resume=not task.backfill)
    with _opened(settings, task) as sync:
        drain_refresh_queue(sync)


class _opened:  # noqa: N801 - reads as a block
    """`open_sync`, with the task's threshold for bulk operations."""

    def __init__(self, settings: Settings, task: Task) -> None:
        self._opening = open_sync(settings, application_name=APPLICATION)
        self._task = task

    def __enter__(self) -> SyncContext:
        return replace(self._opening.__enter__(), bulk_threshold=self._task.bulk_threshold)

    def __exit__(self, *error: Any) -> None:
        self._opening.__exit__(*error)


def settings_of(task: Task) -> Settings:
    """Settings that join the task's store and database."""
    return Settings(
        _env_file=None,
        shopify_shop="demo-store",
        shopify_access_token=SecretStr(TOKEN),
        shopify_api_url=task.store_url,
        shopify_start_date=task.first_day,
        database_url=SecretStr(task.database_url),
    )


def window_of(task: Task, sync: SyncContext) -> Window:
    """All days, or those that the hourly schedule would ask for."""
    now: datetime = sync.api.now()
    if not task.backfill:
        with sync.database.transaction() as connection:
            found = [checkpoints.read(connection, root.name) for root in ROOTS]
        days = due_days(found, now, first_day=task.first_day, overlap=OVERLAP)
        if days is not None:
            return Window.of_days(days[0], days[-1])
    return Window.of_days(task.first_day, now.date())
