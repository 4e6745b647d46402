"""Reads a large window by a bulk operation: claimed, awaited, streamed to its end."""

import contextlib
import gc
import hashlib
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa

from shopify_pipeline.admin_api import bulk
from shopify_pipeline.admin_api.bulk_operation import BulkOperation
from shopify_pipeline.admin_api.bulk_wait import submit_when_free, wait
from shopify_pipeline.admin_api.download import Download
from shopify_pipeline.admin_api.errors import AmbiguousMutationError, ResultIncompleteError
from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.families import Families, Family
from shopify_pipeline.sync.window import Window
from shopify_pipeline.warehouse import bulk_claims, bulk_parking, refresh_queue
from shopify_pipeline.warehouse.bulk_claims import Claim
from shopify_pipeline.warehouse.reconciliation import corrections

BATCH = 2_500
"""Families merged in one transaction."""

WRITERS = 2
"""Batches merged at a time: one is put together while Postgres takes in the other."""

SWITCH_SECONDS = 0.001

COLLECT_AFTER = 50_000
"""New objects between two looks for garbage: more than the lines of the batches in flight."""

PROGRESS_SECONDS = 5.0

HEARING_SECONDS = 1.0
"""Between looks at whether a webhook has said that the operation is over."""

Tell = Callable[[str], None]
Write = Callable[[list[Family]], None]


