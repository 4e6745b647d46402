"""Finds where the tables differ from the store, has it read again, and reports what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.links import resolve_links
from shopify_pipeline.sync.reconcile_children import settle_children
from shopify_pipeline.sync.reconcile_counts import Compared, comparable, compare
from shopify_pipeline.sync.reconcile_queries import counted_children, drifting_columns
from shopify_pipeline.sync.reconcile_suspects import suspects
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.sync.sweep import Swept, forget, sweep
from shopify_pipeline.sync.window import Window
from shopify_pipeline.warehouse import checkpoints, refresh_queue, shop, state
from shopify_pipeline.warehouse.reconciliation import corrections, divergences
from shopify_pipeline.warehouse.reconciliation.swept import Listing

FIRST_PARTS = 39
"""Windows into which a store's life is cut first: with the time before it, one call counts all."""

PARTS = 8
"""Windows into which one that differs is cut."""

SMALL = 250
"""Records that are listed rather than counted again: a page."""

MOST_WINDOWS = 200
"""With more windows that differ than this, only a sweep of everything helps."""

Tell = Callable[[str], None]


@dataclass(kw_only=True)
class Report:
    """What the reconciliation of one entity, with its children, found and did."""

    id: UUID
    entity: str
    started_at: datetime
    counted_by_shopify: int = 0
    counted_here: int = 0
    windows_compared: int = 0
    windows_differing: list[Compared] = field(default_factory=list)
    swept_by: str | None = None
    ids_swept: int = 0
    summary: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    """Entity, kind, cause, outcome, number; a record may stand under several kinds."""
    numbers: dict[str, int] = field(default_factory=dict)
    """Records by their outcome."""
    left_over: list[Any] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def number(self, *outcomes: str) -> int:
        """How many records ended in one of these outcomes."""
        return sum(self.numbers.get(outcome, 0) for outcome in outcomes)

    @property
    def repaired(self) -> int:
        """Those that were repaired."""
        return self.number(divergences.REPAIRED, divergences.DELETED)

    @property
    def left(self) -> int:
        """Those that are still there."""
        return self.number(divergences.LEFT)

    @property
    def was_right(self) -> int:
        """Suspicions that a second look did not confirm."""
        return self.number(divergences.RIGHT)

    @property
    def found(self) -> int:
        """All that were divergences."""
        return self.repaired + self.left


def reconcile(
    sync: SyncContext,
    entity: Entity,
    *,
    with_sweep: bool = True,
    accept_narrower_scopes: bool = False,
    on_progress: Tell = lambda _: None,
) -> Report:
    """Compare an entity and its children with the store, and repair what differs.

    Counts by windows of creation come first; windows that differ are cut until they are small
    enough to be listed. With the sweep everything is listed, which also finds what makes up for
    each other in a count, and what changed. What is missing or changed is read again; what is
    extra is marked deleted when two reads by id confirm it. Nothing is taken for deleted while
    the app's scopes are narrower than at the last sweep.

    Raises:
        ShortfallError, ResultIncompleteError: a sweep was incomplete; nothing was compared.
        AdminApiError: Shopify could not be asked, or not be trusted.
    """
    started_at = sync.api.now()
    with sync.database.transaction() as connection:
        id_ = divergences.begin(connection, entity.name, started_at=started_at)
        checkpoint = checkpoints.read(connection, entity.name)
    report = Report(id=id_, entity=entity.name, started_at=started_at)
    window = comparable(sync, entity)
    if window is None or checkpoint is None:
        report.notes.append("Nothing was compared: the first load is due.")
        return report
    if accept_narrower_scopes:
        with sync.database.transaction() as connection:
            shop.accept_scopes(connection, sync.access.scopes)
        sync = replace(sync, narrowed=False)
    work = _Reconciliation(sync, entity, report, on_progress, checkpoint=checkpoint)
    if work.scopes_are_narrower() and not accept_narrower_scopes:
        work.believe_no_absence()
        report.notes.append(
            "The app's scopes are narrower than at the last sweep: nothing was taken for deleted. "
            "Grant them again, or run once with accept_narrower_scopes."
        )
    work.count(window)
    work.look_here()
    for part in work.parts_to_list(window, with_sweep=with_sweep):
        work.list_and_compare(part, everything=with_sweep)
    work.repair()
    work.close(swept=with_sweep)
    return report


