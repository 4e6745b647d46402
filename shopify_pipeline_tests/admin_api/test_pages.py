"""Connections are read whole, in pages that are never too dear, whatever their price is."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.cost import CostMemory, cost_bound
from shopify_pipeline.admin_api.errors import CursorStuckError, MaxCostExceededError, NodeGoneError
from shopify_pipeline.admin_api.nodes import read_nodes
from shopify_pipeline.admin_api.operations import Operation
from shopify_pipeline.admin_api.pages import Nested, complete, pages
from shopify_pipeline_tests.admin_api.conftest import ApiFor
from shopify_pipeline_tests.admin_api.server import Call, Reply, ScriptedServer, answer, cost_of

ORDERS = """
query Orders($first: Int!, $after: String) {
  orders(first: $first, after: $after) {
    nodes {
      id
      updatedAt
      totalPriceSet { shopMoney { amount } presentmentMoney { amount } }
      lineItems(first: 2) { nodes { id variant { id } } pageInfo { hasNextPage endCursor } }
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
BY_ID = (
    "query ById($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { id totalPriceSet { amount } } } }"
)


def connection(items: list[Any], *, first: int, after: str | None) -> dict[str, Any]:
    """A page of `items`, whose cursors are their numbers."""
    start = 0 if after is None else int(after) + 1
    nodes = items[start : start + first]
    more = start + first < len(items)
    last = str(start + len(nodes) - 1) if nodes else None
    return {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": last}}


def too_dear(cost: float) -> Reply:
    """The refusal of a query over 1,000 points."""
    extensions = {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": 1000}
    return Reply(json={"errors": [{"message": "too dear", "extensions": extensions}]})


class Shop:
    """Orders with their lines, and a price that grows with the root of the page size."""

    def __init__(self, orders: int, *, lines: int = 1, price: float = 20.0) -> None:
        self.price = price
        self.versions = {f"gid://shopify/Order/{n}": "v1" for n in range(orders)}
        self.lines = [{"id": f"gid://shopify/LineItem/{n}"} for n in range(lines)]
        self.costs: list[float] = []

    def reply(self, call: Call) -> Reply:
        variables = call.variables
        if "ids" in variables:
            return self._by_id(variables["ids"])
        first, after = variables["first"], variables["after"]
        if gid := variables.get("id"):
            self.versions[gid] = self.versions.get(gid, "")
            lines = connection(self.lines, first=first, after=after)
            return answer({"node": {"updatedAt": self.versions[gid], "lineItems": lines}})
        cost = math.ceil(self.price * math.sqrt(first))
        self.costs.append(cost)
        if cost > 1000:
            return too_dear(cost)
        nodes = [
            {
                "id": gid,
                "updatedAt": version,
                "lineItems": connection(self.lines, first=2, after=None),
            }
            for gid, version in self.versions.items()
        ]
        found = connection(nodes, first=first, after=after)
        return answer({"orders": found}, requested=cost, actual=1)

    def _by_id(self, gids: list[str]) -> Reply:
        nodes = [{"id": gid} if gid in self.versions else None for gid in gids]
        return answer({"nodes": nodes}, requested=3 * len(gids), actual=1)


def read(api: AdminApi, **arguments: Any) -> list[Any]:
    """Every page of the orders."""
    return list(pages(api, ORDERS, connection_path="orders", **arguments))


def test_pages_grow_as_the_price_allows_and_read_everything(
    server: ScriptedServer, api: AdminApi
) -> None:
    shop = Shop(600, price=20)
    server.otherwise = shop.reply
    found = [node["id"] for page in read(api) for node in page.nodes]
    assert found == list(shop.versions)
    sizes = [call.variables["first"] for call in server.calls]
    assert sizes[0] < 100
    assert max(sizes) == 250
    assert max(shop.costs) <= 1000


def test_a_second_reading_begins_with_the_size_that_was_learned(
    server: ScriptedServer, api: AdminApi
) -> None:
    shop = Shop(600)
    server.otherwise = shop.reply
    read(api)
    server.calls.clear()
    read(api)
    assert [call.variables["first"] for call in server.calls] == [250, 250, 250]


@pytest.mark.parametrize("path", ["nodes", "edges"])
def test_both_ways_of_selecting_nodes_are_read(
    server: ScriptedServer, api: AdminApi, path: str
) -> None:
    items: Any = {"nodes": [{"id": 1}]} if path == "nodes" else {"edges": [{"node": {"id": 1}}]}
    info = {"pageInfo": {"hasNextPage": False, "endCursor": None}}
    server.otherwise = lambda _: answer({"orders": {**items, **info}})
    assert [page.nodes for page in read(api)] == [[{"id": 1}]]


def test_reading_goes_on_behind_a_given_cursor(server: ScriptedServer, api: AdminApi) -> None:
    server.otherwise = Shop(10).reply
    found = [node["id"] for page in read(api, after="7") for node in page.nodes]
    assert found == ["gid://shopify/Order/8", "gid://shopify/Order/9"]


def test_a_page_that_is_too_dear_is_halved_until_it_fits(
    server: ScriptedServer, api: AdminApi
) -> None:
    shop = Shop(30)
    sizes: list[int] = []

    def dear(call: Call) -> Reply:
        sizes.append(call.variables["first"])
        return too_dear(1500) if call.variables["first"] > 9 else shop.reply(call)

    server.otherwise = dear
    assert sum(len(page.nodes) for page in read(api)) == 30
    assert sizes[1] == sizes[0] // 2
    assert max(sizes[3:]) <= 9


def test_a_query_too_dear_at_one_node_fails(server: ScriptedServer, api: AdminApi) -> None:
    server.otherwise = lambda _: too_dear(1500)
    with pytest.raises(MaxCostExceededError):
        read(api)


def test_a_page_that_keeps_timing_out_is_halved(server: ScriptedServer, api_for: ApiFor) -> None:
    shop = Shop(60)

    def slow(call: Call) -> Reply:
        return Reply(status=504) if call.variables["first"] > 20 else shop.reply(call)

    server.otherwise = slow
    api = api_for(retry_budget_seconds=0.3)
    assert sum(len(page.nodes) for page in read(api)) == 60


@pytest.mark.parametrize("cursor", ["here", None])
def test_a_cursor_that_stands_still_is_an_error(
    server: ScriptedServer, api: AdminApi, cursor: str | None
) -> None:
    info = {"hasNextPage": True, "endCursor": cursor}
    server.otherwise = lambda _: answer({"orders": {"nodes": [{"id": 1}], "pageInfo": info}})
    with pytest.raises(CursorStuckError):
        read(api, after="here")
    assert len(server.calls) == 1


def test_cursors_that_go_in_a_circle_are_an_error(server: ScriptedServer, api: AdminApi) -> None:
    ends = {None: "a", "a": "b", "b": "c", "c": "a"}

    def circle(call: Call) -> Reply:
        info = {"hasNextPage": True, "endCursor": ends[call.variables["after"]]}
        return answer({"orders": {"nodes": [{"id": 1}], "pageInfo": info}})

    server.otherwise = circle
    with pytest.raises(CursorStuckError):
        read(api)
    assert len(server.calls) == 4


def test_nested_lists_are_read_to_their_end(server: ScriptedServer, api: AdminApi) -> None:
    shop = Shop(3, lines=700)
    server.otherwise = shop.reply
    nested = Nested(field="lineItems", query=LINES)
    found = [node for page in read(api, nested=[nested]) for node in page.nodes]
    assert [node["lineItems"]["nodes"] for node in found] == [shop.lines] * 3
    assert not any(node["lineItems"]["pageInfo"]["hasNextPage"] for node in found)


def test_a_node_that_changes_while_its_list_is_read_is_set_apart(
    server: ScriptedServer, api: AdminApi
) -> None:
    shop = Shop(3, lines=5)
    changing = "gid://shopify/Order/1"

    def changes(call: Call) -> Reply:
        if call.variables.get("id") == changing:
            shop.versions[changing] = "v2"
        return shop.reply(call)

    server.otherwise = changes
    (page,) = read(api, nested=[Nested(field="lineItems", query=LINES)])
    assert page.moved == (changing,)
    assert [node["id"] for node in page.nodes] == ["gid://shopify/Order/0", "gid://shopify/Order/2"]


def test_a_node_that_goes_away_while_its_list_is_read_is_set_apart(
    server: ScriptedServer, api: AdminApi
) -> None:
    server.otherwise = lambda _: answer({"node": None})
    node = {
        "id": "gid://shopify/Order/1",
        "updatedAt": "v1",
        "lineItems": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "a"}},
    }
    assert complete(api, node, Nested(field="lineItems", query=LINES)) is False


def test_a_connection_that_is_null_is_an_error(server: ScriptedServer, api: AdminApi) -> None:
    server.otherwise = lambda _: answer({"orders": None})
    with pytest.raises(NodeGoneError):
        read(api)


def test_ids_are_read_once_each_and_those_that_are_gone_are_told(
    server: ScriptedServer, api: AdminApi
) -> None:
    server.otherwise = Shop(700).reply
    gids = [f"gid://shopify/Order/{number}" for number in range(690, 705)] * 2
    batches = list(read_nodes(api, BY_ID, gids))
    assert [gid for batch in batches for gid in batch.found] == gids[:10]
    assert [gid for batch in batches for gid in batch.missing] == gids[10:15]
    assert [gid for call in server.calls for gid in call.variables["ids"]] == gids[:15]


def test_batches_of_ids_grow_to_what_their_price_allows(
    server: ScriptedServer, api: AdminApi
) -> None:
    server.otherwise = Shop(700).reply
    list(read_nodes(api, BY_ID, [f"gid://shopify/Order/{number}" for number in range(700)]))
    sizes = [len(call.variables["ids"]) for call in server.calls]
    assert sum(sizes) == 700
    assert max(sizes) == 250
    assert len(sizes) <= 4


def test_a_refused_node_price_halves_the_batch(server: ScriptedServer, api: AdminApi) -> None:
    shop = Shop(100)

    def dear(call: Call) -> Reply:
        return too_dear(1200) if len(call.variables["ids"]) > 40 else shop.reply(call)

    server.otherwise = dear
    gids = list(shop.versions)
    assert [gid for batch in read_nodes(api, BY_ID, gids) for gid in batch.found] == gids


@settings(deadline=None)
@given(
    base=st.floats(0, 200),
    each=st.floats(0.01, 700),
    power=st.floats(0.05, 1.0),
    largest=st.floats(200, 1000),
)
def test_no_page_costs_more_than_allowed_when_prices_grow_no_faster_than_linearly(
    base: float, each: float, power: float, largest: float
) -> None:
    def price(size: int) -> float:
        return float(base + each * size**power)

    memory = CostMemory()
    size = 1
    for _ in range(12):
        if price(size) > largest and size == 1:
            return
        assert price(size) <= largest * (1 + 1e-9)
        assert 1 <= size <= 250
        memory.remember(Operation(query=ORDERS, variables={"first": size}), price(size))
        size = memory.page_size(
            ORDERS, {"first": size}, size_variable="first", largest_query=largest
        )
    # It ends where more would not fit any more, or could not be known to.
    assert size == 250 or price(size) * (size + 1) / size > largest - each


@given(largest=st.floats(100, 1000), limit=st.integers(1, 250))
def test_the_first_page_is_within_the_bound_of_its_price(largest: float, limit: int) -> None:
    size = CostMemory().page_size(
        ORDERS,
        {"first": 1},
        size_variable="first",
        largest_query=largest,
        max_page_size=limit,
    )
    assert 1 <= size <= limit
    bound = cost_bound(Operation(query=ORDERS, variables={"first": size}))
    assert size == 1 or bound <= largest


def test_a_smaller_bucket_than_a_thousand_bounds_the_page(
    server: ScriptedServer, api: AdminApi
) -> None:
    shop = Shop(600, price=20)

    def small(call: Call) -> Reply:
        reply = shop.reply(call)
        status = {"maximumAvailable": 200, "currentlyAvailable": 200, "restoreRate": 1000}
        cost = {**cost_of(shop.costs[-1], actual=1), "throttleStatus": status}
        return Reply(json={"data": reply.json["data"], "extensions": {"cost": cost}})

    server.otherwise = small
    read(api)
    assert max(shop.costs[1:]) <= 200
