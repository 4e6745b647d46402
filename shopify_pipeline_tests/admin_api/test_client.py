"""What a request does when Shopify answers well, badly, late, or not at all."""

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shopify_pipeline.admin_api.client import AdminApi, domain_of
from shopify_pipeline.admin_api.credentials import StaticToken
from shopify_pipeline.admin_api.errors import (
    AccessDeniedError,
    AdminApiError,
    AmbiguousMutationError,
    ApiVersionError,
    GraphQLErrorsError,
    MaxCostExceededError,
    RequestRefusedError,
    RetriesExhaustedError,
    SearchWarningsError,
    ShopUnavailableError,
    ThrottledError,
    UnauthorizedError,
    UnreachableError,
    UnsendableError,
)
from shopify_pipeline.admin_api.patience import PassingFailure
from shopify_pipeline.admin_api.transport import Transport
from shopify_pipeline_tests.admin_api.conftest import ApiFor
from shopify_pipeline_tests.admin_api.server import (
    SHOP,
    TOKEN,
    VERSION,
    Reply,
    ScriptedServer,
    answer,
    throttled,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "data"
QUERY = "query ShopName { shop { name } }"
MUTATION = 'mutation Start { bulkOperationRunQuery(query: "{}") { bulkOperation { id } } }'
INTERNAL = {
    "errors": [
        {
            "message": "Internal error.\nRequest ID: abc-1 (include this in support requests).",
            "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "abc-1"},
        }
    ],
    "data": None,
}


def recorded_errors() -> list[Any]:
    """Every recorded error body, with the code of its first entry."""
    found = []
    for file in sorted((REFERENCE / "errors").glob("*.json")):
        for number, case in enumerate(json.loads(file.read_text())):
            body = case.get("body")
            if not isinstance(body, dict) or not isinstance(body.get("errors"), list):
                continue
            code = body["errors"][0].get("extensions", {}).get("code") or ""
            found.append(pytest.param(body, code, id=f"{file.stem}-{number}"))
    return found or [pytest.param(None, "", marks=pytest.mark.skip("no recorded errors here"))]


def test_an_answer_brings_data_cost_request_id_and_the_token_went_along(
    server: ScriptedServer, api: AdminApi
) -> None:
    server.script.append(answer({"shop": {"name": "x"}}, requested=7, actual=3))
    got = api.execute(QUERY, {"first": 3})
    assert got.data == {"shop": {"name": "x"}}
    assert got.request_id == "request-1"
    assert got.cost is not None
    assert (got.cost.requested, got.cost.actual) == (7, 3)
    (call,) = server.calls
    assert call.path == f"/admin/api/{VERSION}/graphql.json"
    assert call.headers["x-shopify-access-token"] == TOKEN
    assert call.variables == {"first": 3}
    assert (api.stats.calls, api.stats.points, api.stats.retries) == (1, 3, 0)


def test_sent_at_is_on_shopifys_clock_and_never_later_than_the_sending(
    server: ScriptedServer, api: AdminApi
) -> None:
    ahead = timedelta(hours=1)
    header = (datetime.now(UTC) + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.script.append(Reply(json={"data": {"shop": None}}, headers={"Date": header}))
    before = datetime.now(UTC)
    got = api.execute(QUERY)
    (call,) = server.calls
    arrived = datetime.fromtimestamp(call.arrived, UTC)
    assert before + ahead - timedelta(seconds=10) < got.sent_at <= arrived + ahead
    assert api.now() <= datetime.now(UTC) + ahead


@pytest.mark.parametrize(("body", "code"), recorded_errors())
def test_a_recorded_error_is_typed_and_its_data_dropped(
    server: ScriptedServer, api_for: ApiFor, body: Any, code: str
) -> None:
    api = api_for(retry_budget_seconds=0.0, throttle_budget_seconds=0.0)
    server.script.append(Reply(json=body))
    with pytest.raises(AdminApiError) as caught:
        api.execute(QUERY)
    if body["errors"][0]["message"] == "Throttled":
        expected: type[AdminApiError] = ThrottledError
    else:
        expected = {
            "INTERNAL_SERVER_ERROR": RetriesExhaustedError,
            "ACCESS_DENIED": AccessDeniedError,
            "MAX_COST_EXCEEDED": MaxCostExceededError,
        }.get(code, GraphQLErrorsError)
    assert type(caught.value) is expected
    assert "ShopName" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_cost_of_a_query_too_dear_is_told(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(
        Reply(
            json={
                "errors": [
                    {
                        "message": "Query cost is 1002",
                        "extensions": {"code": "MAX_COST_EXCEEDED", "cost": 1002, "maxCost": 1000},
                    }
                ]
            }
        )
    )
    with pytest.raises(MaxCostExceededError) as caught:
        api.execute(QUERY)
    assert (caught.value.cost, caught.value.max_cost) == (1002, 1000)


def test_a_denied_field_names_the_scope(server: ScriptedServer, api: AdminApi) -> None:
    error = {
        "message": "Access denied for customers field. Required access: `read_customers` access "
        "scope.",
        "path": ["orders", "nodes", 0, "customer"],
        "extensions": {"code": "ACCESS_DENIED", "requiredAccess": "`read_customers` access scope."},
    }
    server.script.append(Reply(json={"data": {"orders": {"nodes": []}}, "errors": [error]}))
    with pytest.raises(AccessDeniedError) as caught:
        api.execute(QUERY)
    assert caught.value.required_access == ("read_customers",)
    assert caught.value.paths == ("orders.nodes.0.customer",)
    assert caught.value.is_configuration


def test_a_search_warning_fails_the_answer(server: ScriptedServer, api: AdminApi) -> None:
    warning = {"field": "00", "message": "Invalid search field", "code": "invalid_field"}
    server.script.append(
        Reply(
            json={
                "data": {"orders": {"nodes": [{"id": 1}]}},
                "extensions": {"search": [{"path": ["orders"], "warnings": [warning]}]},
            }
        )
    )
    with pytest.raises(SearchWarningsError, match="00: Invalid search field"):
        api.execute(QUERY)


def test_a_search_without_warnings_passes(server: ScriptedServer, api: AdminApi) -> None:
    search = [{"path": ["orders"], "query": "id:1", "parsed": {}}]
    server.script.append(Reply(json={"data": {"orders": {}}, "extensions": {"search": search}}))
    assert api.execute(QUERY).data == {"orders": {}}


def test_another_version_than_asked_for_fails_and_names_the_supported_ones(
    server: ScriptedServer, api: AdminApi
) -> None:
    served = {"X-Shopify-API-Version": "2026-01"}
    versions = [
        {"handle": "2026-01", "supported": True},
        {"handle": "2026-04", "supported": True},
        {"handle": "2027-01", "supported": False},
        {"handle": "unstable", "supported": False},
    ]
    server.script.append(Reply(json={"data": {"shop": {}}}, headers=served))
    server.script.append(Reply(json={"data": {"publicApiVersions": versions}}, headers=served))
    with pytest.raises(ApiVersionError) as caught:
        api.execute(QUERY)
    assert (caught.value.asked, caught.value.served) == (VERSION, "2026-01")
    assert caught.value.supported == ("2026-01", "2026-04")
    assert "2026-01, 2026-04" in str(caught.value)


@pytest.mark.parametrize(
    "passing",
    [
        Reply(status=503, body=b"<html></html>"),
        Reply(status=504, body=b""),
        Reply(json=INTERNAL),
        Reply(fault="reset"),
        Reply(json={"data": {"shop": {"name": "x"}}}, fault="truncate"),
        Reply(json={"data": {"shop": {"name": "x"}}}, fault="bad gzip"),
        Reply(body=b'{"data": {"shop": '),
        Reply(body=b"<html>Please wait</html>"),
        Reply(json={"data": None}),
        Reply(json=["data"]),
        throttled(),
        Reply(status=429, body=b"slow down", headers={"Retry-After": "1.2"}),
    ],
)
def test_a_failure_that_passes_is_waited_out(
    server: ScriptedServer, api: AdminApi, passing: Reply
) -> None:
    server.script.append(passing)
    assert api.execute(QUERY).data == {"shop": {"name": "x"}}
    assert (api.stats.calls, api.stats.retries) == (2, 1)


def test_a_timeout_is_tried_again(server: ScriptedServer, api_for: ApiFor) -> None:
    server.script.append(Reply(fault="hang"))
    assert api_for(timeout_seconds=0.3).execute(QUERY).data == {"shop": {"name": "x"}}


def test_throttling_waits_as_long_as_the_bucket_needs(
    server: ScriptedServer, api_for: ApiFor
) -> None:
    told: list[tuple[str, float]] = []
    api = api_for(on_wait=lambda why, seconds: told.append((why, seconds)))
    server.script.append(throttled(requested=250, available=0, rate=100))
    api.execute(QUERY)
    first, second = server.calls
    assert second.arrived - first.arrived >= 2.5
    assert api.stats.throttle_wait_seconds >= 2.5
    ((why, seconds),) = told
    assert why == "Shopify throttled the request"
    assert 2.5 <= seconds <= 3.5


def test_retry_after_is_honoured(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(Reply(status=429, headers={"Retry-After": "2"}))
    began = time.monotonic()
    api.execute(QUERY)
    assert time.monotonic() - began >= 2.0


def test_a_query_waits_until_its_points_are_there(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(answer({}, requested=300, available=150, rate=100))
    api.execute(QUERY)
    api.execute(QUERY)
    first, second = server.calls
    assert second.arrived - first.arrived >= 1.5
    assert 0 < api.stats.throttle_wait_seconds <= 1.6
    assert api.stats.retries == 0


def test_a_lasting_failure_ends_within_the_budget_and_names_the_request(
    server: ScriptedServer, api_for: ApiFor
) -> None:
    server.otherwise = lambda _: Reply(status=502)
    with pytest.raises(RetriesExhaustedError, match=r"2 s, last by HTTP 502.*ShopName.*request-1"):
        api_for(retry_budget_seconds=2.0).execute(QUERY)
    assert len(server.calls) > 1


def test_lasting_throttling_ends_within_its_budget(server: ScriptedServer, api_for: ApiFor) -> None:
    server.otherwise = lambda _: throttled(available=2000)
    with pytest.raises(ThrottledError, match="ShopName"):
        api_for(throttle_budget_seconds=2.5).execute(QUERY)


@pytest.mark.parametrize(
    "lost", [Reply(fault="reset"), Reply(status=502), Reply(json=INTERNAL), Reply(body=b"{")]
)
def test_a_mutation_whose_answer_is_lost_is_not_sent_again(
    server: ScriptedServer, api: AdminApi, lost: Reply
) -> None:
    server.script.append(lost)
    with pytest.raises(AmbiguousMutationError, match="Start"):
        api.execute(MUTATION)
    assert len(server.calls) == 1


@pytest.mark.parametrize("refused", [throttled(), Reply(status=429)])
def test_a_mutation_that_was_refused_for_now_is_sent_again(
    server: ScriptedServer, api: AdminApi, refused: Reply
) -> None:
    server.script.append(refused)
    api.execute(MUTATION)
    assert len(server.calls) == 2


def test_a_mutation_that_never_left_is_tried_again(api_for: ApiFor) -> None:
    api = api_for(base_url="http://127.0.0.1:1", retry_budget_seconds=1.0)
    with pytest.raises(UnreachableError, match="Connection refused"):
        api.execute(MUTATION)


def test_who_cannot_be_reached_is_named_with_the_setting(api_for: ApiFor) -> None:
    waits: list[str] = []
    refused = api_for(
        base_url="http://127.0.0.1:1",
        retry_budget_seconds=6.0,
        on_wait=lambda why, _: waits.append(why),
    )
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:1 .*SHOPIFY_API_URL"):
        refused.execute(QUERY)
    assert waits
    assert all("127.0.0.1:1" in why for why in waits)
    nowhere = Transport("https://nowhere.invalid", timeout_seconds=2, setting="SHOPIFY_SHOP")
    with pytest.raises(PassingFailure, match=r"https://nowhere\.invalid") as unknown:
        nowhere.post("/")
    assert "SHOPIFY_SHOP" in str(unknown.value.remedy)
    nowhere.close()


@pytest.mark.parametrize(
    ("arguments", "setting"),
    [
        ({"base_url": "http://x\x00y"}, "SHOPIFY_API_URL"),
        ({"credentials": StaticToken("shpat_hidden\nx")}, "credentials"),
    ],
)
def test_a_request_that_cannot_be_made_is_not_tried_again(
    api_for: ApiFor, arguments: dict[str, Any], setting: str
) -> None:
    with pytest.raises(UnsendableError, match=setting) as caught:
        api_for(**arguments).execute(QUERY)
    assert caught.value.is_configuration
    assert "shpat_hidden" not in str(caught.value)


def test_a_refused_static_token_fails_at_once(server: ScriptedServer, api: AdminApi) -> None:
    server.script.append(
        Reply(status=401, json={"errors": "[API] Invalid API key or access token"})
    )
    with pytest.raises(UnauthorizedError, match="SHOPIFY_ACCESS_TOKEN"):
        api.execute(QUERY)
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [402, 403, 404, 423])
def test_an_unusable_shop_fails_at_once(server: ScriptedServer, api: AdminApi, status: int) -> None:
    server.script.append(Reply(status=status, json={"errors": "Unavailable Shop"}))
    with pytest.raises(ShopUnavailableError, match=rf"HTTP {status}.*Unavailable Shop") as caught:
        api.execute(QUERY)
    assert caught.value.status == status
    # A version that there is none of is answered by 404 too.
    assert len(server.calls) == (2 if status == 404 else 1)


def test_a_version_that_there_is_none_of_names_those_that_there_are(
    server: ScriptedServer, api_for: ApiFor
) -> None:
    server.script.append(Reply(status=404, json={"errors": "Not Found"}))
    versions = [
        {"handle": "2026-07", "supported": True},
        {"handle": "2026-10", "supported": True},
        {"handle": "2027-01", "supported": False},
        {"handle": "unstable", "supported": False},
    ]
    server.script.append(Reply(json={"data": {"publicApiVersions": versions}}))
    with pytest.raises(ApiVersionError, match=r"no API version 2027-10.*2026-07, 2026-10") as no:
        api_for(api_version="2027-10").execute(QUERY)
    assert no.value.supported == ("2026-07", "2026-10")
    assert "/api/unstable/" in server.calls[-1].path


def test_a_shop_that_there_is_none_of_is_no_matter_of_versions(
    server: ScriptedServer, api_for: ApiFor
) -> None:
    server.otherwise = lambda _: Reply(status=404, json={"errors": "Not Found"})
    with pytest.raises(ShopUnavailableError, match="no such shop"):
        api_for(api_version="2027-10").execute(QUERY)


@pytest.mark.parametrize("status", [301, 400, 430])
def test_an_answer_that_no_retry_changes_fails_at_once(
    server: ScriptedServer, api: AdminApi, status: int
) -> None:
    server.script.append(Reply(status=status, headers={"Location": "https://elsewhere"}))
    with pytest.raises(RequestRefusedError):
        api.execute(QUERY)
    assert len(server.calls) == 1


def test_no_failure_shows_the_token_or_a_personal_value(
    server: ScriptedServer, api_for: ApiFor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    personal = "Ada Example"
    said = f"bad {personal}, ada@example.com, +44 20 7946 0958, {TOKEN}, shpat_of_another_shop at gid://shopify/Order/12"
    replies = [
        Reply(json={"errors": [{"message": said}]}),
        Reply(json={"errors": [{"message": said, "extensions": {"code": "ACCESS_DENIED"}}]}),
        Reply(json={"data": {}, "extensions": {"search": [{"warnings": [{"message": said}]}]}}),
        Reply(status=403, json={"errors": said}),
        Reply(status=503, json={"errors": said}),
        Reply(status=401, json={"errors": said}),
        Reply(fault="reset"),
    ]
    api = api_for(retry_budget_seconds=0.0)
    for reply in replies:
        server.script.append(reply)
        with pytest.raises(AdminApiError) as caught:
            api.execute(QUERY, {"name": personal, "id": "gid://shopify/Order/12"})
        shown = f"{caught.value!r} {caught.value} {caplog.text}"
        for hidden in (TOKEN, "shpat_", personal, "ada@example.com", "7946"):
            assert hidden not in shown
    assert TOKEN not in repr(api.__dict__)


def test_stats_of_a_part_are_the_difference_of_two_snapshots(
    server: ScriptedServer, api: AdminApi
) -> None:
    server.otherwise = lambda _: answer({}, requested=7, actual=3)
    api.execute(QUERY)
    before = api.stats
    api.execute(QUERY)
    api.execute(QUERY)
    spent = api.stats - before
    assert (spent.calls, spent.points) == (2, 6)


@pytest.mark.parametrize("shop", ["demo-store", "Demo-Store.myshopify.com "])
def test_a_shop_is_named_by_name_or_domain(shop: str) -> None:
    assert domain_of(shop) == "demo-store.myshopify.com"


@pytest.mark.parametrize("shop", ["", "https://x.myshopify.com", "x.example.com", "a/b", "-x"])
def test_what_is_no_shop_is_refused(shop: str) -> None:
    with pytest.raises(ValueError, match="no shop"):
        domain_of(shop)


def test_a_connection_is_kept_alive(server: ScriptedServer, api: AdminApi) -> None:
    server.otherwise = lambda _: SHOP
    for _ in range(20):
        api.execute(QUERY)
    assert server.connections == 1
