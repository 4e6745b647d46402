"""Webhooks in Dagster: an unattended inbox is emptied, activity is observed, checks tell."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import asset_key
from shopify_pipeline.orchestration.webhook_assets import WEBHOOK_INBOX, webhook_checks
from shopify_pipeline.orchestration.webhook_jobs import (
    empty_webhook_inbox,
    empty_webhooks,
    prune_webhooks,
    prune_webhooks_hourly,
)
from shopify_pipeline.orchestration.webhook_sensors import webhook_activity, webhook_backlog
from shopify_pipeline.profiles.linking import link
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.webhooks.batch import Batches
from shopify_pipeline_tests.simulated import SimulatedStore
from shopify_pipeline_tests.webhooks.bodies import customer, order
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop

OLD = "UPDATE shopify_internal.webhook_inbox SET received_at = now() - interval '1 hour'"


@pytest.fixture
def pipeline(database_url: str, monkeypatch: pytest.MonkeyPatch) -> ShopifyPipeline:
    """The resource on a migrated database, with a store that nobody answers for."""
    monkeypatch.setenv("SHOPIFY_START_DATE", "2026-01-01")
    return ShopifyPipeline(
        shopify_shop="demo-store",
        shopify_api_version="2026-10",
        shopify_api_url="http://127.0.0.1:9",
        shopify_access_token="shpat_demo",
        database_url=database_url,
    )


def tick(sensor: dg.SensorDefinition, pipeline: ShopifyPipeline, cursor: str | None = None) -> Any:
    """What a sensor says."""
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(
            instance=instance, cursor=cursor, resources={"shopify": pipeline}
        ) as context,
    ):
        return sensor.evaluate_tick(context)


def test_an_inbox_that_nobody_empties_asks_for_a_run(shop: Shop, pipeline: ShopifyPipeline) -> None:
    assert not tick(webhook_backlog, pipeline).run_requests
    shop.deliver("orders/create", order(1, NOW))
    assert not tick(webhook_backlog, pipeline).run_requests
    shop.connection.execute(OLD)
    assert len(tick(webhook_backlog, pipeline).run_requests) == 1
    shop.connection.execute(
        "INSERT INTO shopify_internal.webhook_workers (worker, mode) VALUES ('w', 'listen')"
    )
    skipped = tick(webhook_backlog, pipeline)
    assert not skipped.run_requests
    assert "1 webhooks wait" in str(skipped.skip_message)
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_workers SET beaten_at = now() - interval '1 minute'"
    )
    assert len(tick(webhook_backlog, pipeline).run_requests) == 1


@dg.job
def emptying() -> None:
    empty_webhook_inbox()


def test_a_run_empties_the_inbox(shop: Shop, pipeline: ShopifyPipeline) -> None:
    shop.deliver("orders/create", order(1, NOW))
    assert emptying.execute_in_process(resources={"shopify": pipeline}).success
    assert shop.order(1)["total_price"] is not None


def profile_of(shop: Shop, pipeline: ShopifyPipeline, email: str) -> object:
    """The id of a new profile that a linking run has seen."""
    [profile] = shop.rows("INSERT INTO unified_profiles (email) VALUES (%s) RETURNING id", email)
    with pipeline.database() as database:
        link(database, LinkOptions.from_settings(pipeline.settings()))
    return profile["id"]


def test_a_run_links_the_customers_whose_webhooks_it_brought(
    shop: Shop, pipeline: ShopifyPipeline
) -> None:
    profile = profile_of(shop, pipeline, "Jane@example.com")
    shop.deliver("customers/create", customer(1, NOW, email="jane@example.com"))
    assert emptying.execute_in_process(resources={"shopify": pipeline}).success
    assert shop.customer(1)["unified_profile_id"] == profile


def test_a_run_links_the_customers_that_it_completed(
    database_url: str, shop: Shop, new_store: SimulatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_START_DATE", "2026-01-01")
    pipeline = ShopifyPipeline(
        shopify_shop="demo-store",
        shopify_api_version="2026-10",
        shopify_api_url=new_store.url,
        shopify_access_token="shpat_demo",
        database_url=database_url,
    )
    made = new_store.control("customers", {"email": "jane@example.com"})
    number = int(str(made["id"]).rpartition("/")[2])
    profile = profile_of(shop, pipeline, "jane@example.com")
    shop.connection.execute(
        "INSERT INTO shopify_internal.refresh_queue (entity, shopify_id, reason, queued_at)"
        " VALUES ('customers', %s, 'webhook', now())",
        [number],
    )
    assert empty_webhooks.execute_in_process(resources={"shopify": pipeline}).success
    assert shop.customer(number)["unified_profile_id"] == profile


def test_activity_is_observed_once_and_summed_by_table(
    shop: Shop, batches: Batches, pipeline: ShopifyPipeline
) -> None:
    for number in (1, 2, 3):
        shop.deliver("orders/create", order(number, NOW))
        batches.process_next()
    first = tick(webhook_activity, pipeline)
    observations = [e for e in first.asset_events if isinstance(e, dg.AssetObservation)]
    assert {one.asset_key for one in observations} == {
        asset_key(ENTITIES["orders"]),
        asset_key(ENTITIES["order_items"]),
    }
    (orders,) = [o for o in observations if o.asset_key == asset_key(ENTITIES["orders"])]
    assert orders.metadata["webhooks"].value == 3
    assert orders.metadata["rows_inserted"].value == 3
    second = tick(webhook_activity, pipeline, first.cursor)
    assert not second.asset_events
    assert "@example.com" not in str(first.asset_events)


def test_the_inboxs_checks_are_reported_when_they_change(
    shop: Shop, pipeline: ShopifyPipeline
) -> None:
    first = tick(webhook_activity, pipeline)
    assert all(event.passed for event in first.asset_events)
    shop.deliver("orders/create", order(1, NOW))
    shop.connection.execute(OLD)
    second = tick(webhook_activity, pipeline, first.cursor)
    (changed,) = second.asset_events
    assert (changed.check_name, changed.passed) == ("inbox_is_emptied", False)
    assert changed.severity is dg.AssetCheckSeverity.ERROR
    assert not tick(webhook_activity, pipeline, second.cursor).asset_events


def tables(check: dg.AssetCheckEvaluation) -> list[dict[str, Any]]:
    """The rows of the tables in a check's metadata."""
    values = [v for v in check.metadata.values() if isinstance(v, dg.TableMetadataValue)]
    return [dict(record.data) for value in values for record in value.records]


