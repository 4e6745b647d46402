"""Checks of the tables against the store, and of the access to it."""

from datetime import date, timedelta
from typing import Any

from shopify_pipeline.admin_api import AdminApiError
from shopify_pipeline.entities import ENTITIES, Entity
from shopify_pipeline.orchestration.checks_bench import Bench, Check, UnreachableError
from shopify_pipeline.orchestration.checks_results import Judgement
from shopify_pipeline.sync.reconcile_counts import Compared, comparable, compare, recent
from shopify_pipeline.sync.reconcile_queries import VERSIONS
from shopify_pipeline.sync.reconcile_suspects import tally
from shopify_pipeline.sync.reconcile_tally import newest_miscounted, tallied
from shopify_pipeline.sync.reconcile_truth import differing
from shopify_pipeline.warehouse.checks import families, money
from shopify_pipeline.warehouse.checks.offenders import find
from shopify_pipeline.warehouse.counts import row_count

WINDOWS = (timedelta(days=1), timedelta(days=7))

COUNTED_HOURLY = 1_000_000
"""Larger tables are counted whole by the daily reconciliation alone; windows every hour."""

ASKED = 200
"""Orders that don't add up of which Shopify is asked what it says itself."""

MANY = 0.05
"""A share of orders that can't be explained by duties, fees and rounding."""

SUPPORT_MONTHS_LEFT = 3

UNVERSIONED = "unstable"


def row_counts(tools: Bench, entity: Entity) -> Judgement:
    """Fail where rows are missing; warn where there are more than in the store."""
    if entity.connection is None:
        return _children_counts(tools, entity)
    found = Judgement()
    window = comparable(tools.store, entity)
    if window is None:
        found.wrong("nothing to compare: the first load is due", error=False)
        return found
    with tools.database.transaction() as connection:
        large = row_count(connection, entity.table) > COUNTED_HOURLY
    windows = recent(window, WINDOWS) if large else [*recent(window, WINDOWS), window]
    names = ["last day", "last 7 days", "whole table"]
    counted = compare(tools.store, [(entity, one) for one in windows])
    for name, one in zip(names, counted, strict=False):
        found.numbers[f"{name}: Shopify"] = one.theirs
        found.numbers[f"{name}: here"] = one.ours
        if one.differs:
            _differs(found, name, one)
    differing = [one.window for one in counted if one.differs] or [window]
    found.sql += [
        f"SELECT {entity.key}, created_at, updated_at FROM public.{entity.table_name}"  # noqa: S608
        f" WHERE deleted_at IS NULL AND created_at >= '{one.start}' AND created_at < '{one.end}'"
        f" ORDER BY {entity.key};"
        for one in differing
    ]
    if large:
        found.remark("the whole table is counted by the daily reconciliation")
    return found


def _differs(found: Judgement, name: str, one: Compared) -> None:
    missing = one.theirs - one.ours
    # Which ones, only a sweep of all ids can tell.
    shown = {
        "created_from": one.window.start,
        "created_before": one.window.end,
        "shopify": one.theirs,
        "here": one.ours,
        "see_more": "materialize shopify/reconciliation, which lists the ids and repairs",
    }
    if missing > 0:
        found.wrong(f"{name}: {missing} missing here", [shown], number=missing, error=True)
    else:
        what = f"{name}: {-missing} here that the store no longer has"
        found.wrong(what, [shown], number=-missing, error=False)


def _children_counts(tools: Bench, entity: Entity) -> Judgement:
    """Children have no count of their own: their owners tell how many there are."""
    assert entity.owner is not None  # noqa: S101
    owner = ENTITIES[entity.owner.entity]
    found = Judgement()
    if (total := tally(owner, entity)) is not None:
        with tools.database.transaction() as connection:
            if row_count(connection, entity.table) > COUNTED_HOURLY:
                found.remark("all are counted, by their owners, by the daily children_of_all_rows")
                return found
            theirs, ours = tallied(connection, owner, entity, total)
        found.numbers["Shopify"] = theirs
        found.numbers["here"] = ours
        if theirs != ours:
            query = families.miscounted(
                owner.table, entity.table, None, total=total, before=tools.now
            )
            owners = tools.find(query)
            found.sql.append(owners.sql)
            what = f"{owner.name} have {theirs} by Shopify's word, {ours} are here"
            shown = owners.first or [{"shopify": theirs, "here": ours}]
            found.wrong(what, shown, number=abs(theirs - ours), error=ours < theirs)
        return found
    window = comparable(tools.store, owner)
    if window is None:
        found.wrong("nothing to compare: the first load is due", error=False)
        return found
    asked, rows = newest_miscounted(tools.store, owner, entity, window)
    found.numbers[f"{owner.name} compared"] = asked
    found.remark(f"the newest {asked} {owner.name}; all of them by the daily reconciliation")
    if rows:
        what = f"{owner.name} whose {entity.name} are missing here: {len(rows)}"
        found.wrong(what, rows[:20], number=len(rows), error=True)
        ids = ", ".join(str(row[owner.key]) for row in rows)
        found.sql.append(
            f"SELECT {owner.key}, count(*) FROM public.{entity.table_name}"  # noqa: S608
            f" WHERE deleted_at IS NULL AND {owner.key} IN ({ids}) GROUP BY {owner.key};"
        )
    return found


