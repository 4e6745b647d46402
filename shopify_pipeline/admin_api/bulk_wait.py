"""Waits for bulk operations: for one to be let in, and for one to end."""

import random
import time
from collections.abc import Callable

from shopify_pipeline.admin_api.bulk import read, submit
from shopify_pipeline.admin_api.bulk_operation import BulkOperation
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.errors import (
    BulkFailedError,
    BulkSlotsTakenError,
    BulkStalledError,
)
from shopify_pipeline.admin_api.patience import OnWait

STALLED_SECONDS = 7200.0
"""How long an operation may show no progress before waiting for it is given up."""

_POLL = (0.5, 30.0)
_SLOT_POLL = (5.0, 60.0)


def submit_when_free(
    api: AdminApi,
    query: str,
    *,
    on_wait: OnWait | None = None,
    timeout_seconds: float | None = None,
) -> BulkOperation:
    """Start a bulk operation as `submit` does, waiting while others take all the slots.

    `on_wait` is told of each wait; `timeout_seconds` None waits for as long as it takes.

    Raises:
        BulkSlotsTakenError: no slot came free in `timeout_seconds`.
        AdminApiError: as `submit`.
    """
    began = time.monotonic()
    seconds = _SLOT_POLL[0]
    while True:
        try:
            return submit(api, query)
        except BulkSlotsTakenError as error:
            waited = time.monotonic() - began
            if timeout_seconds is not None and waited + seconds > timeout_seconds:
                raise
            if on_wait:
                who = ", ".join(error.running) or "others"
                on_wait(f"Shopify runs other bulk operations of this app ({who})", seconds)
        # Jittered, so that two waiting runs don't meet at every free slot.
        time.sleep(seconds * (0.75 + random.random() / 2))  # noqa: S311
        seconds = min(seconds * 1.5, _SLOT_POLL[1])


def wait(
    api: AdminApi,
    gid: str,
    *,
    on_progress: Callable[[BulkOperation], None] | None = None,
    timeout_seconds: float | None = None,
    stalled_seconds: float = STALLED_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> BulkOperation:
    """Poll the operation until it has ended, however it ended, and return it.

    It asks after half a second first, then ever more seldom, at most every 30 s. `on_progress`
    gets each state that was read. `pause` waits for so many seconds, or less where it hears of
    the end.

    Raises:
        BulkFailedError: Shopify no longer knows the operation.
        BulkStalledError: no progress for `stalled_seconds`, or not ended in `timeout_seconds`.
        AdminApiError: a request failed.
    """
    began = moved_at = time.monotonic()
    seen: tuple[str, int] | None = None
    while True:
        operation = read(api, gid)
        now = time.monotonic()
        if operation is None:
            raise BulkFailedError(
                f"Shopify no longer knows bulk operation {gid}; run it again",
                gid=gid,
                status="UNKNOWN",
            )
        if on_progress:
            on_progress(operation)
        if operation.is_ended:
            return operation
        if (state := (operation.status, operation.object_count)) != seen:
            seen, moved_at = state, now
        if now - moved_at > stalled_seconds:
            raise BulkStalledError(
                f"Bulk operation {gid} has stood still at {operation.status} with "
                f"{operation.object_count} objects for {now - moved_at:.0f} s: cancel it and run "
                "it again",
                gid=gid,
            )
        # A tenth of the time it has taken: late by at most that much, and few calls.
        seconds = min(max((now - began) / 10, _POLL[0]), _POLL[1])
        if timeout_seconds is not None and now - began + seconds > timeout_seconds:
            raise BulkStalledError(
                f"Bulk operation {gid} has not ended in {timeout_seconds:.0f} s "
                f"({operation.status}, {operation.object_count} objects); it goes on, and can be "
                "waited for again",
                gid=gid,
            )
        pause(seconds)