def see_more(shop: Shop, check: dg.AssetCheckEvaluation) -> list[dict[str, Any]]:
    """What the check's SQL to see more finds, run as it stands."""
    query = str(check.metadata["see_more"].value).removeprefix("```sql\n").removesuffix("\n```")
    return shop.connection.execute(query.encode()).fetchall()


def run_checks(pipeline: ShopifyPipeline) -> dict[str, dg.AssetCheckEvaluation]:
    """Run the checks as a job does."""
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(webhook_checks))
    definitions = dg.Definitions(
        assets=[WEBHOOK_INBOX],
        asset_checks=[webhook_checks],
        jobs=[job],
        resources={"shopify": pipeline},
    )
    result = definitions.resolve_job_def("checks").execute_in_process()
    assert result.success
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def test_checks_tell_of_age_dead_letters_and_an_unreachable_store(
    shop: Shop, batches: Batches, pipeline: ShopifyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = run_checks(pipeline)
    assert all(one.passed for one in fine.values())
    broken = shop.deliver("orders/create", b"{}")
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET state = 'dead', last_error = 'a|b' "
        "WHERE id = %s",
        [broken],
    )
    shop.deliver("orders/create", order(1, NOW))
    shop.connection.execute(OLD)
    found = run_checks(pipeline)
    assert not found["no_dead_deliveries"].passed
    assert found["no_dead_deliveries"].severity is dg.AssetCheckSeverity.WARN
    assert not found["inbox_is_emptied"].passed
    assert [row["id"] for row in tables(found["no_dead_deliveries"])] == [str(broken)]
    assert [row["id"] for row in see_more(shop, found["no_dead_deliveries"])] == [broken]
    [waiting] = tables(found["inbox_is_emptied"])
    assert waiting["topic"] == "orders/create"
    assert [str(row["id"]) for row in see_more(shop, found["inbox_is_emptied"])] == [waiting["id"]]
    assert found["inbox_is_emptied"].metadata["offenders"].value == 1
    assert found["inbox_is_emptied"].metadata["oldest_seconds"].value == pytest.approx(
        timedelta(hours=1).total_seconds(), abs=60
    )


