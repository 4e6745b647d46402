"""The hourly schedule, which asks for every day that is due and so closes any gap by itself."""

import dagster as dg

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.orchestration.assets import PullConfig, pull_name
from shopify_pipeline.orchestration.jobs import hourly_job
from shopify_pipeline.orchestration.partitions import range_tags
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.sync.context import OVERLAP
from shopify_pipeline.sync.schedule import due_days
from shopify_pipeline.warehouse import checkpoints

IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]

FIRST_LOAD_IS_DUE = (
    "The first load is due: materialize all days once (`shopify-pipeline run` does)."
)


@dg.schedule(
    job=hourly_job,
    cron_schedule="5 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=(
        "Reads what changed since the checkpoints. After downtime one run covers the days missed, "
        "at most 31, oldest first; the next goes on."
    ),
)
def shopify_hourly_schedule(
    context: dg.ScheduleEvaluationContext, shopify: ShopifyPipeline
) -> dg.RunRequest | dg.SkipReason:
    """Ask for the days from the oldest checkpoint's to today's."""
    now = context.scheduled_execution_time
    with shopify.database() as database, database.transaction() as connection:
        found = [checkpoints.read(connection, root.name) for root in ROOTS]
    days = due_days(found, now, first_day=shopify.settings().shopify_start_date, overlap=OVERLAP)
    if days is None:
        return dg.SkipReason(FIRST_LOAD_IS_DUE)
    going_on = context.instance.get_run_records(
        dg.RunsFilter(job_name=hourly_job.name, statuses=IN_PROGRESS), limit=1
    )
    if going_on:
        return dg.SkipReason("The last hourly run is still going on; the next one starts after it.")
    resume = PullConfig(resume_from_checkpoint=True)
    return dg.RunRequest(
        run_key=f"{now:%Y-%m-%dT%H:%M}",
        run_config=dg.RunConfig(ops={pull_name(root): resume for root in ROOTS}),
        tags={**range_tags(days), "shopify/days": f"{days[0]} … {days[-1]}"},
    )
