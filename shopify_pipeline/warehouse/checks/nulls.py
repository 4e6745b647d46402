"""How often columns are empty, today against the days before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shopify_pipeline.warehouse.checks.rows import written_since
from shopify_pipeline.warehouse.tables import Table

HISTORY = timedelta(days=28)
LEAST_ROWS = 50
"""Fewer rows tell nothing about a rate."""

RISE = 0.2
"""A rate that rose by this much is worth a look."""

RATES = sa.Table(
    "null_rates",
    sa.MetaData(),
    sa.Column("table_name", sa.Text),
    sa.Column("column_name", sa.Text),
    sa.Column("day", sa.Date),
    sa.Column("checked", sa.BigInteger),
    sa.Column("nulls", sa.BigInteger),
    schema="shopify_internal",
)


@dataclass(frozen=True)
class NullRate:
    """How many of the rows looked at had no value in a column, and the rate of the days before."""

    column: str
    checked: int
    nulls: int
    rate_before: float | None

    @property
    def rate(self) -> float:
        """The share of empty values."""
        return self.nulls / self.checked if self.checked else 0.0

    @property
    def is_odd(self) -> bool:
        """Whether it rose by much, or left zero where it always was."""
        if self.rate_before is None or self.checked < LEAST_ROWS:
            return False
        always_there = self.rate_before == 0 and self.rate > 0.01
        return always_there or self.rate - self.rate_before > RISE


def measure(
    connection: sa.Connection, table: Table, since: datetime | None, *, day: date
) -> list[NullRate]:
    """Count the empty values of rows read whole and written since, and keep the counts as `day`'s.

    One pass over the rows, all columns at once.
    """
    row = table.sql.c
    names = [column.name for column in table.columns if column.name != table.key]
    counts = connection.execute(
        sa.select(sa.func.count(), *(sa.func.count(row[name]) for name in names)).where(
            row.deleted_at.is_(None), row.complete_at.is_not(None), *written_since(table, since)
        )
    ).one()
    checked, filled = counts[0], counts[1:]
    before = _before(connection, table, day)
    found = [
        NullRate(name, checked, checked - present, before.get(name))
        for name, present in zip(names, filled, strict=True)
    ]
    if checked >= LEAST_ROWS:
        # An odd day must not become what the next ones are measured by.
        _keep(connection, table, day, [rate for rate in found if not rate.is_odd])
    return found


def _before(connection: sa.Connection, table: Table, day: date) -> dict[str, float]:
    rows = connection.execute(
        sa.select(RATES.c.column_name, sa.func.sum(RATES.c.nulls), sa.func.sum(RATES.c.checked))
        .where(RATES.c.table_name == table.name, RATES.c.day < day, RATES.c.day >= day - HISTORY)
        .group_by(RATES.c.column_name)
    )
    return {name: float(nulls / checked) for name, nulls, checked in rows if checked}


def _keep(connection: sa.Connection, table: Table, day: date, rates: Sequence[NullRate]) -> None:
    if rates:
        statement = insert(RATES).values(
            [
                {
                    "table_name": table.name,
                    "column_name": rate.column,
                    "day": day,
                    "checked": rate.checked,
                    "nulls": rate.nulls,
                }
                for rate in rates
            ]
        )
        new = statement.excluded
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[RATES.c.table_name, RATES.c.column_name, RATES.c.day],
                set_={"checked": new.checked, "nulls": new.nulls},
            )
        )
    connection.execute(
        sa.delete(RATES).where(RATES.c.table_name == table.name, RATES.c.day < day - 2 * HISTORY)
    )
