"""A synchronisation between a simulated store and a database of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import SecretStr

from shopify_pipeline.admin_api import check_access
from shopify_pipeline.entities import ROOTS
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import SyncContext, open_sync
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.sync.report import PullReport
from shopify_pipeline.sync.window import DAY, Window, midnight
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore

START = date(2015, 1, 1)

OpenSync = Callable[..., SyncContext]


def settings_for(store: SimulatedStore, database_url: str) -> Settings:
    """Settings that join this store and this database."""
    return Settings(
        shopify_shop=store.shop,
        shopify_access_token=SecretStr(TOKEN),
        shopify_api_url=store.url,
        shopify_start_date=START,
        database_url=SecretStr(database_url),
    )


@pytest.fixture
def opened() -> Iterator[OpenSync]:
    """Opens synchronisations, and closes them at the end of the test."""
    with ExitStack() as stack:

        def open_one(store: SimulatedStore, database_url: str, **changes: Any) -> SyncContext:
            sync = stack.enter_context(
                open_sync(settings_for(store, database_url), application_name="tests")
            )
            return replace(sync, **changes)

        yield open_one


def everything(sync: SyncContext) -> Window:
    """All days to the end of the current one."""
    return Window(midnight(START), midnight(sync.api.now().date()) + DAY)


def pull_all(sync: SyncContext, *, resume: bool = False) -> list[PullReport]:
    """Pull every entity as the hourly run does, and work off the refresh queue."""
    check_access(sync.api, required_scopes=())  # each run begins so, and learns Shopify's time
    window = everything(sync)
    reports = [pull(sync, entity, window, resume=resume) for entity in ROOTS]
    drain_refresh_queue(sync)
    return reports
