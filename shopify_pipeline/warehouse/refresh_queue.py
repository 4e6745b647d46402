"""Ids whose truth must be read again: one row an id, claimed in batches under a lease."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

_TIME = sa.DateTime(timezone=True)

NEWS_SECONDS = 60.0
"""No sooner, so that what is being read at the moment is not read twice."""

QUEUE = sa.Table(
    "refresh_queue",
    sa.MetaData(),
    sa.Column("entity", sa.Text),
    sa.Column("shopify_id", sa.BigInteger),
    sa.Column("reason", sa.Text),
    sa.Column("urgent", sa.Boolean),
    sa.Column("queued_at", _TIME),
    sa.Column("first_queued_at", _TIME),
    sa.Column("due_at", _TIME),
    sa.Column("attempts", sa.Integer),
    sa.Column("last_error", sa.Text),
    schema="shopify_internal",
)


@dataclass(frozen=True, slots=True)
class QueuedRefresh:
    """An id that was claimed. `queued_at` is on Shopify's clock; `attempts` counts this claim."""

    entity: str
    shopify_id: int
    reason: str
    urgent: bool
    queued_at: datetime
    first_queued_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the queue for one entity."""

    waiting: int
    urgent: int
    oldest_queued_at: datetime | None


def enqueue(
    connection: sa.Connection,
    entity: str,
    ids: Iterable[int],
    *,
    reason: str,
    queued_at: datetime,
    urgent: bool = False,
) -> int:
    """Queue ids, and return how many were not queued before.

    `queued_at` is on Shopify's clock: only a complete read observed later than that satisfies it.
    An id that is queued already keeps its place; it becomes urgent if this is, and takes the later
    `queued_at`. One that was put off is due in NEWS_SECONDS: there is news of it.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return 0
    source = sa.func.unnest(
        sa.bindparam("ids", wanted, type_=sa.ARRAY(sa.BigInteger))
    ).table_valued(sa.column("id", sa.BigInteger), name="wanted")
    statement = insert(QUEUE).from_select(
        ["entity", "shopify_id", "reason", "urgent", "queued_at"],
        sa.select(
            sa.literal(entity),
            source.render_derived().c.id,
            sa.literal(reason),
            sa.literal(urgent),
            sa.literal(queued_at, _TIME),
        ),
    )
    new = statement.excluded
    upsert = statement.on_conflict_do_update(
        index_elements=[QUEUE.c.entity, QUEUE.c.shopify_id],
        set_={
            "reason": new.reason,
            "urgent": sa.or_(QUEUE.c.urgent, new.urgent),
            "queued_at": sa.func.greatest(QUEUE.c.queued_at, new.queued_at),
            "attempts": 0,
            "due_at": sa.func.least(QUEUE.c.due_at, _in(NEWS_SECONDS)),
        },
        where=sa.or_(
            new.queued_at > QUEUE.c.queued_at, sa.and_(new.urgent, sa.not_(QUEUE.c.urgent))
        ),
    ).returning(sa.literal_column("xmax = 0", sa.Boolean))
    return sum(connection.execute(upsert).scalars())


