"""The commands `shopify-pipeline profiles …`."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from shopify_pipeline.profiles import decisions, review
from shopify_pipeline.profiles.linking import link
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.settings import load_settings
from shopify_pipeline.warehouse.database import Database

CUSTOMER = click.argument("customer", type=int)
NOTE = click.option("--note", help="Why; kept with the decision.")


class RefusedError(click.ClickException):
    """What one sentence explains; ends with exit code 2."""

    exit_code = 2


@click.group()
def profiles() -> None:
    """Link customers to the platform's profiles, and decide what the rules cannot.

    CUSTOMER is Shopify's number of the customer, PROFILE the id of the row of unified_profiles.
    """


@profiles.command()
@click.option("--whole", is_flag=True, help="Compare every customer and profile again.")
@click.option(
    "--accept-loss", is_flag=True, help="Release the links of profiles that vanished in bulk."
)
def run(*, whole: bool, accept_loss: bool) -> None:
    """Link now what changed since the last run."""
    with _opened() as (database, options):
        _tell(link(database, options, whole=whole, accept_loss=accept_loss))


@profiles.command("link")
@CUSTOMER
@click.argument("profile", type=click.UUID)
@NOTE
def link_command(*, customer: int, profile: uuid.UUID, note: str | None) -> None:
    """Link CUSTOMER to PROFILE, whatever the rules say, from now on."""
    with _opened() as (database, options):
        _tell(
            decisions.decide_link(database, options, customer=customer, profile=profile, note=note)
        )


@profiles.command()
@CUSTOMER
@click.option(
    "--profile", type=click.UUID, help="Only never to this one; the rules may link another."
)
@NOTE
def unlink(*, customer: int, profile: uuid.UUID | None, note: str | None) -> None:
    """Never link CUSTOMER, or never to one profile."""
    with _opened() as (database, options):
        _tell(
            decisions.decide_never(database, options, customer=customer, profile=profile, note=note)
        )


@profiles.command()
@CUSTOMER
def forget(*, customer: int) -> None:
    """Forget what was decided about CUSTOMER: the rules hold again."""
    with _opened() as (database, options):
        _tell(decisions.forget_decisions(database, options, customer=customer))


@profiles.command("review")
@click.option("--limit", default=50, show_default=True, help="Customers to list of each kind.")
def review_command(*, limit: int) -> None:
    """List what waits for a decision: conflicts (several profiles match) and near misses.

    Settle them with `link`, `unlink --profile`, or `unlink`.
    """
    with _opened() as (database, _), database.transaction() as connection:
        conflicts = review.waiting(connection, "conflicts", limit=limit)
        candidates = review.waiting(connection, "candidates", limit=limit)
    for title, pairs in (("Conflicts", conflicts), ("Near misses", candidates)):
        click.echo(f"{title}: {len({pair['shopify_customer_id'] for pair in pairs}) or 'none'}")
        for pair in pairs:
            kept = ", keeps an older link" if pair["linked"] else ""
            click.echo(
                f"  customer {pair['shopify_customer_id']} and profile {pair['profile_id']} "
                f"({pair['by']}{kept}; since {pair['found_at']:%Y-%m-%d %H:%M} UTC)"
            )


@profiles.command()
@CUSTOMER
def history(*, customer: int) -> None:
    """Show everything that happened to CUSTOMER's link."""
    with _opened() as (database, _), database.transaction() as connection:
        events = review.link_history(connection, customer)
    if not events:
        raise RefusedError(f"nothing has happened to a link of customer {customer}")
    for event in events:
        rule = f" by {event['rule']}" if event["rule"] else ""
        profile = f"  profile {event['profile_id']}" if event["profile_id"] else ""
        click.echo(
            f"{event['happened_at']:%Y-%m-%d %H:%M:%S} UTC  {event['event']}{rule}: "
            f"{event['reason']}{profile}"
        )


@contextmanager
def _opened() -> Iterator[tuple[Database, LinkOptions]]:
    settings = load_settings()
    direct: Any = settings.direct_url.get_secret_value()
    database = Database(
        settings.database_url.get_secret_value(),
        direct_url=direct,
        application_name="shopify_pipeline profiles",
    )
    try:
        yield database, LinkOptions.from_settings(settings)
    except decisions.NoSuchRowError as error:
        raise RefusedError(str(error)) from None
    finally:
        database.close()


def _tell(report: LinkReport) -> None:
    if report.problem:
        raise RefusedError(report.problem)
    click.echo(
        f"{report.judged} customers judged: {report.linked} linked, {report.released} released, "
        f"{report.rule_changed} by another rule, {report.restored} restored."
    )
