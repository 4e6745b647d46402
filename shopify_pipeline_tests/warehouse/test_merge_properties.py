"""Whatever comes, in whatever order and batches, the tables say what the rules say."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_pipeline.warehouse import merge
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline_tests.warehouse.families import (
    ORDER_FAMILY,
    POSSIBLE,
    PRODUCT_FAMILY,
    Family,
    told,
)
from shopify_pipeline_tests.warehouse.model import Child, Write

MOMENT = st.integers(0, 7).map(float)
KEY = st.integers(1, 3)

Step = list[Write] | list[tuple[int, float]]


@pytest.fixture(params=[PRODUCT_FAMILY, ORDER_FAMILY], ids=["pruned", "kept"])
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    return found


def values(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({name: st.sampled_from(POSSIBLE[name]) for name in names})


@st.composite
def batches(draw: st.DrawFn, family: Family) -> Step:
    kind = draw(st.sampled_from(("read", "read", "read", "body", "event", "delete")))
    if kind == "delete":
        return draw(st.lists(st.tuples(KEY, MOMENT), min_size=1, max_size=3))
    names = {"read": family.read, "body": family.body, "event": family.event}[kind]
    versions = draw(
        st.lists(
            st.tuples(KEY, MOMENT, MOMENT), min_size=1, max_size=4, unique_by=lambda v: (v[0], v[1])
        )
    )
    writes = []
    for key, observed_at, updated_at in versions:
        spots = [] if kind == "event" else draw(st.lists(st.integers(0, 2), unique=True))
        children = tuple(
            Child(
                key * 10 + spot,
                draw(values(family.child)),
                draw(MOMENT) if family.versioned_children else None,
            )
            for spot in spots
        )
        writes.append(
            Write(
                key=key,
                values=draw(values(names)),
                observed_at=observed_at,
                updated_at=None if kind == "event" else updated_at,
                whole=kind == "read",
                children=children,
            )
        )
    return writes + draw(st.lists(st.sampled_from(writes), max_size=1))


@pytest.fixture(params=[0, merge.MANY_ROWS], ids=["as many rows", "as few rows"])
def many_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small batches go the way of large ones, copied straight where all is new, or not."""
    monkeypatch.setattr(merge, "MANY_ROWS", request.param)


@pytest.mark.usefixtures("many_rows")
@given(data=st.data())
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_history_ends_as_the_rules_say(
    database: Database, family: Family, data: st.DataObject
) -> None:
    history = data.draw(st.lists(batches(family), max_size=7))
    model = family.model()
    with database.transaction() as connection:
        family.clear(connection)
        for step in history:
            before = {key: vars(row).copy() for key, row in model.parents.items()}
            if isinstance(step[0], Write):
                writes = [write for write in step if isinstance(write, Write)]
                counts = family.merge(connection, writes)[family.parents.name]
                model.merge(writes)
                new = len(model.parents) - len(before)
                assert counts.inserted == new
                assert sum((counts.inserted, counts.updated, counts.unchanged, counts.stale)) == (
                    len({write.key for write in writes})
                )
            else:
                deletions = [pair for pair in step if isinstance(pair, tuple)]
                family.delete(connection, deletions)
                latest = {key: max(m for k, m in deletions if k == key) for key, _ in deletions}
                model.delete(list(latest.items()))
            parents, children = family.found(connection)
            names = tuple(dict.fromkeys((*family.read, *family.body, *family.event)))
            assert parents == told(model.parents, names)
            assert children == told(model.children, family.child)
