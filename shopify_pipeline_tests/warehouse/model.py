"""The rules of which write wins, once more in plain Python, one row at a time: what SQL must equal.

Times are plain numbers; -1 stands for "before everything".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

NEVER = -1.0

Values = dict[str, Any]


@dataclass(frozen=True)
class Child:
    """A child as a source tells it."""

    key: int
    values: Values
    updated_at: float | None = None


@dataclass(frozen=True)
class Write:
    """One version of a parent, as a source tells it. `whole`: a complete read."""

    key: int
    values: Values
    observed_at: float
    updated_at: float | None
    whole: bool
    children: tuple[Child, ...] = ()


@dataclass
class Row:
    """A row of a table, without its own id."""

    values: Values = field(default_factory=dict)
    owner: int | None = None
    updated_at: float | None = None
    observed_at: float | None = None
    complete_at: float | None = None
    deleted_at: float | None = None


@dataclass
class Model:
    """A table of parents and one of their children."""

    prune: bool
    write_once: frozenset[str] = frozenset()
    parents: dict[int, Row] = field(default_factory=dict)
    children: dict[int, Row] = field(default_factory=dict)

    def merge(self, writes: Sequence[Write]) -> None:
        """A batch: of several versions of one parent only the latest is written."""
        for write in self.folded(writes):
            verdict = self._parent(write)
            if verdict != "stale":
                self._children(write, verdict)

    def folded(self, writes: Sequence[Write]) -> list[Write]:
        """The latest version of each parent; gaps of write-once values filled by the earlier."""
        latest: dict[int, tuple[Any, Write]] = {}
        for place, write in enumerate(writes):
            order = (_or_never(write.updated_at), write.observed_at, place)
            if write.key not in latest or latest[write.key][0] < order:
                latest[write.key] = (order, write)
        winners = [write for _, write in latest.values()]
        return [replace(one, children=self._filled(one, writes)) for one in winners]

    def _filled(self, winner: Write, writes: Sequence[Write]) -> tuple[Child, ...]:
        """The winner's children, one an id, with the write-once values that were known first."""
        told: dict[int, Child] = {}
        known: dict[tuple[int, str], list[tuple[Any, Any]]] = {}
        for place, write in enumerate(writes):
            for child in write.children if write.key == winner.key else ():
                is_winner = write.observed_at == winner.observed_at
                if is_winner:
                    told[child.key] = child
                for name in self.write_once & child.values.keys():
                    if child.values[name] is not None:
                        order = (is_winner, write.observed_at, place)
                        known.setdefault((child.key, name), []).append((order, child.values[name]))
        first = {spot: min(values, key=lambda it: it[0])[1] for spot, values in known.items()}
        return tuple(
            replace(
                child,
                values={n: first.get((child.key, n), v) for n, v in child.values.items()},
            )
            for child in told.values()
        )

    def delete(self, deletions: Sequence[tuple[int, float]]) -> None:
        """Marks; children are marked with their parent."""
        for key, moment in deletions:
            row = self.parents.setdefault(key, Row())
            if moment > _or_never(row.observed_at):
                row.deleted_at = max(moment, _or_never(row.deleted_at))
                for child in self.children.values():
                    if child.owner == key and _or_never(child.observed_at) < row.deleted_at:
                        child.deleted_at = max(_or_never(child.deleted_at), row.deleted_at)

    def _parent(self, write: Write) -> str:
        row = self.parents.get(write.key)
        if row is None:
            self.parents[write.key] = row = Row()
            verdict = "inserted"
        elif not _wins(write, row):
            return "stale"
        else:
            verdict = "updated"
        alive_again = _alive_again(write, row)
        after = {**row.values, **write.values}
        if (
            verdict == "updated"
            and write.whole
            and not alive_again
            and (after, write.updated_at, write.updated_at)
            == (row.values, row.updated_at, row.complete_at)
        ):
            return "unchanged"
        row.values = after
        row.observed_at = max(write.observed_at, _or_never(row.observed_at))
        if write.updated_at is not None:
            row.updated_at = write.updated_at
        if write.whole:
            row.complete_at = write.updated_at
        if alive_again:
            row.deleted_at = None
        return verdict

    def _children(self, write: Write, verdict: str) -> None:
        parent = self.parents[write.key]
        for told in write.children:
            row = self.children.get(told.key)
            if row is None:
                row = self.children[told.key] = Row(deleted_at=parent.deleted_at)
            elif self._child_stays(write, told, row, parent):
                continue
            for name, value in told.values.items():
                if name not in self.write_once or row.values.get(name) is None:
                    row.values[name] = value
            row.owner = write.key
            row.updated_at = told.updated_at
            row.observed_at = write.observed_at
            if write.whole:
                row.complete_at = _whole_at(write, told)
            if _alive_again(write, row):
                row.deleted_at = None
            if row.deleted_at is None:
                row.deleted_at = parent.deleted_at
        if write.whole and self.prune:
            told_keys = {child.key for child in write.children}
            for key, row in self.children.items():
                if (
                    row.owner == write.key
                    and key not in told_keys
                    and row.deleted_at is None
                    and _or_never(row.observed_at) <= write.observed_at
                ):
                    row.deleted_at = write.observed_at

    def _child_stays(self, write: Write, told: Child, row: Row, parent: Row) -> bool:
        """Whether the row is left alone: it was observed later, or says the same."""
        if write.observed_at < _or_never(row.observed_at):
            return True
        after = {
            name: row.values[name]
            if name in self.write_once and row.values.get(name) is not None
            else value
            for name, value in told.values.items()
        }
        deleted_at = None if _alive_again(write, row) else row.deleted_at
        if deleted_at is None:
            deleted_at = parent.deleted_at
        return (
            after == {name: row.values.get(name) for name in after}
            and told.updated_at == row.updated_at
            and row.owner == write.key
            and (deleted_at is None) == (row.deleted_at is None)
            and (not write.whole or row.complete_at == _whole_at(write, told))
        )


def _wins(write: Write, row: Row) -> bool:
    if write.whole:
        return (_or_never(write.updated_at), write.observed_at) >= (
            _or_never(row.updated_at),
            _or_never(row.observed_at),
        )
    if write.updated_at is None:
        return write.observed_at > _or_never(row.observed_at)
    return row.updated_at is None or write.updated_at > row.updated_at


def _alive_again(write: Write, row: Row) -> bool:
    return write.whole and row.deleted_at is not None and write.observed_at > row.deleted_at


def _whole_at(write: Write, told: Child) -> float:
    return max(_or_never(write.updated_at), _or_never(told.updated_at))


def _or_never(moment: float | None) -> float:
    return NEVER if moment is None else moment
