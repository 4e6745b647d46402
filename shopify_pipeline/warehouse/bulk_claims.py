"""Remembers bulk operations before they are submitted, so that a crash loses none."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

CLAIMS = sa.Table(
    "bulk_claims",
    sa.MetaData(),
    sa.Column("id", sa.Uuid),
    sa.Column("entity", sa.Text),
    sa.Column("purpose", sa.Text),
    sa.Column("window_start", sa.DateTime(timezone=True)),
    sa.Column("window_end", sa.DateTime(timezone=True)),
    sa.Column("asked_end", sa.DateTime(timezone=True)),
    sa.Column("query_hash", sa.Text),
    sa.Column("claimed_at", sa.DateTime(timezone=True)),
    sa.Column("gid", sa.Text),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("outcome", sa.Text),
    schema="shopify_internal",
)

FINISHED = sa.Table(
    "finished_bulk_operations",
    sa.MetaData(),
    sa.Column("gid", sa.Text),
    schema="shopify_internal",
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A bulk operation that is to be, or was, submitted for a window; `gid` None: not known."""

    id: UUID
    window_start: datetime
    window_end: datetime
    query_hash: str
    claimed_at: datetime
    gid: str | None


_FIELDS = (
    CLAIMS.c.id,
    CLAIMS.c.window_start,
    CLAIMS.c.window_end,
    CLAIMS.c.query_hash,
    CLAIMS.c.claimed_at,
    CLAIMS.c.gid,
)


def unfinished(
    connection: sa.Connection, entity: str, purpose: str, *, start: datetime, asked_end: datetime
) -> Claim | None:
    """Return the newest claim for this window that has not ended."""
    found = connection.execute(
        sa.select(*_FIELDS)
        .where(
            CLAIMS.c.entity == entity,
            CLAIMS.c.purpose == purpose,
            CLAIMS.c.window_start == start,
            CLAIMS.c.asked_end == asked_end,
            CLAIMS.c.ended_at.is_(None),
        )
        .order_by(CLAIMS.c.claimed_at.desc())
        .limit(1)
    ).one_or_none()
    return Claim(**found._asdict()) if found else None


def close_orphans(
    connection: sa.Connection,
    entity: str,
    purpose: str,
    *,
    start: datetime,
    asked_end: datetime,
    keep: UUID | None,
) -> None:
    """Close claims that nobody will take up: of parts of a window that is about to be read.

    Such as the halves that a killed run was reading. And those older than Shopify keeps a result.
    """
    part = sa.and_(CLAIMS.c.window_start >= start, CLAIMS.c.asked_end == asked_end)
    expired = CLAIMS.c.claimed_at < sa.func.now() - sa.text("interval '7 days'")
    orphans = sa.update(CLAIMS).where(
        CLAIMS.c.entity == entity,
        CLAIMS.c.purpose == purpose,
        CLAIMS.c.ended_at.is_(None),
        CLAIMS.c.id.is_distinct_from(keep),
        sa.or_(part, expired),
    )
    connection.execute(
        orphans.values(ended_at=sa.func.now(), outcome="given up: its window is read anew")
    )


def claim(
    connection: sa.Connection,
    entity: str,
    purpose: str,
    *,
    start: datetime,
    end: datetime,
    asked_end: datetime,
    query_hash: str,
    claimed_at: datetime,
) -> Claim:
    """Record that an operation is about to be submitted."""
    row = connection.execute(
        sa.insert(CLAIMS)
        .values(
            entity=entity,
            purpose=purpose,
            window_start=start,
            window_end=end,
            asked_end=asked_end,
            query_hash=query_hash,
            claimed_at=claimed_at,
        )
        .returning(*_FIELDS)
    ).one()
    return Claim(**row._asdict())


def submitted(connection: sa.Connection, claim_id: UUID, gid: str) -> None:
    """Keep Shopify's id of the operation."""
    connection.execute(sa.update(CLAIMS).where(CLAIMS.c.id == claim_id).values(gid=gid))


def end(connection: sa.Connection, claim_id: UUID, outcome: str) -> None:
    """Close the claim: its result was merged, or it was given up."""
    connection.execute(
        sa.update(CLAIMS)
        .where(CLAIMS.c.id == claim_id)
        .values(ended_at=sa.func.now(), outcome=outcome)
    )


def is_over(connection: sa.Connection, gid: str) -> bool:
    """Whether a webhook has said that the operation is over; none may come, so ask Shopify too."""
    return connection.execute(sa.select(sa.exists().where(FINISHED.c.gid == gid))).scalar_one()
