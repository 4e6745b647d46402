"""Transactions of linking: one at a time, tried again where a profile goes while it is linked."""

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
import stamina

from shopify_pipeline.warehouse.database import Database, sqlstate

_LOCK = 7_262_837_001
_FOREIGN_KEY_VIOLATION = "23503"

Result = TypeVar("Result")


def try_lock(connection: sa.Connection) -> bool:
    """Whether no other linking of this database is going on; then held to the end of this one."""
    return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))))


def take_lock(connection: sa.Connection) -> None:
    """Wait for any other linking of this database to end; held to the end of the transaction."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def retrying(database: Database, work: Callable[[sa.Connection], Result]) -> Result:
    """`Database.retrying`, and again when a profile was deleted between judging and writing."""
    for attempt in stamina.retry_context(on=_profile_deleted_meanwhile, attempts=5, wait_max=1):
        with attempt:
            return database.retrying(work)
    raise AssertionError("unreachable")


def _profile_deleted_meanwhile(error: Exception) -> bool:
    return sqlstate(error) == _FOREIGN_KEY_VIOLATION
