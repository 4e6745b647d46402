"""A bound read from a query's text holds for what live shops charged."""

import gzip
import json
from pathlib import Path

import pytest

from shopify_pipeline.admin_api.cost import CostMemory, cost_bound
from shopify_pipeline.admin_api.operations import Operation

PAIRS = Path(__file__).parents[3] / "shared" / "reference" / "data" / "cost_pairs.json.gz"


@pytest.mark.skipif(not PAIRS.exists(), reason="no recorded costs here")
def test_the_bound_is_above_every_recorded_price_of_a_query_whose_lists_are_bounded() -> None:
    above = total = 0
    for pair in json.loads(gzip.decompress(PAIRS.read_bytes())):
        # `transactions` is a list without `first`; two operations in one text are charged both.
        if "transactions {" in pair["query"] or pair["query"].startswith("query First"):
            continue
        total += 1
        operation = Operation(query=pair["query"], variables=pair["variables"] or {})
        above += cost_bound(operation) >= pair["requested"]
    assert total > 200
    assert above == total


@pytest.mark.parametrize(
    ("query", "bound"),
    [
        ("{ shop { name } }", 1),
        ("{ ordersCount { count } }", 10),
        ("{ orders(first: 10) { nodes { id } } }", 2 + 10 * 1),
        ("query Q($n: Int = 5) { orders(first: $n) { edges { node { id } } } }", 2 + 5 * 2),
        ("{ a: nodes(ids: [1, 2, 3]) { id ...Money } } fragment Money on X { m { c } }", 3 * 2),
        ("mutation { x(query: 1) { id } }", 11),
    ],
)
def test_the_bound_counts_objects_and_whole_connections(query: str, bound: float) -> None:
    assert cost_bound(Operation(query=query)) == bound


def test_a_query_is_expected_to_cost_what_it_did_at_the_same_size() -> None:
    memory = CostMemory()
    query = "query Q($first: Int!) { orders(first: $first) { nodes { id } } }"
    memory.remember(Operation(query=query, variables={"first": 100}), 11)
    assert memory.predict(Operation(query=query, variables={"first": 100, "query": "x"})) == 11
    assert memory.predict(Operation(query=query, variables={"first": 99})) == 101
