"""Faults on demand: what can go wrong between a client and Shopify, for chosen calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from shopify_pipeline.demo.store.clock import Clock

DENIED_UNLESS_SAID = "CustomerEmailAddress.emailAddress"

KINDS: dict[str, str] = {
    "throttled": "HTTP 200 with a THROTTLED error and no data",
    "429": "HTTP 429 with Retry-After (`retry_after` seconds)",
    "500": "HTTP 500 with an HTML body",
    "502": "HTTP 502 with an HTML body",
    "503": "HTTP 503 with an HTML body",
    "504": "HTTP 504 with an HTML body",
    "dropped": "the connection is closed before any answer",
    "dropped_midway": "the connection is closed in the middle of the body",
    "slow": "the answer comes after `seconds`",
    "truncated": "HTTP 200 whose JSON body ends too early",
    "not_json": "HTTP 200 with an HTML body",
    "internal_server_error": "INTERNAL_SERVER_ERROR as the only error, data null",
    "internal_server_error_in_data": "INTERNAL_SERVER_ERROR at `field` beside partial data",
    "access_denied": f"ACCESS_DENIED at `field` (`{DENIED_UNLESS_SAID}`), null in partial data",
    "protected_data": "`field` (the same) is null with `This app is not approved to access …`",
    "max_cost": "MAX_COST_EXCEEDED",
    "timeout_error": "HTTP 200 with a TIMEOUT error",
    "401": "invalid token",
    "402": "shop frozen",
    "403": "shop or app blocked",
    "404": "no such shop",
    "423": "shop locked",
    "430": "security rejection",
    "shop_inactive": "HTTP 200 with SHOP_INACTIVE",
    "wrong_shop": "another shop's id and domain in `shop`",
    "search_warning": "a search warning in extensions beside the data",
    "version_fall_forward": "X-Shopify-API-Version names another version (`version`)",
    "empty_page": "every connection answers with no nodes and no next page",
    "bulk_failed": "a bulk operation ends FAILED (`error_code`, `partial`)",
    "bulk_canceled": "a bulk operation is canceled by Shopify",
    "bulk_truncated_file": "the result file ends in the middle of a line",
    "bulk_file_error": "the result file answers `status` (default 503)",
    "bulk_slow": "a bulk operation stays RUNNING for `seconds` of the store's clock",
    "bulk_missing_lines": "the result file lacks `count_missing` of its last lines",
}


@dataclass
class Fault:
    """One fault: its kind, and the calls that it meets.

    `count` calls (None: all), after letting `skip` pass; only those whose text holds `match`;
    each with probability `share`; only between `start` and `end` of the store's clock.
    `target` is graphql, rest, token, file or bulk.
    """

    kind: str
    count: int | None = 1
    skip: int = 0
    match: str | None = None
    share: float = 1.0
    seed: int = 0
    start: int | None = None
    end: int | None = None
    target: str = "graphql"
    options: dict[str, Any] = field(default_factory=dict)
    met: int = 0
    _draw: Random | None = None

    def describe(self) -> dict[str, Any]:
        """The fault as the control interface shows it."""
        shown = asdict(self)
        shown.pop("_draw")
        return shown


class FaultPlan:
    """The faults that are waiting, and the ones that were met."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waiting: list[Fault] = []
        self.met: dict[str, int] = {}

    def add(self, fault: Fault) -> None:
        """Wait for calls to meet. Raises ValueError for an unknown kind."""
        if fault.kind not in KINDS:
            raise ValueError(f"unknown fault {fault.kind!r}; known: {', '.join(KINDS)}")
        if fault.kind.startswith("bulk_") and fault.target == "graphql":
            fault.target = "file" if "file" in fault.kind else "bulk"
        fault._draw = Random(f"{fault.seed}-{fault.kind}")  # noqa: S311
        self.waiting.append(fault)

    def clear(self) -> None:
        """Forget all waiting faults."""
        self.waiting.clear()

    def next(self, target: str, text: str) -> Fault | None:
        """The fault that this call meets, if any."""
        now = self._clock.now()
        for fault in self.waiting:
            if fault.target != target or (fault.match and fault.match not in text):
                continue
            if (fault.start and now < fault.start) or (fault.end and now >= fault.end):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            if fault.share < 1 and fault._draw and fault._draw.random() >= fault.share:
                continue
            fault.met += 1
            self.met[fault.kind] = self.met.get(fault.kind, 0) + 1
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self.waiting.remove(fault)
            return fault
        return None
