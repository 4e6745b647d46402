"""What the hourly schedule asks for: today, the gap after downtime, nothing before the load."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.orchestration.jobs import hourly_job
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.schedules import shopify_hourly_schedule
from shopify_pipeline.warehouse import checkpoints

NOON = datetime(2026, 6, 10, 12, 5, tzinfo=UTC)
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"


def read_until(shopify: ShopifyPipeline, **until: datetime) -> None:
    """Set checkpoints as a load that read so far would."""
    with shopify.database() as database, database.transaction() as connection:
        for entity, moment in until.items():
            checkpoints.advance(
                connection,
                entity,
                start=datetime(2026, 1, 1, tzinfo=UTC),
                end=moment,
                read_at=moment + timedelta(hours=1),
                lag=timedelta(minutes=2),
            )


def all_read_until(shopify: ShopifyPipeline, moment: datetime) -> None:
    read_until(shopify, **{root.name: moment for root in ROOTS})


def tick(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance, at: datetime
) -> dg.RunRequest | str:
    """Evaluate the schedule; returns its request, or why it skips."""
    with dg.build_schedule_context(
        instance=instance, scheduled_execution_time=at, resources={"shopify": shopify}
    ) as context:
        evaluated = shopify_hourly_schedule.evaluate_tick(context)
    if evaluated.run_requests:
        [request] = evaluated.run_requests
        return request
    return str(evaluated.skip_message)


def asked(request: dg.RunRequest | str) -> tuple[str, str]:
    """First and last day of a request."""
    assert isinstance(request, dg.RunRequest)
    if (day := request.tags.get("dagster/partition")) is not None:
        return day, day
    return request.tags[RANGE_START], request.tags[RANGE_END]


def test_before_the_first_load_it_skips_and_says_why(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    assert "first load is due" in str(tick(shopify, instance, NOON))
    read_until(shopify, products=NOON)
    assert "first load is due" in str(tick(shopify, instance, NOON))


def test_it_asks_for_today_and_to_resume(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    all_read_until(shopify, NOON - timedelta(hours=1))
    request = tick(shopify, instance, NOON)
    assert asked(request) == ("2026-06-10", "2026-06-10")
    assert isinstance(request, dg.RunRequest)
    ops = request.run_config["ops"]
    assert set(ops) == {f"pull_{root.name}" for root in ROOTS}
    assert all(op["config"]["resume_from_checkpoint"] is True for op in ops.values())


@pytest.mark.parametrize("minutes", [0, 5, 9])
def test_nothing_falls_into_the_hole_at_midnight(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance, minutes: int
) -> None:
    midnight = datetime(2026, 6, 10, tzinfo=UTC)
    all_read_until(shopify, midnight + timedelta(minutes=minutes))
    assert asked(tick(shopify, instance, midnight + timedelta(minutes=65))) == (
        "2026-06-09",
        "2026-06-10",
    )


def test_the_oldest_checkpoint_decides(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    all_read_until(shopify, NOON)
    read_until(shopify, orders=NOON + timedelta(days=2))
    at = NOON + timedelta(days=3)
    assert asked(tick(shopify, instance, at)) == ("2026-06-10", "2026-06-13")


def test_after_downtime_one_run_covers_the_gap(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    all_read_until(shopify, NOON - timedelta(days=5))
    assert asked(tick(shopify, instance, NOON)) == ("2026-06-05", "2026-06-10")


def test_a_long_gap_is_closed_oldest_first(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    all_read_until(shopify, datetime(2026, 1, 20, 12, tzinfo=UTC))
    first, last = asked(tick(shopify, instance, NOON))
    assert (first, last) == ("2026-01-20", "2026-02-19")


def test_it_waits_for_the_last_run(shopify: ShopifyPipeline, instance: dg.DagsterInstance) -> None:
    all_read_until(shopify, NOON)
    run = create_run_for_test(
        instance, job_name=hourly_job.name, status=dg.DagsterRunStatus.STARTED
    )
    assert "still going on" in str(tick(shopify, instance, NOON + timedelta(hours=1)))
    instance.report_run_failed(run)
    assert isinstance(tick(shopify, instance, NOON + timedelta(hours=1)), dg.RunRequest)
