"""Whether the values of rows fit their columns: told by name, before anything is written."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import chain
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.rows import Row, column_types
from shopify_pipeline.warehouse.tables import Table

logger = logging.getLogger(__name__)

NUL = "\0"
_BIGGEST_EXPONENT = 131_071
"""Digits that NUMERIC holds before the decimal point, less one."""


@dataclass(frozen=True, slots=True)
class UnfitValue:
    """A value that its column cannot hold. `problem` never repeats the value."""

    table: str
    shopify_id: int | None
    column: str
    problem: str

    def __str__(self) -> str:
        return f"{self.table} {self.shopify_id}: {self.column} {self.problem}"


class UnfitRowsError(ValueError):
    """Some rows of a merge do not fit their table. Nothing of that merge was written.

    `values` names each; the caller may leave out the rows with `shopify_ids` (with their children)
    and merge the rest.
    """

    def __init__(self, values: Sequence[UnfitValue]) -> None:
        self.values = tuple(values)
        shown = "; ".join(map(str, self.values[:5]))
        more = f"; and {len(self.values) - 5} more" if len(self.values) > 5 else ""
        super().__init__(f"{len(self.values)} values do not fit: {shown}{more}")

    def shopify_ids(self, table: str) -> frozenset[int]:
        """Ids of the rows of one table that do not fit."""
        return frozenset(
            value.shopify_id
            for value in self.values
            if value.table == table and value.shopify_id is not None
        )


def fitting(table: Table, shape: Sequence[str], rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Return rows that their columns can hold, and how many texts lost U+0000 for it.

    Raises:
        UnfitRowsError: a value has the wrong type or does not fit its column.
    """
    listed = list(rows)
    if not listed:
        return listed, 0
    columns: list[Sequence[Any]] = list(zip(*listed, strict=True))
    keys = columns[shape.index(table.key)]
    unfit: list[UnfitValue] = []
    cleaned = 0
    for place, (name, kind) in enumerate(zip(shape, column_types(table, shape), strict=True)):
        problem_of, suspicious = _rules(kind)
        values = columns[place]
        required = name in {table.key, "observed_at"}
        if not suspicious(values) and not (required and None in values):
            continue
        replaced = [_without_nul(value) for value in values]
        cleaned += sum(1 for new, old in zip(replaced, values, strict=True) if new is not old)
        columns[place] = replaced
        for key, value in zip(keys, replaced, strict=True):
            absent = "is missing" if required else ""
            if problem := absent if value is None else problem_of(value):
                at = key if isinstance(key, int) else None
                unfit.append(UnfitValue(table.name, at, name, problem))
    if unfit:
        raise UnfitRowsError(unfit)
    if cleaned:
        logger.warning("%s: U+0000 removed from %d texts", table.name, cleaned)
        listed = list(zip(*columns, strict=True))
    return listed, cleaned


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(NUL, "") if NUL in value else value
    if isinstance(value, (list, tuple)) and any(NUL in v for v in value if isinstance(v, str)):
        return [_without_nul(item) for item in value]
    return value


# A rule is two functions: what is wrong with one value (empty: nothing), and whether anything in a
# column could be wrong, which runs over every row and is therefore left to C.
_Rule = tuple[Callable[[Any], str], Callable[[Sequence[Any]], bool]]


def _rules(kind: sa.types.TypeEngine[Any]) -> _Rule:
    if isinstance(kind, sa.ARRAY):
        return _texts_problem, _texts_suspicious
    if isinstance(kind, sa.BigInteger):
        return _integers(63)
    if isinstance(kind, sa.Integer):
        return _integers(31)
    for type_, rule in _RULES:
        if isinstance(kind, type_):
            return rule
    raise TypeError(f"no rule for columns of type {kind!r}")


def _kinds(values: Iterable[Any]) -> set[type]:
    return set(map(type, values)) - {type(None)}


def _integers(bits: int) -> _Rule:
    low, high = -(2**bits), 2**bits - 1

    def problem(value: Any) -> str:
        if type(value) is not int:
            return f"is a {type(value).__name__}, not an integer"
        return "" if low <= value <= high else f"does not fit {bits + 1} bits"

    def suspicious(values: Sequence[Any]) -> bool:
        if not _kinds(values) <= {int}:
            return True
        there = [value for value in values if value is not None] if None in values else values
        return bool(there) and (min(there) < low or max(there) > high)

    return problem, suspicious


def _text_problem(value: Any) -> str:
    if not isinstance(value, str):
        return f"is a {type(value).__name__}, not a text"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair"
    return ""


def _text_suspicious(values: Sequence[Any]) -> bool:
    if not _kinds(values) <= {str}:
        return True
    joined = "".join(filter(None, values))
    if NUL in joined:
        return True
    try:
        joined.encode()
    except UnicodeEncodeError:
        return True
    return False


def _texts_problem(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return f"is a {type(value).__name__}, not a list"
    return next(filter(None, map(_text_problem, value)), "")


def _texts_suspicious(values: Sequence[Any]) -> bool:
    if not _kinds(values) <= {list, tuple}:
        return True
    items = list(chain.from_iterable(filter(None, values)))
    return None in items or _text_suspicious(items)


def _decimal_problem(value: Any) -> str:
    if not isinstance(value, Decimal):
        return f"is a {type(value).__name__}, not a Decimal"
    if not value.is_finite():
        return "is not a finite number"
    return "" if abs(value.adjusted()) <= _BIGGEST_EXPONENT else "does not fit NUMERIC"


def _decimal_suspicious(values: Sequence[Any]) -> bool:
    if not _kinds(values) <= {Decimal}:
        return True
    there = list(filter(None, values))
    if not all(map(Decimal.is_finite, there)):
        return True
    return bool(there) and max(map(abs, map(Decimal.adjusted, there))) > _BIGGEST_EXPONENT


def _boolean_problem(value: Any) -> str:
    return "" if isinstance(value, bool) else f"is a {type(value).__name__}, not a boolean"


def _boolean_suspicious(values: Sequence[Any]) -> bool:
    return not _kinds(values) <= {bool}


def _time_problem(value: Any) -> str:
    if not isinstance(value, datetime):
        return f"is a {type(value).__name__}, not a time"
    return "" if value.tzinfo is not None else "is a time without a zone"


def _time_suspicious(values: Sequence[Any]) -> bool:
    if not _kinds(values) <= {datetime}:
        return True
    return None in set(map(attrgetter("tzinfo"), filter(None, values)))


_RULES: tuple[tuple[type, _Rule], ...] = (
    (sa.Numeric, (_decimal_problem, _decimal_suspicious)),
    (sa.String, (_text_problem, _text_suspicious)),
    (sa.Boolean, (_boolean_problem, _boolean_suspicious)),
    (sa.DateTime, (_time_problem, _time_suspicious)),
)
