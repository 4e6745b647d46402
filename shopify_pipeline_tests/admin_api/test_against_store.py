"""The client against the simulated store, which knows nothing of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from shopify_pipeline.admin_api.access import check_access
from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.credentials import ClientCredentials, Credentials, StaticToken
from shopify_pipeline.admin_api.errors import (
    AccessDeniedError,
    AdminApiError,
    ApiVersionError,
    MissingScopesError,
    RequestRefusedError,
    SearchWarningsError,
    ShopUnavailableError,
    UnauthorizedError,
)
from shopify_pipeline.admin_api.nodes import read_nodes
from shopify_pipeline.admin_api.pages import Nested, pages
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore, serving

ORDERS = """
query Orders($first: Int!, $after: String, $filter: String) {
  orders(first: $first, after: $after, query: $filter, sortKey: UPDATED_AT) {
    nodes {
      id
      updatedAt
      totalPriceSet { shopMoney { amount currencyCode } }
      lineItems(first: 1) { nodes { id } pageInfo { hasNextPage endCursor } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
LINES = """
query Lines($id: ID!, $first: Int!, $after: String) {
  node(id: $id) {
    ... on Order {
      updatedAt
      lineItems(first: $first, after: $after) {
        nodes { id }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
BY_ID = "query ById($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { id updatedAt } } }"
SHOP = "query ShopName { shop { name } }"


@contextmanager
def client(store: SimulatedStore, **arguments: Any) -> Iterator[AdminApi]:
    """A client of the store."""
    credentials: Credentials = StaticToken(TOKEN)
    defaults: dict[str, Any] = {
        "shop": store.shop,
        "api_version": "2026-10",
        "credentials": credentials,
        "base_url": store.url,
        "timeout_seconds": 5.0,
        "retry_budget_seconds": 30.0,
    }
    with AdminApi(**{**defaults, **arguments}) as api:
        yield api


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> None:
    """No fault is left over from another test."""
    if "store" in request.fixturenames:
        request.getfixturevalue("store").control("faults", method="DELETE")


def read_orders(api: AdminApi) -> dict[str, list[str]]:
    """Every order's gid with its lines'."""
    nested = [Nested(field="lineItems", query=LINES)]
    return {
        node["id"]: [line["id"] for line in node["lineItems"]["nodes"]]
        for page in pages(api, ORDERS, connection_path="orders", nested=nested)
        for node in page.nodes
    }


def true_orders(store: SimulatedStore) -> dict[str, int]:
    """Every order's gid with the number of its lines."""

    def rows(kind: str) -> list[Any]:
        text = httpx.get(f"{store.url}/_store/truth/{kind}", timeout=60).text
        return [orjson.loads(line) for line in text.splitlines()]

    found = {order["id"]: 0 for order in rows("orders")}
    for line in rows("line_items"):
        found[line["order"]["id"]] += 1
    return found


def test_the_shop_and_its_scopes_are_told(store: SimulatedStore) -> None:
    with client(store) as api:
        access = check_access(api, required_scopes=["read_orders", "read_products"])
    assert access.domain == "demo-store.myshopify.com"
    assert access.shop_gid.startswith("gid://shopify/Shop/")


def test_a_scope_that_the_app_lacks_is_told(new_store: SimulatedStore) -> None:
    new_store.control("settings", {"scopes": ["read_products"]})
    with client(new_store) as api, pytest.raises(MissingScopesError, match="read_orders"):
        check_access(api, required_scopes=["read_orders", "read_products"])


def test_every_order_is_read_with_all_its_lines(store: SimulatedStore) -> None:
    with client(store) as api:
        found = read_orders(api)
    assert {gid: len(lines) for gid, lines in found.items()} == true_orders(store)


def test_orders_are_read_by_their_ids_and_the_missing_are_told(store: SimulatedStore) -> None:
    gids = [*true_orders(store), "gid://shopify/Order/1"]
    with client(store) as api:
        batches = list(read_nodes(api, BY_ID, gids))
    assert [gid for batch in batches for gid in batch.found] == gids[:-1]
    assert [gid for batch in batches for gid in batch.missing] == gids[-1:]


def test_client_credentials_are_granted(store: SimulatedStore) -> None:
    with client(store, credentials=ClientCredentials("demo", "demo")) as api:
        api.execute(SHOP)
        assert api.granted_scopes is not None
        assert "read_orders" in api.granted_scopes


def test_wrong_client_credentials_are_explained(store: SimulatedStore) -> None:
    wrong = client(store, credentials=ClientCredentials("demo", "wrong"))
    with wrong as api, pytest.raises(AdminApiError, match="SHOPIFY_CLIENT_SECRET") as caught:
        api.execute(SHOP)
    assert caught.value.is_configuration


def test_the_clock_follows_the_stores(new_store: SimulatedStore) -> None:
    with client(new_store) as api:
        api.execute(SHOP)
        new_store.control("clock", {"advance": 86_400})
        api.execute(SHOP)
        told = api.now()
        state = new_store.control("state", method="GET")
        true = datetime.fromisoformat(state["clock"])
        assert true - timedelta(seconds=30) <= told <= true + timedelta(seconds=1)


def passes() -> AbstractContextManager[Any]:
    return nullcontext()


def fails(kind: type[AdminApiError]) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: pytest.raises(kind)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        *((kind, passes) for kind in ("throttled", "429", "500", "502", "503", "504")),
        *((kind, passes) for kind in ("dropped", "dropped_midway", "truncated", "not_json")),
        *((kind, passes) for kind in ("internal_server_error", "timeout_error", "max_cost")),
        ("internal_server_error_in_data", passes),
        ("access_denied", fails(AccessDeniedError)),
        ("protected_data", fails(AccessDeniedError)),
        ("401", fails(UnauthorizedError)),
        *((kind, fails(ShopUnavailableError)) for kind in ("402", "403", "404", "423")),
        ("shop_inactive", fails(ShopUnavailableError)),
        ("430", fails(RequestRefusedError)),
        ("search_warning", fails(SearchWarningsError)),
        ("version_fall_forward", fails(ApiVersionError)),
    ],
)
def test_a_fault_in_mid_reading_ends_in_all_orders_or_in_an_error(
    store: SimulatedStore, fault: str, outcome: Callable[[], AbstractContextManager[Any]]
) -> None:
    options = {
        "access_denied": {"field": "Order.updatedAt"},
        "protected_data": {"field": "Order.updatedAt"},
        "internal_server_error_in_data": {"field": "Order.updatedAt"},
        "version_fall_forward": {"version": "2026-01"},
    }
    store.fault(fault, skip=1, match="orders(", **options.get(fault, {}))
    with client(store) as api:
        with outcome():
            found = read_orders(api)
            assert {gid: len(lines) for gid, lines in found.items()} == true_orders(store)
        assert api.stats.calls > 1


def test_a_standard_shop_hardly_ever_has_to_throttle_a_paced_client() -> None:
    with serving(orders=100, plan="standard") as standard, client(standard) as api:
        standard.control("settings", {"bucket": {"level": 150}})
        assert len(read_orders(api)) == 100
        assert api.stats.retries <= 1
        assert api.stats.points > 0
