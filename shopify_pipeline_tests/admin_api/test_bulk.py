"""Bulk operations: started, adopted, waited for, and never taken for complete when they are not."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shopify_pipeline.admin_api import bulk, bulk_wait
from shopify_pipeline.admin_api.bulk_operation import BulkOperation
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.errors import (
    AmbiguousMutationError,
    BulkAccessDeniedError,
    BulkFailedError,
    BulkRefusedError,
    BulkSlotsTakenError,
    BulkStalledError,
)
from shopify_pipeline_tests.admin_api.server import Call, Reply, ScriptedServer, answer

QUERY = "{ orders { edges { node { id } } } }"
GID = "gid://shopify/BulkOperation/1"
CREATED = datetime(2026, 11, 1, 12, tzinfo=UTC)


def operation(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A bulk operation in an answer."""
    return {
        "id": f"gid://shopify/BulkOperation/{number}",
        "status": "RUNNING",
        "errorCode": None,
        "createdAt": "2026-11-01T12:00:00Z",
        "completedAt": None,
        "objectCount": "0",
        "rootObjectCount": "0",
        "fileSize": None,
        "url": None,
        "partialDataUrl": None,
        "query": QUERY,
        "type": "QUERY",
        **fields,
    }


def started(found: dict[str, Any] | None, *errors: tuple[str, str]) -> Reply:
    """The answer to `bulkOperationRunQuery`."""
    user_errors = [{"field": ["query"], "message": m, "code": c} for c, m in errors]
    return answer({"bulkOperationRunQuery": {"bulkOperation": found, "userErrors": user_errors}})


def state(found: dict[str, Any] | None) -> Reply:
    """The answer to `bulkOperation`."""
    return answer({"bulkOperation": found})


