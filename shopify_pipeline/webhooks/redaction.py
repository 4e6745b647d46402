"""Keeps what was redacted from coming back with a webhook that is older than the redaction."""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from shopify_pipeline.webhooks.effects import Claimed, Effects, PartialRow
from shopify_pipeline.webhooks.privacy import personal_columns
from shopify_pipeline.webhooks.statements import STATEMENTS


def without_redacted(
    connection: sa.Connection, read: Sequence[tuple[Claimed, Effects]]
) -> tuple[list[tuple[Claimed, Effects]], list[int]]:
    """Take personal data out of what is older than its customer's redaction.

    Returns the effects, and the deliveries whose bodies must go too.
    """
    customers = [f.customer_id for _, f in read if f.customer_id is not None]
    orders = [f.shopify_id for _, f in read if f.entity == "orders" and f.shopify_id is not None]
    if not customers and not orders:
        return list(read), []
    redactions = connection.exec_driver_sql(
        STATEMENTS["redacted"], {"customer_ids": customers, "order_ids": orders}
    ).all()
    if not redactions:
        return list(read), []
    kept: list[tuple[Claimed, Effects]] = []
    erased: list[int] = []
    for one, found in read:
        is_redacted = any(
            one.seen_at <= redaction.requested_at
            and (
                found.customer_id == redaction.customer_id
                or (found.entity == "orders" and found.shopify_id in redaction.order_ids)
            )
            for redaction in redactions
        )
        if is_redacted and not found.privacy:
            erased.append(one.id)
            bodies, events = _impersonal(found.bodies), _impersonal(found.events)
            kept.append((one, replace(found, bodies=bodies, events=events)))
        else:
            kept.append((one, found))
    return kept, erased


def _impersonal(rows: Sequence[PartialRow]) -> list[PartialRow]:
    return [
        replace(
            row,
            values={
                name: value
                for name, value in row.values.items()
                if name not in personal_columns(row.entity)
            },
        )
        for row in rows
    ]
