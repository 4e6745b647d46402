"""The named statements of the `.sql` files beside this module."""

import re
from collections.abc import Mapping
from importlib.resources import files

import sqlalchemy as sa

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def read_statements(file: str) -> Mapping[str, sa.TextClause]:
    """The statements of a file of this package, by name.

    A statement begins with a line `-- name: …` and ends before the next; `:name` is a parameter.
    """
    text = (files(__package__) / file).read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    return {name: sa.text(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}
