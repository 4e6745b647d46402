"""Copies reads of rows that are not there yet straight into their tables.

It is the merge of a first load, without staging: where no id of a batch is known, no version can
be compared, nothing be kept and nothing pruned. That none is known is certain when COPY meets no
unique violation, also against writers at the same time. On one nothing has happened and the rows
go the staged way.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter

import sqlalchemy as sa

from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.copying import (
    KEY,
    LINKS,
    NULL,
    OBSERVED,
    OWNER,
    REFUSALS,
    TEXT,
    VERSION,
    Line,
    copy_lines,
    psycopg_connection,
)
from shopify_pipeline.warehouse.links import carried_links, ids_of
from shopify_pipeline.warehouse.rows import MergeCounts
from shopify_pipeline.warehouse.staging import Stage
from shopify_pipeline.warehouse.tables import Link
from shopify_pipeline.warehouse.uuids import uuid7_texts

_SAMPLE = 200

Parent = tuple[str, str, str]
"""The id of a parent that was written, and when it was observed and updated."""


def copy_new(
    connection: sa.Connection, parent: Stage, children: Sequence[Stage]
) -> dict[str, MergeCounts] | None:
    """Copy complete reads whose rows are all new, and return the counts; None where one is not."""
    if any(stage.has_repeats for stage in (parent, *children)):
        return None
    try:
        with connection.begin_nested():
            if _any_known(connection, parent):
                return None
            return _copied(connection, parent, children)
    except REFUSALS:
        # Known rows, strange children: staging finds out which.
        return None


def _any_known(connection: sa.Connection, parent: Stage) -> bool:
    """Look up a sample: a batch of known rows is rarely all new but for a few."""
    table = parent.table
    sample = [int(row[KEY]) for row in parent.rows[:: max(1, len(parent.rows) // _SAMPLE)]]
    known = sa.exists().where(
        table.sql.c[table.key] == sa.any_(sa.bindparam("keys", type_=sa.ARRAY(sa.BigInteger)))
    )
    return bool(connection.execute(sa.select(known), {"keys": sample}).scalar_one())


def _copied(
    connection: sa.Connection, parent: Stage, children: Sequence[Stage]
) -> dict[str, MergeCounts]:
    rows = sorted(parent.rows, key=itemgetter(KEY))
    ids = uuid7_texts(len(rows))
    _copy(connection, parent, rows, ids, [row[VERSION] for row in rows])
    written: dict[str, Parent] = {
        row[KEY]: (uuid, row[OBSERVED], row[VERSION]) for row, uuid in zip(rows, ids, strict=True)
    }
    counts = {parent.table.name: MergeCounts(inserted=len(rows))}
    for child in children:
        counts[child.table.name] = _copy_children(connection, child, written)
    reads = ((int(row[KEY]), datetime.fromisoformat(row[OBSERVED])) for row in rows)
    refresh_queue.satisfy_reads(connection, parent.table.entity, reads)
    return counts


def _copy_children(
    connection: sa.Connection, stage: Stage, parents: dict[str, Parent]
) -> MergeCounts:
    """Copy the children of the parents that were written, as their read told them."""
    owner = stage.table.owner
    assert owner is not None  # noqa: S101 - the merge has checked it
    rows = sorted(stage.rows, key=itemgetter(KEY))
    owners: list[str] = []
    whole_at: list[str] = []
    for row in rows:
        found = parents.get(row[OWNER])
        if found is None or found[1] != row[OBSERVED]:
            raise ValueError("a child of another read")
        owners.append(found[0])
        whole_at.append(found[2] if row[VERSION] == NULL else _later(row[VERSION], found[2]))
    _copy(connection, stage, rows, uuid7_texts(len(rows)), whole_at, (owner.column, owners))
    return MergeCounts(inserted=len(rows))


def _later(one: str, other: str) -> str:
    return max(one, other, key=datetime.fromisoformat)


def _copy(
    connection: sa.Connection,
    stage: Stage,
    rows: Sequence[Line],
    ids: Sequence[str],
    whole_at: Sequence[str],
    *more: tuple[str, Sequence[str]],
) -> None:
    columns = {"id": ids, "complete_at": whole_at} | dict(more)
    for place, link in enumerate(carried_links(stage.table, stage.shape), LINKS):
        numbers = [row[place] for row in rows]
        parents = _found(connection, link, numbers)
        columns[link.column] = [parents.get(number, NULL) for number in numbers]
    texts = map(itemgetter(TEXT), rows)
    lines = map("\t".join, zip(texts, *columns.values(), strict=True))
    copy_lines(connection, stage.table.sql, [*stage.shape, *columns], lines)


def _found(connection: sa.Connection, link: Link, numbers: Iterable[str]) -> dict[str, str]:
    """The ids of a link's parents by their Shopify ids."""
    wanted = set(numbers) - {NULL}
    if not wanted:
        return {}
    array = f"{{{','.join(wanted)}}}"
    return dict(psycopg_connection(connection).execute(ids_of(link), [array]).fetchall())
