"""`shopify-pipeline store serve`: starts the simulated store.

In tests: start it with `--port 0`, read the first line of its standard output
(`store: serving demo-store.myshopify.com on http://127.0.0.1:PORT`), and talk to that address
with the token `shpat_demo`. `GET /_store/` explains how to change records, move the clock,
inject faults and read the truth.
"""

from __future__ import annotations

import signal
import socket
import sqlite3
import ssl
from pathlib import Path
from typing import NoReturn

import click
import uvicorn

from shopify_pipeline.demo.store import seeding
from shopify_pipeline.demo.store.clock import Clock, parse_time
from shopify_pipeline.demo.store.identifiers import is_shop_name
from shopify_pipeline.demo.store.listener import StoreProtocol
from shopify_pipeline.demo.store.server import Application
from shopify_pipeline.demo.store.store import Settings, Store

_COUNT = click.IntRange(min=0)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def store() -> None:
    """The simulated Shopify store."""


@store.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=9000,
    show_default=True,
    help="0 picks a free one.",
)
@click.option("--seed", default=7, show_default=True)
@click.option("--products", type=_COUNT, default=500, show_default=True)
@click.option("--customers", type=_COUNT, default=2000, show_default=True)
@click.option("--orders", type=_COUNT, default=10_000, show_default=True)
@click.option("--plan", type=click.Choice(["standard", "advanced", "plus"]), default="standard")
@click.option("--tls-cert", type=_FILE, help="Serve https; goes with --tls-key.")
@click.option("--tls-key", type=_FILE)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Keep the store here: records, bulk files, subscriptions, scopes and denied fields. "
    "The clock, faults and other settings start afresh.",
)
@click.option("--shop", default="demo-store", show_default=True)
@click.option("--token", default="shpat_demo", show_default=True)
@click.option("--client-id", default="demo", show_default=True)
@click.option("--client-secret", default="demo", show_default=True)
@click.option(
    "--traffic", type=click.FloatRange(min=0), default=0.0, help="Random changes a second."
)
@click.option("--clock", help="Start the store's clock here (ISO 8601) instead of now.")
def serve(  # noqa: PLR0917 - one parameter an option
    host: str,
    port: int,
    seed: int,
    products: int,
    customers: int,
    orders: int,
    plan: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    data_dir: Path | None,
    shop: str,
    token: str,
    client_id: str,
    client_secret: str,
    traffic: float,
    clock: str | None,
) -> None:
    """Serve the store until stopped."""
    if not is_shop_name(shop):
        raise RefusedError(f"--shop {shop!r} is no name under myshopify.com")
    _check_tls(tls_cert, tls_key)
    settings = Settings(
        shop=shop, token=token, client_id=client_id, client_secret=client_secret, plan=plan
    )
    try:
        start = parse_time(clock) if clock else None
    except ValueError:
        raise RefusedError(f"--clock {clock!r} is no ISO 8601 time") from None
    size = seeding.Size(products=products, customers=customers, orders=orders)
    listening = _bound(host, port)
    try:
        simulated = _opened(settings, Clock(start=start), data_dir, seed=seed, size=size)
    except (OSError, sqlite3.OperationalError) as error:
        raise RefusedError(f"{data_dir} can't hold the store: {error}") from None
    signal.signal(signal.SIGTERM, _stopped)  # uvicorn raises it again after its own end
    application = Application(simulated, seed=seed, traffic=traffic)
    scheme = "https" if tls_cert else "http"
    address = f"{scheme}://{host}:{listening.getsockname()[1]}"
    config = uvicorn.Config(
        application.asgi(),
        http=StoreProtocol,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        ssl_certfile=str(tls_cert) if tls_cert else None,
        ssl_keyfile=str(tls_key) if tls_key else None,
        timeout_graceful_shutdown=2,
    )
    try:
        _Server(config, f"store: serving {settings.domain} on {address}").run(sockets=[listening])
    finally:
        application.close()
        simulated.database.close()


def _check_tls(cert: Path | None, key: Path | None) -> None:
    if (cert is None) != (key is None):
        raise RefusedError("--tls-cert and --tls-key go together: give both or none")
    if cert is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (ssl.SSLError, OSError) as error:
        raise RefusedError(f"{cert} and {key} are no certificate with its key: {error}") from None


def _stopped(*_: object) -> NoReturn:
    raise SystemExit(0)


class _Server(uvicorn.Server):
    """Says that it serves when it does.

    From then on a signal is uvicorn's to handle; before, what `_stopped` raises can be lost in an
    import.
    """

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        click.echo(self._announcement)


class RefusedError(click.ClickException):
    """A start that can't be made as asked; the command exits 2."""

    exit_code = 2


def _opened(
    settings: Settings, clock: Clock, directory: Path | None, *, seed: int, size: seeding.Size
) -> Store:
    """The store of a directory, or a new one, filled when it is empty."""
    simulated = Store(settings=settings, clock=clock, directory=directory)
    if seeding.stored_seed(simulated) is not None:
        return simulated
    if directory is None:
        seeding.fill(simulated, seed=seed, size=size)
        return simulated
    simulated.database.close()
    seeding.fill_apart(directory, clock.now(), settings, seed=seed, size=size)
    simulated = Store(settings=settings, clock=clock, directory=directory)
    seeding.stored_seed(simulated)
    return simulated


def _bound(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        raise RefusedError(f"port {port} on {host} can't be used: {error.strerror}") from None
    return listening
