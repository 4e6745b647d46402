"""The commands `shopify-pipeline alerts …`."""

from dataclasses import replace

import click
import sqlalchemy as sa

from shopify_pipeline.orchestration.alerts import delivery
from shopify_pipeline.orchestration.alerts.episodes import read_episodes
from shopify_pipeline.orchestration.alerts.messages import Message
from shopify_pipeline.settings import load_settings
from shopify_pipeline.sync.context import open_database


class RefusedError(click.ClickException):
    """What one sentence explains; ends with exit code 2."""

    exit_code = 2


@click.group()
def alerts() -> None:
    """See that alerts arrive, and what they are about."""


@alerts.command()
def test() -> None:
    """Send a test message to every destination in ALERT_URLS; exit 1 if one doesn't take it."""
    settings = load_settings()
    if not settings.alert_urls:
        raise RefusedError("ALERT_URLS is not set: there is nobody to send alerts to.")
    message = Message(
        level="success",
        title=f"Shopify pipeline, {settings.shopify_shop}: a test",
        body=f"Alerts arrive here. Nothing is wrong.\n{settings.dagster_ui_url}",
    )
    failed = 0
    for number, url in enumerate(settings.alert_urls, 1):
        try:
            if delivery.resolves(url.get_secret_value()):  # else there is no incident to be seen
                delivery.send(url.get_secret_value(), replace(message, level="warning"))
            delivery.send(url.get_secret_value(), message)
        except delivery.UndeliverableError as error:
            failed += 1
            click.echo(f"{number}. not delivered: {error}", err=True)
        else:
            scheme = url.get_secret_value().partition(":")[0]
            click.echo(f"{number}. delivered ({scheme})")
    if failed:
        raise SystemExit(1)


@alerts.command("list")
def list_command() -> None:
    """List what is wrong now, and the messages that wait for a destination."""
    database = open_database(load_settings(), application_name="shopify_pipeline alerts")
    try:
        with database.transaction() as connection:
            open_now = read_episodes(connection)
            waiting = connection.execute(
                sa.text(
                    "SELECT title, attempts, last_error, due_at "
                    "FROM shopify_internal.alert_messages WHERE state = 'pending' ORDER BY id"
                )
            ).all()
    finally:
        database.close()
    click.echo(f"Wrong now: {len(open_now) or 'nothing'}")
    for episode in open_now:
        click.echo(
            f"  {episode.state} {episode.subject} (since {episode.since:%Y-%m-%d %H:%M} UTC)"
        )
        click.echo(f"    {episode.summary}\n    {episode.link}")
    click.echo(f"Not delivered yet: {len(waiting) or 'nothing'}")
    for row in waiting:
        click.echo(
            f"  {row.title}\n    {row.attempts} attempts; {row.last_error or 'not tried yet'}; "
            f"next {row.due_at:%Y-%m-%d %H:%M:%S} UTC"
        )
