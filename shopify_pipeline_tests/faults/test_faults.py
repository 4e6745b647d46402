"""`make faults`, a little of it: it finds nothing wrong, and would find what is."""

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from shopify_pipeline.settings import CHECKOUT
from shopify_pipeline_tests.faults.kills import living
from shopify_pipeline_tests.faults.postgres import Server, serving_postgres
from shopify_pipeline_tests.faults.report import Report
from shopify_pipeline_tests.faults.verdict import judged
from shopify_pipeline_tests.faults.webhooks import webhooks
from shopify_pipeline_tests.faults.world import World

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


def test_kills_crashes_and_cut_connections_change_nothing() -> None:
    scenarios = ("pulls", "backfills", "postgres", "connections")
    only = [word for name in scenarios for word in ("--only", name)]
    done = subprocess.run(
        [sys.executable, "-m", "shopify_pipeline_tests.faults", "--kills", "5", *only],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 SIGKILLs" in done.stdout


@pytest.mark.parametrize(
    ("body", "findings"),
    [("def test_it(): pass", 0), ("def test_it(): assert 'a 200' == 'a row'", 1), ("", 1)],
    ids=["passed", "failed", "none"],
)
def test_what_the_tests_of_webhooks_find_is_found(tmp_path: Path, body: str, findings: int) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -q\nmarkers = long\n")
    tests = tmp_path / "test_some.py"
    tests.write_text(f"import pytest\npytestmark = pytest.mark.long\n{body}\n")
    report = Report(seed=1)
    webhooks(report, tests)
    assert report.findings == findings


@dataclass
class Loaded:
    """A world whose tables are the truth, and the server to copy its database on."""

    world: World
    server: Server


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    draw = random.Random(1)
    with serving_postgres() as server, living(draw) as store:
        world = World(store, server.fresh_database(), draw)
        assert world.run(world.task(backfill=True)).how == "done"
        yield Loaded(world, server)


def test_tables_that_are_the_truth_are_found_so(loaded: Loaded) -> None:
    assert judged(loaded.world.truth(), loaded.world.database_url) == []


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("DELETE FROM shopify_order_items WHERE quantity = 2", "in the store, not in the table"),
        ("UPDATE shopify_orders SET total_price = total_price + 1", "total_price is"),
        ("UPDATE shopify_customers SET complete_at = NULL", "rows are not whole"),
        ("UPDATE shopify_orders SET customer_id = NULL", "customer_id leads not to"),
        (
            "INSERT INTO shopify_internal.bulk_parked VALUES (gen_random_uuid(), 1, true, '{}')",
            "lines of bulk files are left aside",
        ),
        ("UPDATE shopify_internal.bulk_claims SET ended_at = NULL", "are left open"),
        (
            "INSERT INTO shopify_internal.refresh_queue SELECT 'orders', 1, 'test', true, now()",
            "are left in the refresh queue",
        ),
        ("DELETE FROM shopify_products", "before the checkpoint"),
    ],
)
def test_what_is_wrong_is_found(loaded: Loaded, harm: str, said: str) -> None:
    url = loaded.server.copy_of(loaded.world.database_url)
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # no foreign keys meanwhile
        connection.execute(harm)
    assert any(said in one for one in judged(loaded.world.truth(), url))
