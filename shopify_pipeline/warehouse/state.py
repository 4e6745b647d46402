"""Small facts kept between runs, by name."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

STATE = sa.Table(
    "state",
    sa.MetaData(),
    sa.Column("key", sa.Text),
    sa.Column("value", JSONB),
    sa.Column("updated_at", sa.DateTime(timezone=True)),
    schema="shopify_internal",
)


def read(connection: sa.Connection, key: str, *, not_older_than: timedelta | None = None) -> Any:
    """Return the fact (anything that JSON holds), None if there is none or it is too old."""
    found = sa.select(STATE.c.value).where(STATE.c.key == key)
    if not_older_than is not None:
        found = found.where(STATE.c.updated_at >= sa.func.now() - not_older_than)
    return connection.execute(found).scalar_one_or_none()


def write(connection: sa.Connection, key: str, value: Any) -> None:
    """Keep a fact under its name, in place of the one before; `value` is anything of JSON."""
    statement = insert(STATE).values(key=key, value=value, updated_at=sa.func.now())
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[STATE.c.key], set_={"value": new.value, "updated_at": new.updated_at}
        )
    )


def forget(connection: sa.Connection, key: str) -> None:
    """Drop a fact."""
    connection.execute(sa.delete(STATE).where(STATE.c.key == key))
