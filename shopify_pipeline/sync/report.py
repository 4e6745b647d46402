"""What a pull tells while it goes on, and when it has ended."""

from dataclasses import dataclass, field
from datetime import date, datetime

from shopify_pipeline.admin_api import Stats
from shopify_pipeline.sync.records import Counts
from shopify_pipeline.sync.window import Window


@dataclass(frozen=True)
class Progress:
    """Where a pull is: what it does, rows read, rows expected (None: not known)."""

    message: str
    rows: int = 0
    expected: int | None = None


@dataclass(kw_only=True)
class PullReport:
    """What a pull did. `counts` by table; `queued` ids that have to be read again."""

    entity: str
    window: Window
    counts: Counts = field(default_factory=dict)
    checkpoint: datetime | None = None
    api: Stats = field(default_factory=Stats)
    records: int = 0
    queued: int = 0
    links_resolved: int = 0


def silent(_: Progress) -> None:
    """Take no notice of progress."""


def ignored(_: date) -> None:
    """Take no notice of a finished day."""
