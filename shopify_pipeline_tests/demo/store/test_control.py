"""The control interface: every record in every form, and a sentence for what it can't take."""

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from shopify_pipeline_tests.simulated import SimulatedStore


def call(store: SimulatedStore, method: str, path: str, body: Any = None) -> httpx.Response:
    return httpx.request(method, f"{store.url}/_store/{path}", json=body, timeout=60)


def money(bag: dict[str, Any]) -> Any:
    return Decimal(bag["shopMoney"]["amount"])


def made(store: SimulatedStore, path: str, body: Any) -> Any:
    answer = call(store, "POST", path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def seen(store: SimulatedStore, path: str) -> Any:
    return store.control(path, method="GET")


def test_a_customer_takes_its_contacts_as_graphql_nests_them(store: SimulatedStore) -> None:
    nested = {
        "defaultEmailAddress": {
            "emailAddress": "Nested@example.com",
            "marketingState": "SUBSCRIBED",
        },
        "defaultPhoneNumber": {"phoneNumber": "+15550001111"},
    }
    one = made(store, "customers", nested)["id"]
    assert {name: seen(store, f"customers/{one}")[name] for name in nested} == nested
    short = {"email": "b@example.com", "marketingState": "PENDING", "phone": None}
    made(store, f"customers/{one}", short)
    after = seen(store, f"customers/{one}")
    assert after["defaultEmailAddress"] == {
        "emailAddress": "b@example.com",
        "marketingState": "PENDING",
    }
    assert after["defaultPhoneNumber"] is None


def test_an_order_takes_its_amounts_and_visit_as_graphql_nests_them(store: SimulatedStore) -> None:
    bag = {"shopMoney": {"amount": "7.5", "currencyCode": "USD"}}
    visit = {"landingPage": "/sale", "referrerUrl": "https://example.com/"}
    order = {
        "lineItems": [{"title": "x", "originalUnitPriceSet": bag, "quantity": 2}],
        "customerJourneySummary": {"lastVisit": visit},
        "customer": {"id": made(store, "customers", {})["id"]},
    }
    answer = made(store, "orders", order)
    after = seen(store, f"orders/{answer['id']}")
    assert money(after["totalPriceSet"]) == 15
    assert after["customer"] == order["customer"]
    assert after["customerJourneySummary"]["lastVisit"]["landingPage"].endswith("/sale")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("spelled", ["number", "gid", "encoded"])
@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("products", {"title": "Other"}),
        ("variants", {"sku": "OTHER"}),
        ("product_variants", {"sku": "THIRD"}),
        ("customers", {"firstName": "Other"}),
        ("orders", {"note": "Other"}),
        ("line_items", {"title": "Other"}),
        ("order_items", {"title": "Third"}),
    ],
)
def test_a_record_is_changed_by_number_or_gid(
    store: SimulatedStore, kind: str, change: dict[str, str], spelled: str, method: str
) -> None:
    known = {"product_variants": "variants", "order_items": "line_items"}.get(kind, kind)
    first = httpx.get(f"{store.url}/_store/truth/{known}").text.splitlines()[0]
    gid = httpx.Response(200, text=first).json()["id"]
    spellings = {"number": gid.rpartition("/")[2], "gid": gid, "encoded": quote(gid, safe="")}
    path = f"{kind}/{spellings[spelled]}"
    change = {name: f"{value} {spelled} {method}" for name, value in change.items()}
    answer = call(store, method, path, change)
    assert (answer.status_code, answer.json()["id"]) == (200, gid)
    after = seen(store, path)
    assert change.items() <= after.items()
    assert seen(store, f"truth/{path}") == after


def order_of(store: SimulatedStore, gid: str) -> dict[str, Any]:
    found: dict[str, Any] = seen(store, f"orders/{gid}")
    return found


def test_a_line_is_added_as_an_edit_adds_it(new_store: SimulatedStore) -> None:
    order = made(new_store, "orders", {"lineItems": [{"price": "10.00"}]})["id"]
    before = order_of(new_store, order)
    new_store.control("clock", {"advance": 5})
    line = made(new_store, "line_items", {"order": order, "price": "2.50", "quantity": 4})
    assert line["order"] == order
    assert seen(new_store, f"line_items/{line['id']}")["order"] == {"id": order}
    after = order_of(new_store, order)
    assert after["updatedAt"] == line["updatedAt"] > before["updatedAt"]
    assert (after["edited"], after["displayFinancialStatus"]) == (True, "PARTIALLY_PAID")
    assert (money(after["totalPriceSet"]), money(after["currentTotalPriceSet"])) == (10, 20)
    assert money(after["totalOutstandingSet"]) == 10
    quantities = after["subtotalLineItemsQuantity"], after["currentSubtotalLineItemsQuantity"]
    assert quantities == (1, 5)


def test_a_line_can_join_the_order_as_placed(new_store: SimulatedStore) -> None:
    order = made(new_store, "orders", {"lineItems": [{"price": "10.00"}]})["id"]
    made(new_store, "line_items", {"order": order, "price": "2.50", "quantity": 4, "added": False})
    after = order_of(new_store, order)
    assert (money(after["totalPriceSet"]), after["subtotalLineItemsQuantity"]) == (20, 5)


