"""A Dagster instance by the project's own `dagster.yaml`, and the resource on a real database."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from shopify_pipeline.orchestration.headless import prepare_storage
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.settings import CHECKOUT
from shopify_pipeline_tests.conftest import database_named


def create_database(server: str, name: str, *, template: str | None = None) -> str:
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template:
        create += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(create)
    return database_named(server, name)


def drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME with the project's `dagster.yaml`."""
    home = tmp_path_factory.mktemp("dagster")
    shutil.copy(CHECKOUT / "dagster.yaml", home)
    return home


@pytest.fixture(scope="session")
def dagster_template(postgres_server: str, dagster_home: Path) -> Iterator[str]:
    """Name of a database with Dagster's tables, which take seconds to create."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(dagster_home))
        patch.setenv("DAGSTER_POSTGRES_URL", create_database(postgres_server, name))
        prepare_storage()
    yield name
    drop_database(postgres_server, name)


@pytest.fixture
def instance(
    postgres_server: str,
    dagster_template: str,
    dagster_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[dg.DagsterInstance]:
    """A fresh Dagster instance on Postgres."""
    name = f"dagster_{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home))
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "100")
    monkeypatch.setenv(
        "DAGSTER_POSTGRES_URL", create_database(postgres_server, name, template=dagster_template)
    )
    with dg.DagsterInstance.get() as opened:
        yield opened
    drop_database(postgres_server, name)


@pytest.fixture
def shopify(database_url: str, monkeypatch: pytest.MonkeyPatch) -> ShopifyPipeline:
    """The resource on a migrated database, with a store that nobody answers for."""
    monkeypatch.setenv("SHOPIFY_START_DATE", "2026-01-01")
    return ShopifyPipeline(
        shopify_shop="demo-store",
        shopify_api_version="2026-10",
        shopify_api_url="http://127.0.0.1:9",
        shopify_access_token="shpat_demo",
        database_url=database_url,
    )