def test_an_operation_is_started_without_grouping(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(started(operation(status="CREATED")))
    created = bulk.submit(api, QUERY)
    assert (created.gid, created.status, created.created_at) == (GID, "CREATED", CREATED)
    (call,) = server.calls
    assert call.variables == {"query": QUERY}
    assert "groupObjects: false" in call.body["query"]


def test_a_sixth_operation_is_told_apart_from_a_refused_one(
    server: ScriptedServer, api: AdminApi
) -> None:
    taken = f"A bulk query operation for this app and shop is already in progress: {GID}."
    server.script.append(started(None, ("OPERATION_IN_PROGRESS", taken)))
    server.script.append(started(None, ("INVALID", "Bulk queries must contain a connection.")))
    with pytest.raises(BulkSlotsTakenError) as caught:
        bulk.submit(api, QUERY)
    assert caught.value.running == (GID,)
    with pytest.raises(BulkRefusedError, match="must contain a connection") as refused:
        bulk.submit(api, QUERY)
    assert refused.value.codes == ("INVALID",)


def test_a_slot_is_waited_for_and_the_wait_is_told(
    server: ScriptedServer, api: AdminApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_wait, "_SLOT_POLL", (0.1, 0.2))
    server.script.append(started(None, ("OPERATION_IN_PROGRESS", f"in progress: {GID}")))
    server.script.append(started(None, ("LIMIT_REACHED", "limit")))
    server.script.append(started(operation()))
    told: list[str] = []
    created = bulk_wait.submit_when_free(api, QUERY, on_wait=lambda why, _: told.append(why))
    assert created.gid == GID
    assert len(told) == 2
    assert GID in told[0]


def test_waiting_for_a_slot_ends(server: ScriptedServer, api: AdminApi) -> None:
    server.otherwise = lambda _: started(None, ("OPERATION_IN_PROGRESS", "busy"))
    with pytest.raises(BulkSlotsTakenError):
        bulk_wait.submit_when_free(api, QUERY, timeout_seconds=1.0)


def test_a_start_whose_answer_is_lost_is_found_again(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(Reply(fault="reset"))
    with pytest.raises(AmbiguousMutationError):
        bulk.submit(api, QUERY)
    listed = [
        operation(5, query="{ products { edges { node { id } } } }"),
        operation(4, status="FAILED"),
        operation(3, type="MUTATION"),
        operation(2, query=f"\n{QUERY} "),
        operation(1),
    ]
    server.script.append(_listed(listed))
    found = bulk.find(api, QUERY, created_after=CREATED + timedelta(seconds=0.9))
    assert found is not None
    assert found.gid == "gid://shopify/BulkOperation/2"


def test_an_operation_from_before_the_claim_is_not_adopted(
    server: ScriptedServer, api: AdminApi
) -> None:
    server.script.append(_listed([operation(2, query="other"), operation(1)]))
    assert bulk.find(api, QUERY, created_after=CREATED + timedelta(seconds=1)) is None


def test_it_is_waited_for_with_its_progress_told(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(state(operation(status="CREATED")))
    server.script.append(state(operation(objectCount="10")))
    done = operation(
        status="COMPLETED",
        objectCount="12",
        rootObjectCount="4",
        fileSize="3000000000",
        url="https://files.example/x?signature=secret",
        completedAt="2026-11-01T12:01:00Z",
    )
    server.script.append(state(done))
    seen: list[tuple[str, int]] = []
    ended = bulk_wait.wait(api, GID, on_progress=lambda o: seen.append((o.status, o.object_count)))
    assert seen == [("CREATED", 0), ("RUNNING", 10), ("COMPLETED", 12)]
    assert (ended.file_size, ended.root_object_count) == (3_000_000_000, 4)
    assert ended.result_url == "https://files.example/x?signature=secret"
    assert "secret" not in repr(ended)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELED", "EXPIRED"])
def test_waiting_ends_with_every_ending(server: ScriptedServer, api: AdminApi, status: str) -> None:
    server.script.append(state(operation(status=status)))
    assert bulk_wait.wait(api, GID).status == status


def test_an_unknown_status_is_waited_out(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(state(operation(status="PAUSED")))
    server.script.append(state(operation(status="COMPLETED")))
    assert bulk_wait.wait(api, GID).status == "COMPLETED"


def test_an_operation_that_stands_still_is_given_up(server: ScriptedServer, api: AdminApi) -> None:
    server.otherwise = lambda _: state(operation(status="CREATED"))
    with pytest.raises(BulkStalledError, match="CREATED"):
        bulk_wait.wait(api, GID, stalled_seconds=0.8)


def test_progress_keeps_it_from_being_given_up(server: ScriptedServer, api: AdminApi) -> None:
    def moving(_: Call) -> Reply:
        status = "COMPLETED" if len(server.calls) > 4 else "RUNNING"
        return state(operation(status=status, objectCount=str(len(server.calls))))

    server.otherwise = moving
    assert bulk_wait.wait(api, GID, stalled_seconds=0.8).status == "COMPLETED"


def test_waiting_no_longer_than_allowed(server: ScriptedServer, api: AdminApi) -> None:
    server.otherwise = lambda _: state(operation(objectCount=str(len(server.calls))))
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        time.sleep(seconds)

    with pytest.raises(BulkStalledError, match="goes on"):
        bulk_wait.wait(api, GID, timeout_seconds=1.0, pause=pause)
    assert sum(paused) <= 1.0


def test_an_operation_that_shopify_forgot_is_an_error(
    server: ScriptedServer, api: AdminApi
) -> None:
    server.script.append(state(None))
    with pytest.raises(BulkFailedError, match="no longer knows"):
        bulk_wait.wait(api, GID)


def test_an_empty_result_is_no_failure() -> None:
    assert BulkOperation.from_node(operation(status="COMPLETED")).result_url is None


def test_a_completed_operation_with_objects_and_no_file_is_a_failure() -> None:
    with pytest.raises(BulkFailedError, match="no file"):
        _ = BulkOperation.from_node(operation(status="COMPLETED", objectCount="3")).result_url


@pytest.mark.parametrize(
    ("fields", "kind", "splits"),
    [
        ({"status": "FAILED", "errorCode": "INTERNAL_SERVER_ERROR"}, BulkFailedError, False),
        ({"status": "FAILED", "errorCode": "TIMEOUT"}, BulkFailedError, True),
        ({"status": "FAILED", "errorCode": "ACCESS_DENIED"}, BulkAccessDeniedError, False),
        ({"status": "CANCELED"}, BulkFailedError, False),
        ({"status": "CANCELING"}, BulkFailedError, False),
        ({"status": "EXPIRED"}, BulkFailedError, False),
        ({"status": "RUNNING", "url": "https://early"}, BulkFailedError, False),
    ],
)
def test_partial_data_is_never_taken_for_the_result(
    fields: dict[str, Any], kind: type[BulkFailedError], splits: bool
) -> None:
    node = operation(partialDataUrl="https://files.example/part?signature=secret", **fields)
    with pytest.raises(BulkFailedError) as caught:
        _ = BulkOperation.from_node(node).result_url
    assert type(caught.value) is kind
    assert caught.value.may_split is splits
    assert GID in str(caught.value)
    assert "secret" not in str(caught.value)


def test_canceling_tells_how_it_is_then(server: ScriptedServer, api: AdminApi) -> None:
    payload = {"bulkOperation": operation(status="CANCELING"), "userErrors": []}
    server.script.append(answer({"bulkOperationCancel": payload}))
    canceled = bulk.cancel(api, GID)
    assert canceled is not None
    assert canceled.status == "CANCELING"


def test_canceling_what_has_ended_reads_it(server: ScriptedServer, api: AdminApi) -> None:
    error = {"field": None, "message": "A bulk operation cannot be canceled when it is completed"}
    payload = {"bulkOperation": None, "userErrors": [error]}
    server.script.append(answer({"bulkOperationCancel": payload}))
    server.script.append(state(operation(status="COMPLETED")))
    found = bulk.cancel(api, GID)
    assert found is not None
    assert found.status == "COMPLETED"


def _listed(nodes: list[dict[str, Any]]) -> Reply:
    info = {"hasNextPage": False, "endCursor": None}
    return answer({"bulkOperations": {"nodes": nodes, "pageInfo": info}})
