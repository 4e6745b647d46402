"""Runs of the pull assets through Dagster: what they write, say, and mark as materialized."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest

from shopify_pipeline.admin_api import check_access
from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.orchestration import assets
from shopify_pipeline.orchestration.assets import PullConfig, pull_assets, pull_name, refresh_queue
from shopify_pipeline.orchestration.partitions import daily_partitions, range_tags
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import asset_key
from shopify_pipeline.sync import context, window_read
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore
from shopify_pipeline_tests.truth import truth

TODAY = datetime.now(UTC).date()
FIRST = TODAY - timedelta(days=30)
DAYS = daily_partitions(FIRST)
PULLS = pull_assets(DAYS)


def joined(store: SimulatedStore, database_url: str) -> ShopifyPipeline:
    """The resource between a simulated store and a database."""
    return ShopifyPipeline(
        shopify_shop=store.shop,
        shopify_api_version="2026-10",
        shopify_api_url=store.url,
        shopify_access_token=TOKEN,
        database_url=database_url,
    )


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first day is the same for every test."""
    monkeypatch.setenv("SHOPIFY_START_DATE", FIRST.isoformat())


@pytest.fixture
def pipeline(store: SimulatedStore, database_url: str) -> ShopifyPipeline:
    """The resource between the shared store and a database of the test's own."""
    return joined(store, database_url)


def run(
    instance: dg.DagsterInstance,
    pipeline: ShopifyPipeline,
    days: Sequence[date],
    *,
    resume: bool = False,
    steps: Sequence[dg.AssetsDefinition] = PULLS,
) -> dg.ExecuteInProcessResult:
    """One run over a range of days, as a backfill or the schedule makes it."""
    config = PullConfig(resume_from_checkpoint=resume)
    return dg.materialize(
        steps,
        instance=instance,
        resources={"shopify": pipeline},
        tags=range_tags(days),
        run_config=dg.RunConfig(
            ops={pull_name(r): config for r in ROOTS} if steps is PULLS else {},
            loggers={"console": {"config": {"log_level": "CRITICAL"}}},
        ),
        raise_on_error=False,
    )


def up_to_today(first: date = FIRST) -> list[date]:
    return [first + timedelta(days=n) for n in range((TODAY - first).days + 1)]


def events(instance: dg.DagsterInstance, entity: str) -> list[tuple[str, dict[str, Any]]]:
    """Partition and metadata of each materialization of an asset."""
    records = instance.fetch_materializations(asset_key(ENTITIES[entity]), limit=5_000).records
    return [
        (str(record.partition_key), dict(record.asset_materialization.metadata))
        for record in records
        if record.asset_materialization is not None
    ]


def counts(url: str) -> dict[str, int]:
    with psycopg.connect(url) as connection:
        found = {}
        for name, entity in ENTITIES.items():
            row = connection.execute(f"SELECT count(*) FROM {entity.table_name}").fetchone()
            assert row is not None
            found[name] = int(row[0])
        return found


def test_a_backfill_is_one_run_with_one_event_a_day(
    instance: dg.DagsterInstance, pipeline: ShopifyPipeline, database_url: str
) -> None:
    days = up_to_today()
    assert run(instance, pipeline, days).success
    rows = counts(database_url)
    assert rows["orders"] > 10
    for name in ENTITIES:
        found = events(instance, name)
        assert sorted(day for day, _ in found) == [day.isoformat() for day in days]
        # The run's figures stand with its last day, not with each of them.
        figures = {day: metadata for day, metadata in found if "rows_inserted" in metadata}
        assert set(figures) == {TODAY.isoformat()}
        latest = figures[TODAY.isoformat()]
        assert latest["rows_inserted"].value == rows[name]
        assert latest["dagster/row_count"].value == rows[name]
        assert {"rows_updated", "rows_unchanged", "rows_stale", "rows_deleted"} <= set(latest)
        assert {"window_start", "window_end", "checkpoint", "preview"} <= set(latest)
        assert latest["api_calls"].value > 0
        assert latest["api_points"].value > 0


@pytest.mark.parametrize("resume", [True, False])
def test_todays_run_reads_to_shopifys_now_when_its_clock_is_ahead(
    instance: dg.DagsterInstance,
    new_store: SimulatedStore,
    database_url: str,
    resume: bool,
) -> None:
    pipeline = joined(new_store, database_url)
    assert run(instance, pipeline, up_to_today()).success
    new_store.control("clock", {"advance": 3 * 86_400})
    began = new_store.control("state", method="GET")["clock"]
    new_store.control("mass-edit", {"kind": "orders", "count": 40})
    new_store.control("clock", {"advance": 60})
    assert run(instance, pipeline, [TODAY], resume=resume).success
    edited = {
        int(node["legacyResourceId"]): datetime.fromisoformat(node["updatedAt"])
        for node in truth(new_store.url, ENTITIES["orders"])
        if node["updatedAt"] >= began
    }
    with psycopg.connect(database_url) as connection:
        query = "SELECT shopify_order_id, updated_at FROM shopify_orders WHERE updated_at >= %s"
        assert dict(connection.execute(query, [began]).fetchall()) == edited
    assert len(edited) == 40
    assert {day for day, _ in events(instance, "orders")} == {d.isoformat() for d in up_to_today()}


