"""Shopify's search syntax, parsed: terms, AND (also implied), OR, NOT and `-`, parentheses.

https://shopify.dev/docs/api/usage/search-syntax. AND binds tighter than OR. An unquoted value
ends at the next colon, which is how an unquoted timestamp loses its time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\()
      | (?P<close>\))
      | (?P<minus>-)(?=[\w("'])
      | (?P<field>[A-Za-z0-9_.]+)(?<!\\):(?P<op><=|>=|<|>|)
      | (?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")
      | (?P<word>(?:\\.|[^\s:()\\])+)
      | (?P<stray>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_VALUE = re.compile(
    r"""\s*(?P<quoted>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
    r"""|\s?(?P<word>(?:\\.|[^\s:()\\])+)""",
    re.DOTALL,
)


@dataclass(frozen=True)
class Value:
    """One value: its text, and whether it stood in quotes."""

    text: str
    quoted: bool = False


@dataclass(frozen=True)
class Term:
    """`field:op value,value` or, without a field, a word looked for in the default fields."""

    field: str | None
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Both:
    """Every part must hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Either:
    """At least one part must hold."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    """The part must not hold."""

    part: Node


Node = Term | Both | Either | Not


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _values(text: str, position: int) -> tuple[tuple[Value, ...], int]:
    values: list[Value] = []
    while True:
        found = _VALUE.match(text, position)
        if found is None:
            return tuple(values), position
        position = found.end()
        if found["quoted"]:
            values.append(Value(_unquote(found["quoted"]), quoted=True))
            if position < len(text) and text[position] == ",":
                position += 1
                continue
            return tuple(values), position
        word = _unescape(found["word"])
        values += [Value(part) for part in word.split(",") if part]
        if word.endswith(",") and position < len(text) and text[position] in "'\"":
            continue
        return tuple(values), position


def _tokens(text: str) -> list[object]:
    tokens: list[object] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            break
        position = found.end()
        if found["open"] or found["close"] or found["minus"]:
            tokens.append(found[0].strip())
        elif found["field"]:
            values, position = _values(text, position)
            tokens.append(Term(found["field"], found["op"], values))
        elif found["quoted"]:
            tokens.append(Term(None, "", (Value(_unquote(found["quoted"]), quoted=True),)))
        elif found["word"]:
            word = found["word"]
            tokens.append(word if word in {"AND", "OR", "NOT"} else _bare(word))
    return tokens


def _bare(word: str) -> Term:
    return Term(None, "", (Value(_unescape(word)),))


class _Parser:
    def __init__(self, tokens: Sequence[object]) -> None:
        self._tokens = tokens
        self._at = 0

    def _peek(self) -> object:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def either(self) -> Node | None:
        parts = []
        while True:
            part = self._both()
            if part is not None:
                parts.append(part)
            if self._peek() != "OR":
                break
            self._at += 1
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self) -> Node | None:
        parts = []
        while self._peek() not in {None, ")", "OR"}:
            if self._peek() == "AND":
                self._at += 1
                continue
            part = self._one()
            if part is not None:
                parts.append(part)
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _one(self) -> Node | None:
        token = self._peek()
        self._at += 1
        if token in {"NOT", "-"}:
            if self._peek() in {None, ")", "OR", "AND"}:
                return None
            part = self._one()
            return None if part is None else Not(part)
        if token == "(":  # noqa: S105
            inner = self.either()
            if self._peek() == ")":
                self._at += 1
            return inner
        return token if isinstance(token, Term) else None

    def whole(self) -> Node | None:
        parts = []
        while self._at < len(self._tokens):
            part = self.either()
            if part is not None:
                parts.append(part)
            if self._peek() == ")":
                self._at += 1
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else Both(tuple(parts))


def parse(text: str) -> Node | None:
    """The tree of a search string; None when it holds no term."""
    return _Parser(_tokens(text)).whole()


def described(node: Node) -> dict[str, object]:
    """The tree in the words of `extensions.search[].parsed`."""
    if isinstance(node, Both):
        return {"and": [described(part) for part in node.parts]}
    if isinstance(node, Either):
        return {"or": [described(part) for part in node.parts]}
    if isinstance(node, Not):
        return {"not": described(node.part)}
    text = ",".join(value.text for value in node.values)
    field = node.field or "default"
    if not node.operator:
        return {"field": field, "match_all": text}
    name = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}[node.operator]
    return {"field": field, "range": {name: text}}
