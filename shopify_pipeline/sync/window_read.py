"""Reads one window, by pages or by bulk operations, and proves by a count that it was whole."""

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.admin_api.bulk_operation import BulkOperation
from shopify_pipeline.admin_api.errors import (
    BulkAccessDeniedError,
    BulkFailedError,
    BulkStalledError,
    ResultExpiredError,
    ResultIncompleteError,
)
from shopify_pipeline.admin_api.pages import Page, pages
from shopify_pipeline.entities import Connection, Entity, MalformedRecordError
from shopify_pipeline.sync.axis import Axis
from shopify_pipeline.sync.bulk import BulkRead
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.counts import count, exact
from shopify_pipeline.sync.families import Families, Family, UnknownLineError
from shopify_pipeline.sync.line_parser import LineParser
from shopify_pipeline.sync.queries import Filter, bulk_query, nested, page_query
from shopify_pipeline.sync.records import FamilyReader, added, records_of
from shopify_pipeline.sync.report import Progress, PullReport, ignored, silent
from shopify_pipeline.sync.window import DAY, Window, midnight
from shopify_pipeline.warehouse import bulk_claims, checkpoints, refresh_queue
from shopify_pipeline.warehouse.bulk_claims import Claim

log = logging.getLogger(__name__)

CHUNK = 2_000
"""Records proved whole at once: what a failure costs at the most is reading so many again."""

READS = 3
"""How often a chunk is read before a shortfall fails it."""

BULK_READS = 2
"""How often a bulk operation over a window is tried before the window is read otherwise."""


class ShortfallError(Exception):
    """Shopify counts more records in a window than it answers, read after read."""


BULK_FAILURES = (
    BulkFailedError,
    BulkStalledError,
    ResultExpiredError,
    ResultIncompleteError,
    ShortfallError,
    UnknownLineError,
)