def test_a_run_checks_the_access_once_for_all_its_steps(
    instance: dg.DagsterInstance, pipeline: ShopifyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def noted(*given: Any, **named: Any) -> Any:
        opened.append("access")
        return check_access(*given, **named)

    monkeypatch.setattr(context, check_access.__name__, noted)
    for _ in range(2):
        assert run(instance, pipeline, [TODAY]).success
    assert len(opened) == 2


def test_the_hourly_run_reads_from_the_checkpoint_and_finds_nothing(
    instance: dg.DagsterInstance, pipeline: ShopifyPipeline, store: SimulatedStore
) -> None:
    assert run(instance, pipeline, up_to_today()).success
    store.forget_stats()
    assert run(instance, pipeline, [TODAY], resume=True).success
    for entity in ROOTS:
        _, figures = events(instance, entity.name)[0]
        assert figures["rows_inserted"].value == figures["rows_updated"].value == 0
        assert figures["api_calls"].value <= 5
        window = figures["window_end"].value - figures["window_start"].value
        assert window < 3_600


def test_a_day_of_the_ui_reads_its_whole_window(
    instance: dg.DagsterInstance, pipeline: ShopifyPipeline
) -> None:
    assert run(instance, pipeline, up_to_today()).success
    yesterday = TODAY - timedelta(days=1)
    assert run(instance, pipeline, [yesterday]).success
    partition, figures = events(instance, "orders")[0]
    assert partition == yesterday.isoformat()
    start, end = (figures[f"window_{at}"].value for at in ("start", "end"))
    assert (start, end) == (
        datetime.combine(yesterday, datetime.min.time(), UTC).timestamp(),
        datetime.combine(TODAY, datetime.min.time(), UTC).timestamp(),
    )


def test_nothing_that_is_told_holds_a_secret_or_personal_data(
    instance: dg.DagsterInstance, pipeline: ShopifyPipeline, database_url: str
) -> None:
    result = run(instance, pipeline, up_to_today())
    told = "\n".join(dg.serialize_value(entry) for entry in instance.all_logs(result.run_id)) + str(
        instance.get_run_by_id(result.run_id)
    )
    assert "shopify/orders" in told or "orders" in told
    assert TOKEN not in told
    with psycopg.connect(database_url) as connection:
        personal = connection.execute(
            "SELECT email, phone, first_name, last_name FROM shopify_customers "
            "UNION ALL SELECT email, phone, NULL, NULL FROM shopify_orders"
        ).fetchall()
    values = {value for row in personal for value in row if value and len(value) > 5}
    assert len(values) > 10
    assert [value for value in values if value in told] == []


def test_days_read_before_a_failure_are_materialized(
    instance: dg.DagsterInstance,
    pipeline: ShopifyPipeline,
    store: SimulatedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(window_read, "CHUNK", 10)
    store.fault("401", match="Pull_orders", skip=2, count=20)
    try:
        assert not run(instance, pipeline, up_to_today()).success
    finally:
        store.control("faults", method="DELETE")
    done = sorted(day for day, _ in events(instance, "orders"))
    assert 1 < len(done) < len(up_to_today())
    assert done == [day.isoformat() for day in up_to_today()][: len(done)]
    assert done == sorted(day for day, _ in events(instance, "order_items"))
    assert len(events(instance, "customers")) == len(up_to_today())
    failed = instance.get_status_by_partition(
        asset_key(ENTITIES["orders"]), [d.isoformat() for d in up_to_today()], DAYS
    )
    assert failed is not None
    states = {str(state.value) for key, state in failed.items() if key not in done and state}
    assert states == {"FAILED"}


def test_what_points_to_a_record_of_the_queue_leads_to_it_when_the_queue_is_drained(
    instance: dg.DagsterInstance, pipeline: ShopifyPipeline, database_url: str
) -> None:
    assert run(instance, pipeline, up_to_today()).success
    unlinked = (
        "SELECT count(*) FROM shopify_orders"
        " WHERE shopify_customer_id IS NOT NULL AND customer_id IS NULL"
    )
    with psycopg.connect(database_url) as connection:
        lost = (
            "SELECT shopify_customer_id FROM shopify_orders WHERE customer_id IS NOT NULL LIMIT 1"
        )
        customer = connection.execute(lost).fetchone()
        connection.execute(
            "UPDATE shopify_orders SET customer_id = NULL WHERE shopify_customer_id = %s", customer
        )
        connection.execute("DELETE FROM shopify_customers WHERE shopify_customer_id = %s", customer)
        connection.execute(
            "INSERT INTO shopify_internal.refresh_queue (entity, shopify_id, reason, queued_at)"
            " SELECT 'customers', %s, 'test', now() - interval '1 hour'",
            customer,
        )
    assert run(instance, pipeline, [TODAY], steps=[refresh_queue]).success
    with psycopg.connect(database_url) as connection:
        assert connection.execute(unlinked).fetchone() == (0,)


def test_what_only_a_person_can_mend_fails_at_once_and_says_so(
    instance: dg.DagsterInstance, pipeline: ShopifyPipeline, store: SimulatedStore
) -> None:
    store.control("settings", {"scopes": ["read_products", "read_customers"]})
    try:
        result = run(instance, pipeline, [TODAY], steps=[refresh_queue])
    finally:
        store.control(
            "settings",
            {"scopes": ["read_products", "read_customers", "read_orders", "read_all_orders"]},
        )
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data is not None
    assert "read_orders" in str(data.description)


def test_the_database_refusing_tells_no_values(
    instance: dg.DagsterInstance,
    pipeline: ShopifyPipeline,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "ALTER TABLE shopify_customers ADD CONSTRAINT never CHECK (email IS NULL) NOT VALID"
        )
    # Without the step's retries, for which it would wait a minute.
    monkeypatch.setattr(assets, "RETRIES", dg.RetryPolicy(max_retries=0))
    result = run(instance, pipeline, up_to_today(), steps=assets.pull_assets(DAYS))
    assert not result.success
    told = "\n".join(dg.serialize_value(entry) for entry in instance.all_logs(result.run_id))
    assert "never" in told
    assert "@example" not in told
