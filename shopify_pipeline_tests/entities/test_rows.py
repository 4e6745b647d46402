"""Rows keep what Shopify said, exactly: money, times, ids, empty strings, unknown words, nulls."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, get_args

import orjson
import pytest
import sqlalchemy as sa
from graphql import (
    GraphQLEnumType,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shopify_pipeline.entities import ENTITIES, Entity, MalformedRecordError
from shopify_pipeline.entities.line_pattern import LinePattern, short_names
from shopify_pipeline.entities.line_reader import NOT_USUAL, LineReader
from shopify_pipeline.entities.orders import Order
from shopify_pipeline.entities.row import Read
from shopify_pipeline.entities.types import (
    Flag,
    Id,
    Integer,
    Money,
    Numeral,
    Reference,
    Tags,
    Text,
    Timestamp,
    Word,
    pattern_of,
    usual,
)
from shopify_pipeline.sync.queries import selected
from shopify_pipeline.warehouse.copying import NULL, _field_of, lines_of
from shopify_pipeline.warehouse.rows import RowSet
from shopify_pipeline_tests.reference import needs_reference, recordings, schema
from shopify_pipeline_tests.truth import expected_value

PATHS = [(e, c, p) for e in ENTITIES.values() for c, p in e.row.read_paths().items()]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ids = st.integers(1, 2**63 - 1)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda t: t.replace(microsecond=0, tzinfo=UTC)
)
amounts = st.decimals(
    allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12
).map(lambda d: format(d, "f"))

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "String": texts,
    "URL": texts.map(lambda t: "https://shop.example/" + t),
    "Boolean": st.booleans(),
    "Int": st.integers(-(2**31), 2**31 - 1),
    "UnsignedInt64": ids.map(str),
    "Money": amounts,
    "Decimal": amounts,
    "DateTime": moments.map(lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ")),
}


def node_strategy(
    gid_type: str, paths: list[tuple[str, ...]], kind: GraphQLObjectType
) -> st.SearchStrategy[dict[str, Any]]:
    """Any node that the schema allows for a selection of these paths."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for name in {path[0] for path in paths if path}:
        field = kind.fields[name]
        named = get_named_type(field.type)
        below = [path[1:] for path in paths if path[0] == name and len(path) > 1]
        value: st.SearchStrategy[Any]
        if below:
            assert isinstance(named, GraphQLObjectType)
            value = node_strategy(named.name, below, named)
        elif isinstance(named, GraphQLEnumType):
            value = st.sampled_from([*named.values, "A_WORD_OF_NEXT_YEAR"])
        elif named.name == "ID":
            value = ids.map(f"gid://shopify/{gid_type}/{{}}".format)
        elif named.name == "UnsignedInt64" and name == "numberOfOrders":
            value = st.integers(0, 2**31 - 1).map(str)
        elif named.name == "CurrencyCode":
            value = st.sampled_from(["USD", "JPY", "KWD"])
        else:
            value = SCALARS[named.name]
        if name == "tags":
            value = st.lists(texts, max_size=3)
        if not isinstance(field.type, GraphQLNonNull):
            value = st.none() | value
        fields[name] = value
    return st.fixed_dictionaries(fields)


def any_node(entity: Entity) -> st.SearchStrategy[dict[str, Any]]:
    kind = schema("2026-10").type_map[entity.gid_type]
    assert isinstance(kind, GraphQLObjectType)
    paths = [("id",), *entity.row.read_paths().values()]
    return node_strategy(entity.gid_type, paths, kind)


@needs_reference
@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda e: e.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_node_that_the_schema_allows_becomes_its_row(entity: Entity, data: Any) -> None:
    node = data.draw(any_node(entity))
    row = entity.row.from_graphql(node, owner=7)
    for column, path in entity.row.read_paths().items():
        value: Any = node
        for step in path:
            value = None if value is None else value[step]
        assert getattr(row, column) == expected_value(value, column, entity), column


ODD_VALUES: list[Any] = [
    None, "", " ", 0, -1, 1.5, True, [], {}, "x", "1_0", "NaN", "1e400", "2026-01-01", "É", "٣",
    "2026-13-01T00:00:00Z", "2026-01-01T00:00:00+02:00", str(2**63), 2**31, ["a", 1], "gid://x/1?y",
]  # fmt: skip

ODD = st.sampled_from(ODD_VALUES)

