"""Counts what asking Shopify has cost."""

from dataclasses import dataclass, fields
from threading import Lock


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What was spent: requests sent, points taken, seconds waited for points, retries."""

    calls: int = 0
    points: float = 0.0
    throttle_wait_seconds: float = 0.0
    retries: int = 0

    def __sub__(self, earlier: "Stats") -> "Stats":
        """Tell what was spent since `earlier`."""
        return self._combined(earlier, -1)

    def __add__(self, other: "Stats") -> "Stats":
        """Tell what both spent."""
        return self._combined(other, 1)

    def _combined(self, other: "Stats", sign: int) -> "Stats":
        names = (item.name for item in fields(self))
        return Stats(**{n: getattr(self, n) + sign * getattr(other, n) for n in names})


class Counter:
    """Adds up Stats of all threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._total = Stats()

    def add(self, spent: Stats) -> None:
        """Add `spent` to the total."""
        with self._lock:
            self._total += spent

    @property
    def total(self) -> Stats:
        """All that was added so far, as a snapshot."""
        with self._lock:
            return self._total