@dataclass(frozen=True, kw_only=True)
class BulkRead:
    """The reading of one entity's window. `purpose` says which time the window is of.

    `asked` is the window before its end was cut at now: by it a restarted run finds what its
    predecessor had claimed.
    """

    sync: SyncContext
    entity: Entity
    purpose: str
    asked: Window
    tell: Tell

    def unfinished(self, query_of: Callable[[Window], str]) -> tuple[Claim, Window] | None:
        """The claim, and its window, that a predecessor left for the same window and columns."""
        bounds = {"start": self.asked.start, "asked_end": self.asked.end}
        with self.sync.database.transaction() as connection:
            found = bulk_claims.unfinished(connection, self.entity.name, self.purpose, **bounds)
            bulk_claims.close_orphans(
                connection,
                self.entity.name,
                self.purpose,
                keep=found.id if found else None,
                **bounds,
            )
            if found is None:
                return None
            window = Window(found.window_start, found.window_end)
            if found.query_hash == _hash(query_of(window)):
                return found, window
            bulk_claims.end(connection, found.id, "given up: the columns to read have changed")
        return None

    def claim(self, window: Window, query: str) -> Claim:
        """Record that an operation over this query is about to be submitted."""
        with self.sync.database.transaction() as connection:
            return bulk_claims.claim(
                connection,
                self.entity.name,
                self.purpose,
                start=window.start,
                end=window.end,
                asked_end=self.asked.end,
                query_hash=_hash(query),
                claimed_at=self.sync.api.now(),
            )

    def end(self, claim: Claim, outcome: str) -> None:
        """Close the claim."""
        with self.sync.database.transaction() as connection:
            bulk_claims.end(connection, claim.id, outcome)

    def run(self, claim: Claim, query: str, *, adopt: bool) -> BulkOperation:
        """Submit the claim's operation, or take up the one that was, and wait until it has ended.

        Raises:
            BulkFailedError, BulkStalledError, BulkRefusedError, AdminApiError: none can be had.
        """
        gid = claim.gid or self._submit(claim, query, adopt=adopt)
        began = time.monotonic()

        def progress(operation: BulkOperation) -> None:
            seconds = time.monotonic() - began
            rate = f", {operation.object_count / seconds:.0f}/s" if seconds > 1 else ""
            self.tell(
                f"{self.entity.name}: bulk operation {operation.status.lower()}, "
                f"{operation.object_count} objects{rate}"
            )

        heard = False

        def pause(seconds: float) -> None:
            nonlocal heard
            until = time.monotonic() + seconds
            while not heard and (left := until - time.monotonic()) > 0:
                time.sleep(min(left, HEARING_SECONDS))
                heard = self._is_over(gid)
            # Said to be over, and Shopify may need a moment to answer the same.
            if heard:
                time.sleep(min(max(until - time.monotonic(), 0), HEARING_SECONDS))

        return wait(self.sync.api, gid, on_progress=progress, pause=pause)

    def _is_over(self, gid: str) -> bool:
        with self.sync.database.transaction() as connection:
            return bulk_claims.is_over(connection, gid)

    def _submit(self, claim: Claim, query: str, *, adopt: bool) -> str:
        api = self.sync.api
        found = bulk.find(api, query, created_after=claim.claimed_at) if adopt else None
        while found is None:
            try:
                found = submit_when_free(api, query, on_wait=self._waiting)
            except AmbiguousMutationError:
                found = bulk.find(api, query, created_after=claim.claimed_at)
        with self.sync.database.transaction() as connection:
            bulk_claims.submitted(connection, claim.id, found.gid)
        return found.gid

    def _waiting(self, reason: str, seconds: float) -> None:
        self.tell(f"{self.entity.name}: {reason}; asking again in {seconds:.0f} s")

    def stream(
        self,
        operation: BulkOperation,
        families: Families,
        write: Write,
        accept: Callable[[int], None],
    ) -> None:
        """Hand the result's families to `write`, a batch at a time, each whole.

        Writing runs beside downloading and parsing, WRITERS batches at a time. When the file was
        read to its end, `accept` is called with the number of records before the families that
        could not be told to be whole till then are written; it raises if the file is not to be
        trusted.

        Nothing of the file stays aside, whether it was taken or given up. What a killed reader of
        the same operation left there goes first.

        Raises:
            BulkFailedError: the operation has no whole result.
            ResultIncompleteError: the file is not whole.
            UnknownLineError: a line is none that was asked for.
        """
        reader = uuid.uuid5(uuid.NAMESPACE_URL, operation.gid)
        self._clear(reader)
        try:
            with _undisturbed():
                self._stream(operation, reader, families, write, accept)
        except Exception:
            with contextlib.suppress(sa.exc.SQLAlchemyError):  # the next reader clears it
                self._clear(reader)
            raise

    def _stream(
        self,
        operation: BulkOperation,
        reader: uuid.UUID,
        families: Families,
        write: Write,
        accept: Callable[[int], None],
    ) -> None:
        url = operation.result_url
        aside = 0
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="merge") as writers:
            pending: deque[Future[None]] = deque()

            def hand(work: Callable[[], None]) -> None:
                if len(pending) == WRITERS:
                    pending.popleft().result()
                pending.append(writers.submit(work))

            ready: list[Family] = []
            lines = 0
            if url is not None:
                download = Download(
                    url,
                    file_size=operation.file_size,
                    expected_lines=operation.object_count,
                    on_wait=self._waiting,
                )
                told = began = time.monotonic()
                for batch in download.batches():
                    families.add(batch)
                    lines += len(batch)
                    ready += families.take_whole()
                    while len(ready) >= BATCH:
                        some, ready = ready[:BATCH], ready[BATCH:]
                        hand(lambda some=some: write(some))  # type: ignore[misc]
                    torn = families.torn
                    if parked := families.take_parked():
                        aside += len(parked)
                        hand(lambda p=parked, t=torn: self._park(reader, p, t))  # type: ignore[misc]
                    if (now := time.monotonic()) - told > PROGRESS_SECONDS:
                        told = now
                        self._tell_rate(lines, operation.object_count, now - began)
            if families.roots != operation.root_object_count:
                raise ResultIncompleteError(
                    f"{self.entity.name}: the bulk file holds {families.roots} records, Shopify "
                    f"speaks of {operation.root_object_count}. Run again."
                )
            accept(families.roots)
            ready += families.take_rest()
            while ready:
                some, ready = ready[:BATCH], ready[BATCH:]
                hand(lambda some=some: write(some))  # type: ignore[misc]
            while pending:
                pending.popleft().result()
        if aside:
            self._write_parked(reader, aside, families, operation, write)

    def _tell_rate(self, lines: int, expected: int, seconds: float) -> None:
        rate = lines / seconds
        left = f", about {(expected - lines) / rate:.0f} s left" if rate else ""
        self.tell(f"{self.entity.name}: {lines} of {expected} lines merged, {rate:.0f}/s{left}")

    def _park(
        self, reader: uuid.UUID, parked: list[bulk_parking.Parked], torn: Sequence[int]
    ) -> None:
        """Put lines aside; rows of `torn` that were written without them are not whole."""

        def work(connection: sa.Connection) -> None:
            corrections.reopen(connection, self.entity.table, torn)
            bulk_parking.park(connection, reader, parked)

        self.sync.database.retrying(work)

    def _clear(self, reader: uuid.UUID) -> None:
        self.sync.database.retrying(lambda connection: bulk_parking.clear(connection, reader))

    def _write_parked(
        self,
        reader: uuid.UUID,
        aside: int,
        families: Families,
        operation: BulkOperation,
        write: Write,
    ) -> None:
        """Write the families that came together only at the end; read anew those torn apart."""
        torn: list[int] = []
        together: list[Family] = []
        with self.sync.database.direct() as connection:
            # A crash of Postgres empties the table, and the pool gets over it without a word.
            if (there := bulk_parking.count(connection, reader)) != aside:
                raise ResultIncompleteError(
                    f"{self.entity.name}: {aside} lines of the bulk file were put aside, {there} "
                    "are there. Nothing of them counts; the file is read again."
                )
            for owner, line, children in bulk_parking.families(connection, reader):
                if line is None:
                    torn.append(owner)
                    continue
                together += families.together(line, children)
                if len(together) >= BATCH:
                    write(together)
                    together = []
        if together:
            write(together)

        def settle(connection: sa.Connection) -> None:
            corrections.reopen(connection, self.entity.table, torn)
            refresh_queue.enqueue(
                connection,
                self.entity.name,
                torn,
                reason="a child stood far from it in a bulk file",
                urgent=True,
                queued_at=operation.created_at,
            )
            bulk_parking.clear(connection, reader)

        self.sync.database.retrying(settle)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep the interpreter from standing in the way of a long stream.

    The collector would go through all that lives already, and through the lines that wait to be
    written, again and again, a third of the parsing; and a writer that Postgres has answered would
    wait 5 ms for the parsing thread at every turn.
    """
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _hash(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()