NEARLY_USUAL: list[Any] = [
    "2026-01-31T00:00:00Z", "2026-01-31T00:00:00", "2026-01-31T00:00:00.5Z", "2026-02-30T00:00:00Z",
    "2026-01-31 00:00:00Z", "2026-01-31T25:00:00Z", "12.50", "-0.00", "1.", ".5", "+1", "1" * 31,
    str(2**63 - 1), -(2**31), "007", "A_WORD", "a\tb\\c\n", "a\0b", ["a,\"b\"", ""], [None],
]  # fmt: skip


KINDS = {"Flag": Flag, "Id": Id, "Integer": Integer, "Money": Money, "Numeral": Numeral,
         "Reference": Reference, "Tags": Tags, "Text": Text, "Timestamp": Timestamp,
         "Word": Word}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [*ODD_VALUES[1:], *NEARLY_USUAL], ids=repr)
def test_the_usual_form_of_a_value_is_what_pydantic_reads_or_is_left_to_it(
    kind: str, value: Any
) -> None:
    try:
        field = usual(KINDS[kind])(value)
    except NOT_USUAL:
        return
    adapter: TypeAdapter[Any] = TypeAdapter(KINDS[kind])
    read = adapter.validate_python(value)
    if kind in {"Money", "Timestamp"}:
        assert adapter.validate_python(field) == read
        return
    (column,) = (m for m in get_args(KINDS[kind])[1:] if isinstance(m, sa.types.TypeEngine))
    assert field == _field_of(column)(read)


NEARLY_WRITTEN: list[Any] = [
    "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "0000-01-01T00:00:00Z",
    "2026-12-31T23:59:60Z", "2026-01-32T00:00:00Z", "1.5.5", "Straße", "PAID", "a/b", False,
    ["a", "b c"], ["a\\b"], ["a\tb"], 123456789, 2147483648, -5, "5", "gid://shopify/Order/5",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [*ODD_VALUES, *NEARLY_USUAL, *NEARLY_WRITTEN], ids=repr)
def test_what_is_taken_of_json_as_it_is_written_is_what_pydantic_reads(
    kind: str, value: Any
) -> None:
    written = pattern_of(KINDS[kind])
    found = re.fullmatch(written.form, orjson.dumps(value).decode())
    if found is None:
        return
    (field,) = found.groups()
    read: Any = TypeAdapter(KINDS[kind]).validate_python(value)
    if kind in {"Money", "Timestamp"}:
        assert TypeAdapter(KINDS[kind]).validate_python(field) == read
        return
    (column,) = (m for m in get_args(KINDS[kind])[1:] if isinstance(m, sa.types.TypeEngine))
    made = written.field(field) if written.field else field
    assert _unescaped(made, column) == _unescaped(_field_of(column)(read), column)


def test_half_a_quoted_integer_is_not_taken() -> None:
    form = pattern_of(Integer).form
    taken = [text for text in ("5", '"5"', '5"', '"5', "-5", '"-5"') if re.fullmatch(form, text)]
    assert taken == ["5", '"5"', "-5"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("Flag", True), ("Id", "gid://shopify/Order/5"), ("Integer", 12), ("Money", "12.50"),
     ("Reference", "gid://shopify/Order/5"), ("Tags", ["a", "b c"]), ("Text", "Größe 27"),
     ("Timestamp", "2026-01-31T00:00:00Z"), ("Word", "PAID")],
)  # fmt: skip
def test_the_usual_form_of_a_value_is_taken_as_it_is_written(kind: str, value: Any) -> None:
    assert re.fullmatch(pattern_of(KINDS[kind]).form, orjson.dumps(value).decode())


@needs_reference
@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda e: e.name)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_line_says_what_pydantic_reads_or_is_left_to_it_on_odd_values_too(
    entity: Entity, data: Any
) -> None:
    node = data.draw(any_node(entity))
    for path in data.draw(st.lists(st.sampled_from(list(entity.row.read_paths().values())))):
        inside = node
        for step in path[:-1]:
            inside = inside[step] if isinstance(inside, dict) else None
        if isinstance(inside, dict):
            inside[path[-1]] = data.draw(ODD)
    assert_read_as_pydantic_does(entity, node)


USUAL: dict[str, Any] = {
    "String": "Größe 27", "URL": "https://shop.example/a", "Boolean": True, "Int": 12,
    "UnsignedInt64": "12", "Money": "12.50", "Decimal": "12.5", "DateTime": "2026-01-31T00:00:00Z",
    "CurrencyCode": "USD",
}  # fmt: skip


