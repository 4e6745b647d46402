"""What tests share: a real Postgres, databases on it, a simulated store over HTTP."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.warehouse.migrations import migrate
from shopify_pipeline_tests.simulated import SimulatedStore, serving


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the maintenance database: the server in TEST_DATABASE_URL, or an embedded one."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as directory:
        server = EmbeddedPostgres(Path(directory))
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("ALTER SYSTEM SET synchronous_commit = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server.url("postgres")
        server.stop()


def database_named(server: str, name: str) -> str:
    """The URL of another database on the server."""
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


@pytest.fixture
def empty_database(postgres_server: str) -> Iterator[str]:
    """URL of a fresh database that holds nothing."""
    yield from _database(postgres_server, template=None)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: str) -> Iterator[str]:
    """Name of a database that the migrations were applied to, to make others from."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(database_named(postgres_server, name))
    yield name
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database_url(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """URL of a fresh migrated database."""
    yield from _database(postgres_server, template=migrated_template)


def _database(server: str, *, template: str | None) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(create)
    yield database_named(server, name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


@pytest.fixture(scope="module")
def store() -> Iterator[SimulatedStore]:
    """A small store that the tests of a module share: they must not rely on its being new."""
    with serving() as simulated:
        yield simulated


@pytest.fixture
def new_store() -> Iterator[SimulatedStore]:
    """A small store of the test's own."""
    with serving() as simulated:
        yield simulated
