"""The time by which records are asked for: that of their last change, or of their creation."""

from collections.abc import Callable
from dataclasses import dataclass

from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.filters import asked_window
from shopify_pipeline.sync.queries import Filter
from shopify_pipeline.sync.window import Window


@dataclass(frozen=True)
class Axis:
    """Which time of a record a window is of, and what reading one means.

    `purpose` names it in the claims of bulk operations. `is_exact` says that what was updated
    outside the window is dropped; else a filter that answers more does no harm. `filtered` makes a
    window's filter; `moves_checkpoint` says whether the checkpoint follows.
    """

    purpose: str
    is_exact: bool
    moves_checkpoint: bool
    filtered: Callable[[SyncContext, Entity, Window], Filter]


def _updated(sync: SyncContext, entity: Entity, window: Window) -> Filter:
    assert entity.connection is not None  # noqa: S101
    return asked_window(sync, entity, window).updated(entity.connection)


UPDATED = Axis(purpose="updated", is_exact=True, moves_checkpoint=True, filtered=_updated)
"""Windows of what Shopify last changed: those of pulls."""
