"""The search syntax: precedence, negation, comparators, lists, prefixes, timestamps."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_pipeline.demo.store import records
from shopify_pipeline.demo.store.blueprints import product
from shopify_pipeline.demo.store.clock import SECOND, iso, parse_time
from shopify_pipeline.demo.store.database import Database
from shopify_pipeline.demo.store.search import BadSearchError, SearchRules, compile_search
from shopify_pipeline.demo.store.search_syntax import Both, Either, Not, Term, parse

RULES = SearchRules(ZoneInfo("America/New_York"), parse_time("2026-11-22T12:00:00Z"))
NOON = parse_time("2026-06-15T12:00:00.500000Z")


@pytest.fixture(scope="module")
def database() -> Database:
    made = Database()
    made.add_indexes()
    rows = [
        product(1, NOON, title="Red Tee", vendor="VANS", tags=["sale"], totalInventory=5),
        product(2, NOON, title="Blue Tee", vendor="NIKE", tags=["new"], status="DRAFT"),
        product(3, NOON + 3600 * SECOND, title="Green Mug", vendor="VANS", tags=["new", "sale"]),
        product(4, parse_time("2026-06-16T02:00:00Z"), title="Lamp", vendor="", status="ARCHIVED"),
    ]
    made.fill("products_index", [records.product_index(one) for one in rows])
    return made


def hits(database: Database, text: str, rules: SearchRules = RULES) -> set[int]:
    condition = compile_search("products", text, rules)
    sql = f"SELECT id FROM products_index WHERE {condition.sql}"
    return {row[0] for row in database.rows(sql, condition.values)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {1, 2, 3, 4}),
        ("vendor:VANS", {1, 3}),
        ("vendor:vans tag:new", {3}),
        ("vendor:VANS OR vendor:NIKE", {1, 2, 3}),
        ("vendor:NIKE OR vendor:VANS AND tag:new", {2, 3}),
        ("(vendor:NIKE OR vendor:VANS) AND tag:new", {2, 3}),
        ("(vendor:NIKE OR vendor:VANS) tag:sale", {1, 3}),
        ("NOT vendor:VANS", {2, 4}),
        ("-vendor:VANS", {2, 4}),
        ("tag_not:new", {1, 4}),
        ("status:draft,archived", {2, 4}),
        ("status:ACTIVE", {1, 3}),
        ("title:Blu*", {2}),
        ("tee", {1, 2}),
        ("gre*", {3}),
        ("id:>=3", {3, 4}),
        ("id:2", {2}),
        ("inventory_total:>0", {1}),
        ("vendor:*", {1, 2, 3}),
        ("nonsense:1", {1, 2, 3, 4}),
        ("nonsense:1 vendor:VANS", {1, 3}),
        ("status:sold_out", set()),
        ("updated_at:>='2026-06-15T12:00:01Z'", {3, 4}),
        ("updated_at:>='2026-06-15T12:00:00Z' AND updated_at:<'2026-06-15T13:00:00Z'", {1, 2}),
        ("updated_at:2026-06-15", {1, 2, 3, 4}),
        ("updated_at:>2026-06-15", set()),
        ("updated_at:<2026-06-15T23:00:00Z", set()),
    ],
)
def test_a_search_finds(database: Database, text: str, found: set[int]) -> None:
    assert hits(database, text) == found


def test_a_day_is_the_shops_day(database: Database) -> None:
    utc = SearchRules(ZoneInfo("UTC"), RULES.now)
    assert hits(database, "updated_at:2026-06-15", utc) == {1, 2, 3}


def test_an_unquoted_timestamp_loses_its_time_and_warns() -> None:
    condition = compile_search("products", "updated_at:<2000-01-01T00:00:00Z", RULES)
    assert condition.warnings == [
        {
            "field": "00",
            "message": "Invalid search field for this query.",
            "code": "invalid_field",
        }
    ]


@pytest.mark.parametrize("text", ["updated_at:>nothing", "updated_at:'2026-13-01'", "updated_at:>"])
def test_a_bad_timestamp_is_refused(text: str) -> None:
    with pytest.raises(BadSearchError, match="Invalid timestamp for query filter `updated_at`"):
        compile_search("products", text, RULES)


def test_the_tree_follows_precedence() -> None:
    tree = parse("a:1 OR b:2 -c:3")
    assert isinstance(tree, Either)
    assert isinstance(tree.parts[0], Term)
    assert isinstance(tree.parts[1], Both)
    assert isinstance(tree.parts[1].parts[1], Not)


@given(st.text(max_size=60))
def test_any_text_is_either_searched_or_refused(text: str) -> None:
    database = _empty()
    try:
        condition = compile_search("products", text, RULES)
    except BadSearchError:
        return
    database.rows(f"SELECT id FROM products_index WHERE {condition.sql}", condition.values)


_made: list[Database] = []


def _empty() -> Database:
    if not _made:
        _made.append(Database())
    return _made[0]


@given(st.integers(min_value=0, max_value=4_000_000_000), st.integers(0, 999_999))
def test_times_survive_writing_and_reading(seconds: int, fraction: int) -> None:
    assert parse_time(iso(seconds * SECOND + fraction)) == seconds * SECOND


@given(
    st.lists(st.tuples(st.integers(1, 999_999), st.integers(0, 86_399)), max_size=20),
    st.integers(0, 86_399),
    st.integers(0, 86_399),
)
def test_half_open_windows_split_without_gap_or_overlap(
    moments: list[tuple[int, int]], first: int, second: int
) -> None:
    database = Database()
    day = parse_time("2026-06-15T00:00:00Z")
    rows = [
        product(place, day + seconds * SECOND + fraction)
        for place, (fraction, seconds) in enumerate(moments, 1)
    ]
    database.fill("products_index", [records.product_index(one) for one in rows])
    low, high = (iso(day + one * SECOND) for one in sorted((first, second)))
    parts = [
        hits(database, f"updated_at:<'{low}'"),
        hits(database, f"updated_at:>='{low}' AND updated_at:<'{high}'"),
        hits(database, f"updated_at:>='{high}'"),
    ]
    assert sorted(one for part in parts for one in part) == [one["id"] for one in rows]
