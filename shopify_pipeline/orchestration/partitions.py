"""Daily partitions by `updated_at`: a day means "what Shopify last changed on it was read"."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import dagster as dg

from shopify_pipeline.sync.window import Window

DAY = timedelta(days=1)


def daily_partitions(first_day: date) -> dg.DailyPartitionsDefinition:
    """UTC days from `first_day` to today, today included."""
    return dg.DailyPartitionsDefinition(
        start_date=datetime.combine(first_day, time(), UTC), timezone="UTC", end_offset=1
    )


def window_of(context: dg.AssetExecutionContext) -> Window:
    """The window of a run's partitions: one day, or a range of days."""
    bounds = context.partition_time_window
    return Window(bounds.start.astimezone(UTC), bounds.end.astimezone(UTC))


def is_open(window: Window) -> bool:
    """Whether the window reaches to the end of today: of what goes on."""
    return window.end > datetime.now(UTC)


def partition_key(day: date) -> str:
    """The partition of a day."""
    return day.isoformat()


def range_tags(days: Sequence[date]) -> dict[str, str]:
    """Run tags that ask for an unbroken, ascending range of days in one run.

    Dagster gives a run its partitions by these tags: a key of one, or the two ends of a range.
    """
    first, last = partition_key(days[0]), partition_key(days[-1])
    if first == last:
        return {"dagster/partition": first}
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
