"""A window of time over `updated_at` (or the time of creation), and its search terms."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shopify_pipeline.entities import Connection
from shopify_pipeline.sync.queries import Filter

DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class Window:
    """Half open, UTC: from `start` on, before `end`; both whole seconds, as Shopify's times are."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            moment = getattr(self, name)
            if moment.tzinfo is None:
                raise ValueError(f"a window's {name} needs a time zone: {moment}")
            object.__setattr__(self, name, moment.astimezone(UTC).replace(microsecond=0))

    @classmethod
    def of_days(cls, first: date, last: date) -> "Window":
        """The UTC days from `first` to `last`, both included."""
        return cls(midnight(first), midnight(last) + DAY)

    @property
    def is_empty(self) -> bool:
        """Whether no moment is in it."""
        return self.end <= self.start

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"[{self.start:%Y-%m-%dT%H:%M:%SZ}, {self.end:%Y-%m-%dT%H:%M:%SZ})"

    def in_whole_days(self) -> "Window":
        """The smallest window of whole UTC days around it."""
        last = self.end - timedelta(seconds=1)
        return Window.of_days(self.start.date(), max(last, self.start).date())

    def days(self) -> list[date]:
        """The UTC days it touches, ascending."""
        if self.is_empty:
            return []
        last = (self.end - timedelta(seconds=1)).date()
        return [
            self.start.date() + timedelta(days=n)
            for n in range((last - self.start.date()).days + 1)
        ]

    def chunks(self, length: timedelta) -> Iterator["Window"]:
        """Cut it into windows of at most this length, from the midnight before its start on."""
        start, end = self.start, midnight(self.start.date())
        while start < self.end:
            while end <= start:
                end += length
            yield Window(start, min(end, self.end))
            start = end

    def halves(self) -> tuple["Window", "Window"] | None:
        """Cut it in the middle; None for a window of a single second."""
        middle = self.start + timedelta(seconds=int((self.end - self.start).total_seconds()) // 2)
        if middle in (self.start, self.end):
            return None
        return Window(self.start, middle), Window(middle, self.end)

    def updated(self, connection: Connection) -> Filter:
        """What Shopify last changed in this window.

        Half open and single quoted: the only form that means the same in every API version
        (https://shopify.dev/docs/api/usage/search-syntax).
        """
        return Filter(terms=self._terms("updated_at", connection), sort_key="UPDATED_AT")

    def created(self, connection: Connection) -> Filter:
        """What was created in this window.

        Every count knows `created_at`, also that of customers, whose list knows `customer_date`.
        """
        return Filter(
            terms=self._terms(connection.created_filter, connection),
            sort_key=connection.created_sort,
            count_terms=self._terms("created_at", connection),
        )

    def _terms(self, field: str, connection: Connection) -> str:
        terms = (
            f"{field}:>='{self.start:%Y-%m-%dT%H:%M:%SZ}'"
            f" AND {field}:<'{self.end:%Y-%m-%dT%H:%M:%SZ}'"
        )
        return f"({connection.always}) AND ({terms})" if connection.always else terms


def midnight(day: date) -> datetime:
    """The start of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
