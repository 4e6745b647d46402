"""Rows as lines of COPY's text format (https://www.postgresql.org/docs/current/sql-copy.html).

The text format, as Shopify writes most values the way Postgres reads them: nothing has to be taken
apart and put together again.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import psycopg
import sqlalchemy as sa
from psycopg import sql
from sqlalchemy.dialects import postgresql

from shopify_pipeline.warehouse.rows import RowSet, column_types, shape_of
from shopify_pipeline.warehouse.tables import Table

DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

REFUSALS = (
    *(psycopg.IntegrityError, psycopg.DataError, sa.exc.IntegrityError, sa.exc.DataError),
    ValueError,
)
"""What a COPY raises where rows do not go into their table as they are."""

NULL = "\\N"
"""Stands for an empty value."""

Line = str
"""The fields of a row, with tabs between them."""

_SPECIAL = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True)
class Lines:
    """Rows of one table in one shape, as `RowSet`, that are known to fit their columns."""

    table: Table
    columns: Sequence[str]
    rows: Sequence[Line]

    @property
    def shape(self) -> tuple[str, ...]:
        """The columns, hashable.

        Raises:
            ValueError: a column is unknown, repeated or missing.
        """
        return shape_of(self.table, self.columns)

    @property
    def keys(self) -> list[str]:
        """The Shopify ids of the rows, as they stand in the lines."""
        place = self.columns.index(self.table.key)
        return [row.split("\t", place + 1)[place] for row in self.rows]


def escaped(text: str) -> str:
    """Return a text as a field of a line."""
    return text.translate(_ESCAPES) if _SPECIAL.search(text) else text


def texts_field(texts: Sequence[str]) -> str:
    """Return a list of texts as a field of a line."""
    quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in texts)
    return escaped("{" + ",".join(f'"{text}"' for text in quoted) + "}") if texts else "{}"


def lines_of(row_set: RowSet, rows: Iterable[Sequence[Any]]) -> Lines:
    """Return rows of a row set, which fit their columns, as lines."""
    table, shape = row_set.table, row_set.shape
    fields = [_field_of(kind) for kind in column_types(table, shape)]
    lines = [
        "\t".join(
            NULL if value is None else field(value)
            for field, value in zip(fields, row, strict=True)
        )
        for row in rows
    ]
    return Lines(table, shape, lines)


def _field_of(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], str]:
    return next(field for type_, field in _FIELDS if isinstance(kind, type_))


_FIELDS: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (sa.ARRAY, texts_field),
    (sa.Integer, str),
    (sa.Numeric, lambda amount: format(cast("Decimal", amount), "f")),
    (sa.Boolean, lambda flag: "t" if flag else "f"),
    (sa.DateTime, lambda moment: cast("datetime", moment).isoformat()),
    (sa.String, escaped),
)


def psycopg_connection(connection: sa.Connection) -> psycopg.Connection[Any]:
    """Return the psycopg connection under SQLAlchemy's, in the same transaction."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def type_name(kind: sa.types.TypeEngine[Any]) -> str:
    """Return Postgres' name of a column's type."""
    return kind.compile(dialect=DIALECT).lower()


def copy_lines(
    connection: sa.Connection, target: sa.Table, columns: Sequence[str], lines: Iterable[str]
) -> None:
    """COPY lines of `columns` into `target`."""
    name = (target.schema, target.name) if target.schema else (target.name,)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(*name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    postgres = psycopg_connection(connection)
    encoding = postgres.info.encoding
    with postgres.cursor().copy(statement) as copy:
        # Encoded line by line: one rare letter would make all of a joined text wide.
        copy.write(b"\n".join([*(line.encode(encoding) for line in lines), b""]))