class _Reconciliation:
    """One reconciliation in progress."""

    def __init__(
        self,
        sync: SyncContext,
        entity: Entity,
        report: Report,
        tell: Tell,
        *,
        checkpoint: datetime,
    ) -> None:
        self._sync = sync
        self._entity = entity
        self._report = report
        self._tell = tell
        self._checkpoint = checkpoint
        self.narrowed = False
        with sync.database.transaction() as connection:
            self._since: datetime = connection.execute(sa.select(sa.func.now())).scalar_one()

    # -- finding

    def count(self, window: Window) -> None:
        """Compare the counts of the window's parts; cut those that differ until they are small.

        Not the whole first: one that is missing and one that is extra make up for each other.
        """
        opened = min(max(window.start, self._sync.access.shop_created_at), window.end)
        asked = [
            part
            for part in (
                Window(window.start, opened),
                *_cut(Window(opened, window.end), FIRST_PARTS),
            )
            if not part.is_empty
        ]
        while asked:
            compared = compare(self._sync, [(self._entity, part) for part in asked])
            if not self._report.windows_compared:
                self._report.counted_by_shopify = sum(one.theirs for one in compared)
                self._report.counted_here = sum(one.ours for one in compared)
            self._report.windows_compared += len(compared)
            asked = []
            for one in compared:
                if not one.differs:
                    continue
                parts = _cut(one.window)
                if max(one.theirs, one.ours) <= SMALL or len(parts) < 2:
                    self._report.windows_differing.append(one)
                else:
                    asked += parts
            if len(asked) + len(self._report.windows_differing) > MOST_WINDOWS:
                self._report.notes.append(f"More than {MOST_WINDOWS} windows differ.")
                return
        self._tell(
            f"{self._entity.name}: {self._report.windows_compared} windows counted, "
            f"{len(self._report.windows_differing)} differ"
        )

    def look_here(self) -> None:
        """Keep what contradicts itself in the tables, and set links right that lead astray."""
        report, now = self._report, self._sync.api.now()
        for kind, query in suspects(self._entity, now=now, omit=self._sync.omit):
            self._add(kind, query)
        for member in self._entity.family:
            with self._sync.database.transaction() as connection:
                released = corrections.release_wrong_links(connection, member.table)
                divergences.add_settled(
                    connection,
                    report.id,
                    member.name,
                    released,
                    kind="link",
                    cause="a foreign key was changed here",
                    outcome=divergences.REPAIRED,
                )
        resolve_links(self._sync, self._entity)

    def parts_to_list(self, window: Window, *, with_sweep: bool) -> list[Window]:
        """What is to be listed: everything, or the small windows whose counts differ."""
        if with_sweep:
            return [Window(window.start, self._sync.api.now())]
        differing = self._report.windows_differing
        return [one.window for one in differing[:MOST_WINDOWS]]

    def list_and_compare(self, part: Window, *, everything: bool) -> None:
        """List what Shopify created in the window, and keep how the table differs from it."""
        done = sweep(self._sync, self._entity, part, on_progress=self._tell)
        try:
            listing = Listing(
                sweep=done.sweep,
                table=self._entity.table,
                seen_at=done.seen_at,
                start=done.window.start,
                end=done.window.end,
                checkpoint=self._checkpoint,
                drifting=drifting_columns(self._entity, self._sync.omit),
                children=[
                    (child.table, child.owner.counted_by if child.owner else None)
                    for child in counted_children(self._entity)
                ],
            )
            for kind, query in listing.divergences(look_for_extra=not self.narrowed):
                self._add(kind, query)
        finally:
            forget(self._sync, done)
        self._note_sweep(done, everything=everything)

    def _note_sweep(self, done: Swept, *, everything: bool) -> None:
        self._report.ids_swept += done.ids
        if everything:
            self._report.swept_by = done.how

    def _add(self, kind: str, query: sa.Select[Any]) -> None:
        number = self._sync.database.retrying(
            lambda connection: divergences.add(
                connection, self._report.id, self._entity.name, kind, query
            )
        )
        if number:
            self._tell(f"{self._entity.name}: {number} {kind}")

    # -- repairing

    def repair(self) -> None:
        """Have everything read again that was found, then what that could not set right."""
        self._read_again()
        self._overrule()
        for child in counted_children(self._entity):
            self._settle_children(child)
        resolve_links(self._sync, self._entity)

    def _read_again(self) -> None:
        """Queue what was found, and work off the queue."""
        queued_at = self._report.started_at
        with self._sync.database.transaction() as connection:
            found = divergences.chunks(connection, self._report.id, self._entity.name)
            for ids in found:
                refresh_queue.enqueue(
                    connection,
                    self._entity.name,
                    ids,
                    reason="found by the reconciliation",
                    queued_at=queued_at,
                )
                # An earlier run may have put some off.
                refresh_queue.release(connection, self._entity.name, ids)
        drain_refresh_queue(self._sync)

    def _overrule(self) -> None:
        """Let the store's word count for rows whose own version no read can beat."""
        with self._sync.database.transaction() as connection:
            kept = list(
                divergences.chunks(connection, self._report.id, self._entity.name, kind="ahead")
            )
            kept += list(
                divergences.chunks(
                    connection,
                    self._report.id,
                    self._entity.name,
                    kind=f"time: {self._entity.name}",
                )
            )
        for ids in kept:
            with self._sync.database.transaction() as connection:
                waiting = divergences.still_queued(connection, self._entity.name, ids)
                corrections.distrust_versions(
                    connection,
                    self._entity.table,
                    waiting,
                    observed_before=self._report.started_at,
                )
                refresh_queue.release(connection, self._entity.name, waiting)
        if kept:
            drain_refresh_queue(self._sync)

    def _settle_children(self, child: Entity) -> None:
        """Compare the children of owners that were found to have another number of them."""
        kind = f"children: {child.name}"
        with self._sync.database.transaction() as connection:
            found = list(
                divergences.chunks(
                    connection, self._report.id, self._entity.name, kind=kind, size=500
                )
            )
        for owners in found:
            still, gone = settle_children(
                self._sync, self._entity, child, owners, may_delete=not self.narrowed
            )
            with self._sync.database.transaction() as connection:
                divergences.add_settled(
                    connection,
                    self._report.id,
                    child.name,
                    gone,
                    kind="extra",
                    cause="its owner does not have it, and Shopify knows no such record",
                    outcome=divergences.DELETED,
                )
                divergences.judge_owners(
                    connection,
                    self._report.id,
                    self._entity.table,
                    child.table,
                    owners,
                    kind=kind,
                    still=still,
                    since=self._since,
                )

    # -- ending

    def close(self, *, swept: bool) -> None:
        """Work out what became of everything, and keep the report."""
        report = self._report
        with self._sync.database.transaction() as connection:
            divergences.settle(connection, report.id, self._entity.table, since=self._since)
            report.numbers = divergences.numbers(connection, report.id)
            report.summary = divergences.summary(connection, report.id)
            report.left_over = divergences.first(connection, report.id, outcome=divergences.LEFT)
            divergences.finish(
                connection,
                report.id,
                {
                    "windows_compared": report.windows_compared,
                    "windows_differing": len(report.windows_differing),
                    "counted_by_shopify": report.counted_by_shopify,
                    "counted_here": report.counted_here,
                    "swept_by": report.swept_by,
                    "ids_swept": report.ids_swept,
                    "found": report.found,
                    "repaired": report.repaired,
                    "left_over": report.left,
                    "was_right": report.was_right,
                    "note": "\n".join(report.notes) or None,
                },
            )
            if swept and not self.narrowed:
                state.write(connection, self._scopes_key, sorted(self._sync.access.scopes))

    def believe_no_absence(self) -> None:
        """Take nothing for deleted, whatever Shopify doesn't list or answers with null."""
        self.narrowed = True
        self._sync = replace(self._sync, narrowed=True)

    @property
    def _scopes_key(self) -> str:
        return f"scopes of the last sweep: {self._entity.name}"

    def scopes_are_narrower(self) -> bool:
        """Whether the app has lost a scope since the last sweep that was complete."""
        with self._sync.database.transaction() as connection:
            before = state.read(connection, self._scopes_key)
        return self._sync.narrowed or not set(before or ()) <= self._sync.access.scopes


def _cut(window: Window, parts: int = PARTS) -> list[Window]:
    """The window in up to so many parts of whole seconds."""
    length = (window.end - window.start) / parts
    step = timedelta(seconds=max(1, int(length.total_seconds()) + 1))
    cut = []
    start = window.start
    while start < window.end:
        cut.append(replace(window, start=start, end=min(start + step, window.end)))
        start += step
    return cut
