"""Names the rows here that cannot be right, whatever Shopify lists: they are read again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.entities import ENTITIES, Entity
from shopify_pipeline.warehouse.checks import families, money, rows

HALF_WAY = timedelta(minutes=15)
"""Younger rows may be half way: a webhook's, before its refresh."""

FREE_TIMES = frozenset({"published_at", "processed_at"})
"""Times that a merchant may set to anything."""

Query = sa.Select[Any]


def required(entity: Entity) -> list[str]:
    """The columns that a complete read always fills."""
    return [
        name
        for name, field in entity.row.model_fields.items()
        if not _may_be_none(field.annotation) and name in entity.read_columns()
    ]


def tally(entity: Entity, child: Entity) -> str | None:
    """The owner's column that holds how many of these children it has, None where none does."""
    if child.owner is None or child.owner.total is None or child.owner.counted_by:
        return None
    path = tuple(child.owner.total.split("."))
    return next((name for name, read in entity.row.read_paths().items() if read == path), None)


def rarely_childless(entity: Entity) -> sa.ColumnElement[bool]:
    """When an owner may rightly have no child: an order that sold nothing."""
    row = entity.table.sql.c
    if "subtotal_price" in row:
        return sa.func.coalesce(row.subtotal_price, 0) == 0
    return sa.false()


def suspects(
    entity: Entity, *, now: datetime, omit: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Query]]:
    """Kinds of suspicion, each with a query for the record's `shopify_id`, `detail`, `cause`."""
    for member in entity.family:
        for kind, query, cause in _of_one(member, now=now, omit=omit):
            yield f"{kind}: {member.name}", _owners(entity, member, query, cause)
    for child in entity.children:
        query = families.childless(entity.table, child.table, None, unless=rarely_childless(entity))
        yield (
            f"childless: {entity.name}",
            _owners(entity, entity, query, f"none of its {child.name} is here"),
        )
        if (total := tally(entity, child)) is not None:
            query = families.miscounted(
                entity.table, child.table, None, total=total, before=now - HALF_WAY
            )
            yield f"tally: {child.name}", _owners(entity, entity, query, "its children changed")
    if entity.name == "orders":
        query = money.unbalanced(entity.table, ENTITIES["order_items"].table, None)
        cause = "an amount was changed here, or Shopify adds something that no column holds"
        yield "money: orders", _owners(entity, entity, query, cause)


def _of_one(
    member: Entity, *, now: datetime, omit: frozenset[str]
) -> Iterator[tuple[str, Query, str]]:
    table = member.table
    names = [name for name in required(member) if f"{member.name}.{name}" not in omit]
    empty = rows.empty_values(table, None, names)
    if empty is not None:
        yield "empty", empty, "a value that Shopify always gives was removed here"
    yield (
        "time",
        rows.disordered(table, None, now=now, free=FREE_TIMES),
        "a time was changed here, or the clock was wrong",
    )
    if member.owner is None:
        yield (
            "not whole",
            rows.not_whole(table, before=now - HALF_WAY),
            "a webhook brought a part of it, and no read the rest",
        )


def _owners(entity: Entity, member: Entity, query: Query, cause: str) -> Query:
    """The ids of the entity's records to which the found rows belong."""
    found = query.cte("found")
    told = [
        column
        for column in found.c
        if column.name in {"wrong", "problem", "empty", "should_have", "has"}
    ]
    detail = sa.func.concat_ws(", ", *told) if told else sa.cast(sa.null(), sa.Text)
    key = found.c[member.table.key]
    source: sa.FromClause = found
    owner = key
    if member is not entity:
        assert member.table.owner is not None  # noqa: S101
        row = member.table.sql.c
        owner = row[member.table.owner.id_column]
        source = found.join(member.table.sql, row[member.table.key] == key)
    return (
        sa.select(
            owner.label("shopify_id"),
            sa.func.min(detail).label("detail"),
            sa.literal(cause).label("cause"),
        )
        .select_from(source)
        .where(owner.is_not(None))
        .group_by(owner)
    )


def _may_be_none(annotation: Any) -> bool:
    return type(None) in getattr(annotation, "__args__", ())
