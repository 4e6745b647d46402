"""The tables as assets: one step pulls an entity with its children, by days of `updated_at`."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date

import dagster as dg
from pydantic import Field

from shopify_pipeline.entities import ROOTS, Entity
from shopify_pipeline.orchestration.failures import RETRIES, ends_here, explained
from shopify_pipeline.orchestration.metadata import (
    Metadata,
    merge_metadata,
    pull_metadata,
    table_metadata,
)
from shopify_pipeline.orchestration.partitions import is_open, partition_key, window_of
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import (
    ADMIN_API,
    OPERATIONS,
    OWNERS,
    asset_key,
    table_spec,
)
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.sync.report import Progress
from shopify_pipeline.warehouse.rows import MergeCounts

POOL = "shopify_admin_api"
"""Steps that spend the API's points; `dagster.yaml` lets two run at once."""

LOGGED_EVERY_SECONDS = 10.0

REFRESH_QUEUE = dg.AssetKey(["shopify", "refresh_queue"])


class PullConfig(dg.Config):
    """How a pull reads its days."""

    resume_from_checkpoint: bool = Field(
        default=False,
        description=(
            "Start at the checkpoint, less the overlap, instead of the first day's midnight: "
            "what the hourly schedule asks for. Off, every day of the run is read whole."
        ),
    )


def pull_name(entity: Entity) -> str:
    """The step that pulls an entity and its children."""
    return f"pull_{entity.name}"


def pull_assets(days: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """One step an entity that Shopify lists; its tables are not to be had one by one."""
    return [_pull_asset(entity, days) for entity in ROOTS]


def _pull_asset(entity: Entity, days: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=pull_name(entity),
        description=f"Reads the {entity.name} that changed on the run's days, and merges them.",
        specs=[table_spec(member) for member in entity.family],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=POOL,
        retry_policy=RETRIES,
        # Steps of one process run one after another: parents first, so that links resolve at once.
        op_tags={"dagster/priority": str(10 - len(entity.parents))},
    )
    def pull_days(
        context: dg.AssetExecutionContext, config: PullConfig, shopify: ShopifyPipeline
    ) -> Iterator[dg.MaterializeResult[None]]:
        window = window_of(context)
        with explained(), shopify.open() as sync, finished_days(context, entity) as on_day:
            report = pull(
                sync,
                entity,
                window,
                resume=config.resume_from_checkpoint,
                open_end=is_open(window),
                on_progress=logged(context),
                on_day=on_day,
            )
            with sync.database.transaction() as connection:
                tables = {m.name: table_metadata(connection, m.table) for m in entity.family}
        for member in entity.family:
            figures = pull_metadata(member, report) | tables[member.name]
            yield result(context, asset_key(member), figures)

    return pull_days


class finished_days:  # noqa: N801 - reads as a block, like the functions of contextlib
    """Collects the days that were read whole; where the block fails, logs them as materialized.

    A success materializes every day of the run by its result, so logging them as they end would
    make two events a day. Where a retry of the step follows, it decides.
    """

    def __init__(self, context: dg.AssetExecutionContext, entity: Entity) -> None:
        self._context = context
        self._entity = entity
        self._days: list[date] = []

    def __enter__(self) -> Callable[[date], None]:
        """Give what to call with each finished day."""
        return self._days.append

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Log the finished days if the step ends here, in failure."""
        if error is None or not ends_here(error, retry_number=self._context.retry_number):
            return
        asked = set(self._context.partition_keys)
        days = [day for day in self._days if partition_key(day) in asked]
        for member in self._entity.family:
            for day in days:
                self._context.log_event(
                    dg.AssetMaterialization(
                        asset_key(member),
                        partition=partition_key(day),
                        description="Read whole, before the run failed at a later day.",
                    )
                )


def result(
    context: dg.AssetExecutionContext, key: dg.AssetKey, figures: Metadata
) -> dg.MaterializeResult[None]:
    """The result of a run; in a range of days its figures stand with the last day alone.

    A result's own metadata is repeated on every day, which would plot the sum as each day's.
    """
    days = context.partition_keys
    if len(days) == 1:
        return dg.MaterializeResult(key, metadata=figures)
    context.add_asset_metadata(figures, asset_key=key, partition_key=days[-1])
    return dg.MaterializeResult(key, metadata={"read_with": f"{days[0]} … {days[-1]}"})


def logged(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
) -> Callable[[Progress], None]:
    """Write progress to the run's log, a line every few seconds."""
    last = -LOGGED_EVERY_SECONDS

    def on_progress(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < LOGGED_EVERY_SECONDS:
            return
        last = now
        of = "" if progress.expected is None else f" of {progress.expected}"
        context.log.info("%s (%d%s read)", progress.message, progress.rows, of)

    return on_progress


@dg.asset(
    key=REFRESH_QUEUE,
    description=(
        "Reads again, by id, what cannot be trusted as it is: parents that are missing, records of "
        "webhooks, what the reconciliation found."
    ),
    deps=[ADMIN_API.key],
    group_name=OPERATIONS,
    owners=OWNERS,
    kinds={"shopify", "postgres"},
    pool=POOL,
    retry_policy=RETRIES,
    op_tags={"dagster/priority": "-1"},  # after the pulls, which satisfy some and queue others
)
def refresh_queue(
    context: dg.AssetExecutionContext, shopify: ShopifyPipeline
) -> dg.MaterializeResult[None]:
    """Drain the refresh queue."""
    with explained(), shopify.open() as sync:
        report = drain_refresh_queue(sync)
    for line in report.malformed:
        context.log.error(line)
    return dg.MaterializeResult(
        metadata={
            "refreshed": report.refreshed,
            "found_deleted": report.deleted,
            "unsettled": report.unsettled,
            "malformed": len(report.malformed),
            **merge_metadata(_total(report.counts)),
        }
    )


def _total(counts: Mapping[str, MergeCounts]) -> MergeCounts:
    return sum(counts.values(), MergeCounts())
