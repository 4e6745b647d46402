"""The freshness checks on a schedule of their own: a stopped hourly run can't tell of itself."""

import dagster as dg

from shopify_pipeline.orchestration.checks_tables import HOURLY

FRESHNESS_CHECKS = [key for key in HOURLY if key.name == "freshness"]

freshness_job = dg.define_asset_job(
    "shopify_freshness",
    selection=dg.AssetSelection.checks(*FRESHNESS_CHECKS),
    description=(
        "Compares the checkpoints with the store's clock, whether or not the hourly run runs."
    ),
)

freshness_schedule = dg.ScheduleDefinition(
    name="shopify_freshness_schedule",
    job=freshness_job,
    cron_schedule="50 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Late in the hour, when the hourly run should long have ended.",
)
