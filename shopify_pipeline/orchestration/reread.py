"""The job that reads again what was created on some days, and moves no checkpoint."""

from datetime import date

import dagster as dg
from pydantic import Field

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.orchestration.assets import logged
from shopify_pipeline.orchestration.failures import RETRIES, explained
from shopify_pipeline.orchestration.metadata import pull_metadata
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.orchestration.specs import asset_key
from shopify_pipeline.sync.reread import reread_created
from shopify_pipeline.sync.window import Window

BACKGROUND_POOL = "shopify_background"
"""Of long steps, which must not take the slots that the hourly run's pulls wait for."""

MAX_RUNTIME_SECONDS = 48 * 3600


class RereadConfig(dg.Config):
    """What to read again."""

    first_day: str = Field(description="First day of creation (UTC), `2026-01-31`.")
    last_day: str = Field(description="Last day of creation (UTC), included.")
    entities: list[str] = Field(
        default=[root.name for root in ROOTS],
        description="Which: products (with their variants), customers, orders (with their lines).",
    )

    def window(self) -> Window:
        """The days, as a window.

        Raises:
            dagster.Failure: a day is no date, or they are in the wrong order.
        """
        try:
            first, last = date.fromisoformat(self.first_day), date.fromisoformat(self.last_day)
        except ValueError as error:
            raise dg.Failure(f"Days are written 2026-01-31: {error}", allow_retries=False) from None
        if last < first:
            raise dg.Failure(f"{last} is before {first}", allow_retries=False)
        return Window.of_days(first, last)

    def unknown(self) -> list[str]:
        """The entities that Shopify lists under no such name."""
        return sorted({*self.entities} - {root.name for root in ROOTS})


@dg.op(
    pool=BACKGROUND_POOL,
    retry_policy=RETRIES,
    description="Complete reads of what was created on these days, told to the assets as "
    "observations: no partition turns green, no checkpoint moves.",
)
def read_created_again(
    context: dg.OpExecutionContext, config: RereadConfig, shopify: ShopifyPipeline
) -> None:
    """Read the days again, parents first."""
    window = config.window()
    if unknown := config.unknown():
        known = ", ".join(root.name for root in ROOTS)
        raise dg.Failure(f"No such entities: {unknown}. Known: {known}", allow_retries=False)
    with explained(), shopify.open() as sync:
        for root in ROOTS:
            if root.name not in config.entities:
                continue
            report = reread_created(sync, root, window, on_progress=logged(context))
            for member in root.family:
                context.log_event(
                    dg.AssetObservation(
                        asset_key(member),
                        description=f"Read again: created {config.first_day} … {config.last_day}",
                        metadata=pull_metadata(member, report),
                    )
                )


@dg.job(
    name="reread_created",
    description=(
        "Reads again what was created from one day to another (UTC), for a doubt about old "
        "records. Give the days and the entities in the run's config."
    ),
    tags={"dagster/max_runtime": str(MAX_RUNTIME_SECONDS)},
)
def reread_created_job() -> None:
    """Re-read what was created in a window."""
    read_created_again()
