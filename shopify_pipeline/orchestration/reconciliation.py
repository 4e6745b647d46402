"""The daily reconciliation as an asset, its job with the checks of whole tables, its schedule."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from shopify_pipeline.admin_api import AdminApiError
from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.orchestration.checks_results import Judgement
from shopify_pipeline.orchestration.checks_tables import DAILY
from shopify_pipeline.orchestration.failures import RETRIES, explained
from shopify_pipeline.orchestration.metadata import markdown
from shopify_pipeline.orchestration.reread import BACKGROUND_POOL
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import OPERATIONS, OWNERS, asset_key
from shopify_pipeline.sync.reconcile import Report, reconcile
from shopify_pipeline.sync.window_read import ShortfallError

RECONCILIATION = dg.AssetKey(["shopify", "reconciliation"])

MAX_RUNTIME_SECONDS = 12 * 3600

DAILY_FRESHNESS = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=26), fail_window=timedelta(hours=50)
)
"""It runs once a day, and may take hours; two days without it are an alarm."""

NOTHING_IS_LEFT = dg.AssetCheckSpec(
    "nothing_is_left",
    asset=RECONCILIATION,
    description="All that was found to differ from the store was repaired.",
)


class ReconciliationConfig(dg.Config):
    """How far the reconciliation goes."""

    sweep: bool = Field(
        default=True,
        description=(
            "List the ids and versions of everything: finds also what changed and what makes up "
            "for each other in a count. Off, only windows whose counts differ are listed."
        ),
    )
    accept_narrower_scopes: bool = Field(
        default=False,
        description="Take for deleted what a narrower set of scopes no longer shows.",
    )


@dg.asset(
    key=RECONCILIATION,
    description=(
        "Compares every table with the store, by counts and by ids, has what differs read again, "
        "and marks what is gone. The reports are kept in `shopify_internal.reconciliations`, row "
        "by row in `shopify_internal.divergences`, for 90 days."
    ),
    deps=[asset_key(entity) for entity in ENTITIES.values()],
    check_specs=[NOTHING_IS_LEFT],
    group_name=OPERATIONS,
    owners=OWNERS,
    kinds={"shopify", "postgres"},
    pool=BACKGROUND_POOL,
    freshness_policy=DAILY_FRESHNESS,
    retry_policy=RETRIES,
)
def reconciliation(
    context: dg.AssetExecutionContext, config: ReconciliationConfig, shopify: ShopifyPipeline
) -> Iterator[dg.MaterializeResult[None]]:
    """Reconcile every entity with its children; one that fails doesn't keep the others from it."""
    reports: list[Report] = []
    failures: list[AdminApiError | ShortfallError] = []
    with explained(), shopify.open() as sync:
        before = sync.api.stats
        for root in ROOTS:
            try:
                reports.append(
                    reconcile(
                        sync,
                        root,
                        with_sweep=config.sweep,
                        accept_narrower_scopes=config.accept_narrower_scopes,
                        on_progress=context.log.info,
                    )
                )
            except (AdminApiError, ShortfallError) as error:
                context.log.error("%s: %s", root.name, error)  # noqa: TRY400 - it is raised below
                failures.append(error)
        spent = sync.api.stats - before
        if failures:
            raise failures[0]
    yield dg.MaterializeResult(
        asset_key=RECONCILIATION,
        metadata={
            "report": dg.MetadataValue.md(report_text(reports)),
            **figures(reports),
            "api_calls": spent.calls,
            "api_points": float(spent.points),
        },
        check_results=[nothing_is_left(reports)],
    )


def nothing_is_left(reports: list[Report]) -> dg.AssetCheckResult:
    """Fail on divergences that could not be repaired; say which, and how to see them all."""
    found = Judgement()
    found.numbers["left"] = left = sum(report.left for report in reports)
    if left:
        first = [dict(row) for report in reports for row in report.left_over]
        found.wrong(f"differ from the store still: {left}", first, number=left, error=True)
        ids = ", ".join(f"'{report.id}'" for report in reports)
        found.sql.append(
            "SELECT entity, shopify_id, kind, detail, cause, found_at"  # noqa: S608 - our own ids
            f" FROM shopify_internal.divergences WHERE reconciliation IN ({ids})"
            " AND outcome = 'left' ORDER BY entity, shopify_id;"
        )
    return found.result(RECONCILIATION, NOTHING_IS_LEFT.name)


def figures(reports: list[Report]) -> dict[str, int]:
    """What plots: checked, found, repaired, left, over all entities."""
    return {
        "found": sum(report.found for report in reports),
        "repaired": sum(report.repaired for report in reports),
        "left": sum(report.left for report in reports),
        "was_right": sum(report.was_right for report in reports),
        "windows_compared": sum(report.windows_compared for report in reports),
        "windows_differing": sum(len(report.windows_differing) for report in reports),
        "ids_swept": sum(report.ids_swept for report in reports),
    }


def report_text(reports: list[Report]) -> str:
    """The reports as Markdown: what was checked, found, repaired and left, and how it arose."""
    checked = [
        {
            "entity": report.entity,
            "Shopify": report.counted_by_shopify,
            "here": report.counted_here,
            "windows": report.windows_compared,
            "differing": len(report.windows_differing),
            "ids listed": report.ids_swept,
            "by": report.swept_by or "windows",
            "found": report.found,
            "repaired": report.repaired,
            "left": report.left,
            "looked at again, was right": report.was_right,
        }
        for report in reports
    ]
    found = [
        {"entity": entity, "what": kind, "outcome": outcome, "rows": number, "how it arose": cause}
        for report in reports
        for entity, kind, cause, outcome, number in report.summary
    ]
    windows = [
        {
            "entity": report.entity,
            "created from": f"{one.window.start:%Y-%m-%d %H:%M}",
            "until": f"{one.window.end:%Y-%m-%d %H:%M}",
            "Shopify": one.theirs,
            "here": one.ours,
        }
        for report in reports
        for one in report.windows_differing[:20]
    ]
    left = [dict(row) for report in reports for row in report.left_over]
    parts = [
        ("Checked", checked),
        ("Found, and what became of it", found),
        ("Windows of creation whose counts differed", windows),
        ("Left", left),
    ]
    notes = [f"- {report.entity}: {note}" for report in reports for note in report.notes]
    text = [f"## {title}\n\n{_table(rows)}" for title, rows in parts if rows]
    return "\n\n".join([*text, *(["## Notes\n\n" + "\n".join(notes)] if notes else [])])


def _table(rows: list[dict[str, Any]]) -> str:
    return markdown(rows, columns=list(rows[0]))


daily_job = dg.define_asset_job(
    "shopify_daily",
    selection=dg.AssetSelection.assets(RECONCILIATION) | dg.AssetSelection.checks(*DAILY),
    description="Reconciles the tables with the store, then checks every row of them.",
    tags={"dagster/max_runtime": str(MAX_RUNTIME_SECONDS)},
)


@dg.schedule(
    job=daily_job,
    cron_schedule="40 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reconciles once a day, when few are buying in most of the world.",
)
def shopify_daily_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the reconciliation."""
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d}")
