"""What `shopify-pipeline run` starts: Postgres, the demonstration store, the receiver, Dagster."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from shopify_pipeline.admin_api import check_access
from shopify_pipeline.demo import people
from shopify_pipeline.demo.dagster_api import LOCATION, DagsterApi
from shopify_pipeline.demo.interrupts import Interrupts
from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.demo.preflight import (
    RefusedError,
    check_port,
    is_demonstration,
    sole_owner,
)
from shopify_pipeline.demo.processes import ProcessGroup
from shopify_pipeline.demo.reach import (
    check_demonstration,
    check_settings,
    check_sides,
    creation_day,
    open_briefly,
)
from shopify_pipeline.demo.terminal import say
from shopify_pipeline.settings import CHECKOUT, Settings, load_settings
from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline.webhooks.subscriptions import register

PUBLIC = "https://hooks.demo-store.example"
"""The receiver's public address, as the demonstration store knows it."""

EVENT_BATCH = {"DAGSTER_EVENT_BATCH_SIZE": "100"}
"""Dagster stores the events of a run's many days in batches; one by one they take 30 ms each."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to launch: ports on this machine, size of the demonstration store."""

    home: Path
    ui_port: int = 3000
    store_port: int = 9000
    webhook_port: int = 8080
    seed: int = 7
    products: int = 500
    customers: int = 2_000
    orders: int = 10_000
    traffic: float = 0.0


