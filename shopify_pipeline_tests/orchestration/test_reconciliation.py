"""The daily job reconciles, reports what it did, and checks every row; re-reading is a job too."""

import re
from datetime import UTC, datetime

import dagster as dg
import psycopg
import pytest

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.orchestration.checks_tables import DAILY, TABLE_CHECKS
from shopify_pipeline.orchestration.reconciliation import (
    RECONCILIATION,
    daily_job,
    reconciliation,
    shopify_daily_schedule,
)
from shopify_pipeline.orchestration.reread import reread_created_job
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import ADMIN_API, asset_key
from shopify_pipeline.sync.context import open_sync
from shopify_pipeline_tests.orchestration.test_checks import resource_on
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.sync.conftest import pull_all, settings_for
from shopify_pipeline_tests.truth import differences


@pytest.fixture
def pulled(new_store: SimulatedStore, database_url: str) -> str:
    """URL of a database that equals the store."""
    new_store.control("clock", {"advance": 3600})
    with open_sync(settings_for(new_store, database_url), application_name="tests") as sync:
        pull_all(sync)
    return database_url


@pytest.fixture
def shopify(
    new_store: SimulatedStore, pulled: str, monkeypatch: pytest.MonkeyPatch
) -> ShopifyPipeline:
    monkeypatch.setenv("SHOPIFY_START_DATE", "2015-01-01")
    return resource_on(new_store, pulled)


def definitions(shopify: ShopifyPipeline) -> dg.Definitions:
    specs = [dg.AssetSpec(asset_key(entity)) for entity in ENTITIES.values()]
    return dg.Definitions(
        assets=[ADMIN_API, *specs, reconciliation],
        asset_checks=TABLE_CHECKS,
        jobs=[daily_job, reread_created_job],
        schedules=[shopify_daily_schedule],
        resources={"shopify": shopify},
        executor=dg.in_process_executor,
    )


