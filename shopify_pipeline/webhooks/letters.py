"""Dead deliveries: those that failed too often. Listed, and replayed once the cause is gone."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks.statements import STATEMENTS
from shopify_pipeline.webhooks.topics import COMPLIANCE


@dataclass(frozen=True, kw_only=True)
class DeadDelivery:
    """A delivery that no attempt could apply; `last_error` holds no value of its body."""

    id: int
    topic: str
    webhook_id: str
    received_at: datetime
    finished_at: datetime
    attempts: int
    last_error: str


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits in the inbox. `oldest_seconds` is None for an empty one."""

    pending: int
    oldest_seconds: float | None
    dead: int
    workers: int


def dead_deliveries(database: Database, *, limit: int = 1000) -> list[DeadDelivery]:
    """The dead, oldest first."""
    with database.transaction() as connection:
        rows = connection.exec_driver_sql(STATEMENTS["dead"], {"limit": limit}).mappings()
        return [DeadDelivery(**row) for row in rows]


def replay(
    database: Database, ids: Collection[int] | None, *, states: Collection[str] = ("dead",)
) -> int:
    """Make deliveries pending again, as if they had just come; return how many.

    All in one of the states, or those of `ids` among them. One whose body was pruned stays as it
    is, and so does a request about privacy that is not dead. Replaying what was done is harmless:
    an older body never wins.
    """

    def work(connection: sa.Connection) -> int:
        values = {
            "ids": None if ids is None else sorted(ids),
            "states": sorted(states),
            "compliance": sorted(COMPLIANCE),
        }
        count = connection.exec_driver_sql(STATEMENTS["replay"], values).rowcount
        connection.exec_driver_sql(STATEMENTS["wake"], {"word": ""})
        return count

    return database.retrying(work)


def backlog(database: Database) -> Backlog:
    """What waits, what is dead, and how many workers gave a sign of life in 30 s."""
    with database.transaction() as connection:
        row = connection.exec_driver_sql(STATEMENTS["backlog"]).mappings().one()
        return Backlog(**row)
