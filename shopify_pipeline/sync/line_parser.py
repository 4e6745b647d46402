"""Parses the lines of bulk files: what each says of itself and of its family."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

import orjson

from shopify_pipeline.entities.line_pattern import named
from shopify_pipeline.entities.line_reader import NOT_USUAL
from shopify_pipeline.sync.records import FamilyReader
from shopify_pipeline.warehouse.copying import Line

Parsed = tuple[int, str, list[float], str | None, Line | None]
"""What a line says: its member, its record's number, a tally, when it was updated, what COPY gets.

The tally of a record is how many children of each kind it has, infinitely many where it does not
say for sure; that of a child is for how many of them it counts. COPY gets nothing of a line with a
value that has not its usual form.
"""

_ONE = [1.0]
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
        heads = [{field.partition(".")[0] for field in told if field} | {"updatedAt"}]
        heads += [{field} if field else set() for field in self._counted[1:]]
        patterns = [(place, reader.pattern(place, head)) for place, head in enumerate(heads)]
        # Children first, as most lines are theirs.
        self._patterns = patterns[::-1]

    def parse(self, lines: Iterable[bytes]) -> list[Parsed | None]:
        """Return what lines say, None for one that was not asked for."""
        parsed: list[Parsed | None] = []
        for line in lines:
            try:
                text = line.decode()
                for place, taken in self._patterns:
                    if (found := taken(text)) is not None:
                        parsed.append(self._told(place, *found))
                        break
                else:
                    parsed.append(self._read_node(line))
            except _NOT_ASKED_FOR:
                parsed.append(None)
        return parsed

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
        return self._told(place, number, node, made)

    def _told(self, place: int, number: str, head: Mapping[str, Any], made: Line | None) -> Parsed:
        if place == 0:
            return 0, number, [_total(head, told) for told in self._totals], head["updatedAt"], made
        counted_by = self._counted[place]
        return place, number, [float(head[counted_by])] if counted_by else _ONE, None, made


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
