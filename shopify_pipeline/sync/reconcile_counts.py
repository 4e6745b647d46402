"""Compares Shopify's counts with the tables', by windows of creation, which nothing moves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from shopify_pipeline.admin_api.access import ORDERS_WINDOW
from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.counts import exact
from shopify_pipeline.sync.reconcile_queries import COUNTS_AT_ONCE, counts_query
from shopify_pipeline.sync.window import Window
from shopify_pipeline.warehouse import checkpoints

EARLIEST = datetime.fromisoformat("2004-01-01T00:00:00Z")
"""Before the first order of any store."""


@dataclass(frozen=True)
class Compared:
    """A window of creation with both counts of the records that live."""

    entity: Entity
    window: Window
    theirs: int
    ours: int

    @property
    def differs(self) -> bool:
        """Whether the counts do."""
        return self.theirs != self.ours


def comparable(sync: SyncContext, entity: Entity) -> Window | None:
    """The time of creation whose records all should be here; None before the first load.

    Its end keeps away from the checkpoint by the overlap, which heals what Shopify's index shows
    late. Where the app may not read old orders it starts where they become visible.
    """
    with sync.database.transaction() as connection:
        checkpoint = checkpoints.read(connection, entity.name)
    if checkpoint is None:
        return None
    start = EARLIEST
    if "read_orders" in entity.scopes and not sync.access.reads_all_orders:
        start = sync.api.now() - ORDERS_WINDOW + timedelta(days=1)
    window = Window(start, checkpoint - sync.overlap)
    return None if window.is_empty else window


def recent(window: Window, lengths: Sequence[timedelta]) -> list[Window]:
    """The last parts of a window, of these lengths."""
    return [Window(max(window.start, window.end - length), window.end) for length in lengths]


def compare(sync: SyncContext, asked: Sequence[tuple[Entity, Window]]) -> list[Compared]:
    """Count both sides of each window; many in one call.

    Shopify is asked first: what is deleted or arrives meanwhile can only be a difference that a
    second look doesn't confirm.

    Raises:
        InexactCountError: Shopify would not count to the end.
        AdminApiError: it could not be asked, or ignored a part of a filter.
    """
    theirs: list[int] = []
    for start in range(0, len(asked), COUNTS_AT_ONCE):
        theirs += _theirs(sync, asked[start : start + COUNTS_AT_ONCE])
    with sync.database.transaction() as connection:
        ours = [_ours(connection, entity, window) for entity, window in asked]
    return [
        Compared(entity, window, their, our)
        for (entity, window), their, our in zip(asked, theirs, ours, strict=True)
    ]


def _theirs(sync: SyncContext, asked: Sequence[tuple[Entity, Window]]) -> list[int]:
    filters = {}
    for n, (entity, window) in enumerate(asked):
        assert entity.connection is not None  # noqa: S101
        filters[f"f{n}"] = window.created(entity.connection).variables["counted"]
    query = counts_query(tuple(entity for entity, _ in asked))
    data = sync.api.execute(query, filters).data
    return [exact(entity, data[f"c{n}"]) for n, (entity, _) in enumerate(asked)]


def _ours(connection: sa.Connection, entity: Entity, window: Window) -> int:
    row = entity.table.sql.c
    return connection.execute(
        sa.select(sa.func.count()).where(
            row.deleted_at.is_(None), row.created_at >= window.start, row.created_at < window.end
        )
    ).scalar_one()
