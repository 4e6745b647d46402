"""Each refusal before the start: one sentence, and nothing left behind."""

import os
import socket
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from pydantic import SecretStr

from shopify_pipeline.demo.preflight import (
    RefusedError,
    check_dagster_storage,
    check_database,
    check_databases,
    check_port,
    is_demonstration,
    sole_owner,
)
from shopify_pipeline.demo.reach import start_date_hint
from shopify_pipeline.settings import DatabaseSettings, SettingsError


def test_without_settings_the_demonstration_is_meant() -> None:
    assert is_demonstration({"SHOPIFY_SHOP": "", "SHOPIFY_START_DATE": "2026-01-01"})


@pytest.mark.parametrize("name", ["SHOPIFY_SHOP", "SHOPIFY_CLIENT_ID", "SHOPIFY_API_URL"])
def test_a_named_store_is_no_demonstration(name: str) -> None:
    assert not is_demonstration({name: "x", "DATABASE_URL": "postgresql://x/y"})
    assert not is_demonstration({name: "x"})


def test_the_demonstration_never_goes_with_a_database_of_yours() -> None:
    with pytest.raises(RefusedError, match="only ever goes with the embedded Postgres"):
        is_demonstration({"DATABASE_URL": "postgresql://x/y"})


def test_a_busy_port_is_named_with_its_setting() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(RefusedError, match=rf"{port}, for the store.*set --store-port"):
            check_port(port, purpose="the store", setting="--store-port")
    check_port(port, purpose="the store", setting="--store-port")


def test_a_home_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match="can't be written to"), sole_owner(tmp_path / "file/x"):
        pass


def test_a_home_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with (
        sole_owner(tmp_path),
        pytest.raises(RefusedError, match="Another"),
        sole_owner(tmp_path),
    ):
        pass
    with sole_owner(tmp_path):
        pass


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://someone:hunter2@127.0.0.1:1/nowhere", "refused"),
        ("postgresql://someone:hunter2@127.0.0.1:1", "names no database"),
        ("postgresql://someone:hunter2@nowhere.invalid/x", "DATABASE_URL does not work"),
    ],
)
def test_a_wrong_database_url_is_refused_without_its_password(url: str, expected: str) -> None:
    with pytest.raises(RefusedError, match=expected) as refused:
        check_database(url, setting="DATABASE_URL")
    assert "hunter2" not in str(refused.value)


def test_an_absent_database_is_refused(postgres_server: str) -> None:
    url = postgres_server.replace("/postgres", "/absent")
    with pytest.raises(RefusedError, match='"absent" does not exist'):
        check_database(url, setting="DATABASE_URL")


def test_both_urls_lead_to_one_database(database_url: str, empty_database: str) -> None:
    def check(direct: str) -> None:
        check_databases(
            DatabaseSettings(
                database_url=SecretStr(database_url), database_direct_url=SecretStr(direct)
            )
        )

    check(database_url.replace("postgresql://", "postgres://"))
    with pytest.raises(RefusedError, match="lead to different databases"):
        check(empty_database)
    with pytest.raises(RefusedError, match="DATABASE_DIRECT_URL does not work"):
        check("postgresql://someone:hunter2@127.0.0.1:1/nowhere")


def test_dagster_gets_no_room_beside_the_store(database_url: str) -> None:
    with pytest.raises(RefusedError, match="of its own"):
        check_dagster_storage(database_url)
    separator = "&" if "?" in database_url else "?"
    own_schema = f"{database_url}{separator}options={quote('-csearch_path=dagster')}"
    with pytest.raises(RefusedError, match="does not exist: create it"):
        check_dagster_storage(own_schema)
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA dagster")
    check_dagster_storage(own_schema)


@pytest.fixture
def unreachable_store(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith("SHOPIFY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHOPIFY_SHOP", "x")


@pytest.mark.usefixtures("unreachable_store")
def test_the_store_is_not_asked_while_other_settings_are_wrong() -> None:
    error = SettingsError({"SHOPIFY_START_DATE": "is not set.", "DATABASE_URL": "is not set."})
    assert start_date_hint(error) is error
