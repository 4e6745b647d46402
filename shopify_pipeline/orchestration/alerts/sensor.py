"""The sensor that watches Dagster's event log and sends alerts."""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg
import sqlalchemy as sa

from shopify_pipeline.orchestration.alerts import delivery, episodes, signals
from shopify_pipeline.orchestration.alerts.messages import Message, compose, compose_each
from shopify_pipeline.orchestration.alerts.ticks import read_tick_signals
from shopify_pipeline.orchestration.resources import ShopifyPipeline
from shopify_pipeline.settings import Settings
from shopify_pipeline.warehouse import state
from shopify_pipeline.warehouse.database import Database

_CURSORS = "alerts.cursors"
_LOCK = 7_262_837_002
_TOLD = "database out of reach, told"
_OUT_OF_REACH = "the database is out of reach"


class AlertsUndeliveredError(Exception):
    """A destination of alerts does not take them; they are kept and tried again."""


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Sends failed checks, failed and crashed runs, stale tables, failing schedules and "
        "sensors, and checks that could not be evaluated, to ALERT_URLS: once an episode, grouped, "
        "with a notice of recovery. A tick fails while a destination does not take its messages, "
        "which are kept and tried again."
    ),
)
def alerts(context: dg.SensorEvaluationContext, shopify: ShopifyPipeline) -> dg.SkipReason:
    """Take the log's news into account, then send what is due.

    Raises:
        AlertsUndeliveredError: a destination does not take its messages.
    """
    settings = shopify.settings()
    urls = [url.get_secret_value() for url in settings.alert_urls]
    try:
        with shopify.database() as database:
            told = watch(context.instance, database, settings)
            sent = delivery.deliver(database, urls)
    except sa.exc.OperationalError:
        # No failed tick: Dagster would forget with it that this was told.
        _tell_without_database(context, urls, settings)
        context.log.warning("The database is out of reach: alerts cannot be kept.")
        return dg.SkipReason("The database is out of reach.")
    if context.cursor == _TOLD:
        _tell_of_return(urls, settings)
        context.update_cursor("")
    if sent.problems:
        raise AlertsUndeliveredError(
            "Alerts are kept and tried again, for these do not take them: "
            + "; ".join(sent.problems)
        )
    if not urls:
        return dg.SkipReason(f"ALERT_URLS is not set: {told} notices were kept, none sent.")
    return dg.SkipReason(f"{told} notices, {sent.delivered} messages delivered.")


def watch(instance: dg.DagsterInstance, database: Database, settings: Settings) -> int:
    """Fold the log's news into the episodes and write the messages due; the number of notices.

    The first call only notes where the log ends. Cursors, episodes and messages commit together.
    """
    with database.transaction() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        kept = state.read(connection, _CURSORS)
        if kept is None:
            state.write(connection, _CURSORS, vars(signals.newest(instance)))
            return 0
        found, cursors = signals.read_signals(instance, signals.Cursors(**kept))
        found += read_tick_signals(instance, but="alerts")
        known = episodes.read_episodes(connection, {signal.subject for signal in found})
        changed, notices = episodes.fold(known, found, ui_url=settings.dagster_ui_url)
        episodes.write_episodes(connection, changed)
        if notices:
            urls = {url.get_secret_value() for url in settings.alert_urls}
            by_incident = {url for url in urls if delivery.resolves(url)}
            shop = settings.shopify_shop
            delivery.enqueue(connection, compose(notices, shop=shop), urls - by_incident)
            for message in compose_each(notices, shop=shop):
                delivery.enqueue(connection, message, by_incident)
        state.write(connection, _CURSORS, vars(cursors))
    return len(notices)


def _tell_without_database(
    context: dg.SensorEvaluationContext, urls: Sequence[str], settings: Settings
) -> None:
    """Say once that the database is out of reach, where nothing can be kept in it."""
    if context.cursor == _TOLD:
        return
    if _send_all(urls, _database_message(settings, out_of_reach=True)):
        context.update_cursor(_TOLD)


def _tell_of_return(urls: Sequence[str], settings: Settings) -> None:
    message = _database_message(settings, out_of_reach=False)
    _send_all([url for url in urls if not delivery.resolves(url)], message)
    same_title = _database_message(settings, out_of_reach=True).title
    resolving = [url for url in urls if delivery.resolves(url)]
    _send_all(resolving, replace(message, title=same_title))


def _send_all(urls: Sequence[str], message: Message) -> bool:
    sent = False
    for url in urls:
        try:
            delivery.send(url, message)
        except delivery.UndeliverableError:
            continue
        sent = True
    return sent


def _database_message(settings: Settings, *, out_of_reach: bool) -> Message:
    title = f"Shopify pipeline, {settings.shopify_shop}: "
    if out_of_reach:
        return Message(
            level="failure",
            title=f"{title}{_OUT_OF_REACH}",
            body=f"Nothing is read or written until it answers again.\n{settings.dagster_ui_url}",
        )
    return Message(
        level="success", title=f"{title}the database answers again", body=settings.dagster_ui_url
    )
