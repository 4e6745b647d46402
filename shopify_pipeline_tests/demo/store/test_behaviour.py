"""How the store behaves over HTTP: paging, counts, lag, faults, versions, bulk, webhooks, REST."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore

KINDS = {
    "products": "products",
    "productVariants": "variants",
    "customers": "customers",
    "orders": "orders",
}


def ask(store: SimulatedStore, query: str, *, version: str = "2026-10", **variables: Any) -> Any:
    return httpx.post(
        f"{store.url}/admin/api/{version}/graphql.json",
        json={"query": query, "variables": variables},
        headers={"X-Shopify-Access-Token": TOKEN},
        timeout=60,
    )


def data(store: SimulatedStore, query: str, **variables: Any) -> Any:
    body = ask(store, query, **variables).json()
    assert "errors" not in body, body["errors"]
    return body["data"]


def truth(store: SimulatedStore, kind: str) -> list[dict[str, Any]]:
    text = httpx.get(f"{store.url}/_store/truth/{kind}", timeout=60).text
    return [json.loads(line) for line in text.splitlines()]


def wait_until(met: Callable[[], bool]) -> None:
    """Wait for something that comes soon, on a busy machine too."""
    end = time.monotonic() + 60
    while not met():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


@pytest.mark.parametrize("root", KINDS)
@pytest.mark.parametrize("backward", [False, True])
def test_paging_reads_every_record_once(
    store: SimulatedStore, root: str, *, backward: bool
) -> None:
    sort = "" if root == "productVariants" else ", sortKey: UPDATED_AT"
    window, edge, more, end = (
        ("last", "before", "hasPreviousPage", "startCursor")
        if backward
        else ("first", "after", "hasNextPage", "endCursor")
    )
    query = (
        f"query($at: String) {{ {root}({window}: 37, {edge}: $at{sort}) "
        f"{{ nodes {{ id }} pageInfo {{ {more} {end} }} }} }}"
    )
    seen: list[str] = []
    at = None
    while True:
        page = data(store, query, at=at)[root]
        seen += [one["id"] for one in page["nodes"]]
        if not page["pageInfo"][more]:
            break
        at = page["pageInfo"][end]
    assert len(seen) == len(set(seen))
    assert set(seen) == {one["id"] for one in truth(store, KINDS[root])}


def test_totals_add_up(store: SimulatedStore) -> None:
    lines: dict[str, list[dict[str, Any]]] = {}
    for line in truth(store, "line_items"):
        lines.setdefault(line["order"]["id"], []).append(line)

    def money(bag: dict[str, Any]) -> Decimal:
        return Decimal(bag["shopMoney"]["amount"])

    for order in truth(store, "orders"):
        if order["edited"]:
            continue
        own = lines[order["id"]]
        nets = sum(money(one["priceAfterAllDiscountsBeforeTaxesSet"]) for one in own)
        assert nets == money(order["subtotalPriceSet"])
        tax = Decimal(0) if order["taxesIncluded"] else money(order["totalTaxSet"])
        shipping, tip = money(order["totalShippingPriceSet"]), money(order["totalTipReceivedSet"])
        assert nets + shipping + tip + tax == money(order["totalPriceSet"])
        assert sum(one["quantity"] for one in own) == order["subtotalLineItemsQuantity"]
        received, refunded = money(order["totalReceivedSet"]), money(order["totalRefundedSet"])
        assert received - refunded == money(order["netPaymentSet"])


def test_a_count_stops_at_its_limit_and_says_so(store: SimulatedStore) -> None:
    query = "query($n: Int) { ordersCount(limit: $n) { count precision } }"
    whole = len(truth(store, "orders"))
    assert data(store, query, n=1)["ordersCount"] == {"count": 1, "precision": "AT_LEAST"}
    assert data(store, query, n=None)["ordersCount"] == {"count": whole, "precision": "EXACT"}


def test_an_unknown_field_returns_everything_and_warns(store: SimulatedStore) -> None:
    body = ask(store, '{ ordersCount(query: "updated_on:>2026-01-01") { count } }').json()
    assert body["data"]["ordersCount"]["count"] == len(truth(store, "orders"))
    assert body["extensions"]["search"][0]["warnings"][0]["code"] == "invalid_field"


def test_a_bad_timestamp_is_refused(store: SimulatedStore) -> None:
    body = ask(
        store, '{ orders(first: 1, query: "updated_at:>yesterday") { nodes { id } } }'
    ).json()
    assert body["data"] is None
    message = "Invalid timestamp for query filter `updated_at`."
    assert (body["errors"][0]["message"], body["errors"][0]["extensions"]["code"]) == (
        message,
        "BAD_REQUEST",
    )


def test_a_late_index_hides_a_write_from_searches_only(new_store: SimulatedStore) -> None:
    new_store.control("settings", {"indexLag": 300})
    made = new_store.control("orders", {"email": "late@example.com"})
    found = '{ orders(first: 5, query: "email:late@example.com") { nodes { id } } }'
    one = "query($id: ID!) { node(id: $id) { id ... on Order { email } } }"
    assert data(new_store, found)["orders"]["nodes"] == []
    assert data(new_store, one, id=made["id"])["node"]["email"] == "late@example.com"
    new_store.control("clock", {"advance": 301})
    assert data(new_store, found)["orders"]["nodes"] == [{"id": made["id"]}]


def test_a_deleted_record_is_gone_from_truth_and_by_id(new_store: SimulatedStore) -> None:
    product = truth(new_store, "products")[0]
    number = product["legacyResourceId"]
    new_store.control(f"products/{number}", method="DELETE")
    assert number not in {one["legacyResourceId"] for one in truth(new_store, "products")}
    query = "query($id: ID!) { product(id: $id) { id } nodes(ids: [$id]) { id } }"
    assert data(new_store, query, id=product["id"]) == {"product": None, "nodes": [None]}


def test_orders_older_than_60_days_need_a_scope(new_store: SimulatedStore) -> None:
    query = "{ ordersCount(limit: null) { count } }"
    whole = data(new_store, query)["ordersCount"]["count"]
    new_store.control("settings", {"scopes": ["read_orders", "read_products"]})
    assert 0 < data(new_store, query)["ordersCount"]["count"] < whole
    denied = ask(new_store, "{ customersCount { count } shop { id } }").json()
    assert denied["data"]["shop"] is not None
    assert denied["data"]["customersCount"] is None
    assert denied["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"


def test_a_version_out_of_support_falls_forward(new_store: SimulatedStore) -> None:
    answer = ask(new_store, "{ shop { id } }", version="2025-07")
    assert answer.headers["X-Shopify-API-Version"] == "2026-01"
    new_store.control("settings", {"versions": ["2026-07", "2026-10"]})
    answer = ask(new_store, "{ shop { id } }", version="2026-04")
    assert answer.headers["X-Shopify-API-Version"] == "2026-07"
    assert ask(new_store, "{ shop { id } }", version="2026-05").status_code == 404


def test_exclusive_timestamps_change_with_2026_10(new_store: SimulatedStore) -> None:
    new_store.control("clock", {"set": "2027-01-01T00:00:00.400000Z", "freeze": True})
    new_store.control("orders", {"email": "edge@example.com"})
    text = "email:edge@example.com AND updated_at:>'2027-01-01T00:00:00Z'"
    query = f'{{ ordersCount(query: "{text}") {{ count }} }}'
    old = ask(new_store, query, version="2026-07").json()
    new = ask(new_store, query, version="2026-10").json()
    assert (old["data"]["ordersCount"]["count"], new["data"]["ordersCount"]["count"]) == (1, 0)


def test_the_bucket_empties_and_fills_with_the_stores_clock(new_store: SimulatedStore) -> None:
    new_store.control("clock", {"freeze": True})
    new_store.control("settings", {"plan": "standard", "bucket": {"level": 5}})
    body = ask(new_store, "{ orders(first: 250) { nodes { id } } }").json()
    assert body["errors"][0]["extensions"]["code"] == "THROTTLED"
    cost = body["extensions"]["cost"]
    assert cost["actualQueryCost"] is None
    assert cost["throttleStatus"]["currentlyAvailable"] == 5  # however long the call took
    new_store.control("clock", {"advance": 1})
    body = ask(new_store, "{ orders(first: 250) { nodes { id } } }").json()
    assert "errors" not in body
    cost = body["extensions"]["cost"]
    assert cost["throttleStatus"]["currentlyAvailable"] == 5 + 100 - cost["actualQueryCost"]


@pytest.mark.parametrize(
    ("kind", "status"), [("429", 429), ("500", 500), ("503", 503), ("401", 401), ("402", 402)]
)
def test_a_fault_meets_the_next_calls_only(store: SimulatedStore, kind: str, status: int) -> None:
    store.control("faults", method="DELETE")
    store.fault(kind, count=2)
    statuses = [ask(store, "{ shop { id } }").status_code for _ in range(3)]
    assert statuses == [status, status, 200]


def test_a_fault_can_wait_for_calls_that_hold_a_text(store: SimulatedStore) -> None:
    store.control("faults", method="DELETE")
    store.fault("throttled", match="customers(")
    assert "errors" not in ask(store, "{ shop { id } }").json()
    assert "errors" in ask(store, "{ customers(first: 1) { nodes { id } } }").json()


def test_a_denied_field_is_null_beside_the_rest(store: SimulatedStore) -> None:
    store.control("faults", method="DELETE")
    store.fault("access_denied", field="Customer.firstName")
    body = ask(store, "{ customers(first: 2) { nodes { id firstName } } }").json()
    assert [one["firstName"] for one in body["data"]["customers"]["nodes"]] == [None, None]
    assert [one["path"] for one in body["errors"]] == [
        ["customers", "nodes", 0, "firstName"],
        ["customers", "nodes", 1, "firstName"],
    ]


def test_broken_connections_and_bodies_break(store: SimulatedStore) -> None:
    store.control("faults", method="DELETE")
    for kind in ("dropped", "dropped_midway"):
        store.fault(kind)
        with pytest.raises(httpx.TransportError):
            ask(store, "{ shop { id } }")
    store.fault("truncated")
    with pytest.raises(json.JSONDecodeError):
        ask(store, "{ shop { id } }").json()


def test_client_credentials_give_a_token_for_a_day(new_store: SimulatedStore) -> None:
    url = f"{new_store.url}/admin/oauth/access_token"
    form = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": "demo"}
    assert httpx.post(url, data=form | {"client_secret": "no"}).status_code == 401
    given = httpx.post(url, data=form).json()
    headers = {"X-Shopify-Access-Token": given["access_token"]}
    query = {"query": "{ shop { id } }"}
    api = f"{new_store.url}/admin/api/2026-10/graphql.json"
    assert httpx.post(api, json=query, headers=headers).status_code == 200
    new_store.control("clock", {"advance": given["expires_in"] + 1})
    assert httpx.post(api, json=query, headers=headers).status_code == 401


# -- bulk operations

RUN = """mutation($q: String!, $g: Boolean = false) {
  bulkOperationRunQuery(query: $q, groupObjects: $g) {
    bulkOperation { id status } userErrors { field message code } } }"""
POLL = """query($id: ID!) { bulkOperation(id: $id) {
  id status errorCode objectCount rootObjectCount fileSize url partialDataUrl } }"""


def finished(store: SimulatedStore, query: str, **variables: Any) -> dict[str, Any]:
    begun = data(store, RUN, q=query, **variables)["bulkOperationRunQuery"]
    assert begun["userErrors"] == []
    return settled(store, begun["bulkOperation"]["id"])


def settled(store: SimulatedStore, identity: str) -> dict[str, Any]:
    def operation() -> dict[str, Any]:
        found: dict[str, Any] = data(store, POLL, id=identity)["bulkOperation"]
        return found

    wait_until(lambda: operation()["status"] not in {"CREATED", "RUNNING", "CANCELING"})
    return operation()


NESTED = "{ orders { edges { node { id lineItems { edges { node { id } } } } } } }"


@pytest.mark.parametrize("grouped", [False, True])
def test_a_bulk_file_holds_every_record(store: SimulatedStore, *, grouped: bool) -> None:
    operation = finished(store, NESTED, g=grouped)
    raw = httpx.get(operation["url"]).content
    assert b"gid:\\/\\/shopify\\/" in raw
    lines = [json.loads(line) for line in raw.splitlines()]
    orders = [one for one in lines if "__parentId" not in one]
    children = [one for one in lines if "__parentId" in one]
    assert operation["status"] == "COMPLETED"
    assert operation["objectCount"] == str(len(lines))
    assert operation["rootObjectCount"] == str(len(orders))
    assert operation["fileSize"] == str(len(raw))
    assert {one["id"] for one in orders} == {one["id"] for one in truth(store, "orders")}
    parents = {one["id"]: one["order"]["id"] for one in truth(store, "line_items")}
    assert {one["id"]: one["__parentId"] for one in children} == parents
    adjacent = lines[1].get("__parentId") == lines[0]["id"]
    assert adjacent is grouped
    part = httpx.get(operation["url"], headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, raw[10:20])
    assert "response-content-disposition" in operation["url"]


def test_a_bulk_query_without_hits_has_no_file(store: SimulatedStore) -> None:
    operation = finished(store, '{ orders(query: "id:1") { edges { node { id } } } }')
    assert (operation["status"], operation["url"], operation["objectCount"]) == (
        "COMPLETED",
        None,
        "0",
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{ shop { id } }", "Bulk queries must contain at least one connection."),
        ("", "Invalid bulk query: syntax error, unexpected end of file"),
        ("mutation { x }", "Invalid operation type. Only `query` operations are supported."),
        ('{ node(id: "gid://shopify/Product/0") { id } }', "top level `node` field"),
        ("{ orders { nodes { id } } }", "Selecting via 'nodes' is not supported."),
        (
            "{ products { edges { node { title variants { edges { node { id } } } } } } }",
            "Connection fields without 'id': products.",
        ),
        (
            (
                "{ orders { edges { node { id fulfillments { fulfillmentLineItems "
                "{ edges { node { id } } } } } } } }"
            ),
            "connection field within a list field",
        ),
    ],
)
def test_bulk_queries_are_refused_in_shopifys_words(
    store: SimulatedStore, query: str, message: str
) -> None:
    errors = data(store, RUN, q=query)["bulkOperationRunQuery"]["userErrors"]
    assert any(message in one["message"] for one in errors)
    assert {one["code"] for one in errors} == {"INVALID"}


def test_a_sixth_bulk_operation_is_refused_and_one_can_be_canceled(
    new_store: SimulatedStore,
) -> None:
    new_store.fault("bulk_slow", count=5, seconds=3600)
    begun = [data(new_store, RUN, q=NESTED)["bulkOperationRunQuery"] for _ in range(6)]
    assert begun[5]["userErrors"][0]["code"] == "OPERATION_IN_PROGRESS"
    first = begun[0]["bulkOperation"]["id"]
    cancel = "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } } }"
    canceling = data(new_store, cancel, id=first)["bulkOperationCancel"]["bulkOperation"]
    assert canceling["status"] == "CANCELING"
    assert settled(new_store, first)["status"] == "CANCELED"
    new_store.control("clock", {"advance": 3601})
    assert settled(new_store, begun[1]["bulkOperation"]["id"])["status"] == "COMPLETED"


@pytest.mark.parametrize("slow", [False, True])
def test_a_bulk_operation_canceled_before_it_runs_ends_canceled(
    new_store: SimulatedStore, *, slow: bool
) -> None:
    both = """mutation($q: String!, $id: ID!) {
      bulkOperationRunQuery(query: $q) { bulkOperation { id status } }
      bulkOperationCancel(id: $id) { bulkOperation { id status } } }"""
    # One request submits and cancels, so that no time passes between: its id is foreseen.
    before = finished(new_store, '{ orders(query: "id:1") { edges { node { id } } } }')
    number = int(before["id"].rsplit("/", 1)[1])
    following = f"gid://shopify/BulkOperation/{number + 32_768 + number % 7}"
    if slow:
        new_store.fault("bulk_slow", seconds=3600)
    begun = data(new_store, both, q=NESTED, id=following)
    assert begun["bulkOperationRunQuery"]["bulkOperation"] == {"id": following, "status": "CREATED"}
    assert begun["bulkOperationCancel"]["bulkOperation"]["status"] == "CANCELING"
    operation = settled(new_store, following)
    assert (operation["status"], operation["objectCount"]) == ("CANCELED", "0")


@pytest.mark.parametrize("partial", [False, True])
def test_a_failed_bulk_operation_may_leave_partial_data(
    new_store: SimulatedStore, *, partial: bool
) -> None:
    new_store.fault("bulk_failed", partial=partial, after=10)
    operation = finished(new_store, NESTED)
    assert (operation["status"], operation["url"]) == ("FAILED", None)
    assert (operation["partialDataUrl"] is not None) is partial


def test_a_damaged_result_file_lacks_its_end(new_store: SimulatedStore) -> None:
    whole = httpx.get(finished(new_store, NESTED)["url"]).content
    new_store.fault("bulk_missing_lines", count_missing=3, target="bulk")
    operation = finished(new_store, NESTED)
    assert operation["fileSize"] == str(len(whole))
    assert httpx.get(operation["url"]).content == b"".join(whole.splitlines(keepends=True)[:-3])
    operation = finished(new_store, NESTED)
    new_store.fault("bulk_truncated_file", target="file")
    part = httpx.get(operation["url"]).content
    assert whole.startswith(part)
    assert 0 < len(part) <= len(whole) * 2 // 3
    assert not part.endswith(b"\n")
    new_store.fault("dropped_midway", target="file")
    with pytest.raises(httpx.TransportError):
        httpx.get(operation["url"])
    assert httpx.get(operation["url"]).content == whole


def test_a_result_expires_after_a_week(new_store: SimulatedStore) -> None:
    operation = finished(new_store, NESTED)
    new_store.control("clock", {"advance": 8 * 86_400})
    assert data(new_store, POLL, id=operation["id"])["bulkOperation"]["status"] == "EXPIRED"
    assert httpx.get(operation["url"]).status_code == 400


# -- webhooks


class _Receiver:
    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/shopify"

    def wait(self, count: int) -> None:
        wait_until(lambda: len(self.got) >= count)


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    made = _Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_delivery_is_signed_over_its_bytes(
    new_store: SimulatedStore, receiver: _Receiver
) -> None:
    new_store.control("subscriptions", {"topics": ["ORDERS_CREATE"], "uri": receiver.url})
    made = new_store.control("orders", {"email": "a@example.com"})
    receiver.wait(1)
    headers, body = receiver.got[0]
    digest = base64.b64encode(hmac.new(b"demo", body, hashlib.sha256).digest()).decode()
    assert headers["X-Shopify-Hmac-Sha256"] == digest
    assert headers["X-Shopify-Topic"] == "orders/create"
    assert json.loads(body)["admin_graphql_api_id"] == made["id"]
    assert json.loads(body)["created_at"][-6:] in {"-05:00", "-04:00"}


def test_a_subscription_is_dropped_after_eight_retries(
    new_store: SimulatedStore, receiver: _Receiver
) -> None:
    new_store.control("subscriptions", {"topics": ["CUSTOMERS_CREATE"], "uri": receiver.url})
    receiver.status = 500
    new_store.control("customers", {"email": "b@example.com"})
    for attempt in range(1, 10):
        receiver.wait(attempt)
        new_store.control("clock", {"advance": 8_000})
    wait_until(lambda: not new_store.control("subscriptions", method="GET")["subscriptions"])
    assert len(receiver.got) == 9
    assert len({headers["X-Shopify-Webhook-Id"] for headers, _ in receiver.got}) == 1


def test_a_paused_delivery_comes_as_a_burst(new_store: SimulatedStore, receiver: _Receiver) -> None:
    new_store.control("subscriptions", {"topics": ["PRODUCTS_UPDATE"], "uri": receiver.url})
    new_store.control("delivery", {"paused": True})
    new_store.control("mass-edit", {"kind": "products", "count": 20})
    assert receiver.got == []
    new_store.control("delivery", {"paused": False})
    receiver.wait(20)


def test_local_addresses_are_refused_as_shopify_refuses_them(store: SimulatedStore) -> None:
    query = """mutation($uri: String!) { webhookSubscriptionCreate(topic: ORDERS_CREATE,
      webhookSubscription: {uri: $uri}) { webhookSubscription { id } userErrors { message } } }"""
    for uri, message in (
        ("http://example.com/x", "Address protocol http:// is not supported"),
        ("https://", "Address is invalid"),
        ("https://localhost/x", "Address cannot be a Shopify or an internal domain"),
    ):
        made = data(store, query, uri=uri)["webhookSubscriptionCreate"]
        assert made == {"webhookSubscription": None, "userErrors": [{"message": message}]}


# -- REST


@pytest.mark.parametrize("kind", ["products", "customers", "orders"])
def test_rest_lists_follow_their_links_to_the_last_record(store: SimulatedStore, kind: str) -> None:
    url = f"{store.url}/admin/api/2026-10/{kind}.json?limit=17&status=any&order=updated_at+asc"
    url = url.replace("&status=any", "") if kind != "orders" else url
    seen: list[int] = []
    headers = {"X-Shopify-Access-Token": TOKEN}
    while url:
        answer = httpx.get(url, headers=headers)
        seen += [one["id"] for one in answer.json()[kind]]
        assert "X-Shopify-Shop-Api-Call-Limit" in answer.headers
        url = answer.links.get("next", {}).get("url", "")
    assert len(seen) == len(set(seen))
    assert {str(one) for one in seen} == {one["legacyResourceId"] for one in truth(store, kind)}


# -- life


def test_traffic_keeps_the_index_and_the_truth_in_step(new_store: SimulatedStore) -> None:
    new_store.control("traffic", {"steps": 300})
    for root, kind in KINDS.items():
        count = data(new_store, f"{{ {root}Count(limit: null) {{ count }} }}")[f"{root}Count"]
        assert count["count"] == len(truth(new_store, kind))


def test_the_same_seed_makes_the_same_store() -> None:
    from shopify_pipeline.demo.store.clock import Clock, parse_time
    from shopify_pipeline.demo.store.seeding import Size, fill
    from shopify_pipeline.demo.store.store import Store

    def documents() -> list[Any]:
        made = Store(clock=Clock(start=parse_time("2026-11-01T00:00:00Z")))
        made.clock.freeze()
        made.clock.set(parse_time("2026-11-01T00:00:00Z"))
        fill(made, seed=3, size=Size(30, 40, 60))
        return [one for kind in KINDS.values() for one in made.database.stream(kind)]

    assert documents() == documents()
