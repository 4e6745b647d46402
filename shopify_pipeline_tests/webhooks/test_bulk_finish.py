"""bulk_operations/finish ends a pull's wait for its operation early."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Timer
from typing import Any, cast

import pytest

from shopify_pipeline.admin_api import AdminApi
from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.sync import bulk
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.window import DAY, Window, midnight
from shopify_pipeline.warehouse.bulk_claims import Claim
from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline_tests.webhooks.inbox import Shop

GID = "gid://shopify/BulkOperation/720918"


def test_a_webhook_ends_the_wait(
    shop: Shop, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[Callable[[float], None]] = []
    monkeypatch.setattr(bulk, "wait", lambda _api, _gid, *, pause, **_: pauses.append(pause))
    today = midnight(datetime.now(UTC).date())
    window = Window(today, today + DAY)
    nobody = cast("Any", None)
    sync = SyncContext(
        api=cast("AdminApi", None), database=batches.database, access=nobody, history_start=today
    )
    reading = bulk.BulkRead(
        sync=sync, entity=ENTITIES["orders"], purpose="updated", asked=window, tell=lambda _: None
    )
    claim = Claim(
        id=nobody,
        window_start=window.start,
        window_end=window.end,
        query_hash="",
        claimed_at=today,
        gid=GID,
    )
    reading.run(claim, "{ shop { id } }", adopt=False)
    (pause,) = pauses

    def finish() -> None:
        body = {"admin_graphql_api_id": GID, "status": "completed", "error_code": None}
        shop.deliver("bulk_operations/finish", body)
        batches.process_next()

    started = time.monotonic()
    pause(1.5)
    assert time.monotonic() - started >= 1.5
    Timer(0.5, finish).start()
    started = time.monotonic()
    pause(60)
    assert time.monotonic() - started < 30
    # Said once; if Shopify then says that it still runs, it is not asked in a spin.
    started = time.monotonic()
    pause(60)
    assert 0.5 < time.monotonic() - started < 30