def usual_node(gid_type: str, tree: Any, kind: GraphQLObjectType) -> dict[str, Any]:
    """A node that is taken as it is written."""
    node: dict[str, Any] = {}
    for name, below in tree.items():
        named = get_named_type(kind.fields[name].type)
        if below:
            assert isinstance(named, GraphQLObjectType)
            node[name] = usual_node(named.name, below, named)
        elif isinstance(named, GraphQLEnumType):
            node[name] = next(iter(named.values))
        elif named.name == "ID":
            node[name] = f"gid://shopify/{gid_type}/5"
        else:
            node[name] = ["a", "b c"] if name == "tags" else USUAL[named.name]
    return node


def leaves(tree: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, below in tree.items():
        yield (*above, name)
        yield from leaves(below, (*above, name))


@needs_reference
@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda e: e.name)
def test_a_usual_line_with_any_one_odd_value_says_what_pydantic_reads_or_is_left_to_it(
    entity: Entity,
) -> None:
    kind = schema("2026-10").type_map[entity.gid_type]
    assert isinstance(kind, GraphQLObjectType)
    tree = selected(entity)
    assert assert_read_as_pydantic_does(entity, usual_node(entity.gid_type, tree, kind))
    for path in leaves(tree):
        for value in (*ODD_VALUES, *NEARLY_USUAL, *NEARLY_WRITTEN):
            node = inside = usual_node(entity.gid_type, tree, kind)
            for step in path[:-1]:
                inside = inside[step]
            inside[path[-1]] = value
            assert_read_as_pydantic_does(entity, node)


def assert_read_as_pydantic_does(entity: Entity, node: Any) -> bool:
    """Compare both fast ways, where they take a node; whether it is taken as it is written."""
    columns = entity.read_columns()
    owner = entity.owner and ENTITIES[entity.owner.entity]
    gid = {"__parentId": owner.gid(7)} if owner else {}
    take, read = _fast_ways(entity.name)
    raw = orjson.dumps(_in_order(node, selected(entity)) | gid).replace(b"/", rb"\/").decode()
    taken = take(raw)
    try:
        lines = [read(node, "7", MOMENT.isoformat())]
    except NOT_USUAL:
        lines = []
    if taken is not None:
        number, updated, _, line = taken
        assert number == ("7" if owner else str(node["id"]).rpartition("/")[2])
        assert updated == (None if owner else node["updatedAt"])
        lines.append(line)
    if not lines:
        return False
    values = (*entity.row.read_values(node, columns=columns, owner=7), MOMENT)
    shape = (*columns, "observed_at")
    (expected,) = lines_of(RowSet(entity.table, shape, [values]), [values]).rows
    for line in lines:
        found = zip(line.split("\t"), expected.split("\t"), shape, strict=True)
        for mine, its, column in found:
            assert _meant(mine, column, entity) == _meant(its, column, entity), column
    return taken is not None


@cache
def _fast_ways(name: str) -> tuple[LinePattern, LineReader]:
    entity = ENTITIES[name]
    columns = entity.read_columns()
    observed = MOMENT.isoformat()
    return (
        entity.line_pattern(columns, selected(entity), (), observed=observed),
        entity.line_reader(columns),
    )


def _in_order(node: Any, tree: Any) -> Any:
    """The node as a bulk file holds it: its fields in the order of the selection, by aliases."""
    if not (tree and node and isinstance(node, dict)):
        return node
    short = short_names(tree)
    return {short[name]: _in_order(node.get(name), below) for name, below in tree.items()}


def _meant(field: str, column: str, entity: Entity) -> str:
    """What Postgres reads of a field of a column."""
    types = {known.name: known.type for known in entity.table.columns}
    return _utc(_unescaped(field, types.get(column)))


def _unescaped(field: str, kind: Any) -> str:
    if isinstance(kind, sa.Boolean):
        return {"true": "t", "false": "f"}.get(field, field)
    if isinstance(kind, sa.Numeric) and field != NULL:
        return str(Decimal(field))
    escapes = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
    if field == NULL:
        return field
    return re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[1]), field)


def _utc(field: str) -> str:
    return field.removesuffix("Z") + "+00:00" if TIME.fullmatch(field) else field


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MOMENT = datetime(2026, 11, 1, tzinfo=UTC)


