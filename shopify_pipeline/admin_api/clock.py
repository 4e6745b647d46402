"""Shopify's clock, told from the `Date` headers of its answers."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DRIFT = 1e-4
_MEMORY_SECONDS = 600.0


class _Bounds(NamedTuple):
    low: float
    high: float
    learned_at: float


class ShopifyClock:
    """Bounds the distance between our monotonic clock and Shopify's wall clock.

    A `Date` header D (whole seconds, cut off) on an answer received at r to a request sent at s
    says: Shopify's time was in [D, D+1) at some moment between s and r, so its distance from our
    clock is above D-r and below D+1-s. Bounds of several answers are intersected, so that `at`
    comes closer to the truth from below with each, and never passes it. A contradiction (the
    clock was set, another server answered) drops what was known before. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._bounds: _Bounds | None = None

    @staticmethod
    def monotonic() -> float:
        """Our own clock in seconds, which nobody sets; what `at` and `learn` take."""
        return time.monotonic()

    def learn(self, date_header: str | None, *, sent: float, received: float) -> None:
        """Take in the `Date` header of an answer; one that is missing or unreadable is ignored."""
        try:
            date = parsedate_to_datetime(date_header or "")
        except ValueError:
            return
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        second = (date - _EPOCH).total_seconds()
        new = _Bounds(second - received, second + 1 - sent, received)
        with self._lock:
            old = self._bounds
            if old is None or received - old.learned_at > _MEMORY_SECONDS:
                self._bounds = new
                return
            slack = max(received - old.learned_at, 0.0) * _DRIFT
            low, high = max(old.low - slack, new.low), min(old.high + slack, new.high)
            self._bounds = _Bounds(low, high, received) if low < high else new

    def at(self, monotonic: float) -> datetime:
        """A time not later than Shopify's at that moment of `monotonic`, in UTC.

        Before the first answer, our own wall clock's.
        """
        with self._lock:
            bounds = self._bounds
        if bounds is None:
            return datetime.now(UTC) - timedelta(seconds=time.monotonic() - monotonic)
        return _EPOCH + timedelta(seconds=monotonic + bounds.low)
