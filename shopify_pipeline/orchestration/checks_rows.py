"""Checks of what is in the tables, by Postgres alone."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.entities import ENTITIES, Entity
from shopify_pipeline.entities.row import Known
from shopify_pipeline.orchestration.checks_bench import Bench, Check
from shopify_pipeline.orchestration.checks_results import Judgement, spoken
from shopify_pipeline.sync.reconcile_suspects import (
    FREE_TIMES,
    HALF_WAY,
    rarely_childless,
    required,
    tally,
)
from shopify_pipeline.warehouse import checkpoints
from shopify_pipeline.warehouse.checks import catalog, families, nulls, rows, structure
from shopify_pipeline.warehouse.checks.offenders import SHOWN

HOUR = timedelta(hours=1)
LATE = timedelta(minutes=100)
TOO_LATE = timedelta(hours=3)

SEE_CHECKPOINTS = (
    "SELECT entity, checkpoint, now() - checkpoint AS behind"
    " FROM shopify_internal.checkpoints ORDER BY checkpoint;"
)


def whole(tools: Bench, entity: Entity) -> Judgement:
    """Warn of rows not whole for an hour, fail at three."""
    found = Judgement()
    late = tools.find(rows.not_whole(entity.table, before=tools.now - TOO_LATE))
    found.offenders("rows not whole for 3 hours", late, error=True)
    waiting = tools.find(rows.not_whole(entity.table, before=tools.now - HOUR))
    found.numbers["rows not whole for an hour"] = waiting.number
    if waiting and not late:
        found.offenders("rows not whole for an hour", waiting, error=False)
    return found


def links(tools: Bench, entity: Entity) -> Judgement:
    """Fail on links that lead astray; warn of parents missing for an hour, fail after a day."""
    found = Judgement()
    astray = rows.wrong_links(entity.table, tools.since(entity))
    if astray is not None:
        found.offenders("links to the wrong row", tools.find(astray), error=True)
    if not tools.whole:
        _unresolved(tools, entity, found)
    return found


def _unresolved(tools: Bench, entity: Entity, found: Judgement) -> None:
    # On the database's clock: synced_at is.
    with tools.database.transaction() as connection:
        now = connection.execute(sa.select(sa.func.now())).scalar_one()
    old = rows.unresolved(entity.table, before=now - timedelta(days=1))
    young = rows.unresolved(entity.table, before=now - HOUR)
    if old is None or young is None:
        return
    forgotten = tools.find(old)
    found.offenders("parents missing for a day", forgotten, error=True)
    waiting = tools.find(young)
    found.numbers["parents missing for an hour"] = waiting.number
    if waiting and not forgotten:
        found.offenders("parents missing for an hour", waiting, error=False)


def unique_keys(tools: Bench, entity: Entity) -> Judgement:
    """Fail on a Shopify id in two rows, or without the index that forbids it."""
    found = Judgement()
    with tools.database.transaction() as connection:
        unguarded = structure.without_unique_index(connection, entity.table)
    for column in unguarded:
        found.wrong(f"no valid unique index on {column}", error=True)
    if unguarded or tools.whole:
        repeated = tools.find(rows.duplicates(entity.table, tools.since(entity)))
        found.offenders("Shopify ids in several rows", repeated, error=True)
    return found


def children(tools: Bench, entity: Entity) -> Judgement:
    """Fail on owners whose children are missing or more than they say."""
    found = Judgement()
    since = tools.since(entity)
    for child in entity.children:
        none = families.childless(entity.table, child.table, since, unless=rarely_childless(entity))
        what = f"{entity.name} without {child.name}"
        found.offenders(what, tools.find(none), error=True)
        if (total := tally(entity, child)) is not None:
            other = families.miscounted(
                entity.table, child.table, since, total=total, before=tools.now - HALF_WAY
            )
            what = f"{entity.name} with another number of {child.name} than Shopify says"
            found.offenders(what, tools.find(other), error=True)
    return found


def timestamps(tools: Bench, entity: Entity) -> Judgement:
    """Fail on rows changed before they were made, and on times in the future."""
    found = Judgement()
    query = rows.disordered(entity.table, tools.since(entity), now=tools.now, free=FREE_TIMES)
    found.offenders("rows whose times cannot be", tools.find(query), error=True)
    return found


def status_words(tools: Bench, entity: Entity) -> Judgement:
    """Warn of words of Shopify's enumerations that are new."""
    found = Judgement()
    query = rows.unknown_words(entity.table, tools.since(entity), known_words(entity))
    if query is not None:
        found.offenders("unknown words", tools.find(query), error=False)
    return found


def known_words(entity: Entity) -> dict[str, frozenset[str]]:
    """The known words of each column that holds one of an enumeration."""
    return {
        name: mark.words
        for name in entity.row.model_fields
        for mark in entity.row.marks(name, Known)
    }


def empty_values(tools: Bench, entity: Entity) -> Judgement:
    """Fail on values missing that Shopify always gives; warn where columns got emptier."""
    found = Judgement()
    since = tools.since(entity)
    names = [
        name
        for name in required(entity)
        if f"{entity.name}.{name}" not in tools.settings.shopify_omit_columns
    ]
    query = rows.empty_values(entity.table, since, names)
    if query is not None:
        found.offenders("rows without a value that is always there", tools.find(query), error=True)
    if not tools.whole:
        with tools.database.transaction() as connection:
            rates = nulls.measure(connection, entity.table, since, day=tools.now.date())
        odd = [rate for rate in rates if rate.is_odd]
        found.numbers["rows measured"] = rates[0].checked if rates else 0
        found.numbers["columns emptier than before"] = len(odd)
        if odd:
            shown: list[dict[str, Any]] = [
                {
                    "column": rate.column,
                    "empty": f"{rate.rate:.1%}",
                    "before": f"{rate.rate_before:.1%}",
                    "rows": rate.checked,
                }
                for rate in odd
            ]
            what = f"columns emptier than in the {nulls.HISTORY.days} days before: {len(odd)}"
            found.wrong(what, shown, number=len(odd), error=False)
    return found


