"""Serves the receiver over HTTP with uvicorn, on a port that was bound beforehand."""

import gc
import socket

import uvicorn
from starlette.types import ASGIApp

from shopify_pipeline.settings import Settings
from shopify_pipeline.webhooks.inbox import Inbox
from shopify_pipeline.webhooks.metrics import Metrics
from shopify_pipeline.webhooks.receiver import Receiver

GRACE_SECONDS = 5
"""What was accepted is answered within the inbox's 3.5 s; longer only a body is waited for."""

COLLECTOR_THRESHOLDS = (50_000, 20, 20)
"""How many new objects, and rounds of each generation, go by between collections of garbage."""


class PortUnavailableError(Exception):
    """The address cannot be bound; the message says which setting to change."""


def application(settings: Settings) -> ASGIApp:
    """The receiver that the settings describe."""
    metrics = Metrics()
    inbox = Inbox(settings.database_url.get_secret_value(), metrics=metrics)
    secrets = [secret.get_secret_value().encode() for secret in settings.webhook_secrets]
    return Receiver(
        inbox,
        metrics,
        shop=settings.shopify_shop,
        secrets=secrets,
        max_body_bytes=settings.webhook_max_body_bytes,
    ).application()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        PortUnavailableError: the port is taken, privileged, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise PortUnavailableError(
            f"The receiver of webhooks cannot listen on {host}:{port} ({error.strerror}). "
            "Set WEBHOOK_HOST and WEBHOOK_PORT to a free address, or stop what uses this one."
        ) from None
    bound.listen(2048)
    bound.set_inheritable(True)
    return bound


def server(app: ASGIApp, *, trusted_proxies: str = "127.0.0.1") -> uvicorn.Server:
    """A server for the application; `run(sockets=[…])` serves until SIGINT or SIGTERM.

    It then stops accepting, answers what it had accepted, and closes the inbox.
    """
    # What waits for a commit is alive, and the collector would go through it again and again.
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            forwarded_allow_ips=trusted_proxies,
            limit_concurrency=2000,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
