"""Requests about personal data: recorded, exported, erased; the ledger of them is kept."""

from collections.abc import Collection, Iterable
from typing import Any

import orjson
import sqlalchemy as sa

from shopify_pipeline.entities import ENTITIES, Entity
from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.webhooks.effects import PrivacyRequest
from shopify_pipeline.webhooks.statements import STATEMENTS
from shopify_pipeline.webhooks.topics import COMPLIANCE

ERASING = (
    "erase_bodies",
    "erase_links",
    "erase_link_column",
    "erase_link_history",
    "erase_decision_notes",
    "erase_keys",
    "erase_candidates",
    "erase_conflicts",
)
EMPTYING = (
    "empty_bodies",
    "empty_profile_links",
    "empty_links",
    "empty_link_history",
    "empty_decision_notes",
    "empty_keys",
    "empty_candidates",
    "empty_conflicts",
    "empty_refresh_queue",
    "skip_pending",
)


def carry_out(connection: sa.Connection, request: PrivacyRequest) -> None:
    """Record a request, and erase at once what it asks to erase.

    A data request waits for a person: `shopify-pipeline webhooks export`.
    """
    erased: dict[str, int] | None = None
    if request.kind == "customers/redact" and request.customer_id is not None:
        erased = erase_customer(connection, request.customer_id, request.order_ids)
    elif request.kind == "shop/redact":
        erased = erase_everyone(connection, keep_delivery=request.delivery_id)
    connection.exec_driver_sql(
        STATEMENTS["record_privacy_request"],
        {
            "kind": request.kind,
            "delivery_id": request.delivery_id,
            "request_id": request.request_id,
            "customer_id": request.customer_id,
            "order_ids": list(request.order_ids),
            "requested_at": request.requested_at,
            "due_at": request.due_at,
            "is_done": erased is not None,
            "erased": None if erased is None else orjson.dumps(erased).decode(),
        },
    )


def erase_customer(
    connection: sa.Connection, customer_id: int, order_ids: Collection[int]
) -> dict[str, int]:
    """Erase a customer's personal data, and that in these orders; rows erased by relation.

    The rows stay, with their numbers and amounts, so that sums stay right. Bodies of webhooks
    about them go; the link to a profile is released.
    """
    values = {
        "customer_id": customer_id,
        "order_ids": list(order_ids),
        "compliance": sorted(COMPLIANCE),
    }
    erased = {
        "shopify_customers": _erase(connection, ENTITIES["customers"], [customer_id]),
        "shopify_orders": _erase(connection, ENTITIES["orders"], order_ids),
    }
    for name in ERASING:
        done = connection.exec_driver_sql(STATEMENTS[name], values)
        erased[name.removeprefix("erase_")] = done.rowcount
    refresh_queue.forget(connection, "customers", [customer_id])
    refresh_queue.forget(connection, "orders", order_ids)
    return erased


def erase_everyone(connection: sa.Connection, *, keep_delivery: int) -> dict[str, int]:
    """Erase all personal data of the shop; rows erased by relation."""
    erased = {
        entity.table_name: _erase(connection, entity, None)
        for entity in ENTITIES.values()
        if _personal(entity)
    }
    for name in EMPTYING:
        done = connection.exec_driver_sql(STATEMENTS[name], {"delivery_id": keep_delivery})
        erased[name.removeprefix("empty_")] = done.rowcount
    return erased


def erase_again(connection: sa.Connection) -> int:
    """Erase what another worker wrote of a customer while its redaction was carried out."""
    redactions = connection.exec_driver_sql(STATEMENTS["recent_redactions"]).all()
    for redaction in redactions:
        erase_customer(connection, redaction.customer_id, redaction.order_ids)
    return len(redactions)


def export_customer(connection: sa.Connection, customer_id: int) -> dict[str, Any]:
    """Return every row that we hold about a customer, by table, for a data request.

    That includes the orders that its requests name: those it made as a guest hold no customer.
    """
    customers, orders, items = (ENTITIES[n] for n in ("customers", "orders", "order_items"))
    requested = connection.exec_driver_sql(
        STATEMENTS["orders_requested"], {"customer_id": customer_id}
    ).scalars()
    of_customer = sa.or_(
        orders.table.sql.c.shopify_customer_id == customer_id,
        _is_one_of(orders.table.sql.c[orders.key], requested),
    )
    order_ids = sa.select(orders.table.sql.c[orders.key]).where(of_customer)
    chosen = {
        customers: customers.table.sql.c[customers.key] == customer_id,
        orders: of_customer,
        items: items.table.sql.c.shopify_order_id.in_(order_ids),
    }
    found: dict[str, Any] = {
        entity.table_name: [
            dict(row)
            for row in connection.execute(
                sa.select(entity.table.sql)
                .where(condition)
                .order_by(entity.table.sql.c[entity.key])
            ).mappings()
        ]
        for entity, condition in chosen.items()
    }
    deliveries = connection.exec_driver_sql(
        STATEMENTS["deliveries_of_customer"], {"customer_id": customer_id}
    )
    found["webhooks"] = [dict(row) for row in deliveries.mappings()]
    return found


def personal_columns(entity: Entity) -> frozenset[str]:
    """Names of the columns that hold personal data."""
    return frozenset(column.name for column in _personal(entity))


def _personal(entity: Entity) -> list[Any]:
    return [column for column in entity.table.columns if column.personal]


def _erase(connection: sa.Connection, entity: Entity, ids: Collection[int] | None) -> int:
    table = entity.table.sql
    names = [column.name for column in _personal(entity)]
    statement = (
        sa.update(table)
        .values({**dict.fromkeys(names), "synced_at": sa.func.now()})
        .where(sa.or_(*(table.c[name].is_not(None) for name in names)))
    )
    if ids is not None:
        statement = statement.where(_is_one_of(table.c[entity.key], ids))
    return connection.execute(statement).rowcount


def _is_one_of(column: sa.ColumnElement[Any], ids: Iterable[int]) -> sa.ColumnElement[bool]:
    wanted = sa.bindparam("ids", sorted(ids), type_=sa.ARRAY(sa.BigInteger))
    return column == sa.any_(wanted)
