"""The leaky bucket of API points, as Shopify's answers describe it, shared by all threads."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

MAX_QUERY_COST = 1000.0
"""Points that a single query may ask for on any plan (https://shopify.dev/docs/api/usage/limits)."""


@dataclass(frozen=True, kw_only=True)
class ThrottleStatus:
    """`extensions.cost.throttleStatus` of an answer: points, points, points a second."""

    maximum_available: float
    currently_available: float
    restore_rate: float


class Bucket:
    """Tells how long to wait until a query fits; knows nothing before the first answer.

    Points of queries in flight are set aside, so that threads don't count the same ones twice.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = Lock()
        self._status: ThrottleStatus | None = None
        self._seen_at = 0.0
        self._reserved = 0.0

    @property
    def largest_query(self) -> float:
        """The most points that a query may ask for and ever fit: 1,000, or a smaller bucket."""
        status = self._status
        if status is None or status.maximum_available <= 0:
            return MAX_QUERY_COST
        return min(MAX_QUERY_COST, status.maximum_available)

    def reserve(self, cost: float) -> float:
        """Set `cost` points aside and return 0.0, or return the seconds after which to try again.

        A cost above the bucket's size waits for a full bucket.
        """
        with self._lock:
            status = self._status
            if status is None or status.restore_rate <= 0:
                self._reserved += cost
                return 0.0
            elapsed = max(self._monotonic() - self._seen_at, 0.0)
            restored = status.currently_available + elapsed * status.restore_rate
            available = min(status.maximum_available, restored) - self._reserved
            missing = min(cost, status.maximum_available) - available
            if missing <= 0 or (self._reserved <= 0 and restored >= status.maximum_available):
                self._reserved += cost
                return 0.0
            return missing / status.restore_rate

    def settle(self, reserved: float, status: ThrottleStatus | None) -> None:
        """Give back what `reserve` set aside, and take in what the answer says of the bucket."""
        with self._lock:
            self._reserved = max(self._reserved - reserved, 0.0)
            if status is not None:
                self._status = status
                self._seen_at = self._monotonic()
