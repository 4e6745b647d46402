"""What a store that lives in a directory remembers when it is opened again, and what not."""

from pathlib import Path

import pytest

from shopify_pipeline.demo.store import settable
from shopify_pipeline.demo.store.clock import Clock
from shopify_pipeline.demo.store.faults import Fault
from shopify_pipeline.demo.store.seeding import Size, fill
from shopify_pipeline.demo.store.server import Application
from shopify_pipeline.demo.store.store import DEFAULT_SCOPES, Settings, Store
from shopify_pipeline_tests.simulated import serving


def opened(directory: Path) -> Application:
    return Application(Store(settings=Settings(), clock=Clock(), directory=directory))


def close(application: Application) -> None:
    application.close()
    application.store.database.close()


def test_granted_access_and_records_are_kept_and_faults_are_not(tmp_path: Path) -> None:
    first = opened(tmp_path)
    fill(first.store, seed=7, size=Size(2, 3, 4))
    records = list(first.store.database.stream("orders"))
    settable.apply(first, {"scopes": ["read_orders"], "deniedFields": ["Customer.email"]})
    settable.apply(first, {"plan": "plus", "token": "another"})
    first.faults.add(Fault("throttled"))
    close(first)

    second = opened(tmp_path)
    settings = second.store.settings
    assert list(second.store.database.stream("orders")) == records
    assert (settings.scopes, settings.denied_fields) == (["read_orders"], ["Customer.email"])
    assert (settings.plan, settings.token) == (Settings().plan, Settings().token)
    assert second.faults.waiting == []
    settable.apply(second, {"scopes": list(DEFAULT_SCOPES), "deniedFields": []})
    close(second)

    third = opened(tmp_path)
    assert (third.store.settings.scopes, third.store.settings.denied_fields) == (
        list(DEFAULT_SCOPES),
        [],
    )
    close(third)


def test_a_terminated_store_leaves_no_files_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving(products=2, customers=2, orders=2):
        assert list(tmp_path.glob("store-bulk-*"))
    assert not list(tmp_path.iterdir())
