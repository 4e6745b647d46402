"""Dagster's storage takes any Postgres URL, whatever SQLAlchemy makes of its scheme."""

from collections.abc import Iterator

import dagster as dg
import pytest

from shopify_pipeline.orchestration.storage import EventLog, psycopg2_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_scheme_leads_to_the_driver_that_dagster_needs(scheme: str) -> None:
    rest = "user:p%40ss@host:6543/dagster?options=-csearch_path%3Ddagster"
    assert psycopg2_url(f"{scheme}://{rest}") == f"postgresql+psycopg2://{rest}"


def test_an_event_survives_the_way_through_a_plain_url(instance: dg.DagsterInstance) -> None:
    event = dg.AssetMaterialization("orders", partition="2026-01-01", metadata={"rows": 3})
    instance.report_runless_asset_event(event)
    [record] = instance.fetch_materializations(dg.AssetKey("orders"), limit=1).records
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["rows"].value == 3


def test_the_instance_holds_what_the_pipeline_relies_on(instance: dg.DagsterInstance) -> None:
    assert instance.run_retries_enabled
    assert not instance.run_retries_retry_on_asset_or_op_failure
    assert instance.run_monitoring_enabled
    assert instance.global_op_concurrency_default_limit == 2
    assert instance.get_concurrency_config().run_queue_config is not None


def test_a_run_over_many_days_is_planned_in_few_statements(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = dg.StaticPartitionsDefinition([f"2026-01-{n:02}" for n in range(1, 32)])

    @dg.multi_asset(
        specs=[dg.AssetSpec("one"), dg.AssetSpec("two")],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def both() -> Iterator[dg.MaterializeResult[None]]:
        yield dg.MaterializeResult("one")
        yield dg.MaterializeResult("two")

    alone: list[str] = []
    store_event = EventLog.store_event

    def noted(self: EventLog, event: dg.EventLogEntry) -> None:
        alone.append(str(event.dagster_event_type))
        store_event(self, event)

    monkeypatch.setattr(EventLog, "store_event", noted)
    ends = {
        "dagster/asset_partition_range_start": "2026-01-01",
        "dagster/asset_partition_range_end": "2026-01-31",
    }
    planned = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    run = dg.materialize([both], instance=instance, tags=ends)
    assert str(planned) not in alone
    records = instance.get_records_for_run(run.run_id, of_type=planned).records
    assert len(records) == 62
    for name in ("one", "two"):
        status = instance.get_status_by_partition(
            dg.AssetKey(name), days.get_partition_keys(), days
        )
        assert status is not None
        assert {one.value for one in status.values() if one} == {"MATERIALIZED"}
        assert instance.has_asset_key(dg.AssetKey(name))