class Services:
    """What one command starts, in the order in which each needs the other, and stops."""

    def __init__(self, options: Options, *, headless: bool) -> None:
        self.options = options
        self.headless = headless
        self.demonstration = is_demonstration(os.environ)
        os.environ |= {
            "PIPELINE_HOME": str(options.home),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(CHECKOUT), os.getenv("PYTHONPATH")])),
            "WEBHOOK_PORT": str(options.webhook_port),
        }
        if not os.environ.get("DAGSTER_UI_URL"):
            os.environ["DAGSTER_UI_URL"] = self.ui_url
        if self.demonstration:
            os.environ["SHOPIFY_WEBHOOK_URL"] = PUBLIC + PATH
        self.interrupts = Interrupts()
        self.postgres: EmbeddedPostgres | None = None
        self.folder = options.home
        self.processes = ProcessGroup(
            log_folder=options.home / "logs", directory=CHECKOUT, environment=os.environ
        )

    @property
    def ui_url(self) -> str:
        """Where Dagster's UI is."""
        return f"http://127.0.0.1:{self.options.ui_port}"

    @property
    def store_url(self) -> str:
        """Where the demonstration store is."""
        return f"http://127.0.0.1:{self.options.store_port}"

    @property
    def webhook_url(self) -> str:
        """Where the receiver of webhooks is."""
        return f"http://127.0.0.1:{self.options.webhook_port}"

    @property
    def receives_webhooks(self) -> bool:
        """Whether a receiver runs: for the demonstration, or where the settings ask for one."""
        if self.headless:
            return False
        asked = ("SHOPIFY_WEBHOOK_SECRETS", "SHOPIFY_WEBHOOK_URL")
        return self.demonstration or any(os.environ.get(name) for name in asked)

    @contextmanager
    def started(self) -> Iterator[Settings]:
        """Check everything, start what is needed, and stop all of it at the end.

        Raises:
            RefusedError, SettingsError, AdminApiError, MigrationError: nothing is left running.
        """
        with ExitStack() as stack:
            stack.enter_context(sole_owner(self.options.home))
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="shopify_pipeline")))
            self.processes.stop_leftovers()
            self._check_ports()
            self.processes.directory = self.folder  # where no `.env` is: settings come from here
            if self.demonstration:
                check_demonstration(self._store_settings)
            else:
                check_settings()
            stack.callback(self._stop)
            self._start_postgres()
            if self.demonstration:
                self._start_store()
            settings = load_settings()
            check_sides(settings)
            if self.demonstration:
                self._furnish_platform(settings)
            self._prepare_dagster()
            if self.receives_webhooks:
                self._start_receiver(settings)
            yield settings

    def start_dagster(self) -> DagsterApi:
        """Start Dagster's processes, and wait until the definitions are loaded.

        Webserver and daemon share one code server. Each would start its own by `workspace.yaml`,
        and the daemon a new one every minute, which costs seconds of both cores.
        """
        say(f"Starting Dagster on {self.ui_url} …")
        scripts = Path(sys.executable).parent
        socket = self.folder / "code"  # a socket's path must be short
        workspace = self.folder / "workspace.yaml"
        workspace.write_text(
            f"load_from: [grpc_server: {{socket: '{socket}', location_name: {LOCATION}}}]"
        )
        self.processes.start(
            "Dagster code server",
            [
                *(scripts / "dagster", "code-server", "start", "--socket", socket),
                *("--module-name", "shopify_pipeline.definitions", "--location-name", LOCATION),
            ],
        )
        self.processes.wait_until("Dagster code server", socket.exists, timeout=120)
        self.processes.start(
            "Dagster webserver",
            [
                *(scripts / "dagster-webserver", "--host", "127.0.0.1"),
                *("--port", str(self.options.ui_port), "--workspace", workspace),
            ],
        )
        self.processes.start(
            "Dagster daemon", [scripts / "dagster-daemon", "run", "--workspace", workspace]
        )
        dagster = DagsterApi(self.ui_url)
        self.processes.wait_until("Dagster webserver", dagster.is_ready, timeout=180)
        return dagster

    @property
    def _store_settings(self) -> dict[str, str]:
        """The settings by which the demonstration store is reached."""
        return {
            "SHOPIFY_SHOP": "demo-store",
            "SHOPIFY_ACCESS_TOKEN": "shpat_demo",
            "SHOPIFY_API_URL": self.store_url,
            "SHOPIFY_WEBHOOK_SECRETS": "demo",
            **people.SETTINGS,
        }

    def _check_ports(self) -> None:
        if not self.headless:
            check_port(
                self.options.ui_port,
                purpose="the Dagster UI",
                setting="--ui-port (DAGSTER_UI_PORT)",
            )
        if self.demonstration:
            check_port(
                self.options.store_port, purpose="the store", setting="--store-port (STORE_PORT)"
            )
        if self.receives_webhooks:
            check_port(
                self.options.webhook_port,
                purpose="webhooks",
                setting="--webhook-port (WEBHOOK_PORT)",
            )

    def _start_postgres(self) -> None:
        """Provide the databases that the settings don't name on a server of our own."""
        prefix = "demo" if self.demonstration else "shopify"
        missing = {"DATABASE_URL": prefix, "DAGSTER_POSTGRES_URL": "dagster"}
        if self.demonstration:
            missing["DAGSTER_POSTGRES_URL"] = "dagster_demo"
        missing = {name: base for name, base in missing.items() if not os.environ.get(name)}
        if not missing:
            return
        directory = self.options.home / "postgres"
        say(f"Starting the embedded Postgres in {directory} …")
        with self.interrupts.held_back():
            try:
                self.postgres = EmbeddedPostgres(directory)
            except RuntimeError as error:
                raise RefusedError(str(error)) from error
        for name, database in missing.items():
            os.environ[name] = self.postgres.create_database(database)

    def _start_store(self) -> None:
        options = self.options
        say(f"Starting the demonstration store on {self.store_url} …")
        self.processes.start(
            "Store",
            [
                *(sys.executable, "-m", "shopify_pipeline.cli", "store", "serve"),
                *("--port", str(options.store_port), "--seed", str(options.seed)),
                *("--products", str(options.products), "--customers", str(options.customers)),
                *("--orders", str(options.orders), "--data-dir", options.home / "store"),
                *("--plan", "plus"),  # the one that lets the first load end soonest
                *("--traffic", str(options.traffic)),
            ],
        )
        self.processes.wait_until("Store", lambda: _answers(self.store_url), timeout=120)
        os.environ |= self._store_settings
        if not os.environ.get("SHOPIFY_START_DATE"):
            os.environ["SHOPIFY_START_DATE"] = creation_day()

    def _start_receiver(self, settings: Settings) -> None:
        """Start the receiver of webhooks, and subscribe it to the demonstration store."""
        say(f"Starting the receiver of webhooks on {self.webhook_url} …")
        self.processes.start(
            "Webhooks", [sys.executable, "-m", "shopify_pipeline.cli", "webhooks", "serve"]
        )
        healthy = f"{self.webhook_url}/healthz"
        self.processes.wait_until("Webhooks", lambda: _answers(healthy), timeout=60)
        if self.demonstration:
            # Shopify, and so the store, refuses addresses of this machine: it is given a public
            # name that leads here.
            httpx.post(
                f"{self.store_url}/_store/delivery",
                json={"routes": {PUBLIC: self.webhook_url}},
                timeout=10,
                trust_env=False,
            ).raise_for_status()
            with open_briefly(settings) as api:
                scopes = check_access(api, required_scopes=()).scopes
                register(api, PUBLIC + PATH, scopes=scopes)

    def _furnish_platform(self, settings: Settings) -> None:
        """Fill the `unified_profiles` of the demonstration's own database, never of another."""
        url = settings.database_url.get_secret_value()
        if self.postgres is None or url != self.postgres.url("demo"):
            return
        with open_briefly(settings) as api:
            if number := people.furnish(url, api):
                say(f"The platform knows {number:,} people (unified_profiles, made up).")

    def _prepare_dagster(self) -> None:
        home = self.options.home / "dagster"
        home.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / "dagster.yaml", home / "dagster.yaml")
        os.environ |= {"DAGSTER_HOME": str(home), **EVENT_BATCH}
        say("Preparing Dagster's storage …")
        from shopify_pipeline.orchestration.headless import (  # noqa: PLC0415 - takes seconds
            prepare_storage,
        )

        prepare_storage()

    def _stop(self) -> None:
        say("\nStopping …")
        with self.interrupts.held_back():
            self.processes.stop()
            if self.postgres is not None:
                self.postgres.stop()


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2, trust_env=False)
    except httpx.HTTPError:
        return False
    return True
