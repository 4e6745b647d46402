"""The leaky bucket of points: it restores with the store's clock."""

from __future__ import annotations

import math
from typing import Any

from shopify_pipeline.demo.store.clock import SECOND, Clock


class Bucket:
    """Points available to the app, up to a maximum."""

    def __init__(self, clock: Clock, *, maximum: int, restore_rate: int) -> None:
        self._clock = clock
        self.maximum = maximum
        self.restore_rate = restore_rate
        self._level = float(maximum)
        self._at = clock.now()

    def available(self) -> float:
        """Points there are now."""
        now = self._clock.now()
        passed = max(0, now - self._at) / SECOND
        self._level = min(float(self.maximum), self._level + passed * self.restore_rate)
        self._at = now
        return self._level

    def affords(self, points: float) -> bool:
        """Whether a call that requests so many points may start."""
        return self.available() >= points

    def spend(self, points: float) -> None:
        """Take points out."""
        self._level = self.available() - points

    def resize(self, *, maximum: int, restore_rate: int) -> None:
        """Another plan; a bigger bucket comes full."""
        level = float(maximum) if maximum > self.maximum else min(self.available(), maximum)
        self.maximum, self.restore_rate = maximum, restore_rate
        self._level = level

    def status(self) -> dict[str, Any]:
        """`throttleStatus` as the API shows it."""
        return {
            "maximumAvailable": float(self.maximum),
            "currentlyAvailable": math.floor(self.available()),
            "restoreRate": float(self.restore_rate),
        }
