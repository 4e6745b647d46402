"""Every check passes on tables that equal the store, and fails when its own thing is broken."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import dagster as dg
import psycopg
import pytest

from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.orchestration.assets import REFRESH_QUEUE
from shopify_pipeline.orchestration.checks_bench import bench, evaluated
from shopify_pipeline.orchestration.checks_results import COULD_NOT
from shopify_pipeline.orchestration.checks_store import months_of_support
from shopify_pipeline.orchestration.checks_tables import DAILY, HOURLY, TABLE_CHECKS
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import ADMIN_API, asset_key
from shopify_pipeline.sync.context import open_sync
from shopify_pipeline_tests.orchestration.conftest import create_database, drop_database
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore
from shopify_pipeline_tests.sync.conftest import pull_all, settings_for

Results = dict[str, dg.AssetCheckResult]
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def resource_on(store: SimulatedStore, database_url: str) -> ShopifyPipeline:
    return ShopifyPipeline(
        shopify_shop=store.shop,
        shopify_api_version="2026-10",
        shopify_api_url=store.url,
        shopify_access_token=TOKEN,
        database_url=database_url,
    )


@pytest.fixture(scope="module")
def pulled(store: SimulatedStore, postgres_server: str, migrated_template: str) -> Iterator[str]:
    """Name of a database that equals the store."""
    name = f"pulled_{uuid.uuid4().hex[:12]}"
    url = create_database(postgres_server, name, template=migrated_template)
    store.control("clock", {"advance": 3600})
    with open_sync(settings_for(store, url), application_name="tests") as sync:
        pull_all(sync)
    yield name
    drop_database(postgres_server, name)


@pytest.fixture
def database(postgres_server: str, pulled: str) -> Iterator[str]:
    """URL of a copy of it."""
    name = f"checked_{uuid.uuid4().hex[:12]}"
    yield create_database(postgres_server, name, template=pulled)
    drop_database(postgres_server, name)


@pytest.fixture
def shopify(
    store: SimulatedStore, database: str, monkeypatch: pytest.MonkeyPatch
) -> ShopifyPipeline:
    monkeypatch.setenv("SHOPIFY_START_DATE", "2015-01-01")
    return resource_on(store, database)


def results(shopify: ShopifyPipeline, *, whole: bool = False) -> Results:
    """The result of every check, by `entity.name`."""
    planned = DAILY if whole else HOURLY
    with bench(shopify, whole=whole) as tools:
        return {
            f"{key.asset_key.path[-1]}.{key.name}": evaluated(check, entity, key.asset_key, tools)
            for key, (check, entity) in planned.items()
        }


def number(result: dg.AssetCheckResult, name: str) -> int:
    value = (result.metadata or {})[name]
    assert isinstance(value, dg.IntMetadataValue)
    assert value.value is not None
    return value.value


def failed(found: Results) -> dict[str, dg.AssetCheckSeverity]:
    return {name: result.severity for name, result in found.items() if not result.passed}


@contextmanager
def sql(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def test_of_tables_that_equal_the_store_every_check_passes(shopify: ShopifyPipeline) -> None:
    found = results(shopify)
    told = {name: found[name].description for name in failed(found)}
    assert told == {}
    assert len(found) == len(HOURLY) > 40
    daily = results(shopify, whole=True)
    assert {name: daily[name].description for name in failed(daily)} == {}
    assert number(found["orders.order_totals"], "orders checked") == 150
    assert number(found["orders.order_totals"], "orders that do not add up") == 0


ONE = "(SELECT min({0}) FROM {1})"
ORDER = ONE.format("shopify_order_id", "shopify_orders")
CUSTOMER = ONE.format("shopify_customer_id", "shopify_customers")
PRODUCT = ONE.format("shopify_product_id", "shopify_products")
PLAIN = (
    "(SELECT min(shopify_order_id) FROM shopify_orders WHERE NOT edited"
    " AND presentment_currency = currency AND subtotal_price > 0)"
)

BROKEN: list[tuple[str, dict[str, dg.AssetCheckSeverity]]] = [
    (
        ("UPDATE shopify_orders SET total_price = total_price + 0.01"
        f" WHERE shopify_order_id = {PLAIN}"),
        {"orders.order_totals": ERROR},
    ),
    (
        f"UPDATE shopify_orders SET total_tax = -1 WHERE shopify_order_id = {ORDER}",
        {"orders.order_totals": ERROR},
    ),
    (
        f"UPDATE shopify_orders SET presentment_currency = NULL WHERE shopify_order_id = {PLAIN}",
        {"orders.order_totals": ERROR, "orders.empty_values": ERROR},
    ),
    (
        ("UPDATE shopify_order_items SET price = price + 1 WHERE order_id ="
        f" (SELECT id FROM shopify_orders WHERE shopify_order_id = {PLAIN})"),
        {"orders.order_totals": ERROR},
    ),
    (
        ("DELETE FROM shopify_order_items WHERE order_id ="
        f" (SELECT id FROM shopify_orders WHERE shopify_order_id = {PLAIN})"),
        {"orders.children": ERROR, "order_items.row_counts": ERROR},
    ),
    (
        ("UPDATE shopify_order_items SET variant_id = NULL; DELETE FROM shopify_product_variants"
        " WHERE shopify_variant_id = (SELECT min(shopify_variant_id) FROM shopify_product_variants)"
        "; UPDATE shopify_order_items i SET variant_id = v.id FROM shopify_product_variants v"
        " WHERE v.shopify_variant_id = i.shopify_variant_id"),
        {"products.children": ERROR, "product_variants.row_counts": ERROR},
    ),
    (
        ("DELETE FROM shopify_customers WHERE shopify_customer_id = (SELECT"
        " min(shopify_customer_id) FROM shopify_customers c WHERE NOT EXISTS"
        " (SELECT FROM shopify_orders o WHERE o.customer_id = c.id))"),
        {"customers.row_counts": ERROR},
    ),
    (
        ("INSERT INTO shopify_products (shopify_product_id, title, handle, vendor, product_type,"
        " status, tags, is_gift_card, variants_count, created_at, updated_at, observed_at,"
        " complete_at) VALUES (5, '', '', '', '', 'draft', '{}', false, 0, '2026-01-01',"
        " '2026-01-01', '2026-01-01', '2026-01-01')"),
        {"products.row_counts": WARN, "products.children": ERROR},
    ),
    (
        # The store is an hour ahead of the database: two and a half hours ago, to it.
        ("UPDATE shopify_orders SET complete_at = updated_at - interval '1 day', observed_at ="
        f" now() - interval '90 minutes' WHERE shopify_order_id = {ORDER}"),
        {"orders.whole": WARN},
    ),
    (
        ("UPDATE shopify_orders SET complete_at = updated_at - interval '1 day', observed_at ="
        f" now() - interval '4 hours' WHERE shopify_order_id = {ORDER}"),
        {"orders.whole": ERROR},
    ),
    (
        ("UPDATE shopify_orders SET customer_id = NULL, synced_at = now() - interval '2 hours'"
        " WHERE shopify_order_id = (SELECT min(shopify_order_id) FROM shopify_orders"
        " WHERE customer_id IS NOT NULL)"),
        {"orders.links": WARN},
    ),
    (
        ("UPDATE shopify_orders SET customer_id = NULL, synced_at = now() - interval '2 days'"
        " WHERE shopify_order_id = (SELECT min(shopify_order_id) FROM shopify_orders"
        " WHERE customer_id IS NOT NULL)"),
        {"orders.links": ERROR},
    ),
    (
        ("UPDATE shopify_order_items SET order_id = (SELECT id FROM shopify_orders ORDER BY"
        " shopify_order_id DESC LIMIT 1) WHERE shopify_line_item_id = (SELECT"
        " min(shopify_line_item_id) FROM shopify_order_items)"),
        {
            "order_items.links": ERROR,
            "orders.children": ERROR,
            "orders.order_totals": ERROR,
            "order_items.row_counts": ERROR,
        },
    ),
    (
        ("UPDATE shopify_products SET updated_at = created_at - interval '1 day', complete_at ="
        f" created_at - interval '1 day' WHERE shopify_product_id = {PRODUCT}"),
        {"products.timestamps": ERROR},
    ),
    (
        ("UPDATE shopify_customers SET updated_at = now() + interval '2 days', complete_at ="
        f" now() + interval '2 days' WHERE shopify_customer_id = {CUSTOMER}"),
        {"customers.timestamps": ERROR},
    ),
    (
        f"UPDATE shopify_customers SET state = 'asleep' WHERE shopify_customer_id = {CUSTOMER}",
        {"customers.status_words": WARN},
    ),
    (
        f"UPDATE shopify_products SET title = NULL WHERE shopify_product_id = {PRODUCT}",
        {"products.empty_values": ERROR},
    ),
    (
        ("INSERT INTO shopify_internal.null_rates SELECT 'shopify_customers', 'email',"
        " current_date - 3, 1000, 2; UPDATE shopify_customers SET email = NULL"),
        {"customers.empty_values": WARN},
    ),
    (
        ("UPDATE shopify_internal.checkpoints SET checkpoint = checkpoint - interval '2 hours'"
        " WHERE entity = 'products'"),
        {"products.freshness": WARN, "product_variants.freshness": WARN},
    ),
    (
        ("UPDATE shopify_internal.checkpoints SET checkpoint = checkpoint - interval '4 hours'"
        " WHERE entity = 'orders'"),
        {"orders.freshness": ERROR, "order_items.freshness": ERROR},
    ),
    (
        "ALTER TABLE shopify_products ADD COLUMN surprise text",
        {"products.schema": ERROR},
    ),
    (
        "ALTER TABLE shopify_products ALTER COLUMN vendor TYPE varchar(99)",
        {"products.schema": ERROR},
    ),
    (
        "ALTER TABLE shopify_orders DROP CONSTRAINT shopify_orders_customer_id_fkey",
        {"orders.schema": ERROR},
    ),
    (
        "DROP INDEX shopify_orders_synced_at_idx",
        {"orders.schema": ERROR},
    ),
    (
        ("DROP VIEW shopify_revenue_by_day; DROP INDEX shopify_internal.webhook_inbox_pending_idx;"
        " CREATE INDEX theirs ON shopify_orders (name)"),
        {"refresh_queue.schema_of_the_rest": ERROR},
    ),
    (
        ("ALTER TABLE shopify_customers DROP CONSTRAINT shopify_customers_shopify_customer_id_key;"
        " INSERT INTO shopify_customers (shopify_customer_id, deleted_at)"
        f" SELECT {CUSTOMER}, now()"),
        {"customers.schema": ERROR, "customers.unique_keys": ERROR},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("breakage", "expected"),
    BROKEN,
    ids=["+".join(one[1]) + f"-{n}" for n, one in enumerate(BROKEN)],
)
def test_a_check_fails_when_its_thing_is_broken(
    shopify: ShopifyPipeline,
    database: str,
    breakage: str,
    expected: dict[str, dg.AssetCheckSeverity],
) -> None:
    with sql(database) as connection:
        connection.execute(breakage)
    found = results(shopify)
    assert failed(found) == expected, {name: found[name].description for name in failed(found)}
    for name in expected:
        assert number(found[name], "offenders") >= 1
        if name.endswith((".row_counts", ".freshness")):
            metadata = found[name].metadata or {}
            assert any(isinstance(value, dg.TableMetadataValue) for value in metadata.values())
            runs_as_it_stands(database, metadata["see_more"])


def runs_as_it_stands(database: str, see_more: object) -> None:
    assert isinstance(see_more, dg.MarkdownMetadataValue)
    query = str(see_more.value).removeprefix("```sql\n").removesuffix("\n```")
    with sql(database) as connection:
        assert connection.execute(query.encode()).description


def test_variants_of_a_large_store_are_counted_once_a_day(
    shopify: ShopifyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopify_pipeline.orchestration.checks_store.COUNTED_HOURLY", 10)
    found = results(shopify)["product_variants.row_counts"]
    assert found.passed
    assert "here" not in (found.metadata or {})
    assert "daily" in str(found.description)


def test_a_migration_that_is_not_applied_is_told(shopify: ShopifyPipeline, database: str) -> None:
    with sql(database) as connection:
        connection.execute(
            "DELETE FROM shopify_internal.schema_migrations WHERE version ="
            " (SELECT max(version) FROM shopify_internal.schema_migrations)"
        )
    found = failed(results(shopify))
    assert set(found) == {f"{name}.schema" for name in ENTITIES}
    assert set(found.values()) == {WARN}


def test_the_daily_checks_see_rows_written_long_ago(
    shopify: ShopifyPipeline, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopify_pipeline.orchestration.checks_bench.SMALL", 10)
    with sql(database) as connection:
        connection.execute("UPDATE shopify_orders SET synced_at = now() - interval '9 days'")
        connection.execute(
            f"UPDATE shopify_orders SET total_price = 0.01 WHERE shopify_order_id = {PLAIN}"
        )
        connection.execute("ANALYZE")
    assert failed(results(shopify)) == {}
    assert failed(results(shopify, whole=True)) == {"orders.order_totals_of_all_rows": ERROR}


def test_a_total_that_is_shopifys_own_is_explained_not_failed(
    new_store: SimulatedStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_START_DATE", "2015-01-01")
    line = {"title": "x", "price": "20.00", "quantity": 1}
    new_store.control("orders", {"lineItems": [line], "totalPriceSet": "23.50"})
    new_store.control("clock", {"advance": 3600})
    with open_sync(settings_for(new_store, database_url), application_name="tests") as sync:
        pull_all(sync)
    found = results(resource_on(new_store, database_url))["orders.order_totals"]
    assert found.passed
    assert number(found, "explained by Shopify's own figures") == 1
    assert "duties" in str(found.description)


def test_orders_that_do_not_add_up_are_told_when_shopify_cannot_be_asked_about_them(
    shopify: ShopifyPipeline, store: SimulatedStore, database: str
) -> None:
    with sql(database) as connection:
        connection.execute(
            f"UPDATE shopify_orders SET total_price = 0.01 WHERE shopify_order_id = {PLAIN}"
        )
    store.fault("access_denied", count=1, match="Refresh_orders", field="Order.totalPriceSet")
    found = results(shopify)["orders.order_totals"]
    assert (found.passed, found.severity) == (False, ERROR)
    assert number(found, "offenders") == 1
    assert "could not be asked" in str(found.description)


@pytest.mark.parametrize(
    ("currency", "amounts", "adds_up"),
    [
        ("KWD", ("1.005", "1.005"), True),
        ("KWD", ("1.005", "1.006"), False),
        ("JPY", ("500", "500"), True),
        ("JPY", ("500", "501"), False),
        ("JPY", ("500", "500.2"), True),
        ("USD", ("10.00", "10.004"), True),
        ("USD", ("10.00", "10.01"), False),
    ],
)
def test_amounts_are_held_to_the_smallest_unit_of_their_currency(
    database_url: str, currency: str, amounts: tuple[str, str], adds_up: bool
) -> None:
    from shopify_pipeline.warehouse.checks.money import unbalanced
    from shopify_pipeline.warehouse.checks.offenders import find
    from shopify_pipeline.warehouse.database import Database

    price, total = amounts
    with sql(database_url) as connection:
        connection.execute(
            "WITH o AS (INSERT INTO shopify_orders (shopify_order_id, currency,"
            " presentment_currency, presentment_total_price, total_price, subtotal_price,"
            " total_discounts, total_shipping, total_tip, total_tax, taxes_included, edited,"
            " updated_at, complete_at) VALUES (1, %(currency)s, %(currency)s, 1, %(total)s,"
            " %(price)s, 0, 0, 0, 0, false, false, now(), now()) RETURNING id)"
            " INSERT INTO shopify_order_items (shopify_line_item_id, order_id, price, quantity,"
            " total_discount) SELECT 1, id, %(price)s, 1, 0 FROM o",
            {"currency": currency, "price": price, "total": total},
        )
    database = Database(database_url)
    with database.transaction() as connection_:
        query = unbalanced(ENTITIES["orders"].table, ENTITIES["order_items"].table, None)
        found = find(connection_, query)
    database.close()
    assert (found.number == 0) is adds_up
    with sql(database_url) as connection:  # what people are given to see more runs as it stands
        assert len(connection.execute(found.sql).fetchall()) == found.number


def test_when_the_store_is_away_checks_say_that_they_could_not_tell(
    shopify: ShopifyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shopify_pipeline.admin_api.patience.Patience.attempts", _refuse)
    found = results(shopify)
    away = [
        *(f"{root.name}.row_counts" for root in ROOTS),
        "admin_api.scopes",
        "admin_api.api_version",
    ]
    assert all(not found[name].passed for name in away)
    assert all(str(found[name].description).startswith(COULD_NOT) for name in away)
    assert {found[name].severity for name in away} == {WARN}
    assert found["orders.links"].passed


def _refuse(*_: Any) -> Any:
    from shopify_pipeline.admin_api.errors import RetriesExhaustedError

    raise RetriesExhaustedError("Shopify kept failing")


def test_omitted_columns_warn_as_long_as_they_are_set(
    shopify: ShopifyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_OMIT_COLUMNS", "customers.email,orders.phone")
    found = results(shopify)
    assert failed(found) == {"customers.omitted_columns": WARN, "orders.omitted_columns": WARN}
    assert "orders.phone is neither" in str(found["orders.omitted_columns"].description)


def test_lost_scopes_and_hidden_orders_are_told(
    new_store: SimulatedStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOPIFY_START_DATE", "2015-01-01")
    shopify = resource_on(new_store, database_url)
    results(shopify)
    new_store.control("settings", {"scopes": ["read_products", "read_customers", "read_orders"]})
    found = results(shopify)["admin_api.scopes"]
    assert not found.passed
    assert found.severity is WARN
    assert "60 days" in str(found.description)
    assert "lost a scope" in str(found.description)
    new_store.control("settings", {"scopes": ["read_products", "read_customers"]})
    away = results(shopify)["admin_api.scopes"]
    assert away.severity is ERROR
    assert "read_orders" in str(away.description)
    assert COULD_NOT not in str(away.description)


@pytest.mark.parametrize(
    ("version", "day", "months"),
    [
        ("2026-10", date(2026, 11, 22), 10),
        ("2026-10", date(2026, 10, 1), 12),
        ("2026-01", date(2026, 11, 22), 1),
        ("2026-01", date(2027, 1, 1), 0),
        ("2026-01", date(2027, 1, 2), -1),
    ],
)
def test_the_months_of_support_that_a_version_has_left(
    version: str, day: date, months: int
) -> None:
    assert months_of_support(version, day) == months


def test_no_personal_data_stands_in_what_checks_say(
    shopify: ShopifyPipeline, database: str
) -> None:
    with sql(database) as connection:
        connection.execute(
            "UPDATE shopify_customers SET state = 'asleep', locale = NULL, email = 'secret@x.org'"
        )
    found = results(shopify)
    assert "secret" not in str([result.metadata for result in found.values()])


def test_the_checks_run_in_a_job_as_one_step_each(
    shopify: ShopifyPipeline, instance: dg.DagsterInstance
) -> None:
    specs = [dg.AssetSpec(asset_key(entity)) for entity in ENTITIES.values()]
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*[*HOURLY, *DAILY]))
    defs = dg.Definitions(
        assets=[ADMIN_API, dg.AssetSpec(REFRESH_QUEUE), *specs],
        asset_checks=TABLE_CHECKS,
        jobs=[job],
        resources={"shopify": shopify},
        executor=dg.in_process_executor,
    )
    done = defs.resolve_job_def("checks").execute_in_process(instance=instance)
    assert done.success
    evaluations = done.get_asset_check_evaluations()
    assert len(evaluations) == len(HOURLY) + len(DAILY)
    assert all(evaluation.passed for evaluation in evaluations)
