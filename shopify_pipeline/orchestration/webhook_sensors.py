"""Sensors of webhooks: what came by webhook, seen in the UI, and an inbox that nobody empties."""

import json
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import asset_key
from shopify_pipeline.orchestration.webhook_assets import inbox_results
from shopify_pipeline.orchestration.webhook_jobs import empty_webhooks
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks.letters import backlog
from shopify_pipeline.webhooks.statements import STATEMENTS

UNATTENDED_SECONDS = 15
"""Age of the oldest webhook from which an inbox without a worker is emptied by a run."""

GOING_ON = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    job=empty_webhooks,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches a run that empties the inbox of webhooks where no worker does.",
)
def webhook_backlog(
    context: dg.SensorEvaluationContext, shopify: ShopifyPipeline
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run if webhooks wait and no worker gives a sign of life."""
    with shopify.database() as database:
        now = backlog(database)
    state = (
        f"{now.pending} webhooks wait, the oldest for {now.oldest_seconds or 0:.0f} s; "
        f"{now.dead} are dead; {now.workers} workers."
    )
    if now.workers or (now.oldest_seconds or 0) < UNATTENDED_SECONDS:
        return dg.SkipReason(state)
    going_on = context.instance.get_run_records(
        dg.RunsFilter(job_name=empty_webhooks.name, statuses=GOING_ON), limit=1
    )
    if going_on:
        return dg.SkipReason(f"{state} A run is emptying the inbox.")
    context.log.info(state)
    return dg.RunRequest(run_key=f"{int(time.time()) // UNATTENDED_SECONDS}")


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Reports what webhooks wrote as observations, one a minute and table at most, and the "
        "inbox's checks when they change."
    ),
)
def webhook_activity(
    context: dg.SensorEvaluationContext, shopify: ShopifyPipeline
) -> dg.SensorResult:
    """Turn the lines that workers left into observations, and changed checks into evaluations."""
    with shopify.database() as database:
        observations = list(_observations(database))
        results = list(inbox_results(database))
    known: dict[str, str] = json.loads(context.cursor or "{}")
    states = {
        str(one.check_name): "passed" if one.passed else one.severity.value for one in results
    }
    changed = [one for one in results if known.get(str(one.check_name)) != states[one.check_name]]  # type: ignore[index]
    return dg.SensorResult(
        asset_events=[*observations, *(_evaluation(one) for one in changed)],
        cursor=json.dumps(states),
        skip_reason=None if observations or changed else dg.SkipReason("Nothing came by webhook."),
    )


def _observations(database: Database) -> Iterator[dg.AssetObservation]:
    """Claim the lines that were not reported yet; what is claimed and then lost is only unseen."""
    with database.transaction() as connection:
        lines = connection.exec_driver_sql(STATEMENTS["claim_activity"]).mappings().all()
    keys = {entity.table_name: asset_key(entity) for entity in ENTITIES.values()}
    for line in lines:
        if (key := keys.get(line["relation"])) is not None:
            yield dg.AssetObservation(
                asset_key=key,
                description="Written by webhooks; each row is then completed from the API.",
                metadata=_metadata(dict(line)),
            )


def _metadata(line: dict[str, Any]) -> dict[str, Any]:
    counts = ("deliveries", "inserted", "updated", "unchanged", "stale", "deleted")
    return {
        "source": "webhooks",
        **{f"rows_{name}" if name != "deliveries" else "webhooks": line[name] for name in counts},
        "slowest_seconds": float(line["slowest_seconds"] or 0),
        "from": dg.MetadataValue.timestamp(line["first_at"]),
        "to": dg.MetadataValue.timestamp(line["last_at"]),
    }


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    assert result.asset_key is not None  # noqa: S101 - every result of ours names its check
    assert result.check_name is not None  # noqa: S101
    return dg.AssetCheckEvaluation(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )


WEBHOOK_SENSORS = [webhook_backlog, webhook_activity]
