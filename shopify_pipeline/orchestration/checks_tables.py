"""The asset checks: those of every hour, cheap at any size, and those that read whole tables."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import dagster as dg

from shopify_pipeline.entities import ENTITIES, ROOTS, Entity
from shopify_pipeline.orchestration.assets import REFRESH_QUEUE
from shopify_pipeline.orchestration.checks_bench import Bench, Check, bench, evaluated
from shopify_pipeline.orchestration.checks_rows import OTHER_SCHEMA, ROW_CHECKS, WHOLE_TABLE
from shopify_pipeline.orchestration.checks_store import ACCESS_CHECKS, STORE_CHECKS
from shopify_pipeline.orchestration.reread import BACKGROUND_POOL
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import ADMIN_API, asset_key

OF_ALL_ROWS = "_of_all_rows"

Planned = dict[dg.AssetCheckKey, tuple[Check, Entity]]

_HOURLY = (
    "Looks at what was written in the last 26 hours; at the whole table while it is small (250,000 "
    "rows). The daily checks look at all rows."
)
_DAILY = "Looks at every row; once a day, after the reconciliation."


def _reads_rows(check: Check) -> bool:
    return check.name.removesuffix(OF_ALL_ROWS) in {*WHOLE_TABLE, "order_totals"}


def _planned(checks: Sequence[Check]) -> Planned:
    return {
        dg.AssetCheckKey(asset_key(entity), check.name): (check, entity)
        for entity in ENTITIES.values()
        for check in checks
        if check.of(entity)
    }


HOURLY: Planned = _planned([*ROW_CHECKS, *STORE_CHECKS]) | {
    dg.AssetCheckKey(ADMIN_API.key, check.name): (check, ROOTS[0]) for check in ACCESS_CHECKS
}
HOURLY[dg.AssetCheckKey(REFRESH_QUEUE, OTHER_SCHEMA.name)] = (OTHER_SCHEMA, ROOTS[0])
DAILY: Planned = _planned(
    [
        replace(check, name=f"{check.name}{OF_ALL_ROWS}", blocking=lambda _: False)
        for check in (*ROW_CHECKS, *STORE_CHECKS)
        if _reads_rows(check)
    ]
)


def _specs(planned: Planned, scope: str) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            key.name,
            asset=key.asset_key,
            description=f"{check.looks_for}\n\n{scope}" if _reads_rows(check) else check.looks_for,
            blocking=check.blocking(entity),
        )
        for key, (check, entity) in planned.items()
    ]


def _results(
    context: dg.AssetCheckExecutionContext, planned: Planned, tools: Bench
) -> Iterator[dg.AssetCheckResult]:
    for key, (check, entity) in planned.items():
        if key in context.selected_asset_check_keys:
            yield evaluated(check, entity, key.asset_key, tools)


@dg.multi_asset_check(
    name="check_tables",
    description="Compares the tables with themselves, with the rules and with the store.",
    specs=_specs(HOURLY, _HOURLY),
    can_subset=True,
    op_tags={"dagster/priority": "-2"},  # after the refresh queue, which repairs what it can
)
def check_tables(
    context: dg.AssetCheckExecutionContext, shopify: ShopifyPipeline
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the hourly checks."""
    with bench(shopify, whole=False) as tools:
        yield from _results(context, HOURLY, tools)


@dg.multi_asset_check(
    name="check_whole_tables",
    description="The checks of rows, over all rows: minutes at ten million orders.",
    specs=_specs(DAILY, _DAILY),
    can_subset=True,
    pool=BACKGROUND_POOL,
    op_tags={"dagster/priority": "-2"},
)
def check_whole_tables(
    context: dg.AssetCheckExecutionContext, shopify: ShopifyPipeline
) -> Iterator[dg.AssetCheckResult]:
    """Evaluate the daily checks."""
    with bench(shopify, whole=True) as tools:
        yield from _results(context, DAILY, tools)


TABLE_CHECKS = [check_tables, check_whole_tables]
