"""Folds signals into episodes: from a failure to the next success, told once at either end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from shopify_pipeline.orchestration.alerts.scrubbing import impersonal
from shopify_pipeline.orchestration.alerts.signals import Signal, State

RANK: dict[State, int] = {"ok": 0, "warning": 1, "error": 2}

EPISODES = sa.Table(
    "alert_episodes",
    sa.MetaData(),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("state", sa.Text),
    sa.Column("summary", sa.Text),
    sa.Column("link", sa.Text),
    sa.Column("since", sa.DateTime(timezone=True)),
    sa.Column("last_event_id", sa.BigInteger),
    sa.Column("last_event_at", sa.DateTime(timezone=True)),
    schema="shopify_internal",
)


@dataclass(frozen=True, kw_only=True)
class Episode:
    """The state of one subject, while it fails the worst so far, and the newest event of it."""

    subject: str
    state: State
    summary: str
    link: str
    since: datetime
    last_event_id: int
    last_event_at: datetime


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something to tell: an episode began, became worse, or ended."""

    what: Literal["began", "worse", "ended"]
    episode: Episode


def fold(
    known: Iterable[Episode], signals: Iterable[Signal], *, ui_url: str = ""
) -> tuple[list[Episode], list[Notice]]:
    """The episodes that changed, and what to tell of them, in the order in which it happened.

    A signal no newer than its subject's last is known already. A subject that never failed has no
    episode.
    """
    episodes = {episode.subject: episode for episode in known}
    changed: dict[str, Episode] = {}
    notices: list[Notice] = []
    for signal in signals:
        before = episodes.get(signal.subject)
        if before is None and signal.state == "ok":
            continue
        if before is not None and signal.event_id <= before.last_event_id:
            continue
        state_before: State = before.state if before else "ok"
        after = Episode(
            subject=signal.subject,
            state=signal.state,
            summary=impersonal(signal.summary),
            link=f"{ui_url}{signal.path}",
            since=signal.at,
            last_event_id=signal.event_id,
            last_event_at=signal.at,
        )
        if before and signal.state != "ok" and state_before != "ok":
            # Only what is worse than all that was told of the episode is told again.
            worst = max(signal.state, state_before, key=RANK.__getitem__)
            after = replace(after, since=before.since, state=worst)
        episodes[signal.subject] = changed[signal.subject] = after
        if signal.state == "ok" and before is not None and state_before != "ok":
            notices.append(Notice(what="ended", episode=replace(after, since=before.since)))
        elif RANK[signal.state] > RANK[state_before]:
            what: Literal["began", "worse"] = "began" if state_before == "ok" else "worse"
            notices.append(Notice(what=what, episode=after))
    return list(changed.values()), notices


def read_episodes(
    connection: sa.Connection, subjects: Iterable[str] | None = None
) -> list[Episode]:
    """The episodes of these subjects, or (None) all that are open, the oldest first."""
    wanted = (
        EPISODES.c.state != "ok"
        if subjects is None
        else EPISODES.c.subject.in_(sorted(set(subjects)))
    )
    rows = connection.execute(sa.select(EPISODES).where(wanted).order_by(EPISODES.c.since))
    return [Episode(**row) for row in rows.mappings()]


def write_episodes(connection: sa.Connection, episodes: Sequence[Episode]) -> None:
    """Keep the episodes as they are now."""
    if not episodes:
        return
    statement = insert(EPISODES).values([vars(episode) for episode in episodes])
    new = {c.name: c for c in statement.excluded if c.name != "subject"}
    connection.execute(
        statement.on_conflict_do_update(index_elements=[EPISODES.c.subject], set_=new)
    )
