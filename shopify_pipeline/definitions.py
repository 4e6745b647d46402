"""What Dagster runs: the one `Definitions` of this code location."""

import warnings

import dagster as dg

from shopify_pipeline.orchestration.alerts.sensor import alerts
from shopify_pipeline.orchestration.assets import pull_assets, refresh_queue
from shopify_pipeline.orchestration.checks_tables import TABLE_CHECKS
from shopify_pipeline.orchestration.freshness import freshness_job, freshness_schedule
from shopify_pipeline.orchestration.jobs import hourly_job
from shopify_pipeline.orchestration.partitions import daily_partitions
from shopify_pipeline.orchestration.profile_links import (
    PROFILE_ASSETS,
    PROFILE_JOBS,
    PROFILE_SCHEDULES,
)
from shopify_pipeline.orchestration.reconciliation import (
    daily_job,
    reconciliation,
    shopify_daily_schedule,
)
from shopify_pipeline.orchestration.reread import reread_created_job
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.schedules import shopify_hourly_schedule
from shopify_pipeline.orchestration.sensors import dead_runs
from shopify_pipeline.orchestration.specs import ADMIN_API
from shopify_pipeline.orchestration.webhook_jobs import (
    WEBHOOK_ASSETS,
    WEBHOOK_CHECKS,
    WEBHOOK_JOBS,
    WEBHOOK_SCHEDULES,
)
from shopify_pipeline.orchestration.webhook_sensors import WEBHOOK_SENSORS
from shopify_pipeline.settings import load_settings

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # code references, backfill policies

settings = load_settings()
days = daily_partitions(settings.shopify_start_date)

defs = dg.Definitions(
    assets=[
        ADMIN_API,
        *WEBHOOK_ASSETS,
        *pull_assets(days),
        refresh_queue,
        reconciliation,
        *PROFILE_ASSETS,
    ],
    asset_checks=[*TABLE_CHECKS, *WEBHOOK_CHECKS],
    jobs=[
        hourly_job,
        daily_job,
        freshness_job,
        reread_created_job,
        *WEBHOOK_JOBS,
        *PROFILE_JOBS,
    ],
    schedules=[
        shopify_hourly_schedule,
        shopify_daily_schedule,
        freshness_schedule,
        *WEBHOOK_SCHEDULES,
        *PROFILE_SCHEDULES,
    ],
    sensors=[dead_runs, alerts, *WEBHOOK_SENSORS],
    resources={"shopify": ShopifyPipeline.from_settings(settings)},
    # A step's own process would cost two seconds; backfills from the UI ignore a job's executor.
    executor=dg.in_process_executor,
)
