"""Claims a batch from the inbox, applies it in one transaction, and isolates what fails."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.database import Database, sqlstate
from shopify_pipeline.warehouse.merge import MergeCounts
from shopify_pipeline.warehouse.relink import relink
from shopify_pipeline.webhooks.applying import apply_effects, notice
from shopify_pipeline.webhooks.effects import Claimed, Effects, MalformedBodyError
from shopify_pipeline.webhooks.reading import effects_of, refresh_of, subject_of
from shopify_pipeline.webhooks.redaction import without_redacted
from shopify_pipeline.webhooks.statements import STATEMENTS

log = logging.getLogger(__name__)

OUTAGES = ("08", "25006", "3D", "53", "57P", "58", "28")
"""Beginnings of the SQLSTATEs that speak of the server and not of what was sent to it."""


@dataclass
class BatchReport:
    """What came of a batch; `found` deliveries were held, of which some failed."""

    found: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    counts: dict[str, MergeCounts] = field(default_factory=dict)

    def __iadd__(self, other: "BatchReport") -> "BatchReport":
        self.found += other.found
        self.done += other.done
        self.skipped += other.skipped
        self.failed += other.failed
        for table, counts in other.counts.items():
            self.counts[table] = self.counts.get(table, MergeCounts()) + counts
        return self


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Processes the inbox in batches.

    `omit` holds the `entity.column` that are never written; a delivery that failed
    `max_attempts` times is dead.
    """

    database: Database
    omit: frozenset[str] = frozenset()
    max_attempts: int = 8
    batch_size: int = 500
    batch_bytes: int = 16_000_000

    def process_next(self) -> BatchReport:
        """Process what is due, up to a batch; safe to call in any number of processes.

        Raises:
            sqlalchemy.exc.OperationalError: the database is away; nothing was lost.
        """
        return self._process("claim", {"limit": self.batch_size})

    def process_these(self, ids: Sequence[int]) -> BatchReport:
        """Process deliveries by number, those of them that are pending and not held elsewhere."""
        return self._process("claim_these", {"ids": list(ids)})

    def _process(self, claim: str, values: Mapping[str, Any]) -> BatchReport:
        """Apply in one transaction; where that fails, in halves, down to the one that fails."""
        held: list[Claimed] = []

        def work(connection: sa.Connection) -> tuple[BatchReport, dict[str, set[int]]]:
            found = connection.exec_driver_sql(STATEMENTS[claim], dict(values))
            held[:] = self._with_bodies(connection, found.all())
            return self._apply(connection, held)

        try:
            report, arrived = self.database.retrying(work)
        except Exception as error:
            if is_outage(error) or not held:
                raise
            if len(held) == 1:
                return self._fail(held[0], error)
            log.warning("A batch of %d webhooks failed and is split: %s", len(held), why(error))
            middle = len(held) // 2
            report = BatchReport()
            for half in (held[:middle], held[middle:]):
                report += self.process_these([one.id for one in half])
            return report
        self._relink(arrived)
        return report

    def _with_bodies(self, connection: sa.Connection, rows: Sequence[Any]) -> list[Claimed]:
        """The deliveries with their bodies, as many as fit; the rest goes back at the end."""
        size = 0
        slots: dict[int, list[int]] = defaultdict(list)
        chosen: list[Any] = []
        for row in rows:
            size += row.body_bytes
            if chosen and size > self.batch_bytes:
                break
            chosen.append(row)
            slots[row.body_slot].append(row.id)
        bodies: dict[int, bytes] = {}
        for slot, ids in slots.items():
            found = connection.exec_driver_sql(STATEMENTS["bodies"], {"slot": slot, "ids": ids})
            bodies.update((row.inbox_id, row.body) for row in found)
        return [
            Claimed(
                id=row.id,
                shop=row.shop,
                topic=row.topic,
                received_at=row.received_at,
                triggered_at=row.triggered_at,
                is_test=row.is_test,
                attempts=row.attempts,
                body=bytes(bodies.get(row.id, b"")),
            )
            for row in chosen
        ]

    def _apply(
        self, connection: sa.Connection, claimed: Sequence[Claimed]
    ) -> tuple[BatchReport, dict[str, set[int]]]:
        report = BatchReport(found=len(claimed))
        read: list[tuple[Claimed, Effects]] = []
        for one in claimed:
            try:
                read.append((one, effects_of(one, omit=self.omit)))
            except MalformedBodyError as error:
                self._note_failure(connection, one, str(error))
                report.failed += 1
        read, erased = without_redacted(connection, read)
        effects = [found for _, found in read if found.skipped is None]
        # Before the effects: a redaction among them erases the bodies of what is known to be
        # about its customer.
        if read:
            connection.exec_driver_sql(STATEMENTS["finish"], _finished(read))
        report.counts = apply_effects(connection, effects)
        # Nothing finds the personal data in what nobody reads: it is not kept.
        erased += [one.id for one, found in read if found.skipped is not None]
        if erased:
            connection.exec_driver_sql(STATEMENTS["erase_these_bodies"], {"ids": erased})
        report.done = len(effects)
        report.skipped = len(read) - len(effects)
        _record(connection, report.counts, read)
        return report, _arrived(effects)

    def _fail(self, one: Claimed, error: BaseException) -> BatchReport:
        def work(connection: sa.Connection) -> None:
            self._note_failure(connection, one, why(error))

        self.database.retrying(work)
        return BatchReport(found=1, failed=1)

    def _note_failure(self, connection: sa.Connection, one: Claimed, reason: str) -> None:
        """Put a delivery off, or declare it dead; what it was about is read from the API."""
        log.warning("Webhook %d (%s) failed: %s", one.id, one.topic, reason)
        values = {"id": one.id, "why": reason[:2000], "most": self.max_attempts}
        state = connection.exec_driver_sql(
            STATEMENTS["fail"], {**values, **asdict(subject_of(one))}
        ).scalar()
        if state == "dead":
            notice(connection, "webhook_dead", {"delivery": one.id, "topic": one.topic})
        if one.attempts == 0 and (refresh := refresh_of(one)) is not None:
            refresh_queue.enqueue(
                connection,
                refresh.entity,
                [refresh.shopify_id],
                reason=refresh.reason,
                urgent=refresh.urgent,
                queued_at=refresh.at,
            )

    def _relink(self, arrived: dict[str, set[int]]) -> None:
        """Set the links that this batch makes possible; what it misses, the next pull sets."""
        if not arrived:
            return
        tables = [entity.table for entity in ENTITIES.values()]
        try:
            self.database.retrying(lambda c: relink(c, tables, arrived=arrived))
        except sa.exc.DBAPIError as error:
            log.warning("Links are left to the next pull: %s", why(error))


