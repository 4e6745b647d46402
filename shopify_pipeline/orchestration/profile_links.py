"""Profile linking as assets: the links with their checks, and profiles for the unmatched."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import sqlalchemy as sa

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.orchestration.checks_results import Judgement
from shopify_pipeline.orchestration.failures import RETRIES, explained
from shopify_pipeline.orchestration.metadata import table
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import FRESHNESS, OWNERS, asset_key
from shopify_pipeline.profiles import review
from shopify_pipeline.profiles.creation import create_profiles
from shopify_pipeline.profiles.linking import link
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.warehouse.checks.offenders import find, written
from shopify_pipeline.warehouse.database import Database

GROUP = "profiles"
LINKS = dg.AssetKey(["profiles", "customer_links"])
CREATED = dg.AssetKey(["profiles", "created_profiles"])
SHOWN = 20

_STANDING = ("links", "customers", "profiles", "conflicts", "candidates")

UNIFIED_PROFILES = dg.AssetSpec(
    ["platform", "unified_profiles"],
    description="The people that the platform knows. Belongs to the platform; read, never changed.",
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    tags={"domain": "people", "personal_data": "true"},
    metadata={"dagster/table_name": "public.unified_profiles"},
)

READABLE = "profiles_can_be_read_whole"
CHECKS = (
    dg.AssetCheckSpec(
        READABLE,
        asset=LINKS,
        description=(
            "unified_profiles is neither empty, nor filtered, nor shrunk at one stroke. While it "
            "fails, no link is released."
        ),
    ),
    dg.AssetCheckSpec(
        "no_conflicts",
        asset=LINKS,
        description="No customer matches several profiles equally well; a person has to decide.",
    ),
)


class LinkConfig(dg.Config):
    """How much is compared."""

    whole: bool = False
    """Compare every customer and profile again, as one run a day does by itself."""


@dg.asset(
    key=LINKS,
    description=(
        "Which customer is which profile: by exact e-mail, by the mailbox that an address reaches, "
        "by phone. Judges what changed on either side since the last run, and writes "
        "`shopify_customers.unified_profile_id`. Decisions: `shopify-pipeline profiles review`."
    ),
    deps=[asset_key(ENTITIES["customers"]), UNIFIED_PROFILES.key],
    check_specs=CHECKS,
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    tags={"domain": "people", "personal_data": "true"},
    freshness_policy=FRESHNESS,
    retry_policy=RETRIES,
    metadata={"dagster/table_name": "shopify_internal.profile_links"},
)
def customer_links(
    context: dg.AssetExecutionContext, config: LinkConfig, shopify: ShopifyPipeline
) -> Iterator[dg.MaterializeResult[None]]:
    """Link what changed."""
    with explained(), shopify.database() as database:
        options = LinkOptions.from_settings(shopify.settings())
        report = link(database, options, whole=config.whole)
        with database.transaction() as connection:
            conflicts = review.waiting(connection, "conflicts", limit=SHOWN)
            candidates = review.waiting(connection, "candidates", limit=SHOWN)
            rules = connection.execute(
                sa.text(
                    "SELECT rule, count(*) AS links FROM shopify_internal.profile_links "
                    "GROUP BY rule ORDER BY rule"
                )
            ).all()
        readable = _readable(LINKS, report, database)
    if report.problem:
        context.log.error(report.problem)
    yield dg.MaterializeResult(
        asset_key=LINKS,
        metadata={
            **_figures(report, {f"links_by_{row.rule}": row.links for row in rules}),
            **_listed("near_misses", candidates, review.SEE_CANDIDATES),
        },
        check_results=[readable, _conflicts(report, conflicts)],
    )


@dg.asset(
    key=CREATED,
    description=(
        "Creates a profile for each mailbox of customers that match none: not for conflicts, near "
        "misses, or customers decided about. Needs PROFILES_CREATE, and runs by its own job."
    ),
    deps=[LINKS],
    check_specs=[
        dg.AssetCheckSpec(
            READABLE,
            asset=CREATED,
            description=(
                "unified_profiles is neither empty, nor filtered, nor shrunk at one stroke. While "
                "it fails, no profile is created."
            ),
        )
    ],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    tags={"domain": "people", "personal_data": "true"},
    metadata={"dagster/table_name": "public.unified_profiles"},
)
def created_profiles(
    context: dg.AssetExecutionContext, shopify: ShopifyPipeline
) -> Iterator[dg.MaterializeResult[None]]:
    """Create profiles, if the settings allow it.

    Raises:
        dagster.Failure: PROFILES_CREATE is off.
    """
    settings = shopify.settings()
    if not settings.profiles_create:
        raise dg.Failure("PROFILES_CREATE is off: no profile was created.", allow_retries=False)
    with explained(), shopify.database() as database:
        report = create_profiles(database, LinkOptions.from_settings(settings))
        readable = _readable(CREATED, report.linked, database)
    if report.problem:
        context.log.error(report.problem)
    yield dg.MaterializeResult(
        asset_key=CREATED,
        metadata={"created": report.created, "left": report.left},
        check_results=[readable],
    )


create_profiles_job = dg.define_asset_job(
    "create_profiles",
    selection=dg.AssetSelection.assets(created_profiles),
    description="Creates profiles for customers that match none. Needs PROFILES_CREATE.",
)

create_profiles_schedule = dg.ScheduleDefinition(
    name="create_profiles_hourly",
    job=create_profiles_job,
    cron_schedule="35 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Off unless it is switched on; needs PROFILES_CREATE too.",
)

PROFILE_ASSETS: list[dg.AssetsDefinition | dg.AssetSpec] = [
    UNIFIED_PROFILES,
    customer_links,
    created_profiles,
]
PROFILE_JOBS = [create_profiles_job]
PROFILE_SCHEDULES = [create_profiles_schedule]


def _figures(report: LinkReport, by_rule: dict[str, int]) -> dict[str, Any]:
    """What there is, then what changed; of a run that refused, why and what it saw."""
    said = {**vars(report), "seconds": round(report.seconds, 2)}
    problem, whole = said.pop("problem"), said.pop("whole")
    first = {name: said.pop(name) for name in _STANDING}
    figures = {"links": first.pop("links"), **by_rule, **first, **said}
    if problem:
        figures = {"problem": problem, **{name: n for name, n in figures.items() if n}}
    return {**figures, "compared_whole": whole}


def _readable(asset: dg.AssetKey, report: LinkReport, database: Database) -> dg.AssetCheckResult:
    found = Judgement(numbers={"profiles": report.profiles})
    if report.problem:
        found.wrong(report.problem, error=True)
        _list_lost(found, database)
    elif report.profiles == 0:
        found.wrong("unified_profiles is empty: there is nobody to link to.", error=False)
        found.sql.append(review.SEE_PROFILES)
    else:
        found.remark(f"{report.profiles} profiles were read.")
    return found.result(asset, READABLE)


def _list_lost(found: Judgement, database: Database) -> None:
    """Add the profiles that are lost, where they can be looked for."""
    found.sql.append(written(review.lost_profiles()))
    try:
        with database.transaction() as connection:
            lost = find(connection, review.lost_profiles(), shown=SHOWN)
    except sa.exc.ProgrammingError:  # no table, column or right: what the problem says
        return
    found.numbers["profiles lost"] = lost.number
    if lost:
        found.tables.append(("profiles lost", lost.first))


def _conflicts(report: LinkReport, pairs: Sequence[sa.RowMapping]) -> dg.AssetCheckResult:
    customers = report.conflicts or len({pair["shopify_customer_id"] for pair in pairs})
    matching = f"{customers} customers match" if customers > 1 else "1 customer matches"
    return dg.AssetCheckResult(
        check_name=CHECKS[1].name,
        passed=not pairs,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"{matching} several profiles equally well. Settle them with "
            "`shopify-pipeline profiles review` and `… link`."
            if pairs
            else "No customer matches several profiles."
        ),
        metadata={"customers": customers, **_listed("conflicts", pairs, review.SEE_CONFLICTS)},
    )


def _listed(name: str, pairs: Sequence[sa.RowMapping], see_more: str) -> dict[str, Any]:
    """The first pairs as a table of ids, and how to see the rest."""
    if not pairs:
        return {}
    return {
        name: table({column: pair[column] for column in pair} for pair in pairs[:SHOWN]),
        f"{name}_sql": dg.MetadataValue.md(f"```sql\n{see_more}\n```"),
    }
