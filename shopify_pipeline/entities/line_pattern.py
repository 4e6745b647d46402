r"""Compiles the reading of a bulk file's line into one regular expression: from JSON to COPY.

A line has the fields of the query in its order, by their short names, and COPY's text format knows
JSON's escapes but for `\u` (https://www.postgresql.org/docs/current/sql-copy.html): what the
expression takes goes into the table as it stands, without a node having been made of it. A line of
any other form is not taken, and to be read as a node.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from string import ascii_letters
from typing import Any

from shopify_pipeline.entities.line_reader import NOT_USUAL
from shopify_pipeline.entities.types import GID, SCALAR, Memo, is_nullable, pattern_of
from shopify_pipeline.warehouse.copying import NULL, Line

Path = tuple[str, ...]
Tree = Mapping[str, Any]
"""Fields with those that are selected below them, none below a leaf."""

Taken = tuple[str, str | None, tuple[str, ...], Line]
"""The number of the record that a line belongs to, when it was updated if the line is its own, the
head in JSON, and the line for COPY."""

LinePattern = Callable[[str], Taken | None]
"""Takes a line of a file; None for one of another form."""

_ALIASES = (*ascii_letters, *map("".join, product(ascii_letters, repeat=2)))
_NOTHING = "((?!))"


def short_names(tree: Tree) -> dict[str, str]:
    """Return the aliases under which a bulk file holds the fields of an object.

    With their own names a file would be half as large again. `id` keeps its own, as Shopify asks of
    nodes with children (https://shopify.dev/docs/api/usage/bulk-operations/queries).
    """
    aliased = zip(tree, _ALIASES, strict=False)
    return {name: name if name == "id" else alias for name, alias in aliased}


def named(held: Any, tree: Tree) -> Any:
    """Return what a file holds under short names, under those of the fields.

    Raises:
        KeyError: it lacks a field.
    """
    if not (tree and isinstance(held, dict)):
        return held
    short = short_names(tree)
    return {name: named(held[short[name]], below) for name, below in tree.items()}


def line_pattern(
    columns: Mapping[str, Any],
    paths: Mapping[str, Path],
    tree: Tree,
    *,
    head: Sequence[str],
    gid_type: str,
    owner_type: str | None,
    observed: str,
) -> LinePattern:
    """Compile a line pattern.

    `columns` and `paths` are those of `line_reader`, `observed` is the time of observation.
    `tree` is the selection of the query, `head` the fields whose values are wanted besides, as they
    stand in the line. A line with an `owner_type` names its owner at its end.
    """
    pattern = _Pattern(columns, paths, head)
    fields = pattern.object_of(tree, (), first=GID % gid_type)
    if owner_type is not None:
        fields += ',"__parentId":' + GID % owner_type
        pattern.groups.append("owner")
    code = [
        "found = fullmatch(line)",
        "if found is None: return None",
        f"({', '.join(pattern.groups)},) = found.groups(NULL)",
    ]
    made = {name: pattern.made(name) for name in columns}
    made["observed_at"] = "observed"
    text = "".join(f"{field}, " for field in made.values())
    heads = "".join(f"head_{name}, " for name in head)
    about = f"number, {made['updated_at']}" if owner_type is None else "owner, None"
    code += [
        f"try: return {about}, ({heads}), '\\t'.join(({text}))",
        "except NOT_USUAL: return None",
    ]
    # Made of column names and GraphQL fields of this package alone, never of data.
    source = "def read(line):\n" + "".join(f"    {line}\n" for line in code)
    names = pattern.names | {
        "fullmatch": re.compile(r"\{" + fields + r"\}").fullmatch,
        "NOT_USUAL": NOT_USUAL,
        "observed": observed,
        "NULL": NULL,
    }
    exec(source, names)  # noqa: S102
    read: LinePattern = names["read"]
    return read


class _Pattern:
    """The parts of an expression; `groups` are the variables that its groups go to, in order."""

    def __init__(
        self, columns: Mapping[str, Any], paths: Mapping[str, Path], head: Sequence[str]
    ) -> None:
        self._columns = columns
        self._paths = paths
        self._head = head
        self._variables: dict[Path, str] = {}
        self.groups: list[str] = []
        self.names: dict[str, Any] = {}

    def object_of(self, tree: Tree, above: Path, *, first: str = "") -> str:
        """The fields of an object; `first` is the form of a record's own `id`."""
        fields = []
        short = short_names(tree)
        for name, below in tree.items():
            path = (*above, name)
            if path == ("id",):
                self.groups.append("number")
                self._variables[path] = "number"
                form = first
            else:
                form = self._form(path, below)
            fields.append(f'"{short[name]}":{form}')
        return ",".join(fields)

    def _form(self, path: Path, below: Tree) -> str:
        is_head = len(path) == 1 and path[0] in self._head
        if is_head:
            self.groups.append(f"head_{path[0]}")
        form = rf"\{{{self.object_of(below, path)}\}}" if below else self._value(path)
        inside = [
            annotation
            for name, annotation in self._columns.items()
            if self._paths.get(name, ())[: len(path)] == path
        ]
        if all(map(is_nullable, inside)):
            form = f"(?>null|{form})"
        return f"({form})" if is_head else form

    def _value(self, path: Path) -> str:
        """The form of a leaf: that of its columns, any where it has none."""
        forms = {
            pattern_of(self._columns[name]).form
            for name, own in self._paths.items()
            if own == path and name in self._columns
        }
        if not forms:
            return SCALAR
        variable = self._variables[path] = f"v{len(self.groups)}"
        self.groups.append(variable)
        # Columns that read one value in two ways are left to the node.
        return forms.pop() if len(forms) == 1 else _NOTHING

    def made(self, column: str) -> str:
        """What makes a column's field of its group."""
        if column not in self._paths:
            return "owner"
        variable = self._variables[self._paths[column]]
        field = pattern_of(self._columns[column]).field
        if field is None:
            return variable
        self.names[f"field_{column}"] = _kept_null(field)
        return f"field_{column}({variable})"


def _kept_null(field: Callable[[str], str]) -> Callable[[str], str]:
    return Memo(field, {NULL: NULL}).__getitem__