def test_an_unreachable_store_fails_the_check_and_not_the_run(
    database_url: str,
    pipeline: ShopifyPipeline,
    new_store: SimulatedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOPIFY_WEBHOOK_URL", "https://hooks.example.com")
    wrong = ShopifyPipeline(
        shopify_shop="demo-store",
        shopify_api_version="2026-10",
        shopify_api_url=new_store.url,
        shopify_access_token="shpat_wrong",
        database_url=database_url,
    )
    found = run_checks(wrong)["subscriptions_lead_here"]
    assert not found.passed
    assert "could not be asked" in str(found.description)


def test_dropped_subscriptions_are_made_anew_and_told_of_once(
    database_url: str,
    shop: Shop,
    new_store: SimulatedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOPIFY_START_DATE", "2026-01-01")
    monkeypatch.setenv("SHOPIFY_WEBHOOK_URL", "https://hooks.example.com")
    pipeline = ShopifyPipeline(
        shopify_shop="demo-store",
        shopify_api_version="2026-10",
        shopify_api_url=new_store.url,
        shopify_access_token="shpat_demo",
        database_url=database_url,
    )
    first = run_checks(pipeline)["subscriptions_lead_here"]
    assert not first.passed
    assert first.severity is dg.AssetCheckSeverity.WARN
    (notice,) = shop.rows("SELECT * FROM shopify_internal.webhook_notices")
    assert notice["kind"] == "subscriptions_dropped"
    listed = tables(first)
    assert {"topic": "ORDERS_CREATE", "subscription": "was missing", "now": "leads here"} in listed
    assert first.metadata["offenders"].value == len(listed)
    assert "webhooks list" in str(first.description)
    assert run_checks(pipeline)["subscriptions_lead_here"].passed


def test_open_requests_and_a_lost_app_fail_their_checks(
    shop: Shop, batches: Batches, pipeline: ShopifyPipeline
) -> None:
    shop.deliver("customers/data_request", {"customer": {"id": 7}}, at=NOW)
    shop.deliver("app/scopes_update", {"previous": ["read_orders"], "current": []})
    batches.process_next()
    found = run_checks(pipeline)
    assert not found["privacy_requests_are_answered"].passed
    [request] = tables(found["privacy_requests_are_answered"])
    assert (request["customer_id"], request["kind"]) == ("7", "customers/data_request")
    assert len(see_more(shop, found["privacy_requests_are_answered"])) == 1
    assert [row["kind"] for row in see_more(shop, found["app_is_installed"])] == [
        "app_scopes_update"
    ]
    assert not found["app_is_installed"].passed
    assert found["app_is_installed"].severity is dg.AssetCheckSeverity.WARN
    shop.deliver("app/uninstalled", {"id": 1})
    batches.process_next()
    assert run_checks(pipeline)["app_is_installed"].severity is dg.AssetCheckSeverity.ERROR
    shop.connection.execute("UPDATE shopify_internal.privacy_requests SET due_at = now()")
    overdue = run_checks(pipeline)["privacy_requests_are_answered"]
    assert overdue.severity is dg.AssetCheckSeverity.ERROR


def test_where_no_worker_runs_a_run_prunes_once_an_hour(
    shop: Shop, pipeline: ShopifyPipeline, batches: Batches
) -> None:
    def asked() -> Any:
        with (
            dg.DagsterInstance.ephemeral() as instance,
            dg.build_schedule_context(
                instance=instance, resources={"shopify": pipeline}
            ) as context,
        ):
            return prune_webhooks_hourly.evaluate_tick(context).run_requests

    shop.deliver("orders/create", order(1, NOW))
    batches.process_next()
    shop.connection.execute(
        "UPDATE shopify_internal.webhook_inbox SET received_at = now() - interval '100 days'"
    )
    assert len(asked()) == 1
    assert prune_webhooks.execute_in_process(resources={"shopify": pipeline}).success
    assert shop.states() == {}
    shop.connection.execute(
        "INSERT INTO shopify_internal.webhook_workers (worker, mode) VALUES ('w', 'listen')"
    )
    assert asked() == []
