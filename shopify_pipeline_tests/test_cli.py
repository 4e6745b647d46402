"""The command line's refusals: one clear sentence each, exit code 2, nothing left running."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest

from shopify_pipeline_tests.simulated import SimulatedStore

NAMES = ("SHOPIFY_", "DATABASE_", "DAGSTER_", "PIPELINE_")


@dataclass
class CommandLine:
    """Runs `shopify-pipeline` in an environment of its own."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        inherited = {n: v for n, v in os.environ.items() if not n.startswith(NAMES)}
        return subprocess.run(
            [sys.executable, "-m", "shopify_pipeline.cli", *words],
            env={
                **inherited,
                "PIPELINE_HOME": str(self.home),
                "PYTHONPATH": os.pathsep.join(sys.path),
                **self.environment,
                **settings,
            },
            cwd=self.home.parent,  # no .env of the checkout's
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def refusal(self, *words: str, **settings: str) -> str:
        """What it says when it refuses."""
        done = self(*words, **settings)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("Error: ")
        assert self.left_running() == []
        return done.stderr

    def left_running(self) -> list[str]:
        """Command lines of processes that this home's commands started."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("PIPELINE_HOME") == str(self.home):
                    found.append(" ".join(process.cmdline()))
            except psutil.Error:
                continue
        return found


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def shopify_pipeline(tmp_path: Path) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path / "home")
    yield command
    assert command.left_running() == []


@pytest.fixture
def real(shopify_pipeline: CommandLine, store: SimulatedStore, database_url: str) -> CommandLine:
    """Settings as for a store and a database of one's own."""
    shopify_pipeline.environment = {
        "SHOPIFY_SHOP": store.shop,
        "SHOPIFY_ACCESS_TOKEN": "shpat_demo",
        "SHOPIFY_API_URL": store.url,
        "SHOPIFY_START_DATE": "2026-01-01",
        "DATABASE_URL": database_url,
        "DAGSTER_UI_PORT": str(free_port()),
    }
    return shopify_pipeline


def test_help_names_the_commands(shopify_pipeline: CommandLine) -> None:
    done = shopify_pipeline("--help")
    assert done.returncode == 0
    assert {"run", "migrate", "store"} <= {
        line.split()[0] for line in done.stdout.splitlines() if line.strip()
    }


def test_the_demonstration_store_needs_the_embedded_postgres(shopify_pipeline: CommandLine) -> None:
    said = shopify_pipeline.refusal("run", DATABASE_URL="postgresql://x/y")
    assert "only ever goes with the embedded Postgres" in said


def test_every_wrong_setting_is_listed_at_once(shopify_pipeline: CommandLine) -> None:
    said = shopify_pipeline.refusal(
        "run", SHOPIFY_SHOP="https://x.com/", SHOPIFY_API_VERSION="latest", DATABASE_URL="mysql://x"
    )
    for name in (
        "SHOPIFY_SHOP",
        "SHOPIFY_API_VERSION",
        "SHOPIFY_CLIENT_SECRET",
        "SHOPIFY_START_DATE",
        "DATABASE_URL",
    ):
        assert f"- {name}: " in said


def test_a_missing_start_date_is_answered_with_the_day_of_creation(real: CommandLine) -> None:
    said = real.refusal("run", SHOPIFY_START_DATE="")
    assert "SHOPIFY_START_DATE: is not set" in said
    assert "The store was created on 20" in said


def test_a_missing_start_date_without_a_store_to_ask(real: CommandLine) -> None:
    said = real.refusal("run", SHOPIFY_START_DATE="", SHOPIFY_ACCESS_TOKEN="wrong")
    assert "could not be asked when it was created" in said


@pytest.mark.parametrize("option", ["--ui-port", "--store-port"])
def test_a_busy_port(shopify_pipeline: CommandLine, option: str) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        said = shopify_pipeline.refusal("run", option, str(port))
    assert f"Port {port}" in said
    assert option in said


def test_a_home_that_cannot_be_written(shopify_pipeline: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shopify_pipeline.home = tmp_path / "file" / "home"
    shopify_pipeline.environment["PIPELINE_HOME"] = str(shopify_pipeline.home)
    done = subprocess.run(
        [sys.executable, "-m", "shopify_pipeline.cli", "run"],
        env={**_without_settings(os.environ), **shopify_pipeline.environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "can't be written to" in done.stderr


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {n: v for n, v in environment.items() if not n.startswith(NAMES)}


@pytest.mark.parametrize("command", ["run", "migrate"])
def test_a_wrong_database_url(real: CommandLine, command: str) -> None:
    said = real.refusal(command, DATABASE_URL="postgresql://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in said
    assert "DATABASE_URL" in said or "database" in said


def test_a_wrong_token(real: CommandLine) -> None:
    said = real.refusal("run", SHOPIFY_ACCESS_TOKEN="shpat_wrong")
    assert "shpat_wrong" not in said
    assert "SHOPIFY_ACCESS_TOKEN" in said


def test_a_missing_scope(real: CommandLine, store: SimulatedStore) -> None:
    store.control("settings", {"scopes": ["read_products", "read_customers"]})
    try:
        assert "read_orders" in real.refusal("run")
    finally:
        store.control("settings", {"scopes": [*_SCOPES]})


_SCOPES = ("read_products", "read_customers", "read_orders", "read_all_orders")


def test_orders_that_the_scopes_hide(real: CommandLine, store: SimulatedStore) -> None:
    store.control("settings", {"scopes": [*_SCOPES[:3]]})
    try:
        assert "read_all_orders" in real.refusal("run")
    finally:
        store.control("settings", {"scopes": [*_SCOPES]})


def test_another_shop_than_the_databases(real: CommandLine, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO shopify_internal.shop (only_row, shop_gid, domain) "
            "VALUES (true, 'gid://shopify/Shop/1', 'other.myshopify.com')"
        )
    said = real.refusal("run")
    assert "other.myshopify.com" in said
    assert "demo-store.myshopify.com" in said


def test_dagsters_tables_beside_the_stores(real: CommandLine, database_url: str) -> None:
    said = real.refusal("run", DAGSTER_POSTGRES_URL=database_url)
    assert "DAGSTER_POSTGRES_URL" in said


def test_a_store_that_cannot_be_reached(real: CommandLine) -> None:
    done = real("run", "--once", SHOPIFY_API_URL="http://127.0.0.1:1")
    assert done.returncode == 2
    assert "No connection to http://127.0.0.1:1" in done.stderr
    assert "SHOPIFY_API_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.count("asking again in") >= 2


def test_another_shop_than_the_one_that_answers(real: CommandLine) -> None:
    said = real.refusal("run", SHOPIFY_SHOP="other")
    assert "demo-store.myshopify.com answers" in said
    assert "not other.myshopify.com" in said


def test_a_version_that_there_is_none_of(real: CommandLine) -> None:
    said = real.refusal("run", SHOPIFY_API_VERSION="2027-10")
    assert "no API version 2027-10" in said
    assert "2026-10" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHOPIFY_OMIT_COLUMNS", "customers.email,customers.nope"),
        ("SHOPIFY_START_DATE", "2100-01-01"),
        ("SHOPIFY_API_VERSION", "2026-1"),
        ("WEBHOOK_BODY_DAYS", "many"),
    ],
)
def test_the_demonstration_starts_nothing_with_wrong_settings(
    shopify_pipeline: CommandLine, name: str, value: str
) -> None:
    ports = [w for kind in ("ui", "store") for w in (f"--{kind}-port", str(free_port()))]
    done = shopify_pipeline("run", "--once", *ports, **{name: value})
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"- {name}: " in done.stderr
    assert done.stdout == ""


def test_a_direct_url_without_the_other(real: CommandLine, database_url: str) -> None:
    said = real.refusal("run", DATABASE_URL=" ", DATABASE_DIRECT_URL=database_url)
    assert "- DATABASE_URL: is not set" in said


def test_urls_of_two_databases(real: CommandLine, empty_database: str) -> None:
    said = real.refusal("run", DATABASE_DIRECT_URL=empty_database)
    assert "lead to different databases" in said


def test_migrating_is_idempotent(real: CommandLine, empty_database: str) -> None:
    first = real("migrate", DATABASE_URL=empty_database)
    assert first.returncode == 0, first.stderr
    again = real("migrate", DATABASE_URL=empty_database)
    assert "0 migrations applied" in again.stdout


def test_migrating_needs_no_store(
    shopify_pipeline: CommandLine, empty_database: str, database_url: str
) -> None:
    done = shopify_pipeline(
        "migrate", DATABASE_URL=empty_database, SHOPIFY_API_VERSION="nonsense", SHOPIFY_SHOP="a/b"
    )
    assert done.returncode == 0, done.stderr
    assert "DATABASE_URL: is not set" in shopify_pipeline.refusal(
        "migrate", DATABASE_DIRECT_URL=empty_database
    )
    assert "lead to different databases" in shopify_pipeline.refusal(
        "migrate", DATABASE_URL=empty_database, DATABASE_DIRECT_URL=database_url
    )


def test_a_dot_env_of_the_working_directory_is_read_and_blanks_hide_nothing(
    shopify_pipeline: CommandLine,
) -> None:
    shopify_pipeline.home.parent.joinpath(".env").write_text("SHOPIFY_API_VERSION=latest\n")
    assert "- SHOPIFY_API_VERSION: " in shopify_pipeline.refusal("run", SHOPIFY_API_VERSION=" ")
