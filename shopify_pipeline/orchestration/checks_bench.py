"""What checks work with: the tables, the time, and the store where it can be asked."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import sqlalchemy as sa

from shopify_pipeline.admin_api import AdminApiError
from shopify_pipeline.entities import Entity
from shopify_pipeline.orchestration.checks_results import Judgement, not_evaluated
from shopify_pipeline.orchestration.failures import DatabaseFailedError, explained
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.counts import InexactCountError
from shopify_pipeline.warehouse.checks.offenders import Offenders, find
from shopify_pipeline.warehouse.counts import row_count
from shopify_pipeline.warehouse.database import Database

RECENT = timedelta(hours=26)
"""How far back the hourly checks look in a large table: a day, and what a late run needs."""

SMALL = 250_000
"""Rows up to which an hourly check looks at the whole table."""


class UnreachableError(Exception):
    """A check needs the store, and it could not be asked."""


@dataclass
class Bench:
    """The database, the store if it can be asked (else why not), and the time on its clock."""

    database: Database
    settings: Settings
    now: datetime
    whole: bool
    sync: SyncContext | None = None
    failure: AdminApiError | dg.Failure | None = None
    _since: dict[str, datetime | None] = field(default_factory=dict)

    @property
    def store(self) -> SyncContext:
        """The store.

        Raises:
            UnreachableError: it could not be asked.
        """
        if self.sync is None:
            raise UnreachableError(str(self.failure))
        return self.sync

    @property
    def misconfigured(self) -> bool:
        """Whether a setting, a scope or the app keeps from the store, until a person changes it."""
        return isinstance(self.failure, dg.Failure)

    def since(self, entity: Entity) -> datetime | None:
        """From when on rows of the table are looked at; None: all of them."""
        if self.whole:
            return None
        if entity.name not in self._since:
            with self.database.transaction() as connection:
                large = row_count(connection, entity.table) > SMALL
                now: datetime = connection.execute(sa.select(sa.func.now())).scalar_one()
            self._since[entity.name] = now - RECENT if large else None
        return self._since[entity.name]

    def find(self, query: sa.Select[Any]) -> Offenders:
        """Run a query for offenders in a transaction of its own."""
        with self.database.transaction() as connection:
            return find(connection, query)


Evaluate = Callable[[Bench, Entity], Judgement]


@dataclass(frozen=True, kw_only=True)
class Check:
    """A check of tables: its name, what it looks for, how, and of which entities."""

    name: str
    looks_for: str
    evaluate: Evaluate
    of: Callable[[Entity], bool] = lambda _: True
    blocking: Callable[[Entity], bool] = lambda _: False


@contextmanager
def bench(shopify: ShopifyPipeline, *, whole: bool) -> Iterator[Bench]:
    """Open the database, and the store if it answers."""
    with ExitStack() as stack:
        sync: SyncContext | None = None
        failure: AdminApiError | dg.Failure | None = None
        try:
            with explained():
                sync = stack.enter_context(shopify.open())
        except (AdminApiError, dg.Failure) as error:
            failure = error
        database = sync.database if sync else stack.enter_context(shopify.database())
        if sync is not None:
            now = sync.api.now()
        else:
            with database.transaction() as connection:
                now = connection.execute(sa.select(sa.func.now())).scalar_one()
        yield Bench(
            database=database,
            settings=shopify.settings(),
            now=now,
            whole=whole,
            sync=sync,
            failure=failure,
        )


def evaluated(
    check: Check, entity: Entity, asset: dg.AssetKey, tools: Bench
) -> dg.AssetCheckResult:
    """Evaluate a check; what keeps it from telling is told as a warning, not raised."""
    try:
        with explained():
            return check.evaluate(tools, entity).result(asset, check.name)
    except (
        AdminApiError,
        InexactCountError,
        UnreachableError,
        DatabaseFailedError,
        dg.Failure,
        psycopg.Error,
    ) as error:
        return not_evaluated(asset, check.name, str(error))
