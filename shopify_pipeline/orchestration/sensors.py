"""Finds runs whose process died, which Dagster's default launcher doesn't notice."""

import time

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason

from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.warehouse import heartbeats

DEAD_AFTER_SECONDS = 60
"""Six beats missed."""

FORGOTTEN_AFTER_SECONDS = 7 * 24 * 3600

FIRST_BEAT_WITHIN_SECONDS = 150
"""A run that started has its resources, and so a heart, long before."""


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Fails runs whose process died (no sign of life for a minute), frees their slots and "
        "leaves them to Dagster's run retries."
    ),
)
def dead_runs(context: dg.SensorEvaluationContext, shopify: ShopifyPipeline) -> dg.SkipReason:
    """Fail every started run of ours whose heart has stopped."""
    started = context.instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    )
    if not started:
        return dg.SkipReason("No run is going on.")
    with shopify.database() as database, database.transaction() as connection:
        silent = heartbeats.silence(connection)
        heartbeats.forget(connection, silent_for_seconds=FORGOTTEN_AFTER_SECONDS)
    found = 0
    for record in started:
        run = record.dagster_run
        if run.run_id in silent:
            seconds = silent[run.run_id]
            is_dead = seconds > DEAD_AFTER_SECONDS
        else:
            seconds = time.time() - (record.start_time or time.time())
            is_dead = seconds > FIRST_BEAT_WITHIN_SECONDS and _has_a_heart(run)
        if is_dead:
            bury(context.instance, run, seconds=seconds)
            context.log.warning("Run %s died: no sign of life for %.0f s.", run.run_id, seconds)
            found += 1
    return dg.SkipReason(f"{found} of {len(started)} runs were dead.")


def bury(instance: dg.DagsterInstance, run: dg.DagsterRun, *, seconds: float) -> None:
    """Mark a run as failed and free what it held.

    The reason is none that Dagster ascribes to a step, so that `run_retries` runs it again, from
    the steps that had not succeeded.
    """
    current = instance.get_run_by_id(run.run_id)
    if current is None or current.is_finished:
        return
    instance.report_run_failed(
        current,
        f"The run's process died: no sign of life for {seconds:.0f} s. Its slots were freed. What "
        "it had committed stays; Dagster retries the rest.",
        JobFailureData(error=None, failure_reason=RunFailureReason.RUN_EXCEPTION),
    )
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _has_a_heart(run: dg.DagsterRun) -> bool:
    """Whether the run holds the resource that beats: it has one of our assets."""
    if run.asset_selection is None:
        return run.job_name == "shopify_hourly"
    return any(key.path[0] == "shopify" for key in run.asset_selection)
