"""Puts the lines of a bulk file together: each record with its children, wherever they stand.

A child comes after its parent, but not always next to it
(https://shopify.dev/docs/api/usage/bulk-operations/queries).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Any

import orjson

from shopify_pipeline.entities import MalformedRecordError
from shopify_pipeline.entities.entity import Owner
from shopify_pipeline.entities.line_pattern import LinePattern
from shopify_pipeline.entities.line_reader import NOT_USUAL
from shopify_pipeline.sync.records import FamilyReader, Row
from shopify_pipeline.warehouse.bulk_parking import Parked
from shopify_pipeline.warehouse.copying import Line

MAX_OPEN = 20_000
"""Lines held while their family is not together; beyond it they are put aside in Postgres."""


class UnknownLineError(Exception):
    """A line of a bulk file is none that the query asked for."""


class Family:
    """A record of the file, its children so far, and how many of each kind it still lacks.

    `lines` are for COPY, by member, as `missing` is. Where a value had not its usual form, `rows`
    are validated when it is given out, and `problem` says what was malformed.
    """

    __slots__ = ("is_usual", "lines", "missing", "number", "problem", "raw", "rows", "wanted")

    def __init__(self, number: str, raw: bytes, missing: Sequence[float]) -> None:
        self.number = number
        self.raw = [raw]
        self.missing = [0.0, *missing]
        self.lines: list[list[Line]] = [[] for _ in self.missing]
        self.rows: list[list[Row]] = []
        self.is_usual = True
        self.problem: str | None = None
        self.wanted = True

    @property
    def is_whole(self) -> bool:
        """Whether it has as many children as it says; never, where it does not say."""
        return max(self.missing) <= 0


class Families:
    """The families of one file, given out as they become whole; `roots` counts their records.

    What was given out is done with: a child that comes later still is put aside without its
    owner, which then has to be read again. Records that `wanted` refuses are left out; it is shown
    their `updatedAt` at least.
    """

    def __init__(
        self, reader: FamilyReader, *, wanted: Callable[[Mapping[str, Any]], bool] | None = None
    ) -> None:
        self._reader = reader
        self._wanted = wanted
        owners = [member.owner for member in reader.members[1:]]
        self._places = {
            member.gid_type: place for place, member in enumerate(reader.members) if place
        }
        self._counted = [None, *(owner.counted_by if owner else None for owner in owners)]
        self._totals = [
            (tuple(owner.total.split(".")), owner.total_unless) if owner and owner.total else None
            for owner in owners
        ]
        self._patterns = self._made_patterns(owners)
        self._open: dict[str, Family] = {}
        self._last: str | None = None
        self._whole: list[Family] = []
        self._strays: list[Parked] = []
        self.roots = 0

    def _made_patterns(self, owners: Sequence[Owner | None]) -> list[tuple[int, LinePattern]]:
        """What takes usual lines, by member: children first, as most lines are theirs."""
        told = [field for owner in owners if owner for field in (owner.total, owner.total_unless)]
        heads = [{field.partition(".")[0] for field in told if field} | {"updatedAt"}]
        heads += [{owner.counted_by} if owner and owner.counted_by else set() for owner in owners]
        made = [(place, self._reader.pattern(place, head)) for place, head in enumerate(heads)]
        return made[::-1]

    def add(self, lines: Iterable[bytes]) -> None:
        """Take in lines as they come.

        Raises:
            UnknownLineError: a line is not JSON, or of a type that was not asked for.
        """
        node: Mapping[str, Any]
        made: Line | None
        try:
            for line in lines:
                text = line.decode()
                for place, taken in self._patterns:  # noqa: B007 - used after it
                    if (found := taken(text)) is not None:
                        number, node, made = found
                        break
                else:
                    place, number, node, made = self._read_node(line)
                if place == 0:
                    self._add_root(number, node, line, made)
                else:
                    self._add_child(place, number, node, line, made)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise UnknownLineError(
                f"{self._reader.entity.name}: a line after record {self.roots} of the bulk "
                f"file is none that was asked for ({type(error).__name__}). Nothing after it "
                "was written; run again."
            ) from None

    def _read_node(self, line: bytes) -> tuple[int, str, Mapping[str, Any], Line | None]:
        """Return a line's member, the number of its record, its node and what COPY gets.

        The last is None where a value has not its usual form.
        """
        node = orjson.loads(line)
        parent = node.get("__parentId")
        place = 0 if parent is None else self._place(node)
        number = (parent or node["id"]).rpartition("/")[2]
        try:
            return place, number, node, self._reader.line(place, node, number)
        except NOT_USUAL:
            return place, number, node, None

    def _add_root(
        self, number: str, node: Mapping[str, Any], line: bytes, made: Line | None
    ) -> None:
        # Children mostly follow their parent, so the last one is whole when the next one comes.
        if self._last is not None and (last := self._open.get(self._last)) and last.is_whole:
            self._close(self._last)
        self.roots += 1
        missing = [_total(node, told) for told in self._totals]
        self._open[number] = family = Family(number, line, missing)
        self._last = number
        if self._wanted is not None and not self._wanted(node):
            family.wanted = False
        elif made is None:
            family.is_usual = False
        else:
            family.lines[0].append(made)

    def _add_child(
        self, place: int, number: str, node: Mapping[str, Any], line: bytes, made: Line | None
    ) -> None:
        family = self._open.get(number)
        if family is None:
            self._strays.append((int(number), False, line.decode()))
            return
        counted_by = self._counted[place]
        missing = family.missing[place] - (node[counted_by] if counted_by else 1)
        family.missing[place] = missing
        family.raw.append(line)
        if made is None:
            family.is_usual = False
        else:
            family.lines[place].append(made)
        if missing <= 0 and number != self._last and family.is_whole:
            self._close(number)

    def _place(self, child: Mapping[str, Any]) -> int:
        """A child's place among the members."""
        return self._places[child["id"].split("/", 4)[3]]

    def _close(self, number: str) -> None:
        self._whole.append(self._settled(self._open.pop(number)))

    def _settled(self, family: Family) -> Family:
        if not family.is_usual and family.wanted:
            self._read_carefully(family)
        family.raw.clear()
        return family

    def _read_carefully(self, family: Family) -> None:
        """Make the rows of a family that has values of an unusual form."""
        owner = int(family.number)
        rows: list[list[Row]] = [[] for _ in family.lines]
        try:
            for raw in family.raw:
                node = orjson.loads(raw)
                place = self._place(node) if "__parentId" in node else 0
                rows[place].append(self._reader.row(place, node, owner))
        except MalformedRecordError as error:
            family.problem = str(error)
        else:
            family.rows = rows

    def take_whole(self) -> list[Family]:
        """Take out the families that have all the children they say they have."""
        whole, self._whole = self._whole, []
        return whole

    def take_rest(self) -> list[Family]:
        """Take out every family: the file is at its end, so they are whole."""
        rest = [*self.take_whole(), *map(self._settled, self._open.values())]
        self._open.clear()
        return rest

    @property
    def torn(self) -> list[int]:
        """The records to which strays belong that were not taken yet."""
        return sorted({number for number, _, _ in self._strays})

    def take_parked(self) -> list[Parked]:
        """Take out what must be put aside: strays, and all that is open when that is too much."""
        parked, self._strays = self._strays, []
        if sum(len(family.raw) for family in self._open.values()) > MAX_OPEN:
            for family in self._open.values():
                number = int(family.number)
                own, *children = (line.decode() for line in family.raw)
                parked.append((number, True, own))
                parked += [(number, False, line) for line in children]
            self._open.clear()
        return parked

    def together(self, owner: str, children: Sequence[str]) -> list[Family]:
        """Put a family together from its parked lines."""
        again = Families(self._reader, wanted=self._wanted)
        again.add(line.encode() for line in (owner, *children))
        return again.take_rest()


def _total(node: Mapping[str, Any], told: tuple[tuple[str, ...], str | None] | None) -> float:
    """How many children it says it has; infinitely many, where it does not say for sure."""
    if told is None or (told[1] is not None and node[told[1]]):
        return inf
    found: Any = node
    for step in told[0]:
        if found is None:
            return inf
        found = found[step]
    return inf if found is None else int(found)
