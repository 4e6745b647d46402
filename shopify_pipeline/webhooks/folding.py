"""Brings many bodies of a batch to as few writes as possible, in the order of their versions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.warehouse.rows import RowSet
from shopify_pipeline.webhooks.effects import PartialRow

Write = tuple[RowSet, list[RowSet]]
Shape = tuple[str, ...]


def folded(rows: Iterable[PartialRow]) -> list[list[PartialRow]]:
    """The rows in rounds, to be merged one round after the other.

    Of one id a version is left out where a later one carries all its columns. What remains
    (a later body that lacks a column) comes in rounds in the order of versions, so that each is
    judged against the row by itself: a value of an older body never rides on a newer version.
    """
    by_id: dict[tuple[str, int], list[PartialRow]] = defaultdict(list)
    for row in rows:
        by_id[row.entity.name, row.shopify_id].append(row)
    rounds: list[list[PartialRow]] = []
    for versions in by_id.values():
        kept: list[PartialRow] = []
        for row in sorted(versions, key=lambda row: row.version, reverse=True):
            if not any(row.values.keys() <= later.values.keys() for later in kept):
                kept.append(row)
        for place, row in enumerate(reversed(kept)):
            if place == len(rounds):
                rounds.append([])
            rounds[place].append(row)
    return rounds


def writes(rows: Iterable[PartialRow]) -> Iterator[Write]:
    """Row sets for the merge: one for each entity and shape of parents and children."""
    alike: dict[tuple[str, Shape, tuple[Shape, ...]], list[PartialRow]] = defaultdict(list)
    for row in rows:
        shapes = tuple(_shape(row.children.get(c.name, ())) for c in row.entity.children)
        alike[row.entity.name, tuple(row.values), shapes].append(row)
    for (name, shape, child_shapes), group in sorted(alike.items()):
        entity = ENTITIES[name]
        children = [
            RowSet(
                table=child.table,
                columns=columns,
                rows=[
                    tuple(item[column] for column in columns)
                    for row in group
                    for item in row.children[child.name]
                ],
            )
            for child, columns in zip(entity.children, child_shapes, strict=True)
            if columns
        ]
        rows_of_parents = [tuple(row.values.values()) for row in group]
        yield RowSet(table=entity.table, columns=shape, rows=rows_of_parents), children


def _shape(items: Sequence[Mapping[str, Any]]) -> Shape:
    """The columns that all of a parent's children carry; empty without children."""
    if not items:
        return ()
    everywhere = set(items[0]).intersection(*items[1:])
    return tuple(column for column in items[0] if column in everywhere)
