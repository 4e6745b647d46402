"""Reads again what was created in a window, whole: for a doubt that no checkpoint can answer."""

from collections.abc import Callable

from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.axis import Axis
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.links import resolve_links
from shopify_pipeline.sync.pull import check_reach
from shopify_pipeline.sync.queries import Filter
from shopify_pipeline.sync.report import Progress, PullReport
from shopify_pipeline.sync.window import Window
from shopify_pipeline.sync.window_read import WindowRead


def _created(_: SyncContext, entity: Entity, window: Window) -> Filter:
    assert entity.connection is not None  # noqa: S101
    asked = window.in_whole_days() if entity.connection.whole_days else window
    return asked.created(entity.connection)


CREATED = Axis(purpose="created", is_exact=False, moves_checkpoint=False, filtered=_created)
"""Windows of what was created; a record from beside the window is as true as one in it."""


def reread_created(
    sync: SyncContext,
    entity: Entity,
    window: Window,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> PullReport:
    """Read again, whole and with its children, what was created in the window, and merge it.

    The same machinery as a pull's: pages or a bulk operation by size, counted before it is
    believed. The checkpoint stays where it is.

    Raises:
        ShortfallError: Shopify counts more than it answers.
        OrdersTooOldError: the window reaches back further than the app's scopes do.
        MalformedRecordError: records that don't fit; all others were written.
        AdminApiError: Shopify could not be read, or not be trusted.
    """
    before = sync.api.stats
    todo = Window(window.start, min(window.end, sync.api.now()))
    report = PullReport(entity=entity.name, window=todo)
    check_reach(sync, entity, todo)
    if not todo.is_empty:
        WindowRead(sync, entity, report, CREATED, on_progress=on_progress).run(todo, asked=window)
    report.links_resolved, missing = resolve_links(sync, entity)
    report.queued += missing
    report.api = sync.api.stats - before
    return report
