"""Compiles the reading of a node into one function: values go from JSON to COPY untouched.

As attrs compiles the methods of its classes: a loop over the columns, with a call for the path of
each, takes twice as long, and this runs for every line of a backfill.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shopify_pipeline.entities.types import UnusualError, is_nullable, usual
from shopify_pipeline.warehouse.copying import NULL, Line

Path = tuple[str, ...]
LineReader = Callable[[Mapping[str, Any], str, str], Line]
"""Makes a line of a node, its owner's Shopify id and the time of observation."""

NOT_USUAL = (UnusualError, KeyError, TypeError, ValueError, AttributeError)
"""What a line reader raises for a node that is to be read carefully."""


def line_reader(columns: Mapping[str, Any], paths: Mapping[str, Path]) -> LineReader:
    """Compile a line reader.

    `columns` are names with annotations, in order; one without a path is the owner's id. The time
    of observation follows them.
    """
    code = _Code()
    fields = [_field(code, name, columns[name], paths.get(name)) for name in columns]
    code.add(f"return '\\t'.join(({''.join(f'{field}, ' for field in fields)}observed,))")
    return code.compiled()


def _field(code: "_Code", name: str, annotation: Any, path: Path | None) -> str:
    """Add what makes a column's field; return the variable that holds it."""
    if path is None:
        return "owner"
    value = code.value_at(path)
    code.names[f"field_{name}"] = usual(annotation)
    field = f"field_{name}({value})"
    if is_nullable(annotation):
        field = f"NULL if {value} is None else {field}"
    code.add(f"f_{name} = {field}")
    return f"f_{name}"


class _Code:
    """The lines of a function, and the variables that hold the values on its paths."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"NULL": NULL}
        self._lines: list[str] = []
        self._variables: dict[Path, str] = {(): "node"}

    def add(self, line: str) -> None:
        self._lines.append(f"    {line}\n")

    def value_at(self, path: Path) -> str:
        """Return the variable of the value at a path; null where an object on the way is null."""
        if path not in self._variables:
            above, step = self.value_at(path[:-1]), path[-1]
            variable = f"v{len(self._variables)}"
            found = f"{above}[{step!r}]"
            if above != "node":
                found = f"None if {above} is None else {found}"
            self.add(f"{variable} = {found}")
            self._variables[path] = variable
        return self._variables[path]

    def compiled(self) -> LineReader:
        # Made of column names and GraphQL paths of this package alone, never of data.
        source = "def read(node, owner, observed):\n" + "".join(self._lines)
        exec(source, self.names)  # noqa: S102
        read: LineReader = self.names["read"]
        return read