def is_outage(error: BaseException) -> bool:
    """Whether an error speaks of the database's state rather than of a body."""
    if not isinstance(error, sa.exc.DBAPIError | psycopg.Error | sa.exc.TimeoutError):
        return False
    state = sqlstate(error)
    if state is None:
        original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        return isinstance(original, psycopg.OperationalError | psycopg.InterfaceError) or (
            isinstance(error, sa.exc.TimeoutError)
        )
    return state.startswith(OUTAGES)


def why(error: BaseException) -> str:
    """An error in words that hold no value of a body: Postgres quotes values, our errors don't."""
    if isinstance(error, sa.exc.DBAPIError | psycopg.Error):
        return f"the database refused it (SQLSTATE {sqlstate(error)})"
    if isinstance(error, ValueError):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__


def _finished(read: Sequence[tuple[Claimed, Effects]]) -> dict[str, list[Any]]:
    return {
        "ids": [one.id for one, _ in read],
        "states": ["skipped" if found.skipped else "done" for _, found in read],
        "whys": [found.skipped for _, found in read],
        "entities": [found.entity for _, found in read],
        "shopify_ids": [found.shopify_id for _, found in read],
        "customer_ids": [found.customer_id for _, found in read],
    }


def _arrived(effects: Sequence[Effects]) -> dict[str, set[int]]:
    """Shopify ids that the bodies brought, by table."""
    arrived: dict[str, set[int]] = defaultdict(set)
    for found in effects:
        for row in found.bodies:
            arrived[row.entity.table_name].add(row.shopify_id)
            for name, items in row.children.items():
                child = ENTITIES[name]
                arrived[child.table_name].update(item[child.key] for item in items)
    return {table: ids for table, ids in arrived.items() if ids}


def _record(
    connection: sa.Connection,
    counts: dict[str, MergeCounts],
    read: Sequence[tuple[Claimed, Effects]],
) -> None:
    """Leave a line for each table that was touched, for Dagster's observations."""
    deliveries: Counter[str] = Counter()
    oldest: dict[str, datetime] = {}
    for one, found in read:
        if found.entity is None:
            continue
        for member in ENTITIES[found.entity].family:
            deliveries[member.table_name] += 1
            oldest[member.table_name] = min(
                one.received_at, oldest.get(member.table_name, one.received_at)
            )
    for table, merged in counts.items():
        connection.exec_driver_sql(
            STATEMENTS["record_batch"],
            {
                "relation": table,
                "deliveries": deliveries[table],
                "inserted": merged.inserted,
                "updated": merged.updated,
                "unchanged": merged.unchanged,
                "stale": merged.stale,
                "deleted": merged.deleted,
                "oldest": oldest.get(table),
            },
        )
