"""Copies reads of rows that are not there yet straight into their tables.

It is the merge of a first load, without staging: where no id of a batch is known, no version can
be compared, nothing be kept and nothing pruned. That none is known is certain when COPY meets no
unique violation, also against writers at the same time. On one nothing has happened and the rows
go the staged way.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter

import sqlalchemy as sa

from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.copying import NULL, REFUSALS, copy_lines, psycopg_connection
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
    sample = [int(key) for key in parent.keys[:: max(1, len(parent.keys) // _SAMPLE)]]
    known = sa.exists().where(
        table.sql.c[table.key] == sa.any_(sa.bindparam("keys", type_=sa.ARRAY(sa.BigInteger)))
    )
    return bool(connection.execute(sa.select(known), {"keys": sample}).scalar_one())


def _copied(
    connection: sa.Connection, parent: Stage, children: Sequence[Stage]
) -> dict[str, MergeCounts]:
    rows = _Sorted(parent)
    ids = uuid7_texts(len(rows.lines))
    observed, versions = rows.columns["observed_at"], rows.columns["updated_at"]
    _copy(connection, rows, ids, versions)
    keys = rows.columns[parent.table.key]
    written = dict(zip(keys, zip(ids, observed, versions, strict=True), strict=True))
    counts = {parent.table.name: MergeCounts(inserted=len(ids))}
    for child in children:
        counts[child.table.name] = _copy_children(connection, child, written)
    reads = zip(map(int, keys), map(datetime.fromisoformat, observed), strict=True)
    refresh_queue.satisfy_reads(connection, parent.table.entity, reads)
    return counts


class _Sorted:
    """The lines of a stage in the order of their keys, and the fields by which they are linked.

    `columns` are those of the keys, the times and the ids of parents that the shape carries; times
    of update are NULL where it has none.
    """

    def __init__(self, stage: Stage) -> None:
        table, shape = stage.table, stage.shape
        self.stage = stage
        self.lines = [line for _, line in sorted(zip(stage.keys, stage.rows, strict=True))]
        self.links = carried_links(table, shape)
        names = [table.key, "observed_at", *(link.id_column for link in self.links)]
        names += [table.owner.id_column] if table.owner else []
        names += ["updated_at"] if "updated_at" in shape else []
        taken = itemgetter(*map(shape.index, names))
        fields = zip(*(taken(line.split("\t")) for line in self.lines), strict=True)
        self.columns = {"updated_at": (NULL,) * len(self.lines)}
        self.columns |= zip(names, fields, strict=True) if self.lines else dict.fromkeys(names, ())


def _copy_children(
    connection: sa.Connection, stage: Stage, parents: Mapping[str, Parent]
) -> MergeCounts:
    """Copy the children of the parents that were written, as their read told them."""
    owner = stage.table.owner
    assert owner is not None  # noqa: S101 - the merge has checked it
    rows = _Sorted(stage)
    owners: list[str] = []
    whole_at: list[str] = []
    told = (rows.columns[name] for name in (owner.id_column, "observed_at", "updated_at"))
    for number, observed, version in zip(*told, strict=True):
        found = parents.get(number)
        if found is None or found[1] != observed:
            raise ValueError("a child of another read")
        owners.append(found[0])
        whole_at.append(found[2] if version == NULL else _later(version, found[2]))
    _copy(connection, rows, uuid7_texts(len(owners)), whole_at, (owner.column, owners))
    return MergeCounts(inserted=len(owners))


def _later(one: str, other: str) -> str:
    return max(one, other, key=datetime.fromisoformat)


def _copy(
    connection: sa.Connection,
    rows: _Sorted,
    ids: Sequence[str],
    whole_at: Sequence[str],
    *more: tuple[str, Sequence[str]],
) -> None:
    columns = {"id": ids, "complete_at": whole_at} | dict(more)
    for link in rows.links:
        numbers = rows.columns[link.id_column]
        parents = _found(connection, link, numbers)
        columns[link.column] = [parents.get(number, NULL) for number in numbers]
    lines = map("\t".join, zip(rows.lines, *columns.values(), strict=True))
    copy_lines(connection, rows.stage.table.sql, [*rows.stage.shape, *columns], lines)


def _found(connection: sa.Connection, link: Link, numbers: Iterable[str]) -> dict[str, str]:
    """The ids of a link's parents by their Shopify ids."""
    wanted = set(numbers) - {NULL}
    if not wanted:
        return {}
    array = f"{{{','.join(wanted)}}}"
    return dict(psycopg_connection(connection).execute(ids_of(link), [array]).fetchall())
