"""Jobs: what is run together."""

import dagster as dg

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.orchestration.assets import REFRESH_QUEUE
from shopify_pipeline.orchestration.checks_tables import DAILY as DAILY_CHECKS
from shopify_pipeline.orchestration.checks_tables import HOURLY as HOURLY_CHECKS
from shopify_pipeline.orchestration.profile_links import LINKS
from shopify_pipeline.orchestration.specs import asset_key

MAX_RUNTIME_SECONDS = 6 * 3600

HOURLY = (
    dg.AssetSelection.assets(
        *(asset_key(member) for root in ROOTS for member in root.family), REFRESH_QUEUE, LINKS
    )
    | dg.AssetSelection.checks(*HOURLY_CHECKS)
) - dg.AssetSelection.checks(*DAILY_CHECKS)
"""What the hourly run does: pulls first, then what builds on them."""

hourly_job = dg.define_asset_job(
    "shopify_hourly",
    selection=HOURLY,
    description=(
        "Brings every table to what the store is now: reads what changed since the checkpoints, "
        "then works off the refresh queue, checks the tables, and links customers to "
        "profiles."
    ),
    tags={"dagster/max_runtime": str(MAX_RUNTIME_SECONDS)},
)
