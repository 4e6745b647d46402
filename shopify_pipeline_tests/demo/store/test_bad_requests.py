"""Requests that make no sense get an answer that says so, as Shopify would give it."""

from typing import Any

import httpx
import pytest

from shopify_pipeline.demo.store.paging import encode_cursor
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore

HEADERS = {"X-Shopify-Access-Token": TOKEN}


def graphql(store: SimulatedStore, body: Any) -> httpx.Response:
    url = f"{store.url}/admin/api/2026-10/graphql.json"
    return httpx.post(url, json=body, headers=HEADERS, timeout=60)


@pytest.mark.parametrize("argument", ["first", "last"])
def test_a_negative_page_size_is_a_bad_request(store: SimulatedStore, argument: str) -> None:
    answer = graphql(store, {"query": f"{{ orders({argument}: -1) {{ nodes {{ id }} }} }}"})
    assert answer.status_code == 200
    assert answer.json()["data"] is None
    error = answer.json()["errors"][0]
    assert error["message"] == f"{argument} must be greater than or equal to 0"
    assert error["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"query": 5}, "query"),
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "{ shop { id } }", "variables": [1]}, "variables"),
        ({"query": "{ shop { id } }", "variables": []}, "variables"),
        ({"query": "{ shop { id } }", "operationName": 5}, "operationName"),
    ],
)
def test_a_parameter_of_another_type_is_refused(
    store: SimulatedStore, body: Any, name: str
) -> None:
    answer = graphql(store, body)
    assert answer.status_code == 400
    assert answer.json() == {"errors": {name: "Required parameter missing or invalid"}}


def test_there_are_no_subscriptions(store: SimulatedStore) -> None:
    (error,) = graphql(store, {"query": "subscription { shop { id } }"}).json()["errors"]
    assert error["message"] == "Schema is not configured for subscriptions"


@pytest.mark.parametrize("content", [b"\xff", b"[1]", b"{", b""])
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_a_token_is_not_given_for_nonsense(
    store: SimulatedStore, content: bytes, kind: str
) -> None:
    url = f"{store.url}/admin/oauth/access_token"
    answer = httpx.post(url, content=content, headers={"Content-Type": kind})
    assert answer.status_code == 400
    assert answer.json() == {"error": "unsupported_grant_type"}


def test_ids_past_64_bits_are_ids_of_nothing(store: SimulatedStore) -> None:
    query = (
        "query($id: ID!) { order(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id } }"
    )
    identity = "gid://shopify/Order/99999999999999999999999"
    answer = graphql(store, {"query": query, "variables": {"id": identity}})
    assert answer.json()["data"] == {"order": None, "node": None, "nodes": [None]}


@pytest.mark.parametrize(
    "fault", [{"kind": "access_denied"}, {"kind": "protected_data"}, {"deniedFields": True}]
)
def test_an_address_that_is_denied_is_null_with_its_path(
    new_store: SimulatedStore, fault: dict[str, Any]
) -> None:
    if "kind" in fault:
        new_store.control("faults", fault)
    else:
        denied = ["CustomerEmailAddress.emailAddress"]
        new_store.control("settings", {"deniedFields": denied})
    query = """{ customers(first: 1, query: "email:*") { nodes {
      id defaultEmailAddress { marketingState emailAddress } } } }"""
    body = graphql(new_store, {"query": query}).json()
    assert body["data"]["customers"]["nodes"][0]["id"]
    assert body["data"]["customers"]["nodes"][0]["defaultEmailAddress"] is None
    (error,) = body["errors"]
    place = ["customers", "nodes", 0, "defaultEmailAddress", "emailAddress"]
    assert (error["path"], error["extensions"]["code"]) == (place, "ACCESS_DENIED")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ('{ customersCount(query: "id:99999999999999999999") { count } }', None),
        ('{ customersCount(query: "total_spent:>1e99") { count } }', None),
        ('{ bulkOperations(first: 1, query: "free text") { nodes { id } } }', None),
        ('{ events(first: 1, query: "free text") { nodes { id } } }', None),
        ('{ bulkOperations(first: 1, after: "x") { nodes { id } } }', "BAD_REQUEST"),
        ('{ orders(first: 1, query: "created_at:9999-12-31") { nodes { id } } }', "BAD_REQUEST"),
    ],
)
def test_searches_past_every_record_are_answered(
    store: SimulatedStore, query: str, code: str | None
) -> None:
    answer = graphql(store, {"query": query})
    assert answer.status_code == 200
    codes = [one["extensions"]["code"] for one in answer.json().get("errors", [])]
    assert codes == ([code] if code else [])


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}, "noon", 2**63, -1.5])
@pytest.mark.parametrize(
    "key", ["ID", "UPDATED_AT", "TOTAL_PRICE", "CUSTOMER_NAME", "ORDER_NUMBER"]
)
def test_a_cursor_of_anything_is_answered(store: SimulatedStore, value: Any, key: str) -> None:
    page = f"orders(first: 1, after: $at, sortKey: {key})"
    query = f"query($at: String) {{ {page} {{ nodes {{ id }} }} }}"
    at = encode_cursor(5, value)
    assert graphql(store, {"query": query, "variables": {"at": at}}).status_code == 200
