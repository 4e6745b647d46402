"""The command `webhooks serve` as its own process, as it runs in production."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shopify_pipeline_tests.webhooks.conftest import SECRET


@dataclass
class Service:
    """A running receiver with its workers."""

    address: str
    process: subprocess.Popen[str]

    def stop(self) -> int:
        """Ask it to end; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def service(
    database_url: str,
    *arguments: str,
    command: str = "serve",
    **environment: str,
) -> Iterator[Service]:
    """Start the command and wait until it listens; it is killed at the end if it still runs."""
    settings = {
        "SHOPIFY_SHOP": "demo-store",
        "SHOPIFY_ACCESS_TOKEN": "shpat_demo",
        "SHOPIFY_START_DATE": "2026-01-01",
        "SHOPIFY_WEBHOOK_SECRETS": SECRET.decode(),
        "DATABASE_URL": database_url,
        "WEBHOOK_PORT": "0",
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "shopify_pipeline.webhooks", command, *arguments],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    address = ""
    if command == "serve":
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.removeprefix("Webhooks: ").strip().removesuffix("/webhooks/shopify")
    try:
        yield Service(address, process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
