"""A store's history, told in any order, by any paths and at once, ends in the store's truth."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.relink import relink
from shopify_pipeline_tests.warehouse.conftest import TABLES
from shopify_pipeline_tests.warehouse.families import ORDER_FAMILY, PRODUCT_FAMILY, Family
from shopify_pipeline_tests.warehouse.model import Child, Write

CHANGES = 14
PARENTS = 4


@dataclass
class Truth:
    """One parent of the simulated store."""

    title: str
    updated_at: float
    children: dict[int, str] = field(default_factory=dict)
    deleted_at: float | None = None


@dataclass
class Told:
    """What the store told, in order, and what is true at the end."""

    messages: list[Write | tuple[int, float]]
    truth: dict[int, Truth]


def simulate(seed: int, family: Family) -> Told:
    """Change a small store at random; tell of each change by webhooks, and of some by reads."""
    chance = random.Random(seed)
    truth: dict[int, Truth] = {}
    messages: list[Write | tuple[int, float]] = []
    for moment in range(1, CHANGES + 1):
        key = chance.randint(1, PARENTS)
        parent = truth.get(key)
        if parent is not None and parent.deleted_at is not None:
            continue
        if parent is not None and chance.random() < 0.12:
            parent.deleted_at = moment
            messages.append((key, moment + 0.2))
            continue
        parent = truth.setdefault(key, Truth("", moment))
        # Two changes of one second: updated_at has whole seconds.
        for half in (0.0, 0.5) if chance.random() < 0.3 else (0.0,):
            parent.title, parent.updated_at = f"{moment + half}", moment
            for spot in range(3):
                number = key * 10 + spot
                if chance.random() < 0.5:
                    parent.children[number] = f"{moment + half}"
                elif family.children.prune and chance.random() < 0.3:
                    parent.children.pop(number, None)
            messages.append(_told(family, key, parent, moment + half + 0.1, whole=False))
            if chance.random() < 0.6:
                messages.append(_told(family, key, parent, moment + half + 0.2, whole=True))
    for key, parent in truth.items():
        if parent.deleted_at is None:
            messages.append(_told(family, key, parent, CHANGES + 10, whole=True))
    return Told(messages, truth)


def _told(family: Family, key: int, parent: Truth, observed: float, *, whole: bool) -> Write:
    names = family.read if whole else family.body
    values = dict.fromkeys(names) | {names[0]: parent.title}
    children = tuple(
        Child(
            number,
            dict.fromkeys(family.child) | {"title": title},
            parent.updated_at if family.versioned_children else None,
        )
        for number, title in parent.children.items()
    )
    return Write(key, values, observed, parent.updated_at, whole, children)


def deliver(database: Database, family: Family, batch: list[Write | tuple[int, float]]) -> None:
    """Merge a batch as a worker would: each kind in its call, one transaction."""
    reads = [one for one in batch if isinstance(one, Write) and one.whole]
    bodies = [one for one in batch if isinstance(one, Write) and not one.whole]
    deletions = [one for one in batch if isinstance(one, tuple)]

    def work(connection: sa.Connection) -> None:
        for writes in (bodies, reads):
            if writes:
                family.merge(connection, writes)
        if deletions:
            family.delete(connection, deletions)

    database.retrying(work)


def check(database: Database, family: Family, told: Told) -> None:
    with database.transaction() as connection:
        relink(connection, TABLES)
        parents, children = family.found(connection)
    assert set(parents) == set(told.truth)
    for key, truth in told.truth.items():
        row = parents[key]
        below = {number: child for number, child in children.items() if child.owner == key}
        if truth.deleted_at is not None:
            assert row.deleted_at == truth.deleted_at + 0.2
            assert all(child.deleted_at is not None for child in below.values())
            continue
        assert row.deleted_at is None
        assert row.values[family.read[0]] == truth.title
        assert row.updated_at == row.complete_at == truth.updated_at
        alive = {n: c.values["title"] for n, c in below.items() if c.deleted_at is None}
        assert alive == truth.children
        assert all(c.complete_at == truth.updated_at for c in below.values() if not c.deleted_at)


@pytest.fixture(params=[PRODUCT_FAMILY, ORDER_FAMILY], ids=["pruned", "kept"])
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    return found


@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False), size=st.integers(1, 9))
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_any_batches_and_repeats_end_in_the_truth(
    database: Database, family: Family, seed: int, order: random.Random, size: int
) -> None:
    told = simulate(seed, family)
    messages = told.messages + order.sample(told.messages, k=len(told.messages) // 3)
    order.shuffle(messages)
    with database.transaction() as connection:
        family.clear(connection)
    for first in range(0, len(messages), size):
        deliver(database, family, messages[first : first + size])
    check(database, family, told)


@pytest.mark.parametrize("seed", range(8))
def test_writers_at_once_end_in_the_truth(database: Database, family: Family, seed: int) -> None:
    told = simulate(seed, family)
    chance = random.Random(seed)

    def writer(number: int) -> Callable[[], None]:
        # By odd seeds each message comes once, by even ones every writer brings all of them.
        messages = told.messages[number::4] if seed % 2 else list(told.messages)
        random.Random(seed * 10 + number).shuffle(messages)
        size = chance.randint(1, 6)

        def run() -> None:
            for first in range(0, len(messages), size):
                deliver(database, family, messages[first : first + size])

        return run

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(writer(number)) for number in range(4)]:
            done.result()
    check(database, family, told)
