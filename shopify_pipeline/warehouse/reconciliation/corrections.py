"""Takes back what no read can correct: links that lead astray, versions that cannot be."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from shopify_pipeline.warehouse.links import parent_of
from shopify_pipeline.warehouse.tables import Table
from shopify_pipeline.warehouse.versions import LONG_AGO


def release_wrong_links(connection: sa.Connection, table: Table) -> list[int]:
    """Empty the links that lead to another row than the Shopify id beside them; return the ids.

    A relink afterwards sets them right.
    """
    released: set[int] = set()
    for link in table.all_links:
        target, parent = table.sql, parent_of(link)
        statement = (
            sa.update(target)
            .values({link.column: None, "synced_at": sa.func.now()})
            .where(
                target.c[link.column] == parent.c.id,
                target.c[link.id_column].is_distinct_from(parent.c[link.parent_key]),
            )
            .returning(target.c[table.key])
        )
        released |= set(connection.execute(statement).scalars())
    return sorted(released)


def distrust_versions(
    connection: sa.Connection, table: Table, ids: Collection[int], *, observed_before: datetime
) -> int:
    """Forget the versions of rows, so that the next complete read applies whatever they claim.

    Only of rows that nothing has confirmed since `observed_before`.
    """
    target = table.sql
    wanted = sa.bindparam("ids", sorted(ids), type_=sa.ARRAY(sa.BigInteger))
    statement = (
        sa.update(target)
        .values(updated_at=None, complete_at=None, synced_at=sa.func.now())
        .where(
            target.c[table.key] == sa.any_(wanted),
            sa.func.coalesce(target.c.observed_at, LONG_AGO) < observed_before,
        )
    )
    return connection.execute(statement).rowcount


def reopen(connection: sa.Connection, table: Table, ids: Collection[int]) -> int:
    """Say of rows that they are not whole: some of their children are known to be missing."""
    if not ids:
        return 0
    target = table.sql
    wanted = sa.bindparam("ids", sorted(ids), type_=sa.ARRAY(sa.BigInteger))
    statement = (
        sa.update(target)
        .values(complete_at=None, synced_at=sa.func.now())
        .where(target.c[table.key] == sa.any_(wanted), target.c.complete_at.is_not(None))
    )
    return connection.execute(statement).rowcount
