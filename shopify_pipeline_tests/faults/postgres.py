"""An embedded Postgres that can be crashed, and fresh migrated databases on it."""

import contextlib
import shutil
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.warehouse.migrations import migrate


class Server(EmbeddedPostgres):
    """A server of the scenarios'. `fsync` is off: its processes crash, not the machine."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        self._template: str | None = None
        self._lock = threading.Lock()

    def fresh_database(self) -> str:
        """The URL of a new database, migrated."""
        with self._lock:
            if self._template is None:
                template = f"template_{uuid.uuid4().hex[:12]}"
                migrate(self.create_database(template))
                self._template = template
        return self.copy_of(self.url(self._template))

    def copy_of(self, url: str) -> str:
        """The URL of a new database like this one, to which nobody is connected."""
        name = f"faults_{uuid.uuid4().hex[:12]}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(_name(url))
        )
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(create)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop one of them, whoever is connected."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(_name(url))))

    def crash(self, *, away_seconds: float) -> None:
        """Shut down at once, as `pg_ctl stop -m immediate` does, and start after some seconds.

        Every process of the server ends without a word; at the start the log is replayed.
        """
        postmaster = psutil.Process(self._server.get_pid())
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(timeout=30)
        time.sleep(away_seconds)
        self._server.ensure_postgres_running()


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


@contextmanager
def serving_postgres() -> Iterator[Server]:
    """A server for the length of the block."""
    directory = tempfile.mkdtemp(prefix="pg")
    server = Server(Path(directory))
    try:
        yield server
    finally:
        with contextlib.suppress(psutil.Error):
            server.stop()
        shutil.rmtree(directory, ignore_errors=True)
