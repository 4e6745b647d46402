"""Each thing broken in turn: its check fails, one alert comes, it is repaired, one recovery comes.

Jobs run as their schedules ask for them, in a real instance, against the store over HTTP; the
sensor's messages arrive at an HTTP endpoint.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import psycopg
import pytest

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.orchestration.alerts.sensor import alerts
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.settings import load_settings
from shopify_pipeline.sync.context import open_sync
from shopify_pipeline_tests.orchestration.alert_endpoints import HttpEndpoint, http_endpoint
from shopify_pipeline_tests.orchestration.test_checks import resource_on
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore
from shopify_pipeline_tests.sync.conftest import START, pull_all
from shopify_pipeline_tests.truth import differences

UI = "https://dagster.example"
HOURLY, DAILY = "shopify_hourly_schedule", "shopify_daily_schedule"
FRESHNESS, WEBHOOKS = "shopify_freshness_schedule", "webhook_checks_hourly"


class Walk:
    """The pipeline as it runs: schedules that are ticked by hand, and where alerts arrive."""

    def __init__(
        self,
        defs: dg.Definitions,
        instance: dg.DagsterInstance,
        store: SimulatedStore,
        database_url: str,
        endpoint: HttpEndpoint,
    ) -> None:
        self.store = store
        self.database_url = database_url
        self.endpoint = endpoint
        self._defs = defs
        self._instance = instance
        self._shopify: ShopifyPipeline = resource_on(store, database_url)
        self._cursor: str | None = None
        self._told = 0

    def tick(self, schedule: str) -> set[str]:
        """Let the schedule ask for its run and do it; the checks that failed in it."""
        definition = self._defs.resolve_schedule_def(schedule)
        with dg.build_schedule_context(
            instance=self._instance,
            scheduled_execution_time=datetime.now(UTC),
            resources={"shopify": self._shopify},
        ) as context:
            evaluated = definition.evaluate_tick(context)
        assert evaluated.run_requests, evaluated.skip_message
        [request] = evaluated.run_requests
        done = self._defs.resolve_job_def(definition.job_name).execute_in_process(
            instance=self._instance, tags=dict(request.tags), run_config=dict(request.run_config)
        )
        assert done.success, "a failed check that does not block leaves its run green"
        return {
            f"{'.'.join(one.asset_key.path[1:])}.{one.check_name}"
            for one in done.get_asset_check_evaluations()
            if not one.passed
        }

    def news(self) -> list[tuple[str, str]]:
        """Title and text of the messages that a tick of the sensor brings to the endpoint."""
        for _ in range(2):  # the second has nothing to add
            with dg.build_sensor_context(
                instance=self._instance, cursor=self._cursor, resources={"shopify": self._shopify}
            ) as context:
                alerts(context)
                self._cursor = context.cursor
        new = self.endpoint.received[self._told :]
        self._told = len(self.endpoint.received)
        return [(one["title"].partition(": ")[2], one["message"]) for one in new]

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def walk(
    instance: dg.DagsterInstance,
    new_store: SimulatedStore,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Walk]:
    """A loaded pipeline that has nothing to complain of."""
    with http_endpoint() as endpoint:
        for name, value in {
            "SHOPIFY_SHOP": new_store.shop,
            "SHOPIFY_ACCESS_TOKEN": TOKEN,
            "SHOPIFY_API_URL": new_store.url,
            "SHOPIFY_START_DATE": f"{START}",
            "SHOPIFY_WEBHOOK_URL": "https://hooks.example.com/webhooks/shopify",
            "DATABASE_URL": database_url,
            "ALERT_URLS": endpoint.url,
            "DAGSTER_UI_URL": UI,
        }.items():
            monkeypatch.setenv(name, value)
        with open_sync(load_settings(), application_name="tests") as sync:
            pull_all(sync)
        sys.modules.pop("shopify_pipeline.definitions", None)
        from shopify_pipeline import definitions

        started = Walk(definitions.defs, instance, new_store, database_url, endpoint)
        started.sql(
            "INSERT INTO unified_profiles (email) SELECT DISTINCT lower(email)"
            " FROM shopify_customers WHERE email IS NOT NULL"
        )
        yield started
        sys.modules.pop("shopify_pipeline.definitions", None)


OLDEST = (
    "(SELECT shopify_order_id FROM shopify_orders WHERE NOT edited"
    " AND currency = presentment_currency AND subtotal_price > 0 AND deleted_at IS NULL"
    " ORDER BY created_at LIMIT 1)"
)
PROFILE = (
    "(SELECT unified_profile_id FROM shopify_customers WHERE unified_profile_id IS NOT NULL"
    " ORDER BY 1 LIMIT 1)"
)


@dataclass(frozen=True)
class Breakage:
    """What is broken and how, the schedule and the checks that find it, and the remedy."""

    thing: str
    broken: Callable[[Walk], object]
    found_by: str
    checks: set[str]
    remedied: Callable[[Walk], object]
    lasts: bool = True


def statements(*all_of_them: str) -> Callable[[Walk], object]:
    return lambda walk: [walk.sql(one) for one in all_of_them]


def reconciled(walk: Walk) -> None:
    """The daily run repairs it, and its own checks already pass."""
    assert walk.tick(DAILY) == set()
    assert differences(walk.store.url, walk.database_url) == []


WALK = [
    Breakage(
        "orders deleted",
        statements(
            "DELETE FROM shopify_order_items WHERE shopify_order_id IN"
            " (SELECT shopify_order_id FROM shopify_orders ORDER BY created_at LIMIT 3)",
            "DELETE FROM shopify_orders WHERE shopify_order_id IN"
            " (SELECT shopify_order_id FROM shopify_orders ORDER BY created_at LIMIT 3)",
        ),
        HOURLY,
        {"orders.row_counts"},
        reconciled,
    ),
    Breakage(
        "a total corrupted",
        statements(
            "UPDATE shopify_orders SET total_price = total_price + 1000"
            f" WHERE shopify_order_id = {OLDEST}"
        ),
        HOURLY,
        {"orders.order_totals"},
        reconciled,
    ),
    Breakage(
        "an item orphaned",
        statements(
            "UPDATE shopify_order_items SET order_id = (SELECT id FROM shopify_orders"
            f" ORDER BY created_at DESC LIMIT 1) WHERE shopify_order_id = {OLDEST}"
        ),
        HOURLY,
        {"order_items.links", "orders.children", "orders.order_totals", "order_items.row_counts"},
        reconciled,
    ),
    Breakage(
        "the hourly schedule stopped for four hours",
        statements(
            "UPDATE shopify_internal.checkpoints SET checkpoint = checkpoint - interval '4 hours'"
        ),
        FRESHNESS,
        {f"{member.name}.freshness" for root in ROOTS for member in root.family},
        lambda walk: walk.tick(HOURLY),
    ),
    Breakage(
        "a webhook subscription dropped",
        lambda walk: walk.store.control("subscriptions", method="DELETE"),
        WEBHOOKS,
        {"webhook_inbox.subscriptions_lead_here"},
        lambda _: None,
        lasts=False,  # the check itself makes them anew
    ),
    Breakage(
        "a profile duplicated",
        statements(
            "INSERT INTO unified_profiles (email) SELECT upper(email) FROM unified_profiles"
            f" WHERE id = {PROFILE}"
        ),
        HOURLY,
        {"customer_links.no_conflicts"},
        statements("DELETE FROM unified_profiles WHERE email = upper(email)"),
    ),
]


def personal_data(walk: Walk) -> set[str]:
    """Everything in the tables that tells of a person."""
    rows = walk.sql(
        "SELECT email FROM unified_profiles UNION SELECT email FROM shopify_customers UNION"
        " SELECT phone FROM shopify_customers UNION SELECT email FROM shopify_orders UNION"
        " SELECT first_name || ' ' || last_name FROM shopify_customers"
    )
    return {str(value).lower() for (value,) in rows if value}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_each_thing_broken_is_found_told_repaired_and_told_again(walk: Walk) -> None:
    walk.tick(WEBHOOKS)  # subscribes
    walk.news()
    for schedule in (HOURLY, FRESHNESS, WEBHOOKS, DAILY):
        assert walk.tick(schedule) == set(), schedule
    walk.news()
    personal = personal_data(walk)
    for one in WALK:
        one.broken(walk)
        assert walk.tick(one.found_by) == one.checks, one.thing
        [(title, text)] = walk.news()
        assert title.startswith(f"{len(one.checks)} "), (one.thing, title)
        assert text.count(f"{UI}/assets/") >= 1
        if one.lasts:
            assert walk.tick(one.found_by) == one.checks, one.thing
            assert walk.news() == [], f"{one.thing}: an episode is told once"
        one.remedied(walk)
        assert walk.tick(one.found_by) == set(), one.thing
        [(title, recovery)] = walk.news()
        assert title == f"{len(one.checks)} recovered", (one.thing, title)
        for check in one.checks:
            table, _, name = check.partition(".")
            assert f"/{table}: {name}" in text, (one.thing, check)
            assert f"/{table}: {name}" in recovery, (one.thing, check)
        told = (text + recovery).lower()
        assert "@" not in told
        assert not [value for value in personal if value in told], one.thing
    assert walk.news() == []
    assert differences(walk.store.url, walk.database_url) == []
