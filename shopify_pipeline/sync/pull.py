"""Brings the tables to what Shopify last changed in a window of time."""

from collections.abc import Callable
from datetime import date

from shopify_pipeline.admin_api.access import ORDERS_WINDOW
from shopify_pipeline.admin_api.errors import OrdersTooOldError
from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.axis import UPDATED
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.links import resolve_links
from shopify_pipeline.sync.report import Progress, PullReport, ignored, silent
from shopify_pipeline.sync.window import DAY, Window, midnight
from shopify_pipeline.sync.window_read import WindowRead
from shopify_pipeline.warehouse import checkpoints


def pull(
    sync: SyncContext,
    entity: Entity,
    window: Window,
    *,
    resume: bool = False,
    open_end: bool = False,
    on_progress: Callable[[Progress], None] = silent,
    on_day: Callable[[date], None] = ignored,
) -> PullReport:
    """Bring the entity and its children to what Shopify last changed in `window`.

    With `resume` it starts at the checkpoint less the overlap. The end is never later than now on
    Shopify's clock, and is that now with `open_end`: for a window to the end of today, as our own
    clock has it, which may be behind.
    `on_day` is called, ascending, with each UTC day that was read to its end and counted whole.

    Raises:
        ShortfallError: Shopify counts more than it answers.
        OrdersTooOldError: the window reaches back further than the app's scopes do.
        MalformedRecordError: records that don't fit; all others of the window were written, and
            the checkpoint stays before them.
        AdminApiError: Shopify could not be read, or not be trusted.
    """
    before = sync.api.stats
    with sync.database.transaction() as connection:
        checkpoint = checkpoints.read(connection, entity.name)
    start = window.start
    if resume and checkpoint is not None:
        start = max(start, checkpoint - sync.overlap)
    now = sync.api.now()
    todo = Window(start, now if open_end else min(window.end, now))
    check_reach(sync, entity, todo)
    report = PullReport(entity=entity.name, window=todo, checkpoint=checkpoint)
    for day in window.days():
        if midnight(day) + DAY <= todo.start:
            on_day(day)
    if not todo.is_empty:
        read = WindowRead(sync, entity, report, UPDATED, on_progress=on_progress, on_day=on_day)
        read.run(todo, asked=Window(todo.start, window.end))
    report.links_resolved, missing = resolve_links(sync, entity)
    report.queued += missing
    report.api = sync.api.stats - before
    return report


def check_reach(sync: SyncContext, entity: Entity, window: Window) -> None:
    """Refuse a window of orders that the app would be shown only in part, without a word.

    Raises:
        OrdersTooOldError: the window reaches back further than the app's scopes do.
    """
    if "read_orders" not in entity.scopes or sync.access.reads_all_orders or window.is_empty:
        return
    oldest = max(window.start, sync.access.shop_created_at)
    if oldest < sync.api.now() - ORDERS_WINDOW:
        raise OrdersTooOldError(
            f"{entity.name} {window}: without the scope read_all_orders Shopify hides orders older "
            f"than {ORDERS_WINDOW.days} days, without an error. Grant the app read_all_orders, or "
            "start the window (SHOPIFY_START_DATE for all days) within that time."
        )
