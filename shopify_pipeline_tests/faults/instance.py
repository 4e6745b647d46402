"""`shopify-pipeline run` for the demonstration, as a scenario uses it: Dagster whole and real."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from shopify_pipeline.demo.dagster_api import DagsterApi, RunRequest
from shopify_pipeline.demo.launcher import ASSETS, HOURLY_JOB, HOURLY_SCHEDULE
from shopify_pipeline.settings import CHECKOUT
from shopify_pipeline_tests.faults.postgres import Server
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.test_cli import NAMES, free_port

SIZES = ("--products", "60", "--customers", "200", "--orders", "1000")
BULK_THRESHOLD = 100
UP = "Ctrl-C stops everything"
START_SECONDS = 600

_RETRIES = """query($root: String!) { runsOrError(
  filter: {tags: [{key: "dagster/root_run_id", value: $root}]}) {
  ... on Runs { results { id status creationTime } } ... on PythonError { message } } }"""


@dataclass
class Instance:
    """A running instance in a home of its own."""

    home: Path
    ui_port: int = field(default_factory=free_port)
    store_port: int = field(default_factory=free_port)
    webhook_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.dagster = DagsterApi(f"http://127.0.0.1:{self.ui_port}")
        self.store = SimulatedStore(url=f"http://127.0.0.1:{self.store_port}")

    @contextmanager
    def running(self) -> Iterator[None]:
        """From when the first load is done; nothing of it lives on after the block.

        Raises:
            RuntimeError: it did not come up.
        """
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(NAMES)}
        environment = {
            **inherited,
            "PIPELINE_HOME": str(self.home),
            "DAGSTER_UI_PORT": str(self.ui_port),
            "STORE_PORT": str(self.store_port),
            "WEBHOOK_PORT": str(self.webhook_port),
            "SHOPIFY_BULK_THRESHOLD": str(BULK_THRESHOLD),
        }
        output = self.home.parent / "output"
        with output.open("w") as written:
            process = subprocess.Popen(
                [sys.executable, "-m", "shopify_pipeline.cli", "run", *SIZES],
                env=environment,
                cwd=CHECKOUT,
                stdout=written,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while UP not in output.read_text():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"it did not come up: {output.read_text()[-2000:]}")
                time.sleep(0.5)
            self.postgres = Server(self.home / "postgres")
            yield
            if process.poll() is not None:
                raise RuntimeError(f"it did not stay up: {output.read_text()[-2000:]}")
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
            self._end_all()

    @property
    def database_url(self) -> str:
        """The database of the tables."""
        return self.postgres.url("demo")

    # -- runs

    def launch_hourly(self) -> str:
        """Launch what the hourly schedule asks for now; the run's id."""
        due = self.dagster.evaluate_schedule(HOURLY_SCHEDULE)
        while not isinstance(due, RunRequest):  # one of the schedule's own goes on
            time.sleep(2)
            due = self.dagster.evaluate_schedule(HOURLY_SCHEDULE)
        return self.dagster.launch_run(HOURLY_JOB, due)

    def launch_backfill(self, *, days: int) -> tuple[str, str]:
        """Ask for the last days of all tables, as the UI's button does: backfill's and run's id."""
        partitions = self.dagster.partitions(ASSETS[0])[-days:]
        backfill = self.dagster.launch_backfill(ASSETS, partitions, title="Read again")
        deadline = time.monotonic() + 180
        while not (runs := self.dagster.backfill(backfill).runs):
            if time.monotonic() > deadline:
                raise TimeoutError("the backfill daemon launches no run")
            time.sleep(0.5)
        return backfill, runs[0]

    def pid(self, run_id: str) -> int:
        """The process of a run, once Dagster has started it."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            for event in self.dagster.events(run_id):
                if found := re.search(r"Started process for run \(pid: (\d+)\)", event["message"]):
                    return int(found[1])
            time.sleep(0.2)
        raise TimeoutError(f"run {run_id} is not started")

    def attempts(self, run_id: str) -> list[tuple[str, str]]:
        """Id and status of the run and of its retries, in their order."""
        found = self.dagster._ask(_RETRIES, root=run_id)["runsOrError"]["results"]
        retries = sorted(found, key=lambda run: float(run["creationTime"]))
        first = [(run_id, self.dagster.run_status(run_id))]
        return first + [(run["id"], run["status"]) for run in retries if run["id"] != run_id]

    def _end_all(self) -> None:
        """End what the command should have ended: after a crash it knows its Postgres no more."""
        if hasattr(self, "postgres"):
            with contextlib.suppress(Exception):
                self.postgres.stop()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("PIPELINE_HOME") == str(self.home):
                    process.kill()


@contextmanager
def dagster_instance() -> Iterator[Instance]:
    """An instance that has done its first load."""
    folder = tempfile.mkdtemp(prefix="faults")
    instance = Instance(Path(folder) / "home")
    try:
        with instance.running():
            yield instance
    finally:
        shutil.rmtree(folder, ignore_errors=True)
