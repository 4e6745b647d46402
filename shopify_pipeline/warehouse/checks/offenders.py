"""Counts the rows that a query finds, and takes the first of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.copying import DIALECT

SHOWN = 20


@dataclass(frozen=True)
class Offenders:
    """What a query found: how many rows, the first of them, and the query to see all."""

    number: int
    first: tuple[Mapping[str, Any], ...]
    sql: str

    def __bool__(self) -> bool:
        return self.number > 0


def find(connection: sa.Connection, query: sa.Select[Any], *, shown: int = SHOWN) -> Offenders:
    """Run a query for rows that cannot be right."""
    found = query.cte("found")
    first = sa.select(*found.c, sa.func.count().over().label("_number")).limit(shown)
    rows = [dict(row) for row in connection.execute(first).mappings()]
    number = int(rows[0]["_number"]) if rows else 0
    for row in rows:
        del row["_number"]
    return Offenders(number, tuple(rows), written(query))


def written(query: sa.Select[Any]) -> str:
    """The query as text that can be run by hand."""
    text = str(query.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
    return "\n".join(line.rstrip() for line in text.splitlines()).strip().replace("%%", "%") + ";"