def freshness(tools: Bench, entity: Entity) -> Judgement:
    """Warn when the checkpoint is 100 minutes behind the store's clock, fail at 3 hours."""
    found = Judgement()
    root = ENTITIES[entity.owner.entity] if entity.owner else entity
    with tools.database.transaction() as connection:
        checkpoint = checkpoints.read(connection, root.name)
    if checkpoint is None:
        found.sql.append(SEE_CHECKPOINTS)
        found.wrong("the first load is due", [{"entity": root.name}], error=False)
        return found
    behind = tools.now - checkpoint
    found.sql.append(SEE_CHECKPOINTS)
    found.numbers["seconds behind"] = round(behind.total_seconds())
    found.remark(f"read completely to {checkpoint:%Y-%m-%d %H:%M:%S} UTC")
    if behind > LATE:
        shown = {"entity": root.name, "read_completely_to": checkpoint, "behind": spoken(behind)}
        found.wrong(f"{spoken(behind)} behind the store", [shown], error=behind > TOO_LATE)
    return found


def schema(tools: Bench, entity: Entity) -> Judgement:
    """Fail where table and model or migrations differ; warn of migrations not applied."""
    found = Judgement()
    with tools.database.transaction() as connection:
        drift = structure.drift(connection, entity.table)
        unapplied = structure.unapplied(connection)
        differences = catalog.differences(connection)
    for line in drift:
        found.wrong(line, error=True)
    for line in unapplied:
        found.wrong(line, error=False)
    name = f"public.{entity.table_name}"
    # Its columns were compared with the model.
    others = [d for d in differences if d.relation == name and not d.object.startswith("column ")]
    _differing(found, others, error=not unapplied)
    return found


def other_schema(tools: Bench, _: Entity) -> Judgement:
    """Fail where views, internal tables and functions are not those of the migrations."""
    found = Judgement()
    tables = {f"public.{entity.table_name}" for entity in ENTITIES.values()}
    with tools.database.transaction() as connection:
        unapplied = structure.unapplied(connection)
        differences = catalog.differences(connection)
    found.numbers["migrations not applied"] = len(unapplied)
    _differing(found, [d for d in differences if d.relation not in tables], error=not unapplied)
    return found


def _differing(found: Judgement, differences: list[catalog.Difference], *, error: bool) -> None:
    """What the files that are not applied will make may be missing until they are."""
    for one in differences[:SHOWN]:
        found.wrong(str(one), error=error)
    if (rest := len(differences) - SHOWN) > 0:
        found.wrong(f"and {rest} more", number=rest, error=error)
    if differences:
        found.tables.append(("objects that differ", [vars(one) for one in differences[:SHOWN]]))


def _is_root(entity: Entity) -> bool:
    return entity.owner is None


def _has_links(entity: Entity) -> bool:
    return bool(entity.table.all_links)


def _has_children(entity: Entity) -> bool:
    return bool(entity.children)


def _has_words(entity: Entity) -> bool:
    return bool(known_words(entity))


ROW_CHECKS: tuple[Check, ...] = (
    Check(
        name="schema",
        looks_for=(
            "Columns, types and keys are those of the models, indexes and constraints those that "
            "the migrations make, and all of these are applied."
        ),
        evaluate=schema,
    ),
    Check(
        name="unique_keys",
        looks_for="Every Shopify id stands in one row, and the database guards it.",
        evaluate=unique_keys,
        # Linking customers of which there are two would link one person twice.
        blocking=lambda entity: entity.name == "customers",
    ),
    Check(
        name="whole",
        looks_for="Every row has had a complete read of its version within an hour (3: an error).",
        evaluate=whole,
        of=_is_root,
    ),
    Check(
        name="links",
        looks_for=(
            "Foreign keys lead to the row whose Shopify id stands beside them; parents that have "
            "no row are not missing for more than an hour (a day: an error)."
        ),
        evaluate=links,
        of=_has_links,
    ),
    Check(
        name="children",
        looks_for="No order without lines, no product without as many variants as it says.",
        evaluate=children,
        of=_has_children,
    ),
    Check(
        name="timestamps",
        looks_for="Nothing was changed before it was made, or in the future.",
        evaluate=timestamps,
    ),
    Check(
        name="status_words",
        looks_for="Shopify's words are known; a new one is stored, and worth a look.",
        evaluate=status_words,
        of=_has_words,
    ),
    Check(
        name="empty_values",
        looks_for=(
            "What Shopify always gives is there, and no column is emptier than in the four weeks "
            "before."
        ),
        evaluate=empty_values,
    ),
    Check(
        name="freshness",
        looks_for="The checkpoint is not over 100 minutes behind the store (3 hours: an error).",
        evaluate=freshness,
    ),
)
"""Those of every hour; those in `WHOLE_TABLE` look at all rows once a day."""

OTHER_SCHEMA = Check(
    name="schema_of_the_rest",
    looks_for=(
        "The views, and the pipeline's own tables, indexes, constraints and functions, are those "
        "that the migrations make. What others added is left to them."
    ),
    evaluate=other_schema,
)
"""Of no table of the store."""

WHOLE_TABLE = ("unique_keys", "links", "children", "timestamps", "status_words", "empty_values")