def test_a_changed_line_changes_its_order(new_store: SimulatedStore) -> None:
    lines = [{"price": "10.00", "quantity": 2, "taxRate": "0.1"}, {"price": "1.00"}]
    order = made(new_store, "orders", {"lineItems": lines})
    new_store.control("clock", {"advance": 5})
    line = order["lineItems"][0]
    made(new_store, f"line_items/{line}", {"quantity": 3, "price": "5.00"})
    after = order_of(new_store, order["id"])
    assert after["updatedAt"] > order["updatedAt"]
    assert (money(after["subtotalPriceSet"]), money(after["totalTaxSet"])) == (16, Decimal("1.5"))
    assert after["subtotalLineItemsQuantity"] == after["currentSubtotalLineItemsQuantity"] == 4
    own = seen(new_store, f"line_items/{line}")
    assert (own["quantity"], own["currentQuantity"], money(own["originalUnitPriceSet"])) == (
        3,
        3,
        5,
    )


def test_a_deleted_line_leaves_its_order(new_store: SimulatedStore) -> None:
    lines = [{"price": "10.00", "quantity": 2}, {"price": "1.00"}]
    order = made(new_store, "orders", {"lineItems": lines})
    line = order["lineItems"][0]
    refund = {"lineItems": [{"id": line, "quantity": 1}]}
    made(new_store, f"orders/{order['id']}/refund", refund)
    made(new_store, f"orders/{order['id']}/fulfill", {})
    new_store.control("clock", {"advance": 5})
    assert call(new_store, "DELETE", f"line_items/{line}").json()["id"] == line
    assert call(new_store, "GET", f"line_items/{line}").status_code == 404
    assert call(new_store, "DELETE", f"line_items/{line}").status_code == 404
    assert line not in httpx.get(f"{new_store.url}/_store/truth/line_items").text
    after = order_of(new_store, order["id"])
    assert (money(after["subtotalPriceSet"]), after["subtotalLineItemsQuantity"]) == (1, 1)
    assert after["updatedAt"] > order["updatedAt"]


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("customers", {"emial": "a"}, "unknown 'emial'; known are acceptsMarketing, "),
        ("orders", {"createdAt": "nonsense"}, "createdAt: should be an ISO 8601 time"),
        ("orders", {"lineItems": [{"qty": 1}]}, "lineItems.0: unknown 'qty'; known are added"),
        ("orders", [1], "the body should be a JSON object"),
        ("variants", {"sku": "x"}, "product: say to which one"),
        ("line_items", {"price": "1"}, "order: Field required"),
        ("clock", {"advance": "1h"}, "advance: should be a valid number"),
        ("clock", {"advnace": 1}, "unknown 'advnace'; known are advance, freeze, resume, set"),
        ("clock", {"advance": 9_000_000_000}, "the clock shows times of the years"),
        ("settings", {"plan": "gold"}, "plan: should be one of standard, advanced, plus"),
        ("settings", {"indexlag": 5}, "unknown 'indexlag'; known are afterCalls, bucket"),
        ("settings", {"deniedFields": ["Customer.nose"]}, "should be a field like"),
        ("settings", {"versions": []}, "versions: List should have at least 1 item"),
        ("faults", {"kind": "flood"}, "kind: should be one of throttled, 429"),
        ("faults", {"kind": "429", "retryAfter": 2}, "unknown 'retryAfter'; known are after"),
        ("traffic", {"action": "step"}, "action: should be one of new_order"),
        ("mass-edit", {"kind": "sqlite_master"}, "kind: should be 'products', 'variants'"),
        ("subscriptions", {"topics": ["NOPE"], "uri": "http://x"}, "unknown 'NOPE'"),
        ("delivery", {"drop": 2}, "drop: should be less than or equal to 1"),
    ],
)
def test_what_can_t_be_taken_is_named(
    store: SimulatedStore, path: str, body: Any, text: str
) -> None:
    answer = call(store, "POST", path, body)
    assert answer.status_code == 400
    assert text in answer.json()["error"]


def test_a_body_that_is_no_json_is_refused(store: SimulatedStore) -> None:
    for path in ("products", "settings", "clock", "faults", "traffic", "orders/1/refund"):
        answer = httpx.post(f"{store.url}/_store/{path}", content=b"\xff{")
        assert (answer.status_code, "JSON object" in answer.json()["error"]) == (400, True)


def test_what_isn_t_there_is_not_found(store: SimulatedStore) -> None:
    assert call(store, "GET", "lamps/1").status_code == 404
    assert call(store, "GET", "orders/one").status_code == 404
    assert call(store, "PATCH", "orders/99999999999999999999999", {}).status_code == 404
    assert call(store, "POST", "customers/1/merge", {"into": 2}).status_code == 404
    assert call(store, "GET", "orders/gid://shopify/Product/1").status_code == 400


def test_a_refused_change_leaves_nothing_behind(store: SimulatedStore) -> None:
    product = made(store, "products", {"title": "Whole"})
    before = seen(store, f"products/{product['id']}")
    body = {"title": "Half", "variants": [{"sku": "new"}, {"id": 1, "sku": "none"}]}
    assert call(store, "PATCH", f"products/{product['id']}", body).status_code == 404
    assert seen(store, f"products/{product['id']}") == before
    assert call(store, "POST", "products", {"id": product["id"]}).status_code == 400
