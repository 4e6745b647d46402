"""The one writer of the data tables: complete reads, webhook bodies and deletions."""

from collections.abc import Sequence

import sqlalchemy as sa

from shopify_pipeline.warehouse import refresh_queue
from shopify_pipeline.warehouse.children import ChildStatements, child_statements
from shopify_pipeline.warehouse.copying import Lines, lines_of
from shopify_pipeline.warehouse.deletions import mark_deleted
from shopify_pipeline.warehouse.direct import copy_new
from shopify_pipeline.warehouse.fitting import UnfitRowsError, UnfitValue, fitting
from shopify_pipeline.warehouse.parents import ParentStatements, parent_statements
from shopify_pipeline.warehouse.rows import MergeCounts, RowSet
from shopify_pipeline.warehouse.staging import Stage, bring, passed_table
from shopify_pipeline.warehouse.versions import Write

MANY_ROWS = 1_000
"""From so many rows on, it is tried whether all are new."""

__all__ = [
    "MergeCounts",
    "RowSet",
    "UnfitRowsError",
    "UnfitValue",
    "mark_deleted",
    "merge_partials",
    "merge_reads",
]


Rows = RowSet | Lines


def merge_reads(
    connection: sa.Connection, parents: Rows, children: Sequence[Rows] = ()
) -> dict[str, MergeCounts]:
    """Merge complete reads: parents with all their columns and all their children.

    A parent applies when its (updated_at, observed_at) is not older than the row's; its children
    then apply with it, and those of a pruned table that it no longer has are marked deleted.
    Children carry their owner's Shopify id and the `observed_at` of the read that brought them.
    Reads that passed satisfy what the refresh queue held for them. To be called in a transaction
    (`Database.transaction`), as often as wanted; the counts are keyed by table.

    Raises:
        UnfitRowsError: values that their columns cannot hold, all of them; nothing was written.
        ValueError: a row set has a wrong shape.
    """
    if "updated_at" not in parents.columns:
        raise ValueError(f"{parents.table.name}: a complete read carries updated_at")
    return _merge(connection, Write.READ, parents, children)


def merge_partials(
    connection: sa.Connection, parents: RowSet, children: Sequence[RowSet] = ()
) -> dict[str, MergeCounts]:
    """Merge what webhooks carry: some columns of some rows, and some of their children.

    A row that is absent is inserted. Else, with `updated_at` among the columns, it applies only
    when that is strictly newer than the row's (or the row has none). A shape without `updated_at`
    is for events that have none (a purchasing summary, tags, consent): it applies when its
    `observed_at` is later than the row's. Columns that are not carried, `complete_at` and
    `deleted_at` stay as they are; no child is pruned.

    Raises:
        UnfitRowsError: values that their columns cannot hold, all of them; nothing was written.
        ValueError: a row set has a wrong shape.
    """
    write = Write.BODY if "updated_at" in parents.columns else Write.EVENT
    return _merge(connection, write, parents, children)


def _merge(
    connection: sa.Connection, write: Write, parents: Rows, children: Sequence[Rows]
) -> dict[str, MergeCounts]:
    for child in children:
        if child.table.owner is None or child.table.owner.parent != parents.table.name:
            raise ValueError(f"{child.table.name} is no child of {parents.table.name}")
    stages, counts = _fitted([parents, *children])
    parent, *rest = stages
    many = sum(len(stage.rows) for stage in stages) >= MANY_ROWS
    if many and write.is_whole and (copied := copy_new(connection, parent, rest)):
        return {table: counts[table] + found for table, found in copied.items()}
    if any(stage.rows for stage in stages):
        bring(connection, stages, passed_table(parent.table))
    if not parent.rows:
        return {
            stage.table.name: counts[stage.table.name] + MergeCounts(stale=stage.distinct)
            for stage in stages
        }
    statements = parent_statements(parent.table, parent.shape, write)
    found = dict(tuple(row) for row in connection.execute(statements.merge))
    merged = MergeCounts(**found)
    counts[parent.table.name] += merged
    for stage in rest:
        below = child_statements(stage.table, stage.shape, write, parent.table)
        counts[stage.table.name] += _merge_children(connection, stage, below, statements, merged)
    if write.is_whole:
        refresh_queue.satisfy(connection, parent.table.entity, passed_table(parent.table))
    return counts


def _fitted(row_sets: Sequence[Rows]) -> tuple[list[Stage], dict[str, MergeCounts]]:
    """Make all rows fit; return them with the counts of their tables, so far."""
    stages: list[Stage] = []
    counts: dict[str, MergeCounts] = {}
    unfit: list[UnfitValue] = []
    for row_set in row_sets:
        cleaned = 0
        if isinstance(row_set, RowSet):
            try:
                rows, cleaned = fitting(row_set.table, row_set.shape, row_set.listed())
            except UnfitRowsError as error:
                unfit.extend(error.values)
                continue
            row_set = lines_of(row_set, rows)  # noqa: PLW2901
        stages.append(Stage(row_set))
        counts[row_set.table.name] = MergeCounts(cleaned=cleaned)
    if unfit:
        raise UnfitRowsError(unfit)
    return stages, counts


def _merge_children(
    connection: sa.Connection,
    stage: Stage,
    statements: ChildStatements,
    parent: ParentStatements,
    parents: MergeCounts,
) -> MergeCounts:
    write = statements.write
    inserted = updated = unchanged = deleted = 0
    settled = parents.inserted + parents.updated
    if write.is_whole and parents.unchanged:
        owners, unchanged = connection.execute(statements.busy).one()
        if owners:
            connection.execute(parent.lock, {"owners": owners})
            connection.execute(parent.settle, {"owners": owners})
            settled += len(owners)
    if settled:
        if stage.rows:
            inserted, updated, same = connection.execute(statements.merge).one()
            unchanged += same
        if write.is_whole and stage.table.prune:
            deleted = connection.execute(statements.prune).rowcount
    return MergeCounts(
        inserted=inserted,
        updated=updated,
        unchanged=unchanged,
        stale=stage.distinct - inserted - updated - unchanged,
        deleted=deleted,
    )
