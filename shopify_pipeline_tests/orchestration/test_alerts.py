"""Alerts from Dagster's own event log to real HTTP and SMTP endpoints: once, grouped, recovered."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime

import dagster as dg
import pytest
import sqlalchemy as sa
from apprise.plugins.pagerduty import PAGERDUTY_API_LOOKUP
from click.testing import CliRunner
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    ScheduleInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster_shared.error import SerializableErrorInfo

from shopify_pipeline.orchestration.alerts.command import alerts as alerts_command
from shopify_pipeline.orchestration.alerts.delivery import send
from shopify_pipeline.orchestration.alerts.messages import Message
from shopify_pipeline.orchestration.alerts.sensor import AlertsUndeliveredError, alerts
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline_tests.orchestration.alert_endpoints import (
    HttpEndpoint,
    http_endpoint,
    smtp_endpoint,
)

ORDERS = dg.AssetKey(["shopify", "orders"])
UI = "https://dagster.example"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpEndpoint]:
    monkeypatch.setenv("DAGSTER_UI_URL", UI)
    with http_endpoint() as opened:
        monkeypatch.setenv("ALERT_URLS", opened.url)
        yield opened


@pytest.fixture
def tick(instance: dg.DagsterInstance, shopify: ShopifyPipeline) -> Callable[[], str]:
    """One tick of the sensor, which keeps its cursor; the first has been."""
    cursor: str | None = None

    def tick() -> str:
        nonlocal cursor
        message, cursor = one_tick(instance, shopify, cursor)
        return message

    return tick


def one_tick(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline, cursor: str | None
) -> tuple[str, str | None]:
    with dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"shopify": shopify}
    ) as context:
        result = alerts(context)
        assert isinstance(result, dg.SkipReason)
        return str(result.skip_message), context.cursor


def report(
    instance: dg.DagsterInstance,
    *,
    passed: bool,
    check: str = "row_counts",
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    description: str = "2 of 10 orders are missing",
) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=ORDERS,
            check_name=check,
            passed=passed,
            severity=severity,
            description=description,
        )
    )


def test_a_failed_check_is_told_once_and_its_recovery_once(
    instance: dg.DagsterInstance, endpoint: HttpEndpoint, tick: Callable[[], str]
) -> None:
    report(instance, passed=False)
    tick()
    assert endpoint.received == [], "what was before the first tick is not told"
    report(instance, passed=False)
    tick()
    report(instance, passed=False)
    tick()
    tick()
    assert endpoint.titles == ["1 error"]
    body = endpoint.received[0]["message"]
    assert "ERROR check shopify/orders: row_counts" in body
    assert "2 of 10 orders are missing" in body
    assert f"{UI}/assets/shopify/orders?view=checks&checkDetail=row_counts" in body
    report(instance, passed=True)
    tick()
    tick()
    assert endpoint.titles == ["1 error", "1 recovered"]
    assert endpoint.received[1]["type"] == "success"
    report(instance, passed=False)
    tick()
    assert endpoint.titles[2:] == ["1 error"], "a new episode is told again"


def test_what_happens_together_is_one_message(
    instance: dg.DagsterInstance, endpoint: HttpEndpoint, tick: Callable[[], str]
) -> None:
    tick()
    report(instance, passed=False)
    report(instance, passed=False, check="uniqueness")
    report(instance, passed=False, check="nulls", severity=dg.AssetCheckSeverity.WARN)
    report(instance, passed=True, check="fine")
    tick()
    assert endpoint.titles == ["2 errors, 1 warning"]
    report(instance, passed=False, check="nulls")
    report(instance, passed=True, check="uniqueness")
    tick()
    assert endpoint.titles[1:] == ["1 error, 1 recovered"]
    assert "(worse than before)" in endpoint.received[1]["message"]


def test_an_episode_that_goes_to_and_fro_is_told_once_a_severity(
    instance: dg.DagsterInstance, endpoint: HttpEndpoint, tick: Callable[[], str]
) -> None:
    error, warning = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
    tick()
    for severity in (warning, error, warning, error, warning, error):
        report(instance, passed=False, severity=severity)
        tick()
    assert endpoint.titles == ["1 warning", "1 error"]
    report(instance, passed=True)
    tick()
    for severity in (error, warning, error):
        report(instance, passed=False, severity=severity)
    tick()
    assert endpoint.titles[2:] == ["1 recovered", "1 error"]


def test_a_failure_that_recovers_within_a_tick_is_still_told(
    instance: dg.DagsterInstance, endpoint: HttpEndpoint, tick: Callable[[], str]
) -> None:
    tick()
    report(instance, passed=False)
    report(instance, passed=True)
    tick()
    assert endpoint.titles == ["1 error, 1 recovered"]


def test_freshness_is_told_from_late_to_overdue_to_fresh(
    instance: dg.DagsterInstance, endpoint: HttpEndpoint, tick: Callable[[], str]
) -> None:
    tick()
    last = FreshnessState.UNKNOWN
    for new in (FreshnessState.PASS, FreshnessState.WARN, FreshnessState.FAIL, FreshnessState.PASS):
        instance.report_runless_asset_event(
            FreshnessStateChange(
                key=ORDERS,
                new_state=new,
                previous_state=last,
                state_change_timestamp=datetime.now().timestamp(),  # noqa: DTZ005
            )
        )
        last = new
        tick()
    assert endpoint.titles == ["1 warning", "1 error", "1 recovered"]
    assert "freshness of shopify/orders" in endpoint.received[0]["message"]


def test_a_failed_run_is_told_with_the_checks_it_left_unevaluated(
    instance: dg.DagsterInstance, endpoint: HttpEndpoint, tick: Callable[[], str]
) -> None:
    broken = True

    @dg.asset(key=ORDERS, check_specs=[dg.AssetCheckSpec("inner", asset=ORDERS)])
    def orders():  # type: ignore[no-untyped-def]
        if broken:
            raise RuntimeError("jane.doe@example.com is not a number: +1 415 555 0123")
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    @dg.asset_check(asset=ORDERS)
    def outer() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    job = dg.Definitions(
        assets=[orders],
        asset_checks=[outer],
        jobs=[dg.define_asset_job("hourly", executor_def=dg.in_process_executor)],
    ).resolve_job_def("hourly")
    tick()
    job.execute_in_process(instance=instance, raise_on_error=False)
    tick()
    assert endpoint.titles == ["1 error, 2 warnings"]
    body = endpoint.received[0]["message"]
    assert "ERROR run of hourly" in body
    assert f"{UI}/runs/" in body
    assert "WARNING check shopify/orders: inner, check shopify/orders: outer" in body
    assert "could not be evaluated" in body
    assert "jane" not in body
    assert "415" not in body
    broken = False
    job.execute_in_process(instance=instance)
    tick()
    assert endpoint.titles[1:] == ["3 recovered"]


def test_personal_data_in_a_description_is_taken_out_before_it_is_kept(
    instance: dg.DagsterInstance,
    endpoint: HttpEndpoint,
    tick: Callable[[], str],
    shopify: ShopifyPipeline,
) -> None:
    tick()
    report(instance, passed=False, description="<jane.doe@example.com> and +62 812-3456-7890 fail")
    tick()
    assert "[address]" in endpoint.received[0]["message"]
    with shopify.database() as database, database.transaction() as connection:
        kept = connection.execute(
            sa.text(
                "SELECT (SELECT string_agg(summary, ' ') FROM shopify_internal.alert_episodes) || "
                "(SELECT string_agg(title || body, ' ') FROM shopify_internal.alert_messages)"
            )
        ).scalar_one()
    assert "jane" not in kept + str(endpoint.received)
    assert "3456" not in kept + str(endpoint.received)


def make_due(shopify: ShopifyPipeline) -> None:
    with shopify.database() as database, database.transaction() as connection:
        connection.execute(sa.text("UPDATE shopify_internal.alert_messages SET due_at = now()"))


def test_a_destination_that_fails_is_tried_again_and_seen_while_the_other_gets_its_own_once(
    instance: dg.DagsterInstance,
    endpoint: HttpEndpoint,
    tick: Callable[[], str],
    shopify: ShopifyPipeline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with smtp_endpoint() as (mailbox, mail_url):
        monkeypatch.setenv("ALERT_URLS", f"{endpoint.url}, {mail_url}")
        tick()
        endpoint.status = 503
        report(instance, passed=False)
        with pytest.raises(AlertsUndeliveredError, match="JSON: HTTP 503"):
            tick()
        tick()
        assert "not delivered" not in tick(), "not due yet"
        assert len(mailbox.mails) == 1
        make_due(shopify)
        with pytest.raises(AlertsUndeliveredError):
            tick()
        endpoint.status = 200
        make_due(shopify)
        tick()
        tick()
    assert endpoint.titles == ["1 error"]
    assert len(mailbox.mails) == 1
    subject, text = mailbox.mails[0]
    assert subject.endswith("1 error")
    assert "2 of 10 orders are missing" in text


def test_a_message_for_a_destination_that_is_no_longer_set_is_dropped(
    instance: dg.DagsterInstance,
    endpoint: HttpEndpoint,
    tick: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tick()
    endpoint.status = 500
    report(instance, passed=False)
    with pytest.raises(AlertsUndeliveredError):
        tick()
    monkeypatch.setenv("ALERT_URLS", "")
    assert "not set" in tick()
    set_settings(monkeypatch, "postgresql://u@127.0.0.1:1/none")
    assert CliRunner().invoke(alerts_command, ["test"]).exit_code == 2


LONG = Message(
    level="failure",
    title="Shopify pipeline, demo: 40 errors",
    body="\n".join(f"ERROR check number {n}: {'x' * 50}" for n in range(40)),
)


def test_a_long_message_is_sent_whole_to_a_service_of_short_ones(
    endpoint: HttpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(LONG.body) > 2_900
    address = endpoint.url.replace("json:", "http:")
    monkeypatch.setattr("apprise.plugins.discord.NotifyDiscord.notify_url", address)
    send("discord://4174216298/jHMRAjKGxjQ", LONG)
    parts = [message["content"] for message in endpoint.received]
    assert len(parts) == 2
    assert all(len(part) <= 2_000 for part in parts)
    for line in LONG.body.splitlines():
        assert line.partition(":")[0] in "\n".join(parts)


def test_a_long_message_opens_one_incident(
    endpoint: HttpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = endpoint.url.replace("json:", "http:")
    monkeypatch.setitem(PAGERDUTY_API_LOOKUP, "us", address)
    send("pagerduty://integration@key", LONG)
    [message] = endpoint.received
    assert message["payload"]["summary"].startswith(LONG.title)
    assert len(message["payload"]["summary"]) <= 1_024


@pytest.fixture
def pagerduty(endpoint: HttpEndpoint, monkeypatch: pytest.MonkeyPatch) -> HttpEndpoint:
    """The endpoint as PagerDuty's, the one destination."""
    address = endpoint.url.replace("json:", "http:")
    monkeypatch.setitem(PAGERDUTY_API_LOOKUP, "us", address)
    monkeypatch.setenv("ALERT_URLS", "pagerduty://integration@key")
    return endpoint


