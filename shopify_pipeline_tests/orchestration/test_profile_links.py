"""Linking as an asset: what it tells, which checks fail, and that it runs in the hourly job."""

from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from shopify_pipeline.orchestration.jobs import HOURLY
from shopify_pipeline.orchestration.profile_links import (
    LINKS,
    PROFILE_ASSETS,
    create_profiles_schedule,
    created_profiles,
    customer_links,
)
from shopify_pipeline.orchestration.resources import ShopifyPipeline


def write(shopify: ShopifyPipeline, statement: str) -> None:
    with shopify.database() as database, database.transaction() as connection:
        connection.execute(sa.text(statement))


def links(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline
) -> tuple[dict[str, dg.AssetCheckEvaluation], dict[str, object]]:
    """Checks by name and metadata of one run of the asset, which must succeed."""
    result = dg.materialize([customer_links], instance=instance, resources={"shopify": shopify})
    [event] = result.asset_materializations_for_node("profiles__customer_links")
    metadata: dict[str, object] = {name: value.value for name, value in event.metadata.items()}
    return {e.check_name: e for e in result.get_asset_check_evaluations()}, metadata


def test_linking_tells_figures_and_its_checks_pass(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline
) -> None:
    write(shopify, "INSERT INTO unified_profiles (email) VALUES ('jane@example.com')")
    write(
        shopify,
        "INSERT INTO shopify_customers (shopify_customer_id, email) VALUES (1, 'JANE@example.com')",
    )
    checks, metadata = links(instance, shopify)
    assert {name: check.passed for name, check in checks.items()} == {
        "profiles_can_be_read_whole": True,
        "no_conflicts": True,
    }
    assert (metadata["linked"], metadata["links"], metadata["links_by_exact_email"]) == (1, 1, 1)


def test_empty_profiles_fail_a_check_release_nothing_and_leave_the_run_green(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline
) -> None:
    checks, _ = links(instance, shopify)
    empty = checks["profiles_can_be_read_whole"]
    assert (empty.passed, empty.severity) == (False, dg.AssetCheckSeverity.WARN)
    write(shopify, "INSERT INTO unified_profiles (email) VALUES ('jane@example.com')")
    write(
        shopify,
        "INSERT INTO shopify_customers (shopify_customer_id, email) VALUES (1, 'jane@example.com')",
    )
    links(instance, shopify)
    write(shopify, "DELETE FROM unified_profiles")
    checks, metadata = links(instance, shopify)
    emptied = checks["profiles_can_be_read_whole"]
    assert (emptied.passed, emptied.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "No link was released" in str(metadata["problem"])
    assert emptied.metadata["profiles lost"].value == 1
    [lost] = tables(emptied)
    assert [(len(row["profile_id"]), row["what"]) for row in lost] == [(36, "is gone")]
    assert len(see_more(shopify, emptied)) == 1


def tables(check: dg.AssetCheckEvaluation) -> list[list[dict[str, Any]]]:
    """The rows of each table in a check's metadata."""
    values = [v for v in check.metadata.values() if isinstance(v, dg.TableMetadataValue)]
    return [[dict(record.data) for record in value.records] for value in values]


def see_more(shopify: ShopifyPipeline, check: dg.AssetCheckEvaluation) -> list[Any]:
    """What the check's SQL to see more finds, run as it stands."""
    query = str(check.metadata["see_more"].value).removeprefix("```sql\n").removesuffix("\n```")
    with shopify.database() as database, database.transaction() as connection:
        return list(connection.exec_driver_sql(query.replace("%", "%%")))


def test_profiles_that_were_blanked_are_listed_and_unreadable_ones_told(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline
) -> None:
    write(
        shopify,
        "INSERT INTO unified_profiles (email)"
        " SELECT n || '@example.com' FROM generate_series(1, 9) n",
    )
    write(
        shopify,
        "INSERT INTO shopify_customers (shopify_customer_id, email)"
        " SELECT n, n || '@example.com' FROM generate_series(1, 9) n",
    )
    links(instance, shopify)
    write(shopify, "UPDATE unified_profiles SET email = ' ' WHERE email < '9'")
    blanked = links(instance, shopify)[0]["profiles_can_be_read_whole"]
    assert not blanked.passed
    [rows] = tables(blanked)
    assert [row["what"] for row in rows] == ["has lost its e-mail address"] * 8
    assert "@" not in str(blanked.metadata)
    write(shopify, "ALTER TABLE unified_profiles DROP COLUMN email")
    unreadable = links(instance, shopify)[0]["profiles_can_be_read_whole"]
    assert "cannot be read whole" in str(unreadable.description)
    assert "see_more" in unreadable.metadata


def test_a_conflict_warns_with_ids_and_the_sql_to_see_more_and_no_address(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline
) -> None:
    write(
        shopify, "INSERT INTO unified_profiles (email) VALUES ('j@example.com'), ('J@example.com')"
    )
    write(
        shopify,
        "INSERT INTO shopify_customers (shopify_customer_id, email) VALUES (71, 'j@example.com')",
    )
    checks, metadata = links(instance, shopify)
    conflicts = checks["no_conflicts"]
    assert (conflicts.passed, conflicts.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert str(conflicts.description).startswith("1 customer matches several profiles")
    assert "71" in str(conflicts.metadata["conflicts"])
    assert "profile_conflicts" in str(conflicts.metadata["conflicts_sql"])
    assert "@" not in str(conflicts) + str(metadata)


def test_linking_is_part_of_the_hourly_run_and_creating_profiles_is_not() -> None:
    assets = [asset for asset in PROFILE_ASSETS if isinstance(asset, dg.AssetsDefinition)]
    keys = HOURLY.resolve(assets, allow_missing=True)
    assert LINKS in keys
    assert created_profiles.key not in keys
    assert create_profiles_schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_profiles_are_created_only_where_the_setting_allows_it(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        shopify,
        "INSERT INTO shopify_customers (shopify_customer_id, email) VALUES (1, 'jane@example.com')",
    )

    def create() -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [created_profiles],
            instance=instance,
            resources={"shopify": shopify},
            raise_on_error=False,
        )

    assert not create().success
    monkeypatch.setenv("PROFILES_CREATE", "true")
    assert create().success
    with shopify.database() as database, database.transaction() as connection:
        emails = connection.scalars(sa.text("SELECT email FROM unified_profiles")).all()
        linked = connection.scalar(sa.text("SELECT count(*) FROM shopify_internal.profile_links"))
    assert (emails, linked) == (["jane@example.com"], 1)


def test_profiles_that_vanish_while_some_are_created_fail_a_check_and_not_the_run(
    instance: dg.DagsterInstance, shopify: ShopifyPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFILES_CREATE", "true")
    write(shopify, "INSERT INTO unified_profiles (email) VALUES ('jane@example.com')")
    write(
        shopify,
        "INSERT INTO shopify_customers (shopify_customer_id, email) VALUES"
        " (1, 'jane@example.com'), (2, 'new@example.com')",
    )
    links(instance, shopify)
    write(shopify, "DELETE FROM unified_profiles")
    result = dg.materialize([created_profiles], instance=instance, resources={"shopify": shopify})
    assert result.success
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "unified_profiles is empty" in str(check.description)
    [event] = result.asset_materializations_for_node("profiles__created_profiles")
    assert event.metadata["created"].value == 0
