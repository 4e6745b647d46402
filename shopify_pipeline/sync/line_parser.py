"""Parses the lines of bulk files: what each says of itself and of its family."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import orjson

from shopify_pipeline.entities.line_pattern import named
from shopify_pipeline.entities.line_reader import NOT_USUAL
from shopify_pipeline.entities.types import Memo
from shopify_pipeline.sync.records import FamilyReader
from shopify_pipeline.warehouse.copying import Line

Tally = tuple[float, ...]
"""Of a record: how many children of each kind it has, by member, infinitely many where it does not
say for sure. Of a child: for how many of them it counts."""

Parsed = tuple[int, str, Tally, str | None, Line | None]
"""What a line says: its member, its record's number, a tally, when it was updated, what COPY gets.

A child does not say when. COPY gets nothing of a line with a value that has not its usual form.
"""

_NOT_ASKED_FOR = (ValueError, KeyError, TypeError, AttributeError, IndexError)


class LineParser:
    """Parses the lines of one read's file."""

    def __init__(self, reader: FamilyReader) -> None:
        self.reader = reader
        owners = [member.owner for member in reader.members[1:]]
        self._places = {
            member.gid_type: place for place, member in enumerate(reader.members) if place
        }
        self._counted = [None, *(owner.counted_by if owner else None for owner in owners)]
        self._totals = [
            (tuple(owner.total.split(".")), owner.total_unless) if owner and owner.total else None
            for owner in owners
        ]
        told = [field for owner in owners if owner for field in (owner.total, owner.total_unless)]
        heads = [sorted({field.partition(".")[0] for field in told if field})]
        heads += [[field] if field else [] for field in self._counted[1:]]
        # Children first, as most lines are theirs.
        self._patterns = [
            (place, reader.pattern(place, head), self._tally_of(place, head))
            for place, head in reversed(list(enumerate(heads)))
        ]

    def parse(self, line: bytes) -> Parsed | None:
        """Return what a line says, None for one that was not asked for."""
        try:
            text = line.decode()
            for place, taken, tally in self._patterns:
                if (found := taken(text)) is not None:
                    number, updated, head, made = found
                    return place, number, tally(head), updated, made
            return self._read_node(line)
        except _NOT_ASKED_FOR:
            return None

    def node_of(self, line: bytes) -> tuple[int, str, Mapping[str, Any]]:
        """Return a line's member, the gid of its record and its node, as a page would hold it."""
        held = orjson.loads(line)
        parent = held.get("__parentId")
        place = 0 if parent is None else self._places[held["id"].split("/", 4)[3]]
        return place, parent or held["id"], named(held, self.reader.tree(place))

    def _read_node(self, line: bytes) -> Parsed:
        place, gid, node = self.node_of(line)
        number = str(int(gid.rpartition("/")[2]))
        try:
            made = self.reader.line(place, node, number)
        except NOT_USUAL:
            made = None
        updated = None if place else node["updatedAt"]
        return place, number, self._tally(place, node), updated, made

    def _tally_of(self, place: int, head: list[str]) -> Callable[[tuple[str, ...]], Tally]:
        """What makes a tally of a head as it stands in a line."""
        tree = self.reader.tree(place)

        def tally(texts: tuple[str, ...]) -> Tally:
            values = zip(head, map(orjson.loads, texts), strict=True)
            return self._tally(place, {name: named(value, tree[name]) for name, value in values})

        return Memo(tally).__getitem__

    def _tally(self, place: int, head: Mapping[str, Any]) -> Tally:
        if place == 0:
            return (0.0, *(_total(head, told) for told in self._totals))
        counted_by = self._counted[place]
        return (float(head[counted_by]) if counted_by else 1.0,)


def _total(head: Mapping[str, Any], told: tuple[tuple[str, ...], str | None] | None) -> float:
    """How many children it says it has; infinitely many, where it does not say for sure."""
    if told is None or (told[1] is not None and head[told[1]]):
        return inf
    found: Any = head
    for step in told[0]:
        if found is None:
            return inf
        found = found[step]
    return inf if found is None else float(found)
