"""`shopify-pipeline run` as a person uses it: two commands, Ctrl-C, kills, and starting again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from shopify_pipeline.demo.dagster_api import DagsterApi
from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline_tests.test_cli import NAMES, free_port

SIZES = ("--products", "20", "--customers", "60", "--orders", "150")
TABLES = {
    "shopify_products": "products",
    "shopify_product_variants": "variants",
    "shopify_customers": "customers",
    "shopify_orders": "orders",
    "shopify_order_items": "line_items",
}

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@dataclass
class Pipeline:
    """`shopify-pipeline run` for the demonstration, in a home and on ports of its own."""

    home: Path
    ui_port: int = field(default_factory=free_port)
    store_port: int = field(default_factory=free_port)
    webhook_port: int = field(default_factory=free_port)

    @property
    def environment(self) -> dict[str, str]:
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(NAMES)}
        return {
            **inherited,
            "PIPELINE_HOME": str(self.home),
            "DAGSTER_UI_PORT": str(self.ui_port),
            "STORE_PORT": str(self.store_port),
            "WEBHOOK_PORT": str(self.webhook_port),
        }

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "shopify_pipeline.cli", "run", *SIZES]

    @property
    def dagster(self) -> DagsterApi:
        return DagsterApi(f"http://127.0.0.1:{self.ui_port}")

    @contextmanager
    def running(self, *, until: str = "Ctrl-C stops everything") -> Iterator[subprocess.Popen[str]]:
        """The command, from when it has printed `until`; interrupted and waited for at the end."""
        output = self.home.parent / "output"
        with output.open("w") as written:
            process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdout=written,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            deadline = time.monotonic() + 300
            while until not in output.read_text():
                assert process.poll() is None, output.read_text()
                assert time.monotonic() < deadline, output.read_text()
                time.sleep(0.3)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=60)

    def output(self) -> str:
        return (self.home.parent / "output").read_text()

    def processes(self) -> list[psutil.Process]:
        """What runs for this home: ours by its environment, Postgres by its directory."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("PIPELINE_HOME") == str(self.home)
                if ours or str(self.home) in " ".join(process.cmdline()):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def counts(self) -> dict[str, int]:
        """Rows of each table that are not marked as deleted."""
        server = EmbeddedPostgres(self.home / "postgres")
        with psycopg.connect(server.url("demo")) as connection:
            found = {}
            for table in TABLES:
                row = connection.execute(
                    f"SELECT count(*) FROM {table} WHERE deleted_at IS NULL"
                ).fetchone()
                assert row is not None
                found[table] = int(row[0])
            return found

    def truth(self) -> dict[str, int]:
        """Records that the store says it has."""
        url = f"http://127.0.0.1:{self.store_port}/_store/truth"
        return {
            table: len(httpx.get(f"{url}/{kind}", timeout=60).text.splitlines())
            for table, kind in TABLES.items()
        }


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    started = Pipeline(tmp_path / "home")
    yield started
    for process in started.processes():
        process.kill()


def test_run_fills_the_tables_stays_up_and_ends_whole(pipeline: Pipeline) -> None:
    with pipeline.running() as process:
        assert pipeline.counts() == pipeline.truth()
        said = pipeline.output()
        assert f"http://127.0.0.1:{pipeline.ui_port}/" in said
        assert f"http://127.0.0.1:{pipeline.store_port}" in said
        for table, count in pipeline.counts().items():
            assert any(
                line.split()[:2] == [table, f"{count:,}"]
                for line in said.splitlines()
                if line.strip()
            )
        assert process.poll() is None
        assert pipeline.dagster.evaluate_schedule("shopify_hourly_schedule")
    assert process.returncode == 0
    assert pipeline.processes() == []

    # Again: what was loaded is kept, and only what has changed is read.
    with pipeline.running() as process:
        assert "First load" not in pipeline.output()
        assert "Reading what has changed" in pipeline.output()
        assert pipeline.counts() == pipeline.truth()
    assert pipeline.processes() == []


def test_everything_killed_in_the_first_load_heals_at_the_next_start(pipeline: Pipeline) -> None:
    with pipeline.running(until="First load") as process:
        slow = {"kind": "slow", "seconds": 3, "count": 1_000}
        httpx.post(f"http://127.0.0.1:{pipeline.store_port}/_store/faults", json=slow)
        wait_for(lambda: pipeline.dagster.open_backfill() is not None)
        backfill = pipeline.dagster.open_backfill()
        assert backfill is not None
        wait_for(lambda: any(pipeline.dagster.backfill(backfill).runs))
        [run] = pipeline.dagster.backfill(backfill).runs
        wait_for(lambda: pipeline.dagster.run_status(run) == "STARTED")
        time.sleep(5)
        process.kill()  # the launcher alone: its children live on, and hold its ports
        process.wait()
    assert len(pipeline.processes()) > 3

    with pipeline.running():
        assert "Going on with a backfill" in pipeline.output()
        assert pipeline.dagster.run_status(run) == "FAILURE"
        assert pipeline.dagster.backfill(backfill).succeeded
        assert pipeline.counts() == pipeline.truth()
    assert pipeline.processes() == []


def test_an_interrupt_while_it_starts_leaves_nothing(pipeline: Pipeline) -> None:
    for until in ("Starting the embedded Postgres", "Starting Dagster"):
        with pipeline.running(until=until):
            pass
        assert pipeline.processes() == []


def test_once_loads_and_ends(pipeline: Pipeline) -> None:
    done = subprocess.run(
        [*pipeline.command, "--once"],
        env=pipeline.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert pipeline.processes() == []
    for table in TABLES:
        [line] = [line for line in done.stdout.splitlines() if line.split()[:1] == [table]]
        assert int(line.split()[1].replace(",", "")) > 0


def wait_for(condition: Callable[[], bool], *, seconds: float = 120) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)