def order_totals(tools: Bench, entity: Entity) -> Judgement:
    """Fail on orders whose amounts neither add up nor are Shopify's own; say what was exempt."""
    found = Judgement()
    since = tools.since(entity)
    query = money.unbalanced(entity.table, ENTITIES["order_items"].table, since)
    with tools.database.transaction() as connection:
        checked, converted, edited = connection.execute(money.exempt(entity.table, since)).one()
        suspects = find(connection, query, shown=ASKED)
    found.numbers |= {
        "orders checked": checked,
        "exempt: converted": converted,
        "exempt: edited": edited,
        "orders that do not add up": suspects.number,
    }
    found.remark(
        f"{checked} orders checked; not against their lines: {converted} "
        f"({money.EXEMPT['converted']}), {edited} ({money.EXEMPT['edited']})"
    )
    if not suspects:
        return found
    found.sql.append(suspects.sql)
    ids = [row[entity.key] for row in suspects.first]
    try:
        wrong = differing(tools.store, entity, ids)
    except (AdminApiError, UnreachableError):
        what = (
            f"orders that do not add up: {suspects.number}; Shopify could not be asked about them"
        )
        found.wrong(what, suspects.first[:20], number=suspects.number, error=True)
        return found
    shown = [
        {**row, "differs_from_shopify": wrong[row[entity.key]]}
        for row in suspects.first
        if row[entity.key] in wrong
    ]
    explained = len(ids) - len(wrong)
    found.numbers["explained by Shopify's own figures"] = explained
    if shown:
        what = f"orders whose amounts are not Shopify's: {len(shown)}"
        found.wrong(what, shown[:20], number=len(shown), error=True)
    if explained:
        found.remark(
            f"{explained} are as Shopify has them: duties, fees or rounding, which have no column"
        )
    rest = suspects.number - len(shown)
    too_many = suspects.number > ASKED or suspects.number > MANY * max(checked, 20)
    if rest and too_many:
        what = f"orders that do not add up: {rest} more, too many to be duties, fees and rounding"
        found.wrong(what, suspects.first[:20], number=rest, error=True)
    return found


def omitted_columns(tools: Bench, entity: Entity) -> Judgement:
    """Warn as long as columns of the table are left out."""
    found = Judgement()
    omitted = sorted(
        column
        for column in tools.settings.shopify_omit_columns
        if column.partition(".")[0] == entity.name
    )
    found.numbers["columns left out"] = len(omitted)
    for column in omitted:
        found.wrong(f"SHOPIFY_OMIT_COLUMNS: {column} is neither read nor written", error=False)
    return found


def scopes(tools: Bench, _: Entity) -> Judgement:
    """Fail where the app has no access, as by a missing scope; warn of what it does not see."""
    found = Judgement()
    if tools.misconfigured:
        found.wrong(str(tools.failure), error=True)
        return found
    sync = tools.store
    if sync.narrowed:
        found.wrong("the app has lost a scope that it had before", error=False)
    if not sync.access.reads_all_orders:
        found.wrong("without read_all_orders only the last 60 days of orders are seen", error=False)
    found.remark(f"granted: {', '.join(sorted(sync.access.scopes))}")
    return found


def api_version(tools: Bench, _: Entity) -> Judgement:
    """Warn when support of the API version ends within three months, fail when it has ended."""
    found = Judgement()
    api = tools.store.api
    answer = api.execute(VERSIONS)
    versions: list[Any] = answer.data["publicApiVersions"]
    supported = sorted(one["handle"] for one in versions if one["supported"])
    found.remark(f"{api.api_version}; supported: {', '.join(supported)}")
    if api.api_version == UNVERSIONED:
        found.wrong("the unstable version may change any day", error=False)
        return found
    months = months_of_support(api.api_version, tools.now.date())
    found.numbers["months of support left"] = months
    if api.api_version not in supported:
        found.wrong(f"{api.api_version} is not supported: set SHOPIFY_API_VERSION", error=True)
    elif months < SUPPORT_MONTHS_LEFT:
        what = f"support of {api.api_version} ends in {max(months, 0)} months: choose a later one"
        found.wrong(what, error=False)
    return found


def months_of_support(version: str, today: date) -> int:
    """Whole months until a version's support ends: twelve after its release, on the first.

    Source: https://shopify.dev/docs/api/usage/versioning.
    """
    year, month = map(int, version.split("-"))
    return (year + 1 - today.year) * 12 + month - today.month - (today.day > 1)


STORE_CHECKS: tuple[Check, ...] = (
    Check(
        name="row_counts",
        looks_for=(
            "As many living rows as Shopify counts, whole and of the last day and week; up to the "
            "checkpoint less the overlap, so that its index may lag. More here than there is a "
            "warning: deletions that no webhook told, which the daily reconciliation confirms."
        ),
        evaluate=row_counts,
    ),
    Check(
        name="order_totals",
        looks_for=(
            "Lines, discounts, taxes, shipping and tips add up to the totals, to the currency's "
            "smallest unit; an order that doesn't is compared with Shopify's own figures."
        ),
        evaluate=order_totals,
        of=lambda entity: entity.name == "orders",
    ),
    Check(
        name="omitted_columns",
        looks_for="No column is left out by SHOPIFY_OMIT_COLUMNS.",
        evaluate=omitted_columns,
    ),
)

ACCESS_CHECKS: tuple[Check, ...] = (
    Check(
        name="scopes",
        looks_for="The app has the scopes it needs, has lost none, and sees all orders.",
        evaluate=scopes,
    ),
    Check(
        name="api_version",
        looks_for="The API version is supported, and will be for three months.",
        evaluate=api_version,
    ),
)
"""Checks of the store itself, of no table."""
