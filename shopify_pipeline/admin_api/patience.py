"""How long a request is tried again: a time budget for failures, another for being throttled."""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from shopify_pipeline.admin_api.errors import (
    AdminApiError,
    RetriesExhaustedError,
    ThrottledError,
    UnreachableError,
)

logger = logging.getLogger(__name__)

RETRY_BUDGET_SECONDS = 300.0
"""How long one request is tried again after 5xx, timeouts, resets and broken answers."""

THROTTLE_BUDGET_SECONDS = 900.0
"""How long one request waits for THROTTLED and 429 to end."""

OnWait = Callable[[str, float], None]
"""Is told why and for how many seconds a wait is about to begin (waits of a second and more)."""

_FIRST_WAIT = 0.5
_LONGEST_WAIT = 30.0


class PassingFailure(Exception):  # noqa: N818 - not an error: what ends the tries is one
    """A failure that may pass: `seen` says what it was, without secrets or personal data.

    `unsent` says that the request surely never reached Shopify, `remedy` what to look at.
    """

    def __init__(
        self,
        seen: str,
        *,
        request_id: str | None = None,
        throttled: bool = False,
        timed_out: bool = False,
        unsent: bool = False,
        retry_after: float | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(seen)
        self.seen = seen
        self.request_id = request_id
        self.throttled = throttled
        self.timed_out = timed_out
        self.unsent = unsent
        self.retry_after = retry_after
        self.remedy = remedy


@dataclass
class Patience:
    """Tries one request again and again within its budgets. One object serves one request.

    Failures wait 0.5 s, doubling up to 30 s, with jitter; throttling waits as long as Shopify
    says, at least a second. Iterating `attempts()` (tenacity's protocol) raises the last
    PassingFailure when the budget is spent.
    """

    retry_budget_seconds: float = RETRY_BUDGET_SECONDS
    throttle_budget_seconds: float = THROTTLE_BUDGET_SECONDS
    on_wait: OnWait | None = None
    on_retry: Callable[[PassingFailure, float], None] | None = None
    sleep: Callable[[float], None] = time.sleep
    _failing_since: float | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)
    _throttles: int = field(default=0, init=False)
    _throttled_seconds: float = field(default=0.0, init=False)

    def attempts(self) -> Retrying:
        """The tries, each to be entered with `with`."""
        return Retrying(
            retry=retry_if_exception_type(PassingFailure),
            wait=self._wait,
            stop=self._stop,
            before_sleep=self._before_sleep,
            sleep=self.sleep,
            reraise=True,
        )

    def spent(self, failure: PassingFailure, *, operation: str) -> AdminApiError:
        """Return the error to raise when `attempts()` ended by `failure`."""
        if failure.throttled:
            return ThrottledError(
                f"Shopify kept throttling for {self.throttle_budget_seconds:.0f} s "
                f"({failure.seen}): another process of this app uses up its points; let fewer run "
                "at once, or try again later",
                operation=operation,
                request_id=failure.request_id,
            )
        if failure.remedy:
            return UnreachableError(
                f"{failure.seen}, tried for {self.retry_budget_seconds:.0f} s: {failure.remedy}",
                timed_out=failure.timed_out,
                operation=operation,
            )
        return RetriesExhaustedError(
            f"Shopify kept failing for {self.retry_budget_seconds:.0f} s, last by {failure.seen}: "
            "try again later, see https://www.shopifystatus.com, and give Shopify's support the "
            "request id if it lasts",
            timed_out=failure.timed_out,
            operation=operation,
            request_id=failure.request_id,
        )

    def _wait(self, state: RetryCallState) -> float:
        failure = _failure(state)
        if failure.throttled:
            self._throttles += 1
            # Others may be waiting for the same points: the jitter keeps us from coming together.
            asked = failure.retry_after or 0.0
            floor = min(2.0 ** (self._throttles - 1), _LONGEST_WAIT)
            return max(asked, floor if failure.retry_after is None else 1.0) + random.random()  # noqa: S311
        self._failing_since = self._failing_since or time.monotonic()
        self._failures += 1
        wait = min(_FIRST_WAIT * 2.0 ** (self._failures - 1), _LONGEST_WAIT)
        return max(wait * (0.5 + random.random() / 2), failure.retry_after or 0.0)  # noqa: S311

    def _stop(self, state: RetryCallState) -> bool:
        if _failure(state).throttled:
            return self._throttled_seconds + state.upcoming_sleep > self.throttle_budget_seconds
        since = self._failing_since or time.monotonic()
        return time.monotonic() - since + state.upcoming_sleep > self.retry_budget_seconds

    def _before_sleep(self, state: RetryCallState) -> None:
        failure, seconds = _failure(state), state.upcoming_sleep
        if failure.throttled:
            self._throttled_seconds += seconds
        if self.on_retry:
            self.on_retry(failure, seconds)
        logger.info("Waiting %.1f s to ask Shopify again: %s", seconds, failure.seen)
        if self.on_wait and seconds >= 1.0:
            self.on_wait(failure.seen, seconds)


def _failure(state: RetryCallState) -> PassingFailure:
    outcome = state.outcome
    error = outcome.exception() if outcome else None
    if not isinstance(error, PassingFailure):
        raise TypeError("only a PassingFailure is waited for")
    return error
