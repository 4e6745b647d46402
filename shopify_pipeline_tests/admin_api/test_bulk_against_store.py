"""Bulk operations of the simulated store, well and badly ended, read by the client."""

import time
from collections.abc import Iterator

import orjson
import pytest

from shopify_pipeline.admin_api import bulk, bulk_wait
from shopify_pipeline.admin_api.bulk_operation import BulkOperation
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.download import Download
from shopify_pipeline.admin_api.errors import (
    AdminApiError,
    BulkAccessDeniedError,
    BulkFailedError,
    BulkRefusedError,
    BulkSlotsTakenError,
    ResultExpiredError,
    ResultIncompleteError,
)
from shopify_pipeline_tests.admin_api.test_against_store import client, true_orders
from shopify_pipeline_tests.simulated import SimulatedStore

ORDERS = """{
  orders(query: "updated_at:>='2000-01-01T00:00:00Z'", sortKey: UPDATED_AT) {
    edges { node { id lineItems { edges { node { id } } } } }
  }
}"""
NONE = """{
  orders(query: "updated_at:<'2000-01-01T00:00:00Z'", sortKey: UPDATED_AT) {
    edges { node { id } }
  }
}"""


@pytest.fixture
def api(store: SimulatedStore) -> Iterator[AdminApi]:
    """A client of a store without faults."""
    store.control("faults", method="DELETE")
    with client(store) as opened:
        yield opened


def run(api: AdminApi, query: str = ORDERS) -> BulkOperation:
    """An operation over `query`, ended."""
    return bulk_wait.wait(api, bulk_wait.submit_when_free(api, query).gid)


def lines(operation: BulkOperation, **arguments: float) -> list[bytes]:
    """Its result."""
    url = operation.result_url
    assert url is not None
    size, count = operation.file_size, operation.object_count
    return list(Download(url, file_size=size, expected_lines=count, **arguments))  # type: ignore[arg-type]


def test_the_result_holds_every_order_and_line(store: SimulatedStore, api: AdminApi) -> None:
    found: dict[str, int] = {}
    for line in map(orjson.loads, lines(run(api))):
        if parent := line.get("__parentId"):
            found[parent] += 1
        else:
            found[line["id"]] = 0
    assert found == true_orders(store)


def test_a_result_without_rows_has_no_file(api: AdminApi) -> None:
    operation = run(api, NONE)
    assert operation.status == "COMPLETED"
    assert operation.result_url is None


@pytest.mark.parametrize(
    ("fault", "options", "outcome"),
    [
        ("bulk_failed", {"after": 20, "partial": True}, BulkFailedError),
        ("bulk_failed", {"error_code": "ACCESS_DENIED"}, BulkAccessDeniedError),
        ("bulk_canceled", {"after": 20}, BulkFailedError),
        ("bulk_truncated_file", {}, ResultIncompleteError),
        ("bulk_missing_lines", {"count_missing": 2}, ResultIncompleteError),
    ],
)
def test_a_result_that_is_not_whole_is_an_error(
    store: SimulatedStore,
    api: AdminApi,
    fault: str,
    options: dict[str, object],
    outcome: type[AdminApiError],
) -> None:
    store.fault(fault, **options)
    operation = run(api)
    with pytest.raises(outcome) as caught:
        lines(operation, retry_budget_seconds=1.0)
    assert type(caught.value) is outcome


def test_a_file_server_that_fails_for_now_is_waited_for(
    store: SimulatedStore, api: AdminApi
) -> None:
    operation = run(api)
    store.fault("bulk_file_error", count=2)
    assert len(lines(operation)) == operation.object_count


def test_a_query_that_is_no_bulk_query_is_refused(api: AdminApi) -> None:
    with pytest.raises(BulkRefusedError):
        bulk.submit(api, "{ shop { name } }")


def test_a_sixth_operation_waits_for_one_of_five(store: SimulatedStore, api: AdminApi) -> None:
    store.fault("bulk_slow", count=5, seconds=3600)
    running = [bulk.submit(api, ORDERS) for _ in range(bulk.MAX_CONCURRENT)]
    with pytest.raises(BulkSlotsTakenError) as caught:
        bulk.submit(api, ORDERS)
    assert set(caught.value.running) <= {operation.gid for operation in running}
    for operation in running:
        while (now := bulk.read(api, operation.gid)) is None or now.status == "CREATED":
            time.sleep(0.1)
        bulk.cancel(api, operation.gid)
        ended = bulk_wait.wait(api, operation.gid)
        assert ended.status == "CANCELED"
        with pytest.raises(BulkFailedError, match="canceled"):
            _ = ended.result_url
    assert len(lines(run(api))) > 0


def test_the_newest_operation_over_the_same_query_is_found(api: AdminApi) -> None:
    before = api.now()
    ours = run(api)
    run(api, NONE)
    found = bulk.find(api, ORDERS, created_after=before)
    assert found is not None
    assert found.gid == ours.gid


def test_a_result_of_over_seven_days_ago_is_gone(new_store: SimulatedStore) -> None:
    with client(new_store) as api:
        operation = run(api)
        new_store.control("clock", {"advance": 8 * 86_400})
        with pytest.raises(ResultExpiredError):
            lines(operation)
        # Read again, it says so by its status, or by having no file.
        later = bulk.read(api, operation.gid)
        assert later is not None
        with pytest.raises((BulkFailedError, ResultExpiredError)):
            lines(later)
