"""Compares some rows, value by value, with what Shopify answers for them now."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.admin_api.nodes import read_nodes
from shopify_pipeline.entities import Entity
from shopify_pipeline.sync.context import SyncContext
from shopify_pipeline.sync.queries import nested, nodes_query
from shopify_pipeline.warehouse.tables import Column

Wanted = Callable[[Column], bool]


def is_amount(column: Column) -> bool:
    """Whether a column holds money, its currency or a quantity."""
    is_currency = column.name.endswith("currency")
    return is_currency or isinstance(column.type, sa.Numeric | sa.Integer)


def differing(
    sync: SyncContext, entity: Entity, ids: Sequence[int], *, wanted: Wanted = is_amount
) -> dict[int, str]:
    """Which of these records differ from Shopify in the wanted columns, and in which.

    Their children are compared too. A record that changed in Shopify since it was read here is
    not judged: the next pull brings it.

    Raises:
        AdminApiError: Shopify could not be read.
    """
    found: dict[int, str] = {}
    gids = [entity.gid(number) for number in ids]
    query = nodes_query(entity, sync.omit)
    for batch in read_nodes(sync.api, query, gids, nested=nested(entity, sync.omit)):
        for gid, node in batch.found.items():
            number = int(gid.rpartition("/")[2])
            if differences := list(_differences(sync, entity, number, node, wanted)):
                found[number] = ", ".join(differences)
        for gid in batch.missing:
            found[int(gid.rpartition("/")[2])] = "Shopify does not know it"
    return found


def _differences(
    sync: SyncContext, entity: Entity, number: int, node: Any, wanted: Wanted
) -> Iterator[str]:
    columns = _columns(entity, sync.omit, wanted, also="updated_at")
    theirs = _values(entity, node, columns)
    row = entity.table.sql.c
    with sync.database.transaction() as connection:
        ours = (
            connection.execute(
                sa.select(row.id, *(row[name] for name in columns)).where(row[entity.key] == number)
            )
            .mappings()
            .one_or_none()
        )
        if ours is None:
            yield "not here"
            return
        if theirs["updated_at"] != ours["updated_at"]:
            return
        yield from (name for name in columns if theirs[name] != ours[name])
        for child in entity.children:
            below = _columns(child, sync.omit, wanted, also=child.key)
            yield from _children(connection, child, below, owner=ours["id"], node=node)


def _children(
    connection: sa.Connection, child: Entity, columns: Sequence[str], *, owner: Any, node: Any
) -> Iterator[str]:
    assert child.owner is not None  # noqa: S101
    nodes = node[child.owner.field]["nodes"]
    theirs = {one[child.key]: one for one in (_values(child, below, columns) for below in nodes)}
    row = child.table.sql.c
    found = connection.execute(
        sa.select(*(row[name] for name in columns)).where(
            row[child.owner.column] == owner, row.deleted_at.is_(None)
        )
    )
    ours = {one[child.key]: dict(one) for one in found.mappings()}
    if theirs.keys() != ours.keys():
        yield f"other {child.name}"
    elif theirs != ours:
        yield f"amounts of {child.name}"


def _values(entity: Entity, node: Any, columns: Sequence[str]) -> dict[str, Any]:
    return dict(zip(columns, entity.row.read_values(node, columns=columns), strict=True))


def _columns(entity: Entity, omit: frozenset[str], wanted: Wanted, *, also: str) -> list[str]:
    """The columns to compare, and one more, in the order of the model: values come in that."""
    carried = entity.read_columns(omit)
    return [
        column.name
        for column in entity.table.columns
        if column.name == also
        or (
            wanted(column)
            and column.name in carried
            and column.name not in {entity.key, "updated_at", entity.row.owner_column()}
            and not isinstance(column.type, sa.BigInteger)
        )
    ]
