"""Under load, receivers and workers are killed, Postgres restarts or refuses: no 200 was a lie."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
import psycopg
import pytest

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.warehouse.migrations import migrate
from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.conftest import headers_of
from shopify_pipeline_tests.webhooks.service import Service, service

pytestmark = pytest.mark.long

START = datetime.now(UTC) - timedelta(days=1)


@dataclass
class Traffic:
    """Orders that are sent without a pause, and which of them were answered with 200."""

    address: str
    accepted: set[int] = field(default_factory=set)
    refused: int = 0
    broken: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Traffic":
        self._threads = [
            threading.Thread(target=self._send, args=(first,)) for first in range(1, 5)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def _send(self, first: int) -> None:
        number = first
        with httpx.Client(timeout=6) as client:
            while not self._stopping.is_set():
                body = orjson.dumps(order(number, START + timedelta(seconds=number)))
                # Some come twice, as Shopify's do.
                headers = headers_of(body, "orders/create", x_shopify_webhook_id=f"w{number}")
                for _ in range(random.choice((1, 1, 1, 2))):
                    try:
                        answer = client.post(f"{self.address}{PATH}", content=body, headers=headers)
                    except httpx.TransportError:
                        self.broken += 1
                        time.sleep(0.02)
                        continue
                    if answer.status_code == 200:
                        self.accepted.add(number)
                    else:
                        assert answer.status_code == 503, answer.status_code
                        self.refused += 1
                        time.sleep(0.02)
                number += 4


@dataclass
class Bench:
    """A Postgres of its own, on which services start again and again."""

    directory: Path
    server: EmbeddedPostgres
    url: str
    port: int

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A connection of the test's own."""
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    @contextmanager
    def serve(self, *, workers: int = 1) -> Iterator[Service]:
        """The service on the bench's port."""
        with service(
            self.url,
            "--no-refresh",
            "--workers",
            str(workers),
            WEBHOOK_PORT=str(self.port),
        ) as running:
            yield running

    @property
    def address(self) -> str:
        """Where the receiver listens."""
        return f"http://127.0.0.1:{self.port}"

    def restart(self, how: signal.Signals) -> None:
        """End Postgres by a signal (SIGKILL: a crash), and start it again."""
        pid = int((self.directory / "postmaster.pid").read_text().split()[0])
        os.kill(pid, how)
        deadline = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        if how == signal.SIGKILL:
            (self.directory / "postmaster.pid").unlink(missing_ok=True)
        # The package remembers the server of this process as running; another process doesn't.
        again = (
            "import sys; from pathlib import Path; "
            "from shopify_pipeline.demo.postgres import EmbeddedPostgres; "
            "EmbeddedPostgres(Path(sys.argv[1]))"
        )
        for _ in range(10):
            started = subprocess.run(
                [sys.executable, "-c", again, str(self.directory)], check=False, capture_output=True
            )
            if started.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError("Postgres did not come back")

    def stop(self) -> None:
        """End Postgres, whichever process started it."""
        pid = int((self.directory / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)

    def settle(self, accepted: set[int]) -> None:
        """Wait until the inbox is empty; then every accepted order is in the tables."""
        deadline = time.monotonic() + 120
        with self.connect() as connection:
            pending = "SELECT count(*) FROM shopify_internal.webhook_inbox WHERE state = 'pending'"
            while connection.execute(pending).fetchall() != [(0,)]:
                assert time.monotonic() < deadline, "the inbox is not emptied"
                time.sleep(0.2)
            there = {
                row[0] for row in connection.execute("SELECT shopify_order_id FROM shopify_orders")
            }
            states = {
                row[0]
                for row in connection.execute(
                    "SELECT DISTINCT state FROM shopify_internal.webhook_inbox"
                )
            }
        assert accepted, "nothing was accepted"
        assert accepted - there == set()
        assert states == {"done"}


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A Postgres that this test may kill."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        server = EmbeddedPostgres(directory)
        url = server.create_database("faults")
        migrate(url)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        made = Bench(directory, server, url, port)
        yield made
        made.stop()


@dataclass
class SmallDisk:
    """A file system of its own, nearly full of one file."""

    directory: Path

    def fill(self, *, leave: int) -> None:
        """Leave only so many bytes."""
        free = shutil.disk_usage(self.directory).free
        self.directory.joinpath("filler").write_bytes(bytes(max(0, free - leave)))

    def relieve(self) -> None:
        """Give the space back."""
        self.directory.joinpath("filler").unlink()


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """A mounted file system of 128 MB, in memory."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    with tempfile.TemporaryDirectory(prefix="disk", ignore_cleanup_errors=True) as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=128m,mode=755", "tmpfs", name]
        mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
        try:
            yield SmallDisk(Path(name))
        finally:
            subprocess.run(["umount", "-l", name], check=True)


def pause(seconds: float) -> None:
    """Let the load go on for a while."""
    time.sleep(seconds)


def test_a_receiver_killed_again_and_again_loses_no_200(bench: Bench) -> None:
    with Traffic(bench.address) as traffic, ExitStack() as stack:
        for _ in range(5):
            with bench.serve(workers=0) as running:
                pause(random.uniform(1.5, 2.5))
                running.process.kill()
        stack.enter_context(bench.serve())
        pause(2)
    with bench.serve():
        bench.settle(traffic.accepted)
    assert traffic.broken


def test_workers_killed_again_and_again_lose_no_200(bench: Bench) -> None:
    with bench.serve(workers=2), bench.connect() as connection:
        with Traffic(bench.address) as traffic:
            for _ in range(8):
                pause(random.uniform(0.5, 1.5))
                for (worker,) in connection.execute(
                    "SELECT worker FROM shopify_internal.webhook_workers "
                    "WHERE beaten_at > now() - interval '6 s'"
                ).fetchall():
                    try:
                        os.kill(int(str(worker).split(":")[1]), signal.SIGKILL)
                    except ProcessLookupError:
                        continue
        bench.settle(traffic.accepted)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["restart", "crash"])
def test_a_restart_of_postgres_loses_no_200(bench: Bench, how: signal.Signals) -> None:
    with bench.serve():
        with Traffic(bench.address) as traffic:
            for _ in range(3):
                pause(2)
                bench.restart(how)
            pause(3)
        bench.settle(traffic.accepted)
    assert traffic.refused


@pytest.mark.parametrize("state", ["53100", "57014", "55P03", "40P01"])
def test_an_insert_that_the_server_refuses_is_503_and_loses_nothing(
    bench: Bench, state: str
) -> None:
    with bench.connect() as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF random() < 0.3 THEN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END IF; "
            "RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON shopify_internal.webhook_inbox "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
        )
        with bench.serve():
            with Traffic(bench.address) as traffic:
                pause(5)
            connection.execute("DROP TRIGGER refuse ON shopify_internal.webhook_inbox")
            bench.settle(traffic.accepted)
    assert traffic.refused


def test_a_disk_that_is_full_is_503_and_loses_nothing(small_disk: SmallDisk, bench: Bench) -> None:
    space = small_disk.directory / "space"
    space.mkdir()
    shutil.chown(space, bench.directory.owner())
    with bench.connect() as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        for (move,) in connection.execute(
            "SELECT format('ALTER %s %s SET TABLESPACE small', "
            "CASE relkind WHEN 'i' THEN 'INDEX' ELSE 'TABLE' END, oid::regclass) FROM pg_class "
            "WHERE relnamespace = 'shopify_internal'::regnamespace "
            "AND relname LIKE 'webhook%' AND relkind IN ('r', 'i')"
        ).fetchall():
            connection.execute(str(move).encode())
        small_disk.fill(leave=2_000_000)
        with bench.serve():
            with Traffic(bench.address) as traffic:
                deadline = time.monotonic() + 60
                while traffic.refused < 50 and time.monotonic() < deadline:
                    pause(0.1)
                assert traffic.refused >= 50, "the disk did not fill"
                # What still fits, fits; then nothing does.
                pause(3)
                accepted, refused = len(traffic.accepted), traffic.refused
                pause(3)
                assert traffic.refused > refused
                full = shutil.disk_usage(small_disk.directory).free
                small_disk.relieve()
                pause(3)
                again = len(traffic.accepted)
            bench.settle(traffic.accepted)
    assert full < 200_000
    assert again > accepted + 50


def test_no_free_connection_is_503_and_loses_nothing(bench: Bench) -> None:
    with bench.serve(), ExitStack() as taken:
        mine = taken.enter_context(bench.connect())
        with Traffic(bench.address) as traffic:
            pause(3)
            # What is taken from the service is ours before it comes back for it.
            for _ in range(6):
                mine.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name LIKE 'shopify_pipeline webhook%'"
                )
                with suppress(psycopg.OperationalError):
                    while True:
                        taken.enter_context(bench.connect())
            refused = traffic.refused
            pause(4)
            assert traffic.refused > refused
            taken.close()
            pause(3)
        bench.settle(traffic.accepted)


def test_a_database_that_hangs_is_503_in_time(bench: Bench) -> None:
    with bench.serve(workers=0), bench.connect() as connection:
        pause(3)
        body = orjson.dumps(order(1, START))
        headers = headers_of(body, "orders/create", x_shopify_webhook_id=str(uuid.uuid4()))
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE shopify_internal.webhook_inbox IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        answer = httpx.post(f"{bench.address}{PATH}", content=body, headers=headers, timeout=10)
        assert answer.status_code == 503
        assert time.monotonic() - started < 5
        connection.execute("ROLLBACK")
        pause(2)
        answer = httpx.post(f"{bench.address}{PATH}", content=body, headers=headers, timeout=10)
        assert answer.status_code == 200
