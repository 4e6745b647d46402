"""Jobs and schedules of webhooks: emptying the inbox where no worker does, and the checks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import sqlalchemy as sa
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.webhook_assets import WEBHOOK_INBOX, webhook_checks
from shopify_pipeline.profiles.linking import IN_PROGRESS, link_lately
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.shop import check_domain
from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline.webhooks.letters import backlog
from shopify_pipeline.webhooks.retention import prune
from shopify_pipeline.webhooks.worker import drain

DRAIN_SECONDS = 300
LINK_SECONDS = 60
REFRESH_LIMIT = 2_000


@dg.op(
    description=(
        "Bring the webhooks that wait to their tables and link their customers, as a worker does."
    )
)
def empty_webhook_inbox(context: dg.OpExecutionContext, shopify: ShopifyPipeline) -> None:
    """Empty the inbox, for five minutes at most; the next run goes on."""
    settings = shopify.settings()
    with shopify.database() as database:
        with database.transaction() as connection:
            check_domain(connection, settings.shopify_shop)
        batches = Batches(
            database=database,
            omit=settings.shopify_omit_columns,
            max_attempts=settings.webhook_max_attempts,
        )
        with _linking(context, database, LinkOptions.from_settings(settings)):
            report = drain(database, batches, seconds=DRAIN_SECONDS)
    context.log.info(
        "%d webhooks done, %d skipped, %d failed.", report.done, report.skipped, report.failed
    )


@dg.op(
    ins={"after": dg.In(dg.Nothing)},
    pool="shopify_admin_api",
    description="Read again from the API what the webhooks were about.",
)
def complete_webhook_rows(context: dg.OpExecutionContext, shopify: ShopifyPipeline) -> None:
    """Drain the refresh queue within the API's budget; the hourly run does the rest."""
    options = LinkOptions.from_settings(shopify.settings())
    with shopify.open() as sync, _linking(context, sync.database, options):
        report = drain_refresh_queue(sync, limit=REFRESH_LIMIT, leave=0.3)
    context.log.info(
        "%d rows completed, %d found deleted, %d left for later.",
        report.refreshed,
        report.deleted,
        report.unsettled,
    )


@dg.op(description="Remove bodies and entries that were kept long enough.")
def prune_webhook_inbox(context: dg.OpExecutionContext, shopify: ShopifyPipeline) -> None:
    """Prune as a worker does."""
    settings = shopify.settings()
    with shopify.database() as database:
        emptied = prune(
            database,
            body_days=settings.webhook_body_days,
            ledger_days=settings.webhook_ledger_days,
        )
    context.log.info("Bodies of %d days were removed.", len(emptied))


@dg.job(description="Removes webhooks that were kept long enough, where no worker runs.")
def prune_webhooks() -> None:
    """Prune the inbox."""
    prune_webhook_inbox()


@dg.schedule(
    job=prune_webhooks,
    cron_schedule="50 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Once an hour, unless a worker runs: it prunes by itself.",
)
def prune_webhooks_hourly(shopify: ShopifyPipeline) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run where no worker does it."""
    with shopify.database() as database:
        workers = backlog(database).workers
    return dg.SkipReason(f"{workers} workers run.") if workers else dg.RunRequest()


@contextmanager
def _linking(
    context: dg.OpExecutionContext, database: Database, options: LinkOptions
) -> Iterator[None]:
    """Link to profiles, at the end, the customers that were written meanwhile."""
    with database.transaction() as connection:
        since = connection.execute(sa.select(sa.func.now())).scalar_one()
    yield
    until = time.monotonic() + LINK_SECONDS

    def in_time() -> bool:
        return time.monotonic() < until

    report = link_lately(database, options, since=since, going_on=in_time)
    while report.problem == IN_PROGRESS and in_time():
        # It may have looked at the customers before these were written.
        time.sleep(1)
        report = link_lately(database, options, since=since, going_on=in_time)
    if report.problem:
        context.log.info("Customers wait for the hourly linking: %s.", report.problem)
    else:
        context.log.info("%d customers judged, %d linked.", report.judged, report.linked)


@dg.job(description="Empties the inbox of webhooks where no worker runs.")
def empty_webhooks() -> None:
    """Empty the inbox, then complete the rows."""
    complete_webhook_rows(empty_webhook_inbox())


webhook_checks_job = dg.define_asset_job(
    "webhook_checks_job",
    selection=dg.AssetSelection.checks(webhook_checks),
    description="Checks the inbox of webhooks and the store's subscriptions.",
)

webhook_checks_schedule = dg.ScheduleDefinition(
    name="webhook_checks_hourly",
    job=webhook_checks_job,
    cron_schedule="35 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Once an hour; the sensor `webhook_activity` reports the inbox's state sooner.",
)

WEBHOOK_ASSETS = [WEBHOOK_INBOX]
WEBHOOK_CHECKS = [webhook_checks]
WEBHOOK_JOBS: list[dg.JobDefinition | UnresolvedAssetJobDefinition] = [
    empty_webhooks,
    prune_webhooks,
    webhook_checks_job,
]
WEBHOOK_SCHEDULES = [webhook_checks_schedule, prune_webhooks_hourly]
