"""A run whose heart has stopped fails so that Dagster retries it; one that lives is left alone."""

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.test_utils import create_run_for_test

from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.sensors import dead_runs
from shopify_pipeline.warehouse import heartbeats

ORDERS = dg.AssetKey(["shopify", "orders"])


def started(instance: dg.DagsterInstance, *, asset: dg.AssetKey = ORDERS) -> dg.DagsterRun:
    run: dg.DagsterRun = create_run_for_test(
        instance, job_name="__ASSET_JOB", asset_selection=frozenset({asset})
    )
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_STARTING.value, run.job_name), run.run_id
    )
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name), run.run_id
    )
    return run


def beat(shopify: ShopifyPipeline, run: dg.DagsterRun, *, seconds_ago: float) -> None:
    with shopify.database() as database, database.transaction() as connection:
        heartbeats.beat(connection, run.run_id, what="run")
        connection.execute(
            sa.text(
                "UPDATE shopify_internal.heartbeats "
                "SET beaten_at = clock_timestamp() - make_interval(secs => :ago) WHERE run_id = :id"
            ),
            {"ago": seconds_ago, "id": run.run_id},
        )


def look(shopify: ShopifyPipeline, instance: dg.DagsterInstance) -> str:
    with dg.build_sensor_context(instance=instance, resources={"shopify": shopify}) as context:
        return str(dead_runs.evaluate_tick(context).skip_message)


def status(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    now = instance.get_run_by_id(run.run_id)
    assert now is not None
    return now.status


def test_a_stopped_heart_fails_the_run_for_a_retry(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    run = started(instance)
    beat(shopify, run, seconds_ago=61)
    instance.event_log_storage.initialize_concurrency_limit_to_default("shopify_admin_api")
    claimed = instance.event_log_storage.claim_concurrency_slot(
        "shopify_admin_api", run.run_id, "pull_orders"
    )
    assert claimed.is_claimed
    assert look(shopify, instance) == "1 of 1 runs were dead."
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE
    failed = instance.get_run_by_id(run.run_id)
    assert failed is not None
    assert failed.tags["dagster/will_retry"] == "true"
    slots = instance.event_log_storage.get_concurrency_info("shopify_admin_api")
    assert slots.active_slot_count == 0
    assert look(shopify, instance) == "No run is going on."


def test_a_beating_heart_is_left_alone(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    run = started(instance)
    beat(shopify, run, seconds_ago=30)
    assert look(shopify, instance) == "0 of 1 runs were dead."
    assert status(instance, run) is dg.DagsterRunStatus.STARTED


def test_a_run_that_has_not_beaten_yet_gets_its_time(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(instance)
    assert look(shopify, instance) == "0 of 1 runs were dead."
    monkeypatch.setattr("shopify_pipeline.orchestration.sensors.FIRST_BEAT_WITHIN_SECONDS", -1)
    assert look(shopify, instance) == "1 of 1 runs were dead."
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE


def test_a_run_of_somebody_elses_needs_no_heart(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopify_pipeline.orchestration.sensors.FIRST_BEAT_WITHIN_SECONDS", -1)
    run = started(instance, asset=dg.AssetKey("theirs"))
    assert look(shopify, instance) == "0 of 1 runs were dead."
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
