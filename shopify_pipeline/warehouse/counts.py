"""How many rows a table holds, cheaply."""

import sqlalchemy as sa

from shopify_pipeline.warehouse.tables import Table

COUNTED_UP_TO = 200_000


def row_count(
    connection: sa.Connection, table: Table, *, counted_up_to: int = COUNTED_UP_TO
) -> int:
    """Return the rows of the table, deleted ones included.

    Where Postgres believes that there are more than `counted_up_to` it is its estimate: counting
    reads the whole table.
    """
    believed = connection.execute(
        sa.text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)"),
        {"name": f"public.{table.name}"},
    ).scalar_one()
    if believed > counted_up_to:
        return int(believed)
    return connection.execute(sa.select(sa.func.count()).select_from(table.sql)).scalar_one()
