"""A search string as a condition on an entity's index, with Shopify's warnings and refusals.

An unknown field is ignored, so that everything is returned, and leaves only a warning; a bad
enumeration value returns nothing and warns; a bad timestamp is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shopify_pipeline.demo.store import search_syntax
from shopify_pipeline.demo.store.amounts import micros
from shopify_pipeline.demo.store.clock import SECOND, parse_time
from shopify_pipeline.demo.store.database import INDEX_COLUMNS
from shopify_pipeline.demo.store.identifiers import LARGEST
from shopify_pipeline.demo.store.search_fields import FIELDS, SearchField
from shopify_pipeline.demo.store.search_syntax import Both, Not, Term, Value

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}$")
_HAS_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]")


class BadSearchError(Exception):
    """A search string that Shopify refuses with BAD_REQUEST."""


@dataclass
class Condition:
    """SQL over an index table with its values, and what Shopify would warn about."""

    sql: str = "1"
    values: list[Any] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)
    parsed: dict[str, object] | None = None


@dataclass(frozen=True)
class SearchRules:
    """What a search depends on beside its text."""

    zone: ZoneInfo
    now: int
    exclusive_seconds: bool = True


def compile_search(
    kind: str, text: str | None, rules: SearchRules, *, fields: dict[str, SearchField] | None = None
) -> Condition:
    """The condition that a search string of one entity stands for.

    Raises BadSearchError for a timestamp that can't be read.
    """
    condition = Condition()
    tree = search_syntax.parse(text) if text else None
    if tree is None:
        return condition
    compiler = _Compiler(
        fields or FIELDS[kind], rules, condition, free_text="words" in INDEX_COLUMNS.get(kind, ())
    )
    condition.sql = compiler.node(tree) or "1"
    condition.parsed = search_syntax.described(tree)
    return condition


class _Compiler:
    def __init__(
        self,
        fields: dict[str, SearchField],
        rules: SearchRules,
        condition: Condition,
        *,
        free_text: bool,
    ) -> None:
        self._free_text = free_text
        self._fields = fields
        self._rules = rules
        self._condition = condition

    def node(self, node: search_syntax.Node) -> str | None:
        """SQL, or None for a part that is ignored."""
        if isinstance(node, Term):
            return self._term(node)
        if isinstance(node, Not):
            inner = self.node(node.part)
            return None if inner is None else f"NOT COALESCE({inner}, 0)"
        word = " AND " if isinstance(node, Both) else " OR "
        parts = []
        for part in node.parts:
            before = len(self._condition.values)
            sql = self.node(part)
            if sql is None:
                del self._condition.values[before:]
                continue
            parts.append(sql)
        return f"({word.join(parts)})" if parts else None

    def _warn(self, term: Term, message: str, code: str) -> None:
        self._condition.warnings.append(
            {"field": term.field or "default", "message": message, "code": code}
        )

    def _bind(self, *values: Any) -> None:
        self._condition.values.extend(values)

    def _term(self, term: Term) -> str | None:
        if term.field is None:
            return self._default(term)
        known = self._fields.get(term.field.lower())
        if known is None:
            self._warn(term, "Invalid search field for this query.", "invalid_field")
            return None
        if not term.values:
            return self._nothing(term, known)
        if [value.text for value in term.values] == ["*"] and not term.values[0].quoted:
            return f"({known.column} IS NOT NULL AND {known.column} <> '')"
        compare = getattr(self, f"_{known.type}")
        parts = []
        for value in term.values:
            sql = compare(known, term, value)
            if sql is not None:
                parts.append(sql)
        if not parts:
            return "0"
        joined = f"({' OR '.join(parts)})"
        return f"NOT COALESCE({joined}, 0)" if known.negated else joined

    def _nothing(self, term: Term, known: SearchField) -> str:
        if known.type == "time":
            raise BadSearchError(f"Invalid timestamp for query filter `{term.field}`.")
        return "0"

    def _default(self, term: Term) -> str | None:
        if not self._free_text:
            self._warn(term, "Invalid search field for this query.", "invalid_field")
            return None
        value = term.values[0]
        text = value.text.lower()
        if text == "*":
            return None
        if value.quoted:
            self._bind(f"%{_like(text)}%")
        else:
            self._bind(f"% {_like(text.rstrip('*'))}%")
        return "words LIKE ? ESCAPE '\\'"

    def _time(self, known: SearchField, term: Term, value: Value) -> str:
        start, end = self._span(term, value)
        column, operator = known.column, term.operator
        if operator in {">=", "<"}:
            self._bind(start)
            return f"{column} {operator} ?"
        if operator == "<=":
            self._bind(start if end - start <= SECOND else end - 1)
            return f"{column} <= ?"
        if operator == ">":
            if end - start > SECOND:
                self._bind(end)
                return f"{column} >= ?"
            if self._rules.exclusive_seconds and end - start == SECOND:
                self._bind(start + SECOND)
                return f"{column} >= ?"
            self._bind(start)
            return f"{column} > ?"
        self._bind(start, end)
        return f"({column} >= ? AND {column} < ?)"

    def _span(self, term: Term, value: Value) -> tuple[int, int]:
        """The first moment that the value names, and the first one after it."""
        text = value.text.strip()
        refused = BadSearchError(f"Invalid timestamp for query filter `{term.field}`.")
        zone = self._rules.zone
        if text == "now":
            return self._rules.now, self._rules.now + SECOND
        if not value.quoted and _HAS_TIME.match(text):
            text = text[:10]
        try:
            if _DAY.match(text):
                day = datetime.fromisoformat(text).replace(tzinfo=zone)
                following = (day.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
                return int(day.timestamp()) * SECOND, int(following.timestamp()) * SECOND
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            raise refused from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        start = parse_time(moment.isoformat())
        return start, start + (1 if "." in text else SECOND)

    def _number(self, known: SearchField, term: Term, value: Value) -> str:
        text = value.text.rsplit("/", 1)[-1] if known.identity else value.text
        try:
            number = _number_in(text, known)
        except (ValueError, ArithmeticError):
            self._warn(term, f"Input `{value.text}` is not an accepted value.", "invalid_value")
            return "0"
        self._bind(number)
        return f"{known.column} {term.operator or '='} ?"

    def _enum(self, known: SearchField, term: Term, value: Value) -> str | None:
        word = value.text.lower()
        if known.words and word not in known.words:
            self._warn(term, f"Input `{value.text}` is not an accepted value.", "invalid_value")
            return None
        meaning = known.words.get(word, word) if known.words else word
        if meaning.startswith("SQL:"):
            return meaning.removeprefix("SQL:")
        self._bind(meaning)
        return f"LOWER({known.column}) = ?"

    def _bool(self, known: SearchField, term: Term, value: Value) -> str:
        word = value.text.lower()
        if word not in {"true", "false"}:
            self._warn(term, f"Input `{value.text}` is not an accepted value.", "invalid_value")
            return "0"
        self._bind(int(word == "true"))
        return f"{known.column} = ?"

    def _text(self, known: SearchField, term: Term, value: Value) -> str:
        text = value.text.lower()
        if term.operator:
            self._bind(text)
            return f"LOWER({known.column}) {term.operator} ?"
        if text.endswith("*") and not value.quoted:
            self._bind(f"{_like(text[:-1])}%", f"% {_like(text[:-1])}%")
            return (
                f"(LOWER({known.column}) LIKE ? ESCAPE '\\'"
                f" OR LOWER({known.column}) LIKE ? ESCAPE '\\')"
            )
        if known.whole:
            self._bind(text)
            return f"LOWER({known.column}) = ?"
        self._bind(f"% {_like(text)} %")
        return f"(' ' || LOWER({known.column}) || ' ') LIKE ? ESCAPE '\\'"

    def _tag(self, known: SearchField, term: Term, value: Value) -> str:
        self._bind(f"%\n{_like(value.text.lower())}\n%")
        return f"{known.column} LIKE ? ESCAPE '\\'"


def _number_in(text: str, known: SearchField) -> float:
    """The number that a text is; one past 64 bits, which no record holds, as the largest."""
    if known.identity:
        number: float = int(text)
    else:
        number = float(text)
        if known.money and abs(number) <= LARGEST / 1_000_000:
            number = micros(text)
    return max(-LARGEST, min(number, LARGEST))


def _like(text: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", text)
