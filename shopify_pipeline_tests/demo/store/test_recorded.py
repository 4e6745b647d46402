"""Requests that were recorded on live stores, sent to ours: the answers have the same shape."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from graphql import OperationDefinitionNode, parse

from shopify_pipeline_tests.reference import needs_reference, recordings
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore

READ = frozenset(
    [
        "bulkOperation",
        "bulkOperations",
        "customer",
        "customerByIdentifier",
        "event",
        "events",
        "eventsCount",
        "customers",
        "node",
        "nodes",
        "order",
        "orders",
        "ordersCount",
        "product",
        "productVariant",
        "productVariants",
        "products",
        "productsCount",
        "shop",
        "shopifyPaymentsAccount",
    ]
)
GID = re.compile(r"gid://shopify/(Order|Customer|Product|ProductVariant)/\d+")


Exchange = tuple[str, str, dict[str, Any], dict[str, Any]]


def _exchanges(name: str, held: Any) -> Iterator[Exchange]:
    if isinstance(held, list):
        for one in held:
            yield from _exchanges(name, one)
    if not isinstance(held, dict):
        return
    query, answer = held.get("query"), held.get("response")
    if isinstance(query, str) and "{" in query and isinstance(answer, dict):
        body = answer.get("body") or answer.get("payload") or answer
        if isinstance(body, dict) and ("data" in body or "errors" in body) and _is_read(query):
            yield name, query, held.get("variables") or {}, body
    for one in held.values():
        yield from _exchanges(name, one)


def _is_read(query: str) -> bool:
    for one in parse(query).definitions:
        if not isinstance(one, OperationDefinitionNode):
            continue
        if one.operation.value != "query":
            return False
        names = {getattr(field, "name").value for field in one.selection_set.selections}  # noqa: B009
        if not names <= READ:
            return False
    return True


ALL = [one for name, held in recordings() for one in _exchanges(name, held)]


def kind_of(value: Any) -> str:
    """What a leaf looks like: a time, an amount, a gid of a type, digits, a word …"""
    if not isinstance(value, str):
        return type(value).__name__
    for pattern, name in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", "time"),
        (r"-?\d+\.\d+$", "amount"),
        (r"\d+$", "digits"),
    ):
        if re.match(pattern, value):
            return name
    found = re.match(r"gid://shopify/(\w+)/", value)
    return f"gid {found[1]}" if found else "text"


LOOSE = frozenset({"text", "digits"})


def differences(theirs: Any, ours: Any, way: str = "") -> Iterator[str]:
    """Where two answers differ in keys, types or number formats."""
    if theirs is None or ours is None:
        return
    if isinstance(theirs, dict):
        if not isinstance(ours, dict):
            yield f"{way}: {type(ours).__name__} for an object"
            return
        ordered = not way.startswith("/errors")
        if list(theirs) != list(ours) if ordered else set(theirs) != set(ours):
            yield f"{way}: {list(ours)} for {list(theirs)}"
            return
        for key, value in theirs.items():
            yield from differences(value, ours[key], f"{way}/{key}")
    elif isinstance(theirs, list):
        if not isinstance(ours, list):
            yield f"{way}: {type(ours).__name__} for a list"
        elif theirs and ours:
            yield from differences(theirs[0], ours[0], f"{way}[]")
    elif kind_of(theirs) != kind_of(ours) and not {kind_of(theirs), kind_of(ours)} <= LOOSE:
        yield f"{way}: {ours!r} for {theirs!r}"


class _Substitute:
    """Puts our records' ids where the recording names the live store's."""

    def __init__(self, store: SimulatedStore) -> None:
        self._ids: dict[str, str] = {}
        for kind, name in (
            ("orders", "Order"),
            ("customers", "Customer"),
            ("products", "Product"),
            ("variants", "ProductVariant"),
        ):
            text = httpx.get(f"{store.url}/_store/truth/{kind}").text
            self._ids[name] = json.loads(text.splitlines()[3])["id"]

    def __call__(self, held: Any) -> Any:
        if isinstance(held, dict):
            return {key: self(value) for key, value in held.items()}
        if isinstance(held, list):
            return [self(value) for value in held]
        if isinstance(held, str) and not held.endswith("/0"):
            found = GID.fullmatch(held)
            return self._ids[found[1]] if found else held
        return held


@pytest.fixture(scope="module")
def substitute(store: SimulatedStore) -> _Substitute:
    return _Substitute(store)


@needs_reference
@pytest.mark.parametrize(
    ("name", "query", "variables", "recorded"),
    ALL,
    ids=[f"{n}-{i}" for i, (n, *_) in enumerate(ALL)],
)
def test_a_recorded_read_is_answered_in_the_same_shape(  # noqa: PLR0917
    store: SimulatedStore,
    substitute: _Substitute,
    name: str,
    query: str,
    variables: dict[str, Any],
    recorded: dict[str, Any],
) -> None:
    version = "2026-07" if name.startswith("2026-07") else "2026-04"
    answer = httpx.post(
        f"{store.url}/admin/api/{version}/graphql.json",
        json={"query": query, "variables": substitute(variables)},
        headers={"X-Shopify-Access-Token": TOKEN},
        timeout=60,
    ).json()
    theirs = {key: recorded[key] for key in ("errors", "data") if key in recorded}
    ours = {key: answer[key] for key in ("errors", "data") if key in answer}
    assert list(differences(theirs, ours)) == []
    if "errors" in recorded:
        told = [(one["message"], one.get("extensions")) for one in recorded["errors"]]
        assert [(one["message"], one.get("extensions")) for one in answer["errors"]] == told
        assert [one.get("locations") for one in answer["errors"]] == [
            one.get("locations") for one in recorded["errors"]
        ]
    if "search" in recorded.get("extensions", {}):
        assert answer["extensions"]["search"] == recorded["extensions"]["search"]


def test_there_are_recordings_to_replay() -> None:
    if not recordings():
        pytest.skip("Shopify's recordings are not beside this checkout")
    assert len(ALL) > 20