def damage(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE shopify_customers SET orders_count = orders_count + 1")
        connection.execute("INSERT INTO shopify_orders (shopify_order_id) VALUES (5)")
        connection.execute(
            "UPDATE shopify_orders SET total_price = total_price + 1 WHERE shopify_order_id ="
            " (SELECT min(shopify_order_id) FROM shopify_orders WHERE total_price > 0"
            " AND NOT edited AND currency = presentment_currency)"
        )


def test_the_daily_job_repairs_reports_and_then_checks_every_row(
    shopify: ShopifyPipeline,
    new_store: SimulatedStore,
    pulled: str,
    instance: dg.DagsterInstance,
) -> None:
    damage(pulled)
    job = definitions(shopify).resolve_job_def(daily_job.name)
    done = job.execute_in_process(instance=instance)
    assert done.success
    assert differences(new_store.url, pulled) == []
    [event] = [e for e in done.get_asset_materialization_events() if e.asset_key == RECONCILIATION]
    metadata = event.materialization.metadata
    figures = {name: metadata[name].value for name in ("found", "repaired", "left")}
    assert figures == {"found": 62, "repaired": 62, "left": 0}
    report = str(metadata["report"].value)
    for words in ("Shopify changes it without updated_at", "drifted", "extra", "money: orders"):
        assert words in report
    evaluations = done.get_asset_check_evaluations()
    assert len(evaluations) == len(DAILY) + 1
    assert "nothing_is_left" in {evaluation.check_name for evaluation in evaluations}
    assert all(evaluation.passed for evaluation in evaluations)


def test_what_cannot_be_repaired_fails_a_check_that_names_it(
    shopify: ShopifyPipeline, pulled: str, instance: dg.DagsterInstance
) -> None:
    with psycopg.connect(pulled) as connection:
        connection.execute(
            "UPDATE shopify_customers SET orders_count = 99 WHERE shopify_customer_id ="
            " (SELECT min(shopify_customer_id) FROM shopify_customers)"
        )
        connection.execute(
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RETURN NULL; END $$"
        )
        connection.execute(
            "CREATE TRIGGER keep BEFORE UPDATE ON shopify_customers FOR EACH ROW"
            " WHEN (old.orders_count = 99) EXECUTE FUNCTION keep()"
        )
    job = definitions(shopify).resolve_job_def(daily_job.name)
    done = job.execute_in_process(instance=instance, asset_selection=[RECONCILIATION])
    [check] = [e for e in done.get_asset_check_evaluations() if e.check_name == "nothing_is_left"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.metadata["left"].value == 1
    [query] = re.findall(r"```sql\n(.*?)\n```", str(check.metadata["see_more"].value), re.DOTALL)
    with psycopg.connect(pulled) as connection:
        rows = connection.execute(query).fetchall()
    assert [row[0] for row in rows] == ["customers"]
    assert str(rows[0][1]) in str(check.metadata)


def test_an_entity_that_cannot_be_read_fails_the_run_after_the_others_were_reconciled(
    shopify: ShopifyPipeline,
    new_store: SimulatedStore,
    pulled: str,
    instance: dg.DagsterInstance,
) -> None:
    damage(pulled)
    new_store.fault(
        "access_denied", count=9, match="Sweep_customers", field="Customer.numberOfOrders"
    )
    job = definitions(shopify).resolve_job_def(daily_job.name)
    done = job.execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=[RECONCILIATION]
    )
    assert not done.success
    with psycopg.connect(pulled) as connection:
        rows = connection.execute(
            "SELECT entity FROM shopify_internal.reconciliations WHERE ended_at IS NOT NULL"
            " AND found > 0"
        ).fetchall()
        deleted = connection.execute(
            "SELECT count(*) FROM shopify_customers WHERE deleted_at IS NOT NULL"
        ).fetchone()
    assert {row[0] for row in rows} == {"orders"}
    assert deleted == (0,)


def test_the_schedule_asks_for_it_once_a_day() -> None:
    at = datetime(2026, 11, 22, 3, 40, tzinfo=UTC)
    with dg.build_schedule_context(scheduled_execution_time=at) as context:
        tick = shopify_daily_schedule.evaluate_tick(context)
    assert tick.run_requests is not None
    assert [request.run_key for request in tick.run_requests] == ["2026-11-22"]


def reread(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance, **config: object
) -> dg.ExecuteInProcessResult:
    job = definitions(shopify).resolve_job_def(reread_created_job.name)
    return job.execute_in_process(
        instance=instance,
        run_config={"ops": {"read_created_again": {"config": config}}},
        raise_on_error=False,
    )


def test_rereading_observes_the_assets_and_turns_no_partition_green(
    shopify: ShopifyPipeline,
    new_store: SimulatedStore,
    pulled: str,
    instance: dg.DagsterInstance,
) -> None:
    with psycopg.connect(pulled) as connection:
        connection.execute("UPDATE shopify_orders SET total_price = 0")
        connection.execute("UPDATE shopify_products SET title = 'kept'")
    done = reread(
        shopify, instance, first_day="2015-01-01", last_day="2027-12-31", entities=["orders"]
    )
    assert done.success
    observed = done.get_asset_observation_events()
    assert {event.asset_key for event in observed} == {
        asset_key(ENTITIES["orders"]),
        asset_key(ENTITIES["order_items"]),
    }
    assert done.get_asset_materialization_events() == []
    assert {line.split()[0] for line in differences(new_store.url, pulled)} == {"products"}


@pytest.mark.parametrize(
    "config",
    [
        {"first_day": "2026-31-01", "last_day": "2026-01-31"},
        {"first_day": "2026-02-01", "last_day": "2026-01-31"},
        {"first_day": "2026-01-01", "last_day": "2026-01-31", "entities": ["order_items"]},
    ],
)
def test_rereading_refuses_what_it_cannot_mean(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance, config: dict[str, object]
) -> None:
    assert not reread(shopify, instance, **config).success
