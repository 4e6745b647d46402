"""A worker: empties the inbox as it fills, and sees to refreshes and pruning beside that."""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from shopify_pipeline.admin_api import AdminApiError
from shopify_pipeline.entities import ROOTS
from shopify_pipeline.profiles.linking import link_lately
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import SyncContext, open_database, open_sync
from shopify_pipeline.sync.links import resolve_links
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.shop import WrongShopError, check_domain
from shopify_pipeline.webhooks.batch import Batches, BatchReport, why
from shopify_pipeline.webhooks.retention import prune
from shopify_pipeline.webhooks.statements import STATEMENTS
from shopify_pipeline.webhooks.wakeup import Wakeup

log = logging.getLogger(__name__)

BEAT_SECONDS = 5
LINK_SECONDS = 30
LINK_PROFILES_SECONDS = 10
LINK_OVERLAP = timedelta(seconds=30)
PRUNE_SECONDS = 600
LEAVING_SECONDS = 5
"""How long all that goes on beside the inbox may take to end, once the worker is to stop."""
REFRESH_LIMIT = 200
REFRESH_PAUSE_SECONDS = 0.5
REFRESH_LEAVE = 0.3
"""Share of the API's bucket that refreshes leave to pulls."""


class Worker:
    """Processes the inbox until it is told to stop.

    `refreshing` also drains the refresh queue, which needs the store's API; without it the hourly
    pull completes the rows.
    """

    def __init__(self, settings: Settings, *, refreshing: bool = True) -> None:
        self._settings = settings
        self._refreshing = refreshing
        self._stopping = threading.Event()
        self._name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
        self._processed = 0
        self._mode = "poll"

    def stop(self) -> None:
        """Have `run` return after the batch at hand; safe in a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until stopped. The database being away is waited out.

        Raises:
            WrongShopError: the database belongs to another store.
        """
        database = open_database(self._settings, application_name="shopify_pipeline webhook worker")
        batches = Batches(
            database=database,
            omit=self._settings.shopify_omit_columns,
            max_attempts=self._settings.webhook_max_attempts,
        )
        sides = [
            _side("heartbeat", self._beat, database),
            _side("pruning", self._prune, database),
            _side("linking", self._link, database),
        ]
        if self._refreshing:
            sides.append(_side("refreshing", self._refresh))
        for side in sides:
            side.start()
        try:
            with Wakeup(
                self._settings.direct_url.get_secret_value(),
                notify=lambda word: _wake(database, word),
            ) as wakeup:
                self._work(database, batches, wakeup)
        finally:
            self._stopping.set()
            until = time.monotonic() + LEAVING_SECONDS
            for side in sides:
                side.join(max(0.0, until - time.monotonic()))
            _quietly(lambda: self._leave(database))
            database.close()

    def _work(self, database: Database, batches: Batches, wakeup: Wakeup) -> None:
        pause = 0.1
        is_ours = False
        while not self._stopping.is_set():
            try:
                if not is_ours:
                    with database.transaction() as connection:
                        check_domain(connection, self._settings.shopify_shop)
                    is_ours = True
                report = batches.process_next()
                waiting = None if report.found else _until_next(database)
                pause = 0.1
            except WrongShopError:
                raise
            except Exception as error:  # noqa: BLE001 - a worker outlives whatever happens to it
                log.warning("The inbox could not be processed: %s", why(error))
                self._stopping.wait(pause)
                pause = min(2 * pause, 5)
                continue
            self._processed += report.done + report.skipped
            if not report.found:
                wakeup.wait(self._stopping, at_most=waiting)
            self._mode = wakeup.mode

    def _beat(self, database: Database) -> None:
        def beat() -> None:
            values = {"worker": self._name, "mode": self._mode, "processed": self._processed}
            with database.transaction() as connection:
                connection.exec_driver_sql(STATEMENTS["beat"], values)

        while True:
            _quietly(beat)
            if self._stopping.wait(BEAT_SECONDS):
                return

    def _leave(self, database: Database) -> None:
        with database.transaction() as connection:
            connection.exec_driver_sql(STATEMENTS["leave"], {"worker": self._name})

    def _prune(self, database: Database) -> None:
        while not self._stopping.is_set():
            _quietly(
                lambda: prune(
                    database,
                    body_days=self._settings.webhook_body_days,
                    ledger_days=self._settings.webhook_ledger_days,
                )
            )
            self._stopping.wait(PRUNE_SECONDS)

    def _link(self, database: Database) -> None:
        """Link the customers that webhooks and refreshes brought to their profiles."""
        options = LinkOptions.from_settings(self._settings)
        since = datetime.now(UTC)

        def link() -> None:
            nonlocal since
            now = datetime.now(UTC)
            report = link_lately(
                database,
                options,
                since=since - LINK_OVERLAP,
                going_on=lambda: not self._stopping.is_set(),
            )
            if report.problem is None:
                since = now

        while not self._stopping.wait(LINK_PROFILES_SECONDS):
            _quietly(link)

    def _refresh(self) -> None:
        """Drain the refresh queue while the API lets us; connect again after it failed."""
        pause = 5.0
        while not self._stopping.is_set():
            try:
                with ExitStack() as stack:
                    sync = stack.enter_context(
                        open_sync(
                            self._settings, application_name="shopify_pipeline webhook refresh"
                        )
                    )
                    pause = 5.0
                    self._refresh_with(sync)
            except (AdminApiError, WrongShopError, sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
                reason = (
                    str(error) if isinstance(error, AdminApiError | WrongShopError) else why(error)
                )
                log.warning("Refreshes wait %.0f s: %s", pause, reason)
            except Exception as error:  # noqa: BLE001 - the rest of the worker must go on
                log.warning("Refreshes wait %.0f s: %s", pause, why(error))
            self._stopping.wait(pause)
            pause = min(2 * pause, 300)

    def _refresh_with(self, sync: SyncContext) -> None:
        linked_at = -float("inf")
        while not self._stopping.is_set():
            report = drain_refresh_queue(sync, limit=REFRESH_LIMIT, leave=REFRESH_LEAVE)
            if time.monotonic() - linked_at > LINK_SECONDS:
                for entity in ROOTS:
                    resolve_links(sync, entity)
                linked_at = time.monotonic()
            # Fewer than the limit: the queue is empty, or the bucket down to the others' share.
            if report.refreshed + report.deleted + report.unsettled < REFRESH_LIMIT:
                self._stopping.wait(REFRESH_PAUSE_SECONDS)


def _side(name: str, work: Callable[..., None], *arguments: object) -> threading.Thread:
    """A thread that ends with the process.

    One that waits for Shopify sleeps for minutes. Its transactions are rolled back, and what it
    had claimed stays in the refresh queue and is due again when the lease ends.
    """
    return threading.Thread(target=work, args=arguments, name=name, daemon=True)


def drain(database: Database, batches: Batches, *, seconds: float) -> BatchReport:
    """Empty the inbox of what is due, for at most so long; for runs without a worker."""
    report = BatchReport()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = batches.process_next()
        report += found
        if not found.found:
            break
    return report


def _until_next(database: Database) -> float | None:
    """Seconds until a delivery that failed may be tried again."""
    with database.transaction() as connection:
        seconds: float | None = connection.exec_driver_sql(STATEMENTS["next_attempt"]).scalar()
    # What is due is held by another worker: look again, but not in a spin.
    return None if seconds is None else max(seconds, 0.05)


def _wake(database: Database, word: str) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql(STATEMENTS["wake"], {"word": word})


def _quietly(work: Callable[[], object]) -> None:
    """Do what can wait for the next time when it fails."""
    try:
        work()
    except Exception as error:  # noqa: BLE001
        log.warning("Put off: %s", why(error))
