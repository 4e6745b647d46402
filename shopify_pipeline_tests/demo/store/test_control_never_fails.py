"""Whatever the control interface is told, it never answers 500, nor does what it has written."""

from typing import Any, get_args

import orjson
from graphql import GraphQLEnumType
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices

from shopify_pipeline.demo.store import given_controls as controls
from shopify_pipeline.demo.store import given_records as records
from shopify_pipeline.demo.store.given_actions import ORDER_ACTIONS, GivenMerge
from shopify_pipeline.demo.store.given_values import Given
from shopify_pipeline.demo.store.schemas import schema_of
from shopify_pipeline_tests.demo.store.in_process import JSON, KINDS, Served, many
from shopify_pipeline_tests.simulated import TOKEN

SCHEMA = schema_of("2026-10")
MODELS: dict[str, type[Given]] = {
    "products": records.GivenProduct,
    "variants": records.GivenVariant,
    "customers": records.GivenCustomer,
    "orders": records.GivenOrder,
    "line_items": records.GivenLineOf,
    "clock": controls.GivenClock,
    "settings": controls.GivenSettings,
    "faults": controls.GivenFaultWhole,
    "mass-edit": controls.GivenMassEdit,
    "drift": controls.GivenDrift,
    "traffic": controls.GivenTraffic,
    "subscriptions": controls.GivenSubscriptions,
    "webhooks": controls.GivenWebhook,
    "delivery": controls.GivenDelivery,
}

ACTIONS: dict[str, type[Given]] = {**ORDER_ACTIONS, "merge": GivenMerge}

TIMES = st.sampled_from(
    ["2026-10-01T00:00:00Z", "1900-01-01", "2199-12-31T23:59:59-05:00", "2026-W01", "tomorrow"]
) | st.datetimes().map(str)
AMOUNTS = st.decimals(-1, 10**10, allow_nan=False).map(str) | st.sampled_from(
    ["1e9", "9.50", "NaN", "1e999999999", "0.000001", {"amount": "3"}, {"shopMoney": {}}]
)
WORDS = [
    word
    for kind in SCHEMA.type_map.values()
    if isinstance(kind, GraphQLEnumType) and not kind.name.startswith("__")
    for word in kind.values
]
LOOSE = st.sampled_from(
    [
        "Europe/Berlin", "..", "http://127.0.0.1:9/x", "throttled", "429", "dropped_midway",
        "Customer.firstName", "Order.nose", "2026-07", "ORDERS_CREATE", "graphql", "orders",
        "plus", "new_order", "delete_something", "demo-store", "all",
    ]
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn, model: type[Given], ids: dict[str, list[int]]) -> dict[str, Any]:
    """A body of the model's fields, mostly sensible ones."""
    fields: dict[str, tuple[str, Any]] = {}
    for name, field in model.model_fields.items():
        choices = field.validation_alias
        for alias in choices.choices if isinstance(choices, AliasChoices) else [field.alias]:
            fields[str(alias or name)] = (name, field)
    required = [alias for alias, (_, field) in fields.items() if field.is_required()]
    others = draw(st.lists(st.sampled_from(sorted(fields) or ["x"]), max_size=4, unique=True))
    body = {
        alias: draw(value_of(fields[alias][1], alias, ids))
        for alias in [*required, *others]
        if alias in fields
    }
    if draw(st.integers(0, 30)) == 0:
        body[draw(st.text(max_size=5))] = draw(JSON)
    return body


def nested(annotation: Any) -> type[Given] | None:
    """The model inside an annotation, if any."""
    if isinstance(annotation, type) and issubclass(annotation, Given):
        return annotation
    return next((found for one in get_args(annotation) if (found := nested(one))), None)


def value_of(field: Any, alias: str, ids: dict[str, list[int]]) -> st.SearchStrategy[Any]:
    """Values for a field, by what it is and is called."""
    annotation = str(field.annotation)
    inner = nested(field.annotation)
    usual: st.SearchStrategy[Any]
    if inner is not None:
        usual = bodies(inner, ids)
    elif alias.removesuffix("Id") in {"id", "product", "variant", "customer", "order", "into"}:
        usual = st.sampled_from([1, *(one for some in ids.values() for one in some)])
    elif alias.endswith("At") or alias in {"set", "start", "end"}:
        usual = TIMES
    elif "BeforeValidator" in annotation or "_amount" in str(field.metadata):
        usual = AMOUNTS
    elif "bool" in annotation:
        usual = st.booleans()
    elif "int" in annotation or "float" in annotation:
        usual = st.integers(-1, 5) | AMOUNTS | st.integers(-(2**63), 2**63) | st.floats(-1e12, 1e12)
    else:
        usual = st.text(max_size=5)
    if field.metadata:
        usual |= st.sampled_from(WORDS) | LOOSE | AMOUNTS
    if "list" in annotation:
        usual = st.lists(usual, max_size=3)
    return st.one_of(usual, usual, usual, usual, st.none(), JSON, LOOSE)


@many
@given(data=st.data())
def test_the_control_interface_never_fails(served: Served, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(MODELS)))
    model = MODELS[path]
    method = "POST"
    if path in KINDS and data.draw(st.integers(0, 2)):
        number = data.draw(st.sampled_from([*served.ids[path], 1, 2**63, "x", "%ff", "1/2/3"]))
        method = data.draw(st.sampled_from(["PATCH", "PUT", "POST", "PATCH", "DELETE", "GET"]))
        path = f"{path}/{number}"
        if path.startswith(("orders/", "customers/")) and data.draw(st.booleans()):
            action = data.draw(st.sampled_from([*ORDER_ACTIONS, "merge", "nap"]))
            model = ACTIONS.get(action, model)
            path = f"{path}/{action}"
    body = data.draw(bodies(model, served.ids) | JSON)
    if isinstance(body, dict) and "steps" in body and isinstance(body["steps"], int):
        body["steps"] = min(body["steps"], 20)
    content = orjson.dumps(body) if data.draw(st.integers(0, 20)) else data.draw(st.binary())
    answer = served.request(method, f"/_store/{path}", content=content)
    assert answer.status_code in {200, 400, 404, 405}, answer.text
    if answer.status_code == 400:
        assert answer.json()["error"]
    served.settle()
    check_readable(served)


EVERYTHING = """{
  orders(first: 50) { nodes { id customer { id } lineItems(first: 50) { nodes { id
    product { id } variant { id } taxLines { rate } } } transactions { id } taxLines { rate }
    refunds { id refundLineItems(first: 9) { nodes { lineItem { id } } } }
    fulfillments { id fulfillmentLineItems(first: 9) { nodes { lineItem { id } } } }
    shippingAddress { formatted } customerJourneySummary { lastVisit { landingPage } } } }
  products(first: 9) { nodes { options { name values } variants(first: 9) { nodes {
    selectedOptions { name value } } } } }
  customers(first: 20) { nodes { defaultAddress { formatted } lastOrder { id } } } }"""


def check_readable(served: Served) -> None:
    """Whatever was written can be read in every way."""
    body = served.ask({"query": EVERYTHING.replace("first: 9", "first: 2")})
    assert body.status_code == 200
    for kind in KINDS:
        assert served.request("GET", f"/_store/truth/{kind}").status_code == 200
    served.application.store.clock.advance(5_000_000)
    for kind in ("orders", "products", "customers"):
        path = f"/admin/api/2026-10/{kind}.json"
        answer = served.request("GET", path, headers={"X-Shopify-Access-Token": TOKEN})
        assert answer.status_code in {200, 429}