def actions(pagerduty: HttpEndpoint) -> list[tuple[str, str | None]]:
    """What each message does to which incident."""
    return [(one["event_action"], one.get("dedup_key")) for one in pagerduty.received]


def test_each_episode_is_an_incident_that_its_recovery_resolves(
    instance: dg.DagsterInstance, pagerduty: HttpEndpoint, tick: Callable[[], str]
) -> None:
    tick()
    report(instance, passed=False, severity=dg.AssetCheckSeverity.WARN)
    report(instance, passed=False, check="uniqueness")
    tick()
    (did, first), (did_too, second) = actions(pagerduty)
    assert did == did_too == "trigger"
    assert first != second
    assert "2 of 10 orders are missing" in pagerduty.received[0]["payload"]["summary"]
    report(instance, passed=False)
    report(instance, passed=True, check="uniqueness")
    tick()
    assert actions(pagerduty)[2:] == [("trigger", first), ("resolve", second)]
    report(instance, passed=True)
    tick()
    assert actions(pagerduty)[4:] == [("resolve", first)]


def test_a_database_out_of_reach_is_an_incident_that_its_return_resolves(
    instance: dg.DagsterInstance, pagerduty: HttpEndpoint, shopify: ShopifyPipeline
) -> None:
    given = {name: getattr(shopify, name) for name in type(shopify).model_fields}
    away = ShopifyPipeline(**{**given, "database_url": "postgresql://u@127.0.0.1:1/none"})
    cursor: str | None = None
    for resource in (shopify, away, shopify):
        _, cursor = one_tick(instance, resource, cursor)
    (did, key), (undid, same) = actions(pagerduty)
    assert (did, undid, same) == ("trigger", "resolve", key)


