"""A database with both sides of linking."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline_tests.conftest import database_named
from shopify_pipeline_tests.profiles.people import People


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, application_name="test")
    yield database
    database.close()


@pytest.fixture
def people(database: Database) -> People:
    return People(database)


@pytest.fixture(scope="module")
def module_database_url(postgres_server: str, migrated_template: str) -> Iterator[str]:
    """A migrated database that the tests of a module share, to empty it between examples."""
    name = f"shared_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield database_named(postgres_server, name)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
