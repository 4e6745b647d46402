"""Puts the lines of a bulk file together: each record with its children, wherever they stand.

A child comes after its parent, but not always next to it
(https://shopify.dev/docs/api/usage/bulk-operations/queries).
"""

from collections.abc import Callable, Sequence

from shopify_pipeline.entities import MalformedRecordError
from shopify_pipeline.sync.line_parser import LineParser, Tally
from shopify_pipeline.sync.records import ByMember, Row
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

    def __init__(self, number: str, raw: bytes, missing: Tally) -> None:
        self.number = number
        self.raw = [raw]
        self.missing = list(missing)
        self.lines: list[list[Line]] = [[] for _ in self.missing]
        self.rows: ByMember[Row] = ()
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
    owner, which then has to be read again. Records that `wanted` refuses, by the time
    of their update, are left out.
    """

    def __init__(
        self, parser: LineParser, *, wanted: Callable[[str | None], bool] | None = None
    ) -> None:
        self._reader = parser.reader
        self._parser = parser
        self._wanted = wanted
        self._open: dict[str, Family] = {}
        self._held = 0
        self._last = ""
        self._whole: list[Family] = []
        self._strays: list[Parked] = []
        self.roots = 0

    def add(self, lines: Sequence[bytes]) -> None:
        """Take in lines as they come.

        Raises:
            UnknownLineError: a line is not JSON, or of a type that was not asked for.
        """
        opened, parse = self._open, self._parser.parse
        for line in lines:
            said = parse(line)
            if said is None:
                raise UnknownLineError(
                    f"{self._reader.entity.name}: a line after record {self.roots} of the bulk "
                    "file is none that was asked for. Nothing after it was written; run again."
                )
            place, number, tally, updated, made = said
            if place == 0:
                self._add_root(number, tally, updated, line, made)
                continue
            family = opened.get(number)
            if family is None:
                self._strays.append((int(number), False, line.decode()))
                continue
            self._held += 1
            family.raw.append(line)
            if made is None:
                family.is_usual = False
            else:
                family.lines[place].append(made)
            missing = family.missing
            missing[place] -= tally[0]
            if missing[place] <= 0 and number != self._last and family.is_whole:
                self._close(number)

    def _add_root(
        self, number: str, totals: Tally, updated: str | None, line: bytes, made: Line | None
    ) -> None:
        # Children mostly follow their parent, so the last one is whole when the next one comes.
        if (last := self._open.get(self._last)) and last.is_whole:
            self._close(self._last)
        self.roots += 1
        self._held += 1
        self._open[number] = family = Family(number, line, totals)
        self._last = number
        if self._wanted is not None and not self._wanted(updated):
            family.wanted = False
        elif made is None:
            family.is_usual = False
        else:
            family.lines[0].append(made)

    def _close(self, number: str) -> None:
        self._whole.append(self._settled(self._open.pop(number)))

    def _settled(self, family: Family) -> Family:
        self._held -= len(family.raw)
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
                place, _, node = self._parser.node_of(raw)
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
        if self._held > MAX_OPEN:
            for family in self._open.values():
                number = int(family.number)
                own, *children = (line.decode() for line in family.raw)
                parked.append((number, True, own))
                parked += [(number, False, line) for line in children]
            self._open.clear()
            self._held = 0
        return parked

    def together(self, owner: str, children: Sequence[str]) -> list[Family]:
        """Put a family together from its parked lines."""
        again = Families(self._parser, wanted=self._wanted)
        again.add([line.encode() for line in (owner, *children)])
        return again.take_rest()
