"""Whatever the GraphQL and token endpoints are asked, sense or nonsense, they never answer 500."""

from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.demo.store.paging import encode_cursor
from shopify_pipeline.demo.store.schemas import schema_of
from shopify_pipeline_tests.demo.store.in_process import JSON, Served, many

SCHEMA = schema_of("2026-10")

SEARCHES = st.sampled_from(
    [
        "updated_at:>'2026-01-01T00:00:00Z'", "id:>5", "NOT (a OR", "tag:x,y", "created_at:<=now",
        "email:*", "(((", "-status:open", "id:99999999999999999999", "9999-12-31", ":", "name:\"a",
        "total_spent:>1e9",
        "updated_at:>0000-00-00", "created_at:9999-12-31", "total_spent:>1e99999",
        "updated_at:'9999-12-31T23:59:59+14:00'", "\\", "price:>x",
        "updated_at:'0001-01-01T00:00:00-14:00'", "id:1 AND", "a:b:c", "quantity:>=-1",
    ]
) | st.text(max_size=12)  # fmt: skip


IDS = st.sampled_from([1, -1, 2**63, 2**64 - 1])
TIMES_SEEN = st.sampled_from(["2026-10-01 00:00:00.000000", "0001-01-01", "9.50", "1"])


def literal(wanted: Any, name: str) -> st.SearchStrategy[str]:
    """A GraphQL literal of a type, mostly of the right one."""
    if isinstance(wanted, GraphQLNonNull):
        return literal(wanted.of_type, name)
    if isinstance(wanted, GraphQLList):
        inner = st.lists(literal(wanted.of_type, name), max_size=3)
        return inner.map(lambda parts: f"[{', '.join(parts)}]")
    if isinstance(wanted, GraphQLEnumType):
        return st.sampled_from(sorted(wanted.values))
    if isinstance(wanted, GraphQLInputObjectType):
        pairs = [
            st.tuples(st.just(key), literal(field.type, key)).map(": ".join)
            for key, field in wanted.fields.items()
        ]
        parts = st.lists(st.sampled_from(pairs), max_size=3).flatmap(lambda some: st.tuples(*some))
        return parts.map(lambda some: "{" + ", ".join(some) + "}")
    quoted = orjson.dumps
    strings = SEARCHES.map(lambda text: quoted(text).decode())
    if name in {"after", "before"}:
        return st.builds(encode_cursor, IDS, JSON | TIMES_SEEN | IDS).map(
            lambda text: quoted(text).decode()
        )
    gids = st.sampled_from(["Order/1", "Product/x", "Nose/2", "Customer/9" * 30, "Shop/1?a=b", ""])
    usual = {
        "Int": st.integers(-3, 260).map(str) | st.sampled_from(["2147483647", "2147483648"]),
        "Boolean": st.sampled_from(["true", "false"]),
        "Float": st.floats(-10, 10).map(str),
        "ID": gids.map(lambda tail: f'"gid://shopify/{tail}"'),
    }.get(wanted.name, strings)
    return st.one_of(usual, usual, usual, usual, st.just("null"), strings, st.just("5"))


@st.composite
def selections(draw: st.DrawFn, kind: Any, depth: int) -> str:
    """A selection on a type of the schema."""
    parts = ["__typename"]
    if isinstance(kind, GraphQLObjectType):
        names = draw(st.lists(st.sampled_from(sorted(kind.fields)), max_size=3))
        parts += [draw(selected(kind, name, depth)) for name in names]
    else:
        parts += [
            f"... on {possible.name} {draw(selections(possible, depth - 1))}"
            for possible in SCHEMA.get_possible_types(kind)[:2]
        ]
    return "{ " + " ".join(parts) + " }"


@st.composite
def selected(draw: st.DrawFn, kind: GraphQLObjectType, name: str, depth: int) -> str:
    """One field with arguments and, while it may go deeper, what it holds."""
    field = kind.fields[name]
    given = []
    for key, argument in field.args.items():
        likely = is_required_argument(argument) or key == "first" or draw(st.integers(0, 3)) == 0
        if likely:
            given.append(f"{key}: {draw(literal(argument.type, key))}")
    text = f"a{draw(st.integers(0, 99))}: {name}" + (f"({', '.join(given)})" if given else "")
    inner = get_named_type(field.type)
    if is_leaf_type(inner):
        return text
    return f"{text} {draw(selections(inner, depth - 1)) if depth > 0 else '{ __typename }'}"


@many
@given(data=st.data())
def test_graphql_never_fails(served: Served, data: st.DataObject) -> None:
    served.settle()
    root = data.draw(st.sampled_from(["query"] * 6 + ["mutation", "subscription"]))
    kind = SCHEMA.mutation_type if root == "mutation" else SCHEMA.query_type
    name = data.draw(st.sampled_from(["", "", "A"]))
    text = f"{root} {name} {data.draw(selections(kind, 4))}"
    answer = served.ask({"query": text, "variables": data.draw(st.none() | st.just({"x": 1}))})
    assert answer.status_code == 200, text
    assert answer.json().keys() & {"data", "errors"}


@many
@given(
    body=st.binary()
    | JSON
    | st.fixed_dictionaries(
        {"query": st.text()}, optional={"variables": JSON, "operationName": JSON}
    ),
    kind=st.sampled_from(["application/json", "application/graphql", "text/plain"]),
)
def test_a_request_of_any_form_is_answered(served: Served, body: Any, kind: str) -> None:
    served.settle()
    answer = served.ask(body, **{"Content-Type": kind})
    assert answer.status_code in {200, 400}
    token = served.request(
        "POST",
        "/admin/oauth/access_token",
        content=body if isinstance(body, bytes) else orjson.dumps(body),
        headers={"Content-Type": kind},
    )
    assert token.status_code in {400, 401}


@pytest.mark.parametrize(
    "query",
    [
        "{" * 5_000,
        *(
            '{ order(id: "gid://shopify/Order/5300000000000") '
            + "{ customer { lastOrder " * depth
            + "{ id }"
            + " } }" * depth
            + " }"
            for depth in (20, 50, 80, 110, 140, 170)
        ),
        "{ shop " * 3_000 + "}" * 3_000,
        "{ a(b: " + "[" * 5_000,
        "query($x: " + "[" * 3_000 + "Int" + "]" * 3_000 + ") { shop { id } }",
        "subscription { shop { id } }",
        "fragment A on Shop { id }",
        "fragment A on Shop { ...A } { shop { ...A } }",
        "query A { shop { id } } query A { shop { id } }",
        '{ __type(name: "Shop") { name } }',
        "{ __schema { types { name } } shop { id } }",
        "mutation { __typename }",
        "{ orders(first: 1) @skip(if: 5) { nodes { id } } }",
        "query($s: Boolean!) { shop @include(if: $s) { id } }",
    ],
)
def test_odd_documents_are_answered(served: Served, query: str) -> None:
    answer = served.ask({"query": query})
    assert answer.status_code == 200
    assert answer.json().keys() & {"data", "errors"}
