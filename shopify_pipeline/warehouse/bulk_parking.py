"""Puts lines of a bulk file aside until the file was read to its end, families then together."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from uuid import UUID

import sqlalchemy as sa

PARKED = sa.Table(
    "bulk_parked",
    sa.MetaData(),
    sa.Column("reader", sa.Uuid),
    sa.Column("owner_id", sa.BigInteger),
    sa.Column("is_owner", sa.Boolean),
    sa.Column("line", sa.Text),
    sa.Column("parked_at", sa.DateTime(timezone=True)),
    schema="shopify_internal",
)

Parked = tuple[int, bool, str]
"""The owner's Shopify id, whether the line is the owner itself, the line."""


def park(connection: sa.Connection, reader: UUID, lines: Iterable[Parked]) -> None:
    """Put lines aside."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101
    with (
        driver.cursor() as cursor,
        cursor.copy(
            "COPY shopify_internal.bulk_parked (reader, owner_id, is_owner, line) FROM STDIN"
        ) as copy,
    ):
        for line in lines:
            copy.write_row((reader, *line))


def count(connection: sa.Connection, reader: UUID) -> int:
    """Return how many lines the reader has put aside."""
    found = sa.select(sa.func.count()).where(PARKED.c.reader == reader)
    return int(connection.execute(found).scalar_one())


def families(
    connection: sa.Connection, reader: UUID
) -> Iterator[tuple[int, str | None, Sequence[str]]]:
    """Yield, streaming, each owner's id with its own line (None: not put aside) and the others."""
    lines = connection.execution_options(yield_per=2_000).execute(
        sa.select(PARKED.c.owner_id, PARKED.c.is_owner, PARKED.c.line)
        .where(PARKED.c.reader == reader)
        .order_by(PARKED.c.owner_id)
    )
    for owner, group in groupby(lines, key=itemgetter(0)):
        family = list(group)
        own = [line for _, is_owner, line in family if is_owner]
        yield (
            owner,
            own[-1] if own else None,
            [line for _, is_owner, line in family if not is_owner],
        )


def clear(connection: sa.Connection, reader: UUID) -> None:
    """Remove what the reader put aside, and what dead readers left behind for over a day."""
    stale = PARKED.c.parked_at < sa.func.now() - sa.text("interval '1 day'")
    connection.execute(sa.delete(PARKED).where((PARKED.c.reader == reader) | stale))
