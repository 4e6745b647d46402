"""Sends messages through Apprise: every destination for itself, tried again until it takes them."""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

import apprise
import sqlalchemy as sa

from shopify_pipeline.orchestration.alerts.messages import Message
from shopify_pipeline.orchestration.alerts.scrubbing import impersonal
from shopify_pipeline.warehouse.database import Database

AT_ONCE = 20
FIRST_RETRY = timedelta(seconds=30)
LONGEST_WAIT = timedelta(minutes=15)
GIVEN_UP_AFTER = timedelta(days=3)

ONE_INCIDENT_A_MESSAGE = {"opsgenie", "pagerduty", "pagertree", "signl4", "splunk", "victorops"}
"""Services (schemes of their URLs) where each part of a split message would open an incident."""

RESOLVES = "pagerduty"
"""Scheme of a service whose incidents a later message can resolve: one with the same title."""

_STATUS = re.compile(r"error=(\d{3})")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What became of the messages that were due. `problems` names no URL."""

    delivered: int = 0
    dropped: int = 0
    problems: Sequence[str] = ()


class UndeliverableError(Exception):
    """A destination did not take a message; says which service and why, without its URL."""


def send(url: str, message: Message) -> None:
    """Send a message to one Apprise URL, in parts where its service takes no more at once.

    Where each part would open an incident, the message is cut instead. Where a recovery resolves
    one, it is that of the message with the same title, unless the URL says otherwise.

    Raises:
        UndeliverableError: the URL is none of Apprise's, or its service did not take the message.
    """
    service = apprise.Apprise.instantiate(_resolving(url), suppress_exceptions=True)
    if service is None:
        raise UndeliverableError(f"{url.partition(':')[0]}: Apprise does not understand this URL")
    if service.overflow_mode == apprise.OverflowMode.UPSTREAM:  # it would be refused
        cut = url.partition(":")[0].lower() in ONE_INCIDENT_A_MESSAGE
        service.overflow_mode = apprise.OverflowMode.TRUNCATE if cut else apprise.OverflowMode.SPLIT
    sender = apprise.Apprise()
    sender.add(service)
    capture: Any = apprise.LogCapture  # untyped
    with capture(level=logging.WARNING, fmt="%(message)s") as log:
        sent = sender.notify(
            title=message.title,
            body=message.body,
            notify_type=apprise.NotifyType(
                {"success": "success", "warning": "warning"}.get(message.level, "failure")
            ),
            body_format=apprise.NotifyFormat.TEXT,
        )
        said = log.getvalue()
    if not sent:
        status = _STATUS.search(said)
        reason = f"HTTP {status[1]}" if status else impersonal(said.strip().partition("\n")[0])
        raise UndeliverableError(f"{service.service_name}: {reason or 'not accepted'}")


def resolves(url: str) -> bool:
    """Whether the destination keeps an incident for each title, until a success resolves it."""
    return url.partition(":")[0].lower() == RESOLVES


def _resolving(url: str) -> str:
    """The URL with the option by which Apprise resolves incidents, where it says nothing of it."""
    if not resolves(url) or re.search("[?&]action=", url):
        return url
    return f"{url}{'&' if '?' in url else '?'}action=map"


def enqueue(connection: sa.Connection, message: Message, urls: Iterable[str]) -> None:
    """Keep a message for every destination, to be sent by `deliver`."""
    for url in urls:
        connection.execute(
            sa.text(
                "INSERT INTO shopify_internal.alert_messages (destination, level, title, body) "
                "VALUES (:destination, :level, :title, :body)"
            ),
            {"destination": digest(url), **vars(message)},
        )


def deliver(database: Database, urls: Sequence[str]) -> Delivery:
    """Send what is due, the oldest first; a failure puts that message off, twice as long each time.

    A message may arrive twice if this process dies between sending and noting it; none is lost.
    A destination that fails is left alone until its messages are due again.
    """
    by_digest = {digest(url): url for url in urls}
    with database.transaction() as connection:
        dropped = connection.execute(
            sa.text(
                "UPDATE shopify_internal.alert_messages SET state = 'dropped', settled_at = now() "
                "WHERE state = 'pending' AND (NOT destination = ANY(:known) "
                "OR created_at < now() - CAST(:given_up_after AS interval))"
            ),
            {"known": list(by_digest), "given_up_after": GIVEN_UP_AFTER},
        ).rowcount
        due = connection.execute(
            sa.text(
                "SELECT id, destination, level, title, body FROM shopify_internal.alert_messages "
                "WHERE state = 'pending' AND due_at <= now() ORDER BY id LIMIT :at_once"
            ),
            {"at_once": AT_ONCE},
        ).all()
    delivered, problems = 0, dict[str, str]()
    for row in due:
        if row.destination in problems:
            continue
        try:
            send(
                by_digest[row.destination],
                Message(level=row.level, title=row.title, body=row.body),
            )
        except UndeliverableError as error:
            problems[row.destination] = str(error)
            _put_off(database, row.destination, str(error))
        else:
            delivered += 1
            _note_delivered(database, row.id)
    return Delivery(delivered=delivered, dropped=dropped, problems=list(problems.values()))


def digest(url: str) -> str:
    """A name for a destination that gives nothing away."""
    return sha256(url.encode()).hexdigest()[:16]


def _note_delivered(database: Database, message_id: int) -> None:
    with database.transaction() as connection:
        connection.execute(
            sa.text(
                "UPDATE shopify_internal.alert_messages SET state = 'delivered', "
                "attempts = attempts + 1, settled_at = now(), last_error = NULL WHERE id = :id"
            ),
            {"id": message_id},
        )


def _put_off(database: Database, destination: str, problem: str) -> None:
    with database.transaction() as connection:
        connection.execute(
            sa.text(
                "UPDATE shopify_internal.alert_messages SET attempts = attempts + 1, "
                "last_error = :problem, due_at = now() + least(CAST(:longest AS interval), "
                "CAST(:first AS interval) * power(2, least(attempts, 20))) "
                "WHERE destination = :destination AND state = 'pending' AND due_at <= now()"
            ),
            {
                "destination": destination,
                "problem": problem,
                "first": FIRST_RETRY,
                "longest": LONGEST_WAIT,
            },
        )