class WindowRead:
    """The reading of one entity's window: complete reads of all that is in it, proved by a count.

    Adds to `report` as it goes. Raises what `pull` does.
    """

    def __init__(
        self,
        sync: SyncContext,
        entity: Entity,
        report: PullReport,
        axis: Axis,
        *,
        on_progress: Callable[[Progress], None] = silent,
        on_day: Callable[[date], None] = ignored,
    ) -> None:
        if entity.connection is None:
            raise ValueError(f"{entity.name} is read with its owner, not by itself")
        self.sync = sync
        self.entity = entity
        self.connection: Connection = entity.connection
        self.report = report
        self.axis = axis
        self.on_progress = on_progress
        self.on_day = on_day
        self.expected = 0
        self.malformed: list[str] = []

    def run(self, window: Window, *, asked: Window) -> None:
        """Read the window; `asked` is the same before its end was cut at now."""
        reading = BulkRead(
            sync=self.sync,
            entity=self.entity,
            purpose=self.axis.purpose,
            asked=asked,
            tell=self._tell,
        )
        if (left_behind := reading.unfinished(self._bulk_query)) is not None:
            claim, claimed = left_behind
            self._tell(f"{self.entity.name}: taking up the bulk operation over {claimed}")
            self._read_in_bulk(reading, claimed, claim)
            window = Window(claimed.end, window.end)
        if not window.is_empty:
            self._read(reading, window)
        if self.malformed:
            raise MalformedRecordError(
                f"{self.entity.name} {asked}: {len(self.malformed)} records don't fit their "
                "table. Everything else of the window was written; the checkpoint stays before "
                "them. Correct them in Shopify, or the column, and run again:\n"
                + "\n".join(self.malformed[:20])
            )

    def _read(self, reading: BulkRead, window: Window) -> None:
        """Read a window by the way that its size asks for."""
        opening = count(self.sync.api, self.entity, self._filter(window))
        self.expected += opening.records
        self._tell(
            f"{self.entity.name}: Shopify counts {opening.records} {self.axis.purpose} in {window}"
        )
        if opening.records == 0:
            with self.sync.database.transaction() as connection:
                self._advance(connection, window, opening.answer.sent_at)
            self._finish_days(window, window)
        elif opening.records > self.sync.bulk_threshold:
            self._read_in_bulk(reading, window, None)
        else:
            self._read_by_pages(window, opening.records)

    def _read_by_pages(self, window: Window, records: int) -> None:
        for chunk in window.chunks(self._chunk_length(window, records)):
            self._read_chunk(chunk)
            self._finish_days(chunk, window)

    def _read_in_bulk(self, reading: BulkRead, window: Window, claim: Claim | None) -> None:
        """Read a window by bulk operations, and otherwise if they keep failing."""
        query = self._bulk_query(window)
        adopt = claim is not None
        for _ in range(BULK_READS):
            claim = claim or reading.claim(window, query)
            try:
                operation = reading.run(claim, query, adopt=adopt)
                self._merge_result(reading, window, operation)
            except BULK_FAILURES as error:
                reading.end(claim, f"given up: {type(error).__name__}")
                if isinstance(error, BulkAccessDeniedError):
                    raise
                log.warning("%s %s: %s", self.entity.name, window, error)
                claim, adopt = None, False
            else:
                self._finish_bulk(window, operation, claim)
                return
        self._read_otherwise(reading, window)

    def _read_otherwise(self, reading: BulkRead, window: Window) -> None:
        """Read a window whose bulk operations keep failing: by halves, a small one by pages."""
        records = count(self.sync.api, self.entity, self._filter(window)).records
        halves = window.halves()
        if halves is None or records <= CHUNK:
            self._tell(f"{self.entity.name}: reading {window} by pages instead")
            self._read_by_pages(window, max(records, 1))
            return
        self._tell(f"{self.entity.name}: reading {window} in halves instead")
        for half in halves:
            self._read(reading, half)

    def _merge_result(self, reading: BulkRead, window: Window, operation: BulkOperation) -> None:
        reader = FamilyReader(self.entity, observed_at=operation.created_at, omit=self.sync.omit)
        lock = Lock()

        def write(families: list[Family]) -> None:
            wanted = [family for family in families if family.wanted]
            records = reader.records(
                (family.lines for family in wanted if family.is_usual),
                (family.rows for family in wanted if family.rows),
            )
            records.malformed += [family.problem for family in wanted if family.problem]
            counts = records.merge(self.sync.database, lambda _: None)
            with lock:
                self.malformed += records.malformed
                self.report.counts = added(self.report.counts, counts)
                self.report.records += len(wanted)

        def accept(roots: int) -> None:
            closing = count(self.sync.api, self.entity, self._filter(window))
            if roots < closing.records:
                raise ShortfallError(
                    f"{self.entity.name} {window}: Shopify counts {closing.records} records, the "
                    f"bulk operation {operation.gid} brought {roots}. The checkpoint stays before "
                    "them. Run again in some minutes; if it stays, compare the app's scopes."
                )

        families = Families(LineParser(reader), wanted=lambda updated: self._is_in(window, updated))
        reading.stream(operation, families, write, accept)

    def _finish_bulk(self, window: Window, operation: BulkOperation, claim: Claim) -> None:
        with self.sync.database.transaction() as connection:
            if not self.malformed:
                self._advance(connection, window, operation.created_at)
            bulk_claims.end(connection, claim.id, "merged")
        self._finish_days(window, window)

    def _filter(self, window: Window) -> Filter:
        return self.axis.filtered(self.sync, self.entity, window)

    def _is_in(self, window: Window, updated: Any) -> bool:
        """Whether a record is wanted; one without a time is: its reading says what is wrong."""
        try:
            return not self.axis.is_exact or datetime.fromisoformat(updated) in window
        except (TypeError, ValueError):
            return True

    def _bulk_query(self, window: Window) -> str:
        return bulk_query(self.entity, self.sync.omit, self._filter(window))

    def _chunk_length(self, window: Window, records: int) -> timedelta:
        """A length that brings about CHUNK records, in whole days or whole hours."""
        length = (window.end - window.start) / (records / CHUNK)
        unit = DAY if length >= DAY or self.connection.whole_days else timedelta(hours=1)
        return max(length // unit, 1) * unit

    def _read_chunk(self, chunk: Window) -> None:
        """Read it until no fewer distinct records were seen than Shopify counts at the end."""
        seen: set[str] = set()
        filtered = self._filter(chunk)
        read_at: datetime | None = None
        expected = 0
        for attempt in range(READS):
            for page in pages(
                self.sync.api,
                page_query(self.entity, self.sync.omit, filtered.sort_key),
                filtered.variables,
                connection_path=self.connection.field,
                nested=nested(self.entity, self.sync.omit),
            ):
                read_at = read_at or page.answer.sent_at
                seen.update(node["id"] for node in page.nodes)
                seen.update(page.moved)
                expected = exact(self.entity, page.answer.data["count"])
                whole = not page.page_info.has_next_page and len(seen) >= expected
                self._write(chunk, page, read_at if whole else None)
            if len(seen) >= expected:
                return
            log.warning(
                "%s %s: read %s records, Shopify counts %s (read %s of %s)",
                self.entity.name, chunk, len(seen), expected, attempt + 1, READS,
            )  # fmt: skip
        raise ShortfallError(
            f"{self.entity.name} {chunk}: Shopify counts {expected} records and answers "
            f"{len(seen)}, in {READS} reads. The checkpoint stays before them. Run again in some "
            "minutes (its index may lag); if it stays, compare the app's scopes with the store's."
        )

    def _write(self, chunk: Window, page: Page, whole_read_at: datetime | None) -> None:
        """Merge a page; with it, if it ends a chunk read whole, move the checkpoint."""
        nodes = [node for node in page.nodes if self._is_in(chunk, node["updatedAt"])]
        records = records_of(
            self.entity, nodes, observed_at=page.answer.sent_at, omit=self.sync.omit
        )

        def then(connection: sa.Connection) -> None:
            if page.moved:
                refresh_queue.enqueue(
                    connection,
                    self.entity.name,
                    [int(gid.rpartition("/")[2]) for gid in page.moved],
                    reason="changed while it was read",
                    queued_at=page.answer.sent_at,
                )
            if whole_read_at is not None and not (self.malformed or records.malformed):
                self._advance(connection, chunk, whole_read_at)

        counts = records.merge(self.sync.database, then)
        self.malformed += records.malformed
        self.report.counts = added(self.report.counts, counts)
        self.report.records += len(nodes)
        self.report.queued += len(page.moved)
        self._tell(f"{self.entity.name}: {self.report.records} of {self.expected} read")

    def _advance(self, connection: sa.Connection, chunk: Window, read_at: datetime) -> None:
        if not self.axis.moves_checkpoint:
            return
        self.report.checkpoint = checkpoints.advance(
            connection,
            self.entity.name,
            start=chunk.start,
            end=chunk.end,
            read_at=read_at,
            lag=self.sync.lag,
            history_start=self.sync.history_start,
        )

    def _finish_days(self, chunk: Window, whole: Window) -> None:
        if not self.malformed:
            for day in chunk.days():
                if min(midnight(day) + DAY, whole.end) <= chunk.end:
                    self.on_day(day)

    def _tell(self, message: str) -> None:
        self.on_progress(Progress(message, self.report.records, self.expected))
