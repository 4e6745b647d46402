"""What one webhook's body means for the tables, worked out without a database."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

import orjson

from shopify_pipeline.entities import ENTITIES, Entity, MalformedRecordError
from shopify_pipeline.entities.row import Webhook
from shopify_pipeline.webhooks.effects import (
    Claimed,
    Effects,
    MalformedBodyError,
    PartialRow,
    PrivacyRequest,
    Refresh,
    Subject,
    TagChange,
)
from shopify_pipeline.webhooks.topics import TOPICS, Handling, Topic


def effects_of(claimed: Claimed, *, omit: frozenset[str] = frozenset()) -> Effects:
    """What a delivery asks for. `omit` holds the `entity.column` that are never written.

    Raises:
        MalformedBodyError: the body is no JSON object, lacks its id, or a value is of a wrong kind.
    """
    topic = TOPICS.get(claimed.topic)
    if topic is None:
        return Effects(skipped="we know nothing of this topic")
    if claimed.is_test:
        return Effects(skipped="a sample that Shopify sent as a test")
    try:
        body = orjson.loads(claimed.body)
    except orjson.JSONDecodeError:
        raise MalformedBodyError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise MalformedBodyError("the body is not a JSON object")
    try:
        return _READERS[topic.handling](topic, claimed, body, omit)
    except OverflowError:
        raise MalformedBodyError("a moment lies beyond the calendar") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedBodyError(
            f"a field is missing or of a wrong kind ({type(error).__name__})"
        ) from None


def refresh_of(claimed: Claimed) -> Refresh | None:
    """The refresh that even a body that cannot be applied asks for; None without a readable id."""
    topic = TOPICS.get(claimed.topic)
    if topic is None or topic.entity is None or claimed.is_test:
        return None
    number = subject_of(claimed).shopify_id
    return None if number is None else _refresh(topic, claimed, number)


def subject_of(claimed: Claimed) -> Subject:
    """What even a body that cannot be applied says of its subject, so that redactions find it."""
    topic = TOPICS.get(claimed.topic)
    entity = topic.entity if topic else None
    try:
        body = orjson.loads(claimed.body)
    except orjson.JSONDecodeError:
        return Subject(entity=entity)
    number = _readable(body, topic.id_path) if topic and entity else None
    paths = (("customer", "id"), ("customer_id",), ("customerId",))
    customers = [number] if entity == "customers" else [_readable(body, path) for path in paths]
    return Subject(
        entity=entity,
        shopify_id=number,
        customer_id=next((found for found in customers if found is not None), None),
    )


def _read_row(
    topic: Topic, claimed: Claimed, body: dict[str, Any], omit: frozenset[str]
) -> Effects:
    entity = _entity(topic)
    values = _carried(entity, claimed.topic, body, omit)
    number = values[entity.key]
    if values.get("updated_at") is None:
        raise MalformedBodyError("the body has no updated_at")
    observed_at = claimed.triggered_at or values["updated_at"]
    children = {
        child.name: tuple(
            {
                **_carried(child, claimed.topic, item, omit, owner=number),
                "observed_at": observed_at,
            }
            for item in body.get(child.owner.webhook) or ()
        )
        for child in entity.children
        if child.owner is not None and child.owner.webhook is not None
    }
    row = PartialRow(
        entity=entity,
        shopify_id=number,
        values={**values, "observed_at": observed_at},
        children=children,
    )
    # A null fulfillment status may mean six things: only the API knows which.
    unsaid = topic.entity == "orders" and body.get("fulfillment_status") is None
    found = _about(topic, claimed, number, urgent=topic.urgent or unsaid)
    found.customer_id = number if topic.entity == "customers" else values.get("shopify_customer_id")
    found.bodies.append(row)
    return found


def _read_event(
    topic: Topic, claimed: Claimed, body: dict[str, Any], omit: frozenset[str]
) -> Effects:
    entity = _entity(topic)
    number = _number(_at(body, topic.id_path))
    found = _about(topic, claimed, number)
    found.customer_id = number
    if claimed.triggered_at is None:
        return found
    if claimed.topic.startswith("customer.tags_"):
        tags = body["tags"]
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise MalformedBodyError("the tags are not a list of texts")
        if f"{entity.name}.tags" not in omit:
            is_added = claimed.topic == "customer.tags_added"
            found.tags.append(
                TagChange(
                    shopify_id=number,
                    added=tuple(tags) if is_added else (),
                    removed=() if is_added else tuple(tags),
                    at=claimed.triggered_at,
                )
            )
        return found
    values = _carried(entity, claimed.topic, body, omit)
    if set(values) != {entity.key}:
        found.events.append(
            PartialRow(
                entity=entity,
                shopify_id=number,
                values={**values, "observed_at": claimed.triggered_at},
            )
        )
    return found


def _read_change(
    topic: Topic, claimed: Claimed, body: dict[str, Any], _omit: frozenset[str]
) -> Effects:
    return _about(topic, claimed, _number(_at(body, topic.id_path)))


def _read_deletion(
    topic: Topic, claimed: Claimed, body: dict[str, Any], _omit: frozenset[str]
) -> Effects:
    entity = _entity(topic)
    number = _number(_at(body, topic.id_path))
    found = _about(topic, claimed, number)
    found.customer_id = number if topic.entity == "customers" else None
    # Without its time a deletion cannot be ordered: the refresh finds out.
    if claimed.triggered_at is not None:
        found.deletions.append((entity.name, number, claimed.triggered_at))
    return found


def _read_merge(
    topic: Topic, claimed: Claimed, body: dict[str, Any], _omit: frozenset[str]
) -> Effects:
    kept = _number(body["admin_graphql_api_customer_kept_id"])
    gone = _number(body["admin_graphql_api_customer_deleted_id"])
    found = _about(topic, claimed, kept)
    found.refreshes.append(_refresh(topic, claimed, gone))
    has_failed = str(body.get("status")).lower() == "failed" or bool(body.get("errors"))
    if not has_failed and claimed.triggered_at is not None and kept != gone:
        found.merges.append((kept, gone, claimed.triggered_at))
    return found


def _read_bulk(
    _topic: Topic, _claimed: Claimed, body: dict[str, Any], _omit: frozenset[str]
) -> Effects:
    gid, status, error_code = (
        body.get(name) for name in ("admin_graphql_api_id", "status", "error_code")
    )
    if not isinstance(gid, str) or not isinstance(status, str):
        raise MalformedBodyError("the operation has no id or no status")
    completed = body.get("completed_at")
    try:
        completed_at = datetime.fromisoformat(completed) if completed else None
        completed_at = (
            completed_at.astimezone(UTC) if completed_at and completed_at.tzinfo else None
        )
    except (TypeError, ValueError, OverflowError):
        completed_at = None
    return Effects(
        finished=[
            {
                "gid": gid,
                "status": status.lower(),
                "error_code": str(error_code).lower() if error_code else None,
                "completed_at": completed_at,
            }
        ]
    )


def _read_notice(
    topic: Topic, _claimed: Claimed, body: dict[str, Any], _omit: frozenset[str]
) -> Effects:
    detail = {
        name: [str(scope) for scope in body[name]]
        for name in ("previous", "current")
        if isinstance(body.get(name), list)
    }
    return Effects(notices=[(topic.header.replace("/", "_"), detail)])


def _read_privacy(
    topic: Topic, claimed: Claimed, body: dict[str, Any], _omit: frozenset[str]
) -> Effects:
    # The signature covers the body alone: what it says of the shop weighs more than the headers.
    shop = body.get("shop_domain")
    if None not in (shop, claimed.shop) and str(shop).lower() != claimed.shop:
        raise MalformedBodyError("the request names another shop")
    customer = body.get("customer") or {}
    customer_id = _number(customer["id"]) if customer.get("id") is not None else None
    if topic.header != "shop/redact" and customer_id is None:
        raise MalformedBodyError("the request names no customer")
    orders = body.get("orders_to_redact") or body.get("orders_requested") or ()
    request_id = (body.get("data_request") or {}).get("id")
    request = PrivacyRequest(
        kind=topic.header,
        delivery_id=claimed.id,
        request_id=None if request_id is None else _number(request_id),
        customer_id=customer_id,
        order_ids=tuple(_number(order) for order in orders),
        requested_at=claimed.seen_at,
    )
    notice = (topic.header.replace("/", "_"), {"customer_id": customer_id})
    return Effects(customer_id=customer_id, privacy=[request], notices=[notice])


_READERS = {
    Handling.WRITE: _read_row,
    Handling.PATCH: _read_event,
    Handling.REFRESH: _read_change,
    Handling.DELETE: _read_deletion,
    Handling.MERGE: _read_merge,
    Handling.BULK: _read_bulk,
    Handling.NOTICE: _read_notice,
    Handling.PRIVACY: _read_privacy,
}


def _entity(topic: Topic) -> Entity:
    assert topic.entity is not None  # noqa: S101 - the table of topics says so
    return ENTITIES[topic.entity]


def _carried(
    entity: Entity,
    topic: str,
    body: object,
    omit: frozenset[str],
    *,
    owner: int | None = None,
) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise MalformedBodyError(f"an item of {entity.name} is not an object")
    if isinstance(body.get("id"), bool):
        raise MalformedBodyError("an id is not a number of Shopify's")
    try:
        values = entity.row.from_webhook(topic, _without_empty(entity, body), owner=owner)
    except MalformedRecordError as error:
        # It names the record by its id, and a body may have anything there.
        _, _, wrong = str(error).partition(f" {body.get('id')}: ")
        raise MalformedBodyError(f"{entity.row.__name__} in {topic}: {wrong}") from None
    if not values.get(entity.key):
        raise MalformedBodyError(f"a record of {entity.name} has no id")
    return {name: value for name, value in values.items() if f"{entity.name}.{name}" not in omit}


@cache
def _required(entity: Entity) -> tuple[tuple[str, ...], ...]:
    """Paths in bodies of the columns that no complete read leaves null."""
    return tuple(
        tuple(mark.path.split("."))
        for name, column in entity.row.model_fields.items()
        if type(None) not in get_args(column.annotation)
        for mark in entity.row.marks(name, Webhook)
    )


def _without_empty(entity: Entity, body: dict[str, Any]) -> dict[str, Any]:
    """The body without nulls for what is never null: they say that it was left out."""
    kept = dict(body)
    for path in _required(entity):
        value: Any = body
        for step in path:
            value = value.get(step) if isinstance(value, dict) else value
        if value is None:
            kept.pop(path[0], None)
    return kept


def _about(topic: Topic, claimed: Claimed, number: int, *, urgent: bool | None = None) -> Effects:
    return Effects(
        entity=topic.entity,
        shopify_id=number,
        refreshes=[_refresh(topic, claimed, number, urgent=urgent)],
    )


def _refresh(topic: Topic, claimed: Claimed, number: int, *, urgent: bool | None = None) -> Refresh:
    assert topic.entity is not None  # noqa: S101 - the table of topics says so
    return Refresh(
        entity=topic.entity,
        shopify_id=number,
        reason=topic.header,
        urgent=topic.urgent if urgent is None else urgent,
        at=claimed.seen_at,
    )


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        body = body[step]
    return body


def _readable(body: Any, path: tuple[str, ...]) -> int | None:
    try:
        return _number(_at(body, path))
    except (MalformedBodyError, KeyError, TypeError):
        return None


def _number(value: object) -> int:
    """Shopify's number, from a number, digits, or a gid.

    Raises:
        MalformedBodyError: it is none, or does not fit 64 bits.
    """
    if isinstance(value, str):
        digits = value.rpartition("/")[2].partition("?")[0]
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**63:
        raise MalformedBodyError("an id is not a number of Shopify's")
    return value