@needs_reference
@pytest.mark.parametrize(
    ("entity", "column", "path"), PATHS, ids=[f"{e.name}.{c}" for e, c, _ in PATHS]
)
def test_a_column_is_nullable_exactly_where_shopify_may_answer_null(
    entity: Entity, column: str, path: tuple[str, ...]
) -> None:
    annotation = entity.row.model_fields[column].annotation
    assert _nullable(entity, path) == (type(None) in getattr(annotation, "__args__", ()))


@needs_reference
def test_recorded_answers_of_live_stores_map_field_by_field() -> None:
    mapped = 0
    for name, recording in recordings():
        for node in _nodes(recording):
            kind = str(node.get("id", "")).split("/")[3:4]
            for entity in ENTITIES.values():
                if kind != [entity.gid_type]:
                    continue
                for column, path in entity.row.read_paths().items():
                    found, value = _walk(node, path)
                    # The capturing proxy wrote null for two non-null fields that it hadn't asked.
                    if not found or (value is None and not _nullable(entity, path)):
                        continue
                    model = entity.row.narrowed(frozenset({column}))
                    row = model.model_validate({column: value})
                    assert getattr(row, column) == expected_value(value, column, entity), (
                        name,
                        column,
                    )
                    mapped += 1
    assert mapped > 500, mapped


def test_an_answer_without_a_selected_field_is_refused_by_name() -> None:
    with pytest.raises(MalformedRecordError, match=r"gid://shopify/Order/1.*legacyResourceId"):
        Order.from_graphql({"id": "gid://shopify/Order/1"})


@pytest.mark.parametrize("other", [5, "5", ["5"], True])
def test_a_value_where_an_object_is_expected_is_refused_by_name(other: Any) -> None:
    expected = r"Order gid://shopify/Order/1: .* totalPriceSet.shopMoney.amount, found a"
    node = {"id": "gid://shopify/Order/1", "totalPriceSet": other}
    with pytest.raises(MalformedRecordError, match=expected):
        Order.read_values(node, columns=["total_price"])
    body = {"id": 1, "current_subtotal_price_set": other, "customer": other}
    with pytest.raises(MalformedRecordError, match=r"Order 1: .* customer.id, found a"):
        Order.from_webhook("orders/updated", body)


def test_money_as_a_float_is_refused() -> None:
    model = Order.narrowed(frozenset({"total_price"}))
    with pytest.raises(ValueError, match="decimal string"):
        model.model_validate({"total_price": 0.1})


def test_a_number_too_large_for_its_column_is_refused() -> None:
    customer = ENTITIES["customers"].row.narrowed(frozenset({"orders_count"}))
    with pytest.raises(ValueError, match="less than"):
        customer.model_validate({"orders_count": str(2**31)})


def test_every_column_says_what_it_holds() -> None:
    silent = [
        f"{entity.name}.{column.name}"
        for entity in ENTITIES.values()
        for column in entity.table.columns
        if not column.description
    ]
    assert silent == []


def test_parents_come_before_those_that_point_to_them() -> None:
    names = list(ENTITIES)
    for entity in ENTITIES.values():
        above = {parent.entity for parent in entity.parents}
        if entity.owner:
            above.add(entity.owner.entity)
        assert all(names.index(parent) < names.index(entity.name) for parent in above)


def test_reads_know_one_path_a_column() -> None:
    for entity in ENTITIES.values():
        for column in entity.row.model_fields:
            assert len(entity.row.marks(column, Read)) <= 1


def _nullable(entity: Entity, path: tuple[str, ...]) -> bool:
    kind: Any = schema("2026-10").type_map[entity.gid_type]
    nullable = False
    for step in path:
        field = kind.fields[step]
        nullable = nullable or not isinstance(field.type, GraphQLNonNull)
        kind = get_named_type(field.type)
    return nullable


def _nodes(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, list):
        return [node for item in found for node in _nodes(item)]
    if isinstance(found, dict):
        own = [found] if str(found.get("id", "")).startswith("gid://shopify/") else []
        return own + [node for value in found.values() for node in _nodes(value)]
    return []


def _walk(node: dict[str, Any], path: tuple[str, ...]) -> tuple[bool, Any]:
    value: Any = node
    for step in path:
        if value is None:
            return True, None
        if not isinstance(value, dict) or step not in value:
            return False, None
        value = value[step]
    return True, value
