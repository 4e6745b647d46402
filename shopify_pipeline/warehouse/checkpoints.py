"""How far each entity was read: everything with `updated_at` before its checkpoint, completely."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

_TIME = sa.DateTime(timezone=True)

CHECKPOINTS = sa.Table(
    "checkpoints",
    sa.MetaData(),
    sa.Column("entity", sa.Text),
    sa.Column("checkpoint", _TIME),
    sa.Column("advanced_at", _TIME),
    schema="shopify_internal",
)


def read(connection: sa.Connection, entity: str) -> datetime | None:
    """Return the entity's checkpoint, None before the first load."""
    found = sa.select(CHECKPOINTS.c.checkpoint).where(CHECKPOINTS.c.entity == entity)
    return connection.execute(found).scalar_one_or_none()


def advance(
    connection: sa.Connection,
    entity: str,
    *,
    start: datetime,
    end: datetime,
    read_at: datetime,
    lag: timedelta,
    history_start: datetime | None = None,
) -> datetime | None:
    """Move the checkpoint over the window [start, end), read to its end at `read_at`; return it.

    It moves to min(end, read_at - lag), never back, and only if the window starts at or before it,
    so that no gap is jumped. Where there is none yet, the window makes the first one; with
    `history_start` (the first day of the load) only a window that starts no later does. To be
    called in the transaction of the window's last merge.
    """
    reached = min(end, read_at - lag)
    moved = sa.func.now()
    if history_start is None or start <= history_start:
        statement = insert(CHECKPOINTS).values(entity=entity, checkpoint=reached, advanced_at=moved)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[CHECKPOINTS.c.entity],
                set_={"checkpoint": statement.excluded.checkpoint, "advanced_at": moved},
                where=sa.and_(
                    CHECKPOINTS.c.checkpoint >= start, CHECKPOINTS.c.checkpoint < reached
                ),
            )
        )
    else:
        connection.execute(
            sa.update(CHECKPOINTS)
            .values(checkpoint=reached, advanced_at=moved)
            .where(
                CHECKPOINTS.c.entity == entity,
                CHECKPOINTS.c.checkpoint >= start,
                CHECKPOINTS.c.checkpoint < reached,
            )
        )
    return read(connection, entity)
