"""Which days the next hourly pull has to ask for."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta


def due_days(
    checkpoints: Sequence[datetime | None],
    now: datetime,
    *,
    first_day: date,
    overlap: timedelta,
    most: int = 31,
) -> list[date] | None:
    """The UTC days from that of the oldest checkpoint less the overlap to today, oldest first.

    At most `most` of them: the next tick goes on from there. None while an entity has no
    checkpoint: its first load is due, which is a backfill of all days.
    """
    known = [checkpoint for checkpoint in checkpoints if checkpoint is not None]
    if not known or len(known) < len(checkpoints):
        return None
    # Shopify's clock, which checkpoints go by, may be ahead of ours.
    first = min(max((min(known) - overlap).date(), first_day), now.date())
    days = (now.date() - first).days + 1
    return [first + timedelta(days=n) for n in range(min(days, most))]
