"""The commands `shopify-pipeline webhooks …`."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import orjson
import sqlalchemy as sa

from shopify_pipeline.admin_api import Access, AdminApi, check_access
from shopify_pipeline.settings import Settings, load_settings
from shopify_pipeline.sync.context import open_api, open_database
from shopify_pipeline.warehouse import shop
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.webhooks import letters, privacy, subscriptions
from shopify_pipeline.webhooks.crew import Crew
from shopify_pipeline.webhooks.receiver import PATH
from shopify_pipeline.webhooks.server import PortUnavailableError, application, bind, server
from shopify_pipeline.webhooks.statements import STATEMENTS
from shopify_pipeline.webhooks.worker import Worker


class RefusedError(click.ClickException):
    """What one sentence explains; ends with exit code 2."""

    exit_code = 2


class UnansweredError(RefusedError):
    """The database did not answer."""


@click.group()
def webhooks() -> None:
    """Receive Shopify's webhooks and bring them to the tables."""


@webhooks.command()
@click.option("--workers", default=1, show_default=True, help="Worker processes beside it.")
@click.option("--refresh/--no-refresh", default=True, help="Whether workers read the API too.")
def serve(*, workers: int, refresh: bool) -> None:
    """Serve the receiver, with workers; until Ctrl-C.

    Listens on WEBHOOK_HOST and WEBHOOK_PORT, wants HTTPS before it (a proxy named in
    WEBHOOK_TRUSTED_PROXIES), and answers POST /webhooks/shopify, /healthz, /readyz, /metrics.
    """
    settings = load_settings()
    _log()
    if not settings.webhook_secrets:
        raise RefusedError(
            "No webhook could be verified: set SHOPIFY_WEBHOOK_SECRETS to the app's client secret."
        )
    try:
        with _database(settings):
            pass
    except UnansweredError as error:
        # It may be away for now: the receiver says 503 till it is back, and the workers ask again.
        click.echo(f"Warning: {error}", err=True)
    try:
        listening = bind(settings.webhook_host, settings.webhook_port)
    except PortUnavailableError as error:
        raise RefusedError(str(error)) from None
    host, port = listening.getsockname()[:2]
    receiver = server(application(settings), trusted_proxies=settings.webhook_trusted_proxies)

    def end(*_: object) -> None:
        receiver.should_exit = True

    # Uvicorn sends itself the signal again once it has ended; the workers are still to be ended.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    click.echo(f"Webhooks: http://{host}:{port}{PATH}")
    sys.stdout.flush()
    with Crew(workers, options=() if refresh else ("--no-refresh",)):
        receiver.run(sockets=[listening])


@webhooks.command()
@click.option("--refresh/--no-refresh", default=True, help="Whether it reads the API too.")
@click.option("--parent", type=int, hidden=True, help="End when this process is gone.")
def work(*, refresh: bool, parent: int | None) -> None:
    """Work on the inbox alone; run as many as wanted, on any machine."""
    _log()
    worker = Worker(load_settings(), refreshing=refresh)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stop())
    if parent is not None:
        threading.Thread(target=_outlived_by, args=(parent, worker), daemon=True).start()
    worker.run()


@webhooks.command()
@click.option("--limit", default=1000, show_default=True, help="Most to list.")
def dead(*, limit: int) -> None:
    """List the deliveries that failed too often."""
    with _database() as database:
        found = letters.dead_deliveries(database, limit=limit)
    for one in found:
        click.echo(
            f"{one.id}\t{one.topic}\treceived {one.received_at:%Y-%m-%d %H:%M:%S}\t"
            f"{one.attempts} attempts\t{one.last_error}"
        )
    click.echo(f"{len(found)} dead; `shopify-pipeline webhooks replay` tries them again.", err=True)