def test_the_test_command_opens_an_incident_and_resolves_it(
    pagerduty: HttpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_settings(monkeypatch, "postgresql://u@127.0.0.1:1/none")
    assert CliRunner().invoke(alerts_command, ["test"]).exit_code == 0
    (did, key), (undid, same) = actions(pagerduty)
    assert (did, undid, same) == ("trigger", "resolve", key)


def test_what_a_url_says_of_incidents_is_left_as_it_is(
    pagerduty: HttpEndpoint,
) -> None:
    send("pagerduty://integration@key?action=trigger", LONG)
    send("pagerduty://integration@key?dedup=ours", LONG)
    assert actions(pagerduty) == [("trigger", None), ("trigger", "ours")]


def test_without_destinations_episodes_are_kept_all_the_same(
    instance: dg.DagsterInstance,
    endpoint: HttpEndpoint,
    tick: Callable[[], str],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALERT_URLS", "")
    tick()
    report(instance, passed=False)
    tick()
    set_settings(monkeypatch, database_url)
    listed = CliRunner().invoke(alerts_command, ["list"])
    assert listed.exit_code == 0
    assert "error check shopify/orders: row_counts" in listed.output
    assert "Not delivered yet: nothing" in listed.output


def test_a_database_out_of_reach_is_told_once_and_its_return_once(
    instance: dg.DagsterInstance,
    endpoint: HttpEndpoint,
    shopify: ShopifyPipeline,
) -> None:
    given = {name: getattr(shopify, name) for name in type(shopify).model_fields}
    away = ShopifyPipeline(**{**given, "database_url": "postgresql://u@127.0.0.1:1/none"})
    cursor: str | None = None
    for resource in (shopify, away, away, shopify, shopify):
        _, cursor = one_tick(instance, resource, cursor)
    assert endpoint.titles == ["the database is out of reach", "the database answers again"]


def set_settings(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    for name, value in {
        "SHOPIFY_SHOP": "demo-store",
        "SHOPIFY_ACCESS_TOKEN": "t",
        "SHOPIFY_START_DATE": "2026-01-01",
        "DATABASE_URL": database_url,
    }.items():
        monkeypatch.setenv(name, value)


def test_the_test_command_sends_to_all_and_says_who_does_not_take_it(
    endpoint: HttpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_settings(monkeypatch, "postgresql://u@127.0.0.1:1/none")
    with smtp_endpoint() as (mailbox, mail_url):
        monkeypatch.setenv("ALERT_URLS", f"{mail_url} {endpoint.url} nonsense://secret@x")
        result = CliRunner().invoke(alerts_command, ["test"])
    assert result.exit_code == 1
    assert "1. delivered (mailto)" in result.output
    assert "2. delivered (json)" in result.output
    assert "3. not delivered: nonsense" in result.output
    assert "secret" not in result.output
    assert (len(mailbox.mails), endpoint.titles) == (1, ["a test"])


def add_ticks(
    instance: dg.DagsterInstance, kind: InstigatorType, name: str, *statuses: TickStatus
) -> None:
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(python_file="x.py"))
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "repository"), name)
    data = ScheduleInstigatorData("5 * * * *") if kind == InstigatorType.SCHEDULE else None
    state = InstigatorState(origin, kind, InstigatorStatus.RUNNING, data)
    if not instance.get_instigator_state(state.instigator_origin_id, state.selector_id):
        instance.add_instigator_state(state)
    for status in statuses:
        instance.create_tick(
            TickData(
                state.instigator_origin_id,
                name,
                kind,
                status,
                time.time(),
                error=SerializableErrorInfo("jane@example.com", [], "ValueError")
                if status == TickStatus.FAILURE
                else None,
                selector_id=state.selector_id,
            )
        )


def test_a_schedule_that_fails_and_a_sensor_that_keeps_failing_are_told(
    instance: dg.DagsterInstance, endpoint: HttpEndpoint, tick: Callable[[], str]
) -> None:
    failed, worked = TickStatus.FAILURE, TickStatus.SKIPPED
    tick()
    add_ticks(instance, InstigatorType.SCHEDULE, "hourly", worked, failed)
    add_ticks(instance, InstigatorType.SENSOR, "inbox", worked, failed, failed)
    add_ticks(instance, InstigatorType.SENSOR, "alerts", failed, failed, failed)
    tick()
    assert endpoint.titles == ["1 error"]
    assert "ERROR schedule hourly" in endpoint.received[0]["message"]
    assert "its ticks fail (ValueError)" in endpoint.received[0]["message"]
    add_ticks(instance, InstigatorType.SENSOR, "inbox", failed)
    tick()
    assert "ERROR sensor inbox" in endpoint.received[1]["message"]
    add_ticks(instance, InstigatorType.SENSOR, "inbox", worked, worked, worked)
    add_ticks(instance, InstigatorType.SCHEDULE, "hourly", worked)
    tick()
    tick()
    assert endpoint.titles[2:] == ["2 recovered"]
