"""What the code location offers, and that loading it asks nobody and tells no secret."""

import os
import subprocess
import sys
from typing import Any

import dagster as dg
import pytest

from shopify_pipeline.entities import ENTITIES, ROOTS
from shopify_pipeline.orchestration.assets import POOL, pull_name
from shopify_pipeline.orchestration.specs import asset_key
from shopify_pipeline.settings import CHECKOUT

SETTINGS = {
    "SHOPIFY_SHOP": "nobody",
    "SHOPIFY_ACCESS_TOKEN": "shpat_never_to_be_seen",
    "SHOPIFY_API_URL": "http://127.0.0.1:9",
    "SHOPIFY_START_DATE": "2026-01-01",
    "DATABASE_URL": "postgresql://nobody:never_to_be_seen@127.0.0.1:9/nothing",
}


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    """The definitions, loaded with settings under which nobody could be asked."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith(("SHOPIFY_", "DATABASE_"))]:
            patch.delenv(name)
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        sys.modules.pop("shopify_pipeline.definitions", None)
        from shopify_pipeline import definitions

        dg.Definitions.validate_loadable(definitions.defs)
        return definitions.defs


@pytest.fixture(scope="module")
def graph(defs: dg.Definitions) -> Any:
    return defs.resolve_asset_graph()


@pytest.mark.parametrize("name", ENTITIES)
def test_every_entity_is_an_asset_of_daily_partitions(graph: Any, name: str) -> None:
    node = graph.get(asset_key(ENTITIES[name]))
    assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)
    assert node.partitions_def.end_offset == 1
    assert node.partitions_def.timezone == "UTC"
    assert node.backfill_policy == dg.BackfillPolicy.single_run()
    assert node.pools == {POOL}
    assert node.freshness_policy is not None
    assert node.metadata["dagster/table_name"] == f"public.{ENTITIES[name].table_name}"


@pytest.mark.parametrize("root", [root.name for root in ROOTS])
def test_a_table_and_its_children_are_one_step(defs: dg.Definitions, root: str) -> None:
    step = defs.resolve_assets_def(asset_key(ENTITIES[root]))
    assert step.keys == {asset_key(member) for member in ENTITIES[root].family}
    assert not step.can_subset
    assert step.op.name == pull_name(ENTITIES[root])
    assert step.op.retry_policy is not None


def test_every_asset_is_presented(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.group_name != "default", key
        assert node.owners, key
        assert node.kinds, key


def test_every_column_is_described(graph: Any) -> None:
    for entity in ENTITIES.values():
        schema = graph.get(asset_key(entity)).metadata["dagster/column_schema"]
        assert [c.name for c in schema.columns if not c.description] == []
        assert {c.name for c in schema.columns} == {c.name for c in entity.table.sql.columns}
        personal = {c.name for c in schema.columns if "personal" in c.tags}
        assert personal == {c.name for c in entity.table.columns if c.personal}


def test_what_there_is(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    assert {"shopify_hourly", "reread_created"} <= set(repository.job_names)
    assert "shopify_hourly_schedule" in {s.name for s in repository.schedule_defs}
    assert "dead_runs" in {s.name for s in repository.sensor_defs}


def test_the_hourly_job_pulls_everything(defs: dg.Definitions) -> None:
    job = defs.resolve_job_def("shopify_hourly")
    assert {asset_key(entity) for entity in ENTITIES.values()} <= set(
        job.asset_layer.selected_asset_keys
    )


def test_what_runs_by_itself_is_described_and_on(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    automations: list[Any] = [*repository.schedule_defs, *repository.sensor_defs]
    for automation in automations:
        assert automation.description, automation.name
    hourly = repository.get_schedule_def("shopify_hourly_schedule")
    assert hourly.default_status is dg.DefaultScheduleStatus.RUNNING
    assert hourly.execution_timezone == "UTC"
    assert repository.get_sensor_def("dead_runs").default_status is dg.DefaultSensorStatus.RUNNING


def test_the_ui_learns_the_names_of_secrets_alone(defs: dg.Definitions) -> None:
    from dagster._core.remote_representation.external_data import RepositorySnap
    from dagster._serdes import serialize_value

    told = serialize_value(RepositorySnap.from_def(defs.get_repository_def()))
    assert "DATABASE_URL" in told
    assert "SHOPIFY_ACCESS_TOKEN" in told
    assert "never_to_be_seen" not in told


def test_missing_settings_stop_the_load_with_all_their_names() -> None:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("SHOPIFY_", "DATABASE_"))}
    done = subprocess.run(
        [sys.executable, "-c", "import shopify_pipeline.definitions"],
        cwd=CHECKOUT / "sql",
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    for name in ("SHOPIFY_SHOP", "SHOPIFY_START_DATE", "DATABASE_URL"):
        assert f"- {name}: " in done.stderr