@webhooks.command()
@click.argument("ids", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every dead delivery.")
@click.option("--done", is_flag=True, help="Also those that were done.")
def replay(*, ids: Sequence[int], everything: bool, done: bool) -> None:
    """Try deliveries again, by number, or --all that are dead."""
    if bool(ids) == everything:
        raise click.UsageError("Name deliveries, or say --all.")
    states = ("dead", "done") if done else ("dead",)
    with _database() as database:
        count = letters.replay(database, None if everything else ids, states=states)
    click.echo(f"{count} deliveries are pending again.")


@webhooks.command()
@click.option("--url", help="The receiver, as Shopify reaches it. Default: SHOPIFY_WEBHOOK_URL.")
@click.option("--move/--beside", default=True, help="What to do with those that lead elsewhere.")
def register(*, url: str | None, move: bool) -> None:
    """Subscribe to every topic that the app's scopes allow."""
    settings = load_settings()
    address = _address(settings, url)
    with _api(settings) as (api, access):
        done = subscriptions.register(api, address, scopes=access.scopes, move=move)
    for words, topics in (
        ("created", done.created),
        ("moved", done.moved),
        ("kept", done.kept),
        ("left out, the app lacks the scope", done.left_out),
    ):
        for topic in topics:
            click.echo(f"{topic}: {words}")
    for topic, reason in done.refused.items():
        click.echo(f"{topic}: refused: {reason}", err=True)
    click.echo(
        "Compliance topics (customers/data_request, customers/redact, shop/redact) are set in the "
        "app's configuration, not here.",
        err=True,
    )
    sys.exit(1 if done.refused else 0)


@webhooks.command("list")
def list_() -> None:
    """List this app's subscriptions on the store."""
    with _api(load_settings()) as (api, _):
        for one in subscriptions.subscriptions(api):
            click.echo(f"{one.topic}\t{one.uri}\t{one.id}")


@webhooks.command()
@click.option("--url", help="Only those that lead here. Default: SHOPIFY_WEBHOOK_URL.")
@click.option("--all", "everything", is_flag=True, help="Wherever they lead.")
def remove(*, url: str | None, everything: bool) -> None:
    """Remove subscriptions of this app."""
    settings = load_settings()
    address = None if everything else _address(settings, url)
    with _api(settings) as (api, _):
        found = [one for one in subscriptions.subscriptions(api) if address in {None, one.uri}]
        refused = subscriptions.remove(api, found)
    for gid, reason in refused.items():
        click.echo(f"{gid}: {reason}", err=True)
    click.echo(f"{len(found) - len(refused)} subscriptions removed.")
    sys.exit(1 if refused else 0)


@webhooks.command("privacy")
def privacy_() -> None:
    """List the requests about personal data, and by when they must be answered."""
    with _database() as database, database.transaction() as connection:
        for row in connection.exec_driver_sql(STATEMENTS["privacy_requests"]):
            state = f"done {row.done_at:%Y-%m-%d}" if row.done_at else f"due {row.due_at:%Y-%m-%d}"
            click.echo(f"{row.id}\t{row.kind}\tcustomer {row.customer_id}\t{state}")


@webhooks.command()
@click.argument("customer", type=int)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True)
def export(*, customer: int, output: Path) -> None:
    """Write everything we hold about a customer to a JSON file, for a data request."""
    with _database() as database, database.transaction() as connection:
        found = privacy.export_customer(connection, customer)
        content = orjson.dumps(
            found, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
        )
        # Readable to its owner alone: it is all personal data.
        with os.fdopen(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)  # it may have been there before
            file.write(content)
        connection.exec_driver_sql(STATEMENTS["answer_data_requests"], {"customer_id": customer})
    click.echo(f"Written to {output}; open data requests of customer {customer} are answered.")


@contextmanager
def _database(settings: Settings | None = None) -> Iterator[Database]:
    """The database, known to be that of the store.

    Raises:
        WrongShopError: it holds the data of another.
        UnansweredError: it did not answer.
    """
    settings = settings or load_settings()
    database = open_database(settings, application_name="shopify_pipeline webhooks")
    try:
        with database.transaction() as connection:
            shop.check_domain(connection, settings.shopify_shop)
        yield database
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
        raise UnansweredError(
            f"The database of DATABASE_URL does not answer ({type(error).__name__}): look at its "
            "address, and whether it runs."
        ) from None
    finally:
        database.close()


@contextmanager
def _api(settings: Settings) -> Iterator[tuple[AdminApi, Access]]:
    with _database(settings):
        pass
    api = open_api(settings)
    try:
        yield api, check_access(api, required_scopes=())
    finally:
        api.close()


def _address(settings: Settings, url: str | None) -> str:
    address = url or settings.shopify_webhook_url
    if not address:
        raise RefusedError("Say where: --url https://…, or set SHOPIFY_WEBHOOK_URL.")
    if not address.startswith("https://") and settings.shopify_api_url is None:
        raise RefusedError("Shopify sends webhooks over https:// only.")
    return subscriptions.receiver_address(address, PATH)


def _outlived_by(parent: int, worker: Worker) -> None:
    """Stop when the process that started us is gone."""
    while os.getppid() == parent:
        threading.Event().wait(1)
    worker.stop()


def _log() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
