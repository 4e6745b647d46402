"""The resource through which runs, schedules and sensors reach Shopify and Postgres."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property

import dagster as dg
import sqlalchemy as sa
from pydantic import Field, PrivateAttr

from shopify_pipeline.settings import Settings, load_settings
from shopify_pipeline.sync.context import SyncContext, open_database, open_sync
from shopify_pipeline.warehouse import heartbeats
from shopify_pipeline.warehouse.database import Database

APPLICATION = "shopify_pipeline dagster"
HEARTBEAT_SECONDS = 10
SECRETS = (
    "shopify_access_token",
    "shopify_client_id",
    "shopify_client_secret",
    "database_url",
    "database_direct_url",
)


class ShopifyPipeline(dg.ConfigurableResource["ShopifyPipeline"]):
    """The store and the database; settings that aren't given here come from the environment.

    Secrets are given as `dg.EnvVar`, so that the UI knows their names alone.
    """

    shopify_shop: str = Field(description="The store.")
    shopify_api_version: str = Field(description="Admin API version.")
    shopify_api_url: str | None = Field(default=None, description="Base URL of a simulated store.")
    shopify_access_token: str | None = Field(default=None, description="Admin API token.")
    shopify_client_id: str | None = Field(default=None, description="Client id of the app.")
    shopify_client_secret: str | None = Field(default=None, description="Client secret of the app.")
    database_url: str = Field(description="The Postgres that holds the tables.")
    database_direct_url: str | None = Field(default=None, description="The same without a pooler.")

    @classmethod
    def from_settings(cls, settings: Settings) -> "ShopifyPipeline":
        """The resource for these settings."""
        return cls(
            shopify_shop=settings.shopify_shop,
            shopify_api_version=settings.shopify_api_version,
            shopify_api_url=settings.shopify_api_url,
            **{name: dg.EnvVar(name.upper()) for name in SECRETS if getattr(settings, name)},
        )

    def settings(self) -> Settings:
        """The settings of this process, with this resource's values over them."""
        given = {
            name: getattr(self, name) for name in type(self).model_fields if getattr(self, name)
        }
        return load_settings(**given)

    _held: "Held | None" = PrivateAttr(default=None)

    @contextmanager
    def open(self) -> Iterator[SyncContext]:
        """Shopify and Postgres, access checked: once a run, for all its steps."""
        if self._held is not None:
            yield self._held.sync
            return
        with open_sync(self.settings(), application_name=APPLICATION) as sync:
            yield sync

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Postgres alone, closed at the end."""
        database = open_database(self.settings(), application_name=APPLICATION)
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["ShopifyPipeline"]:
        """Let a heart beat while a run holds the resource; close at its end what it opened."""
        if context.run is None:
            yield self
            return
        heart = Heart(self.settings(), run_id=context.run.run_id, log=context.log)
        heart.start()
        try:
            with Held(self.settings()) as self._held:
                yield self
        finally:
            self._held = None
            heart.stop()


class Held(ExitStack):
    """What a run's steps share, opened when the first asks for it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings

    @cached_property
    def sync(self) -> SyncContext:
        """Shopify and Postgres, access checked."""
        return self.enter_context(open_sync(self._settings, application_name=APPLICATION))


class Heart(threading.Thread):
    """Writes a sign of life of a run to Postgres every few seconds, over a connection of its own.

    Dagster's default launcher doesn't notice a run whose process was killed; the sensor
    `dead_runs` does, by the sign that no longer comes.
    """

    def __init__(
        self, settings: Settings, *, run_id: str, log: dg.DagsterLogManager | None
    ) -> None:
        super().__init__(name=f"heart of {run_id}", daemon=True)
        self._settings = settings
        self._run_id = run_id
        self._log = log
        self._stopped = threading.Event()

    def run(self) -> None:
        """Beat until stopped; a database that is away is tried again at the next beat."""
        database = Database(
            self._settings.database_url.get_secret_value(),
            application_name="shopify_pipeline heart",
            pool_size=1,
            lock_timeout_seconds=5,
            statement_timeout_seconds=5,
        )
        try:
            while True:
                self._beat(database)
                if self._stopped.wait(HEARTBEAT_SECONDS):
                    return
        finally:
            database.close()

    def stop(self) -> None:
        """Stop beating."""
        self._stopped.set()
        self.join(timeout=15)

    def _beat(self, database: Database) -> None:
        try:
            with database.transaction() as connection:
                heartbeats.beat(connection, self._run_id, what="run")
        except sa.exc.SQLAlchemyError as error:
            if self._log:
                self._log.warning(f"The run's sign of life could not be written: {type(error)}.")
