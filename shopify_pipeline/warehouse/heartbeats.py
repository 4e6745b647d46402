"""Signs of life of runs: a run beats, and one that has stopped beating is dead."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

_TIME = sa.DateTime(timezone=True)

HEARTBEATS = sa.Table(
    "heartbeats",
    sa.MetaData(),
    sa.Column("run_id", sa.Text),
    sa.Column("what", sa.Text),
    sa.Column("started_at", _TIME),
    sa.Column("beaten_at", _TIME),
    schema="shopify_internal",
)

_clock = sa.func.clock_timestamp()


def beat(connection: sa.Connection, run_id: str, *, what: str) -> None:
    """Note that the run lives, and what it is doing."""
    statement = insert(HEARTBEATS).values(
        run_id=run_id, what=what, started_at=_clock, beaten_at=_clock
    )
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[HEARTBEATS.c.run_id],
            set_={"what": new.what, "beaten_at": new.beaten_at},
        )
    )


def stop(connection: sa.Connection, run_id: str) -> None:
    """Note that the run has ended: its beat is no longer awaited."""
    connection.execute(sa.delete(HEARTBEATS).where(HEARTBEATS.c.run_id == run_id))


def silence(connection: sa.Connection) -> dict[str, float]:
    """Return for each run that ever beat and was not stopped the seconds since its last beat."""
    seconds = sa.func.extract("epoch", _clock - HEARTBEATS.c.beaten_at)
    return {
        run_id: float(since)
        for run_id, since in connection.execute(sa.select(HEARTBEATS.c.run_id, seconds))
    }


def forget(connection: sa.Connection, *, silent_for_seconds: float) -> int:
    """Drop the beats of runs that are long over, and return how many."""
    until = _clock - sa.func.make_interval(0, 0, 0, 0, 0, 0, silent_for_seconds)
    return connection.execute(sa.delete(HEARTBEATS).where(HEARTBEATS.c.beaten_at < until)).rowcount
