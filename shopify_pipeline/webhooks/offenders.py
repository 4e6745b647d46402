"""Queries for what the checks of webhooks list: ids, topics and times, nothing of a body."""

from typing import Any

import sqlalchemy as sa

_INBOX = sa.table(
    "webhook_inbox",
    *map(sa.column, ("id", "topic", "state", "received_at", "finished_at")),
    *map(sa.column, ("attempts", "next_attempt_at", "last_error")),
    schema="shopify_internal",
)
_REQUESTS = sa.table(
    "privacy_requests",
    *map(sa.column, ("id", "kind", "customer_id", "requested_at", "due_at", "done_at")),
    schema="shopify_internal",
)
_NOTICES = sa.table(
    "webhook_notices", *map(sa.column, ("id", "kind", "noticed_at")), schema="shopify_internal"
)


def waiting() -> sa.Select[Any]:
    """Webhooks that no worker has brought to the tables, the oldest first."""
    row = _INBOX.c
    return (
        sa.select(row.id, row.topic, row.received_at, row.attempts, row.next_attempt_at)
        .where(row.state == "pending")
        .order_by(row.received_at, row.id)
    )


def dead() -> sa.Select[Any]:
    """Webhooks that were given up, the oldest first; their errors repeat no value of a body."""
    row = _INBOX.c
    return (
        sa.select(row.id, row.topic, row.received_at, row.finished_at, row.attempts, row.last_error)
        .where(row.state == "dead")
        .order_by(row.id)
    )


def unanswered() -> sa.Select[Any]:
    """Requests about personal data that nobody answered, the most urgent first."""
    row = _REQUESTS.c
    return (
        sa.select(row.id, row.kind, row.customer_id, row.requested_at, row.due_at)
        .where(row.done_at.is_(None))
        .order_by(row.due_at)
    )


def app_notices() -> sa.Select[Any]:
    """What Shopify told of the app itself in the last day."""
    row = _NOTICES.c
    return (
        sa.select(row.id, row.kind, row.noticed_at)
        .where(
            row.kind.in_(["app_uninstalled", "app_scopes_update"]),
            row.noticed_at > sa.text("now() - interval '1 day'"),
        )
        .order_by(row.noticed_at)
    )
