"""The alert sensor in a real Dagster daemon: from a check reported without a run to an endpoint."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from shopify_pipeline.settings import CHECKOUT
from shopify_pipeline_tests.orchestration.alert_endpoints import HttpEndpoint, http_endpoint
from shopify_pipeline_tests.orchestration.test_alerts import report, set_settings


def wait_until(true: Callable[[], object], *, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.5)


@pytest.fixture
def daemon(instance: dg.DagsterInstance, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Starts the daemon, in the test's environment; it is stopped with all its children."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (tmp_path / "daemon.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [Path(sys.executable).with_name("dagster-daemon"), "run"],
                    cwd=CHECKOUT,
                    stdout=log,
                    stderr=log,
                    process_group=0,
                )
            )

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def bodies(endpoint: HttpEndpoint) -> str:
    return "\n".join(message["message"] for message in endpoint.received)


@pytest.mark.long
def test_the_daemon_sends_a_failure_and_its_recovery_once_it_happens(
    instance: dg.DagsterInstance,
    database_url: str,
    daemon: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_settings(monkeypatch, database_url)
    monkeypatch.setenv("SHOPIFY_API_URL", "http://127.0.0.1:9")
    with http_endpoint() as endpoint, psycopg.connect(database_url, autocommit=True) as connection:
        monkeypatch.setenv("ALERT_URLS", endpoint.url)
        daemon()
        initialised = "SELECT 1 FROM shopify_internal.state WHERE key = 'alerts.cursors'"
        wait_until(lambda: connection.execute(initialised).fetchone(), seconds=120)
        report(instance, passed=False)
        wait_until(lambda: "ERROR check shopify/orders: row_counts" in bodies(endpoint), seconds=90)
        report(instance, passed=True)
        recovered = "RECOVERED check shopify/orders: row_counts"
        wait_until(lambda: recovered in bodies(endpoint), seconds=90)
