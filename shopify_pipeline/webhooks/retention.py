"""Removes what has been kept long enough: bodies by the day, the ledger much later."""

import logging

import psycopg
import sqlalchemy as sa
from psycopg import sql

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks.privacy import erase_again
from shopify_pipeline.webhooks.statements import STATEMENTS

log = logging.getLogger(__name__)

LEDGER_ROWS = 10_000
"""Rows of the ledger that are deleted in one transaction."""

SLOTS = 32
"""Partitions of webhook_bodies, as the migration made them."""


def prune(database: Database, *, body_days: int, ledger_days: int) -> list[int]:
    """Empty the days of bodies older than `body_days`, and drop the old of the ledger.

    Bodies of deliveries that are pending or dead are kept. Returns the emptied slots. Safe to
    call from anywhere at any time: a slot that is in use is left to the next call.
    """
    with database.transaction() as connection:
        today = connection.exec_driver_sql(STATEMENTS["today_slot"]).scalar_one()
    # Tomorrow's is left alone too: midnight may come before the end of this.
    kept = {(today - age) % SLOTS for age in range(-1, body_days + 1)}
    emptied = []
    for slot in sorted(set(range(SLOTS)) - kept):
        try:
            if _empty(database, slot, today):
                emptied.append(slot)
        except sa.exc.OperationalError:
            log.warning("Bodies in slot %d are pruned another time", slot)
    _prune_ledger(database, ledger_days)
    with database.transaction() as connection:
        for name in ("prune_batches", "prune_workers", "prune_bulk_operations"):
            connection.exec_driver_sql(STATEMENTS[name])
    database.retrying(erase_again)
    return emptied


def _prune_ledger(database: Database, days: int) -> None:
    """Delete what is old of the ledger, a bounded number of rows in each transaction."""
    while True:
        with database.transaction() as connection:
            pruned = connection.exec_driver_sql(
                STATEMENTS["prune_ledger"], {"days": days, "most": LEDGER_ROWS}
            )
        if pruned.rowcount < LEDGER_ROWS:
            return


def _empty(database: Database, slot: int, today: int) -> bool:
    with database.transaction() as connection:
        if not connection.exec_driver_sql(STATEMENTS["slot_is_used"], {"slot": slot}).scalar_one():
            return False
        connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
        connection.exec_driver_sql(STATEMENTS["keep_unfinished"], {"slot": slot, "today": today})
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - the engine is psycopg's
        partition = sql.Identifier("shopify_internal", f"webhook_bodies_{slot:02}")
        driver.execute(sql.SQL("TRUNCATE {}").format(partition))
    return True