def claim(
    connection: sa.Connection,
    entity: str,
    *,
    limit: int,
    lease_seconds: float,
    urgent_only: bool = False,
) -> list[QueuedRefresh]:
    """Take up to `limit` due ids, urgent ones first, and lease them for `lease_seconds`.

    Commit at once: claimed ids are invisible to other claims until the lease ends, they are
    satisfied by a merge of what was read, or postponed, or released.
    """
    due = (
        sa.select(QUEUE.c.entity, QUEUE.c.shopify_id)
        .where(
            QUEUE.c.entity == entity,
            QUEUE.c.due_at <= sa.func.now(),
            QUEUE.c.urgent if urgent_only else sa.true(),
        )
        .order_by(QUEUE.c.urgent.desc(), QUEUE.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = (
        sa.update(QUEUE)
        .values(due_at=_in(lease_seconds), attempts=QUEUE.c.attempts + 1)
        .where(QUEUE.c.entity == due.c.entity, QUEUE.c.shopify_id == due.c.shopify_id)
        .returning(
            QUEUE.c.entity,
            QUEUE.c.shopify_id,
            QUEUE.c.reason,
            QUEUE.c.urgent,
            QUEUE.c.queued_at,
            QUEUE.c.first_queued_at,
            QUEUE.c.attempts,
        )
    )
    claimed = [QueuedRefresh(*row) for row in connection.execute(taken)]
    return sorted(claimed, key=lambda queued: (not queued.urgent, queued.queued_at))


def satisfy(connection: sa.Connection, entity: str, passed: sa.Table) -> int:
    """Take out what reads satisfied: queued before the reads of `passed` were made, not stale."""
    statement = _satisfaction(passed)
    return connection.execute(statement, {"of_entity": entity}).rowcount


def satisfy_reads(
    connection: sa.Connection, entity: str, reads: Iterable[tuple[int, datetime]]
) -> int:
    """Take out what reads satisfied, given as ids and times of observation.

    They are looked at only if something waits.
    """
    waiting = sa.select(sa.exists().where(QUEUE.c.entity == entity))
    if not connection.execute(waiting).scalar_one():
        return 0
    found = list(reads)
    ids = sa.bindparam("ids", [shopify_id for shopify_id, _ in found], sa.ARRAY(sa.BigInteger))
    times = sa.bindparam("times", [observed_at for _, observed_at in found], sa.ARRAY(_TIME))
    read = sa.func.unnest(ids, times).table_valued(
        sa.column("id", sa.BigInteger), sa.column("observed_at", _TIME), name="read"
    )
    read = read.render_derived()
    done = sa.delete(QUEUE).where(
        QUEUE.c.entity == entity,
        QUEUE.c.shopify_id == read.c.id,
        QUEUE.c.queued_at < read.c.observed_at,
    )
    return connection.execute(done).rowcount


@cache
def _satisfaction(passed: sa.Table) -> Any:
    done = (
        sa.select(QUEUE.c.shopify_id)
        .where(
            QUEUE.c.entity == sa.bindparam("of_entity"),
            QUEUE.c.shopify_id == passed.c.key,
            QUEUE.c.queued_at < passed.c.observed_at,
            passed.c.verdict != "stale",
        )
        .order_by(QUEUE.c.shopify_id)
        .with_for_update(of=QUEUE)
        .cte("done")
    )
    return sa.delete(QUEUE).where(
        QUEUE.c.entity == sa.bindparam("of_entity"), QUEUE.c.shopify_id == done.c.shopify_id
    )


def forget(
    connection: sa.Connection,
    entity: str,
    ids: Collection[int],
    *,
    queued_before: datetime | None = None,
) -> int:
    """Take ids out unread: a confirmed deletion, a redaction.

    With `queued_before`, on Shopify's clock, what was queued again since stays.
    """
    statement = sa.delete(QUEUE).where(*_these(entity, ids))
    if queued_before is not None:
        statement = statement.where(QUEUE.c.queued_at < queued_before)
    return connection.execute(statement).rowcount


def postpone(
    connection: sa.Connection,
    entity: str,
    ids: Collection[int],
    *,
    seconds: float,
    error: str | None = None,
) -> int:
    """Put ids off: they may be claimed again after `seconds`. `error` holds no personal data."""
    values: dict[str, Any] = {"due_at": _in(seconds)}
    if error is not None:
        values["last_error"] = error
    return connection.execute(sa.update(QUEUE).values(values).where(*_these(entity, ids))).rowcount


def release(connection: sa.Connection, entity: str, ids: Collection[int]) -> int:
    """Give ids back at once, those that a merge has not satisfied."""
    return postpone(connection, entity, ids, seconds=0)


def backlog(connection: sa.Connection, entity: str) -> Backlog:
    """Count what waits for one entity, leased or not."""
    count = sa.func.count()
    row = connection.execute(
        sa.select(count, count.filter(QUEUE.c.urgent), sa.func.min(QUEUE.c.queued_at)).where(
            QUEUE.c.entity == entity
        )
    ).one()
    return Backlog(*row)


def _these(entity: str, ids: Collection[int]) -> tuple[sa.ColumnElement[bool], ...]:
    wanted = sa.bindparam("ids", sorted(ids), type_=sa.ARRAY(sa.BigInteger))
    return QUEUE.c.entity == entity, QUEUE.c.shopify_id == sa.any_(wanted)


def _in(seconds: float) -> sa.ColumnElement[Any]:
    return sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
