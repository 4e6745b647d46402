"""Figures of webhooks: the receiver against one that does nothing, POST to row, a burst."""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
import psycopg

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.warehouse.migrations import migrate
from shopify_pipeline_tests.benchmarks.webhook_load import Load, orders, send
from shopify_pipeline_tests.webhooks.service import service

CONNECTIONS = 256
"""How many requests are under way at once: Shopify sends a burst over many connections."""


def measure(
    database_url: str,
    *,
    requests: int = 10_000,
    rounds: int = 3,
    events: int = 1_000,
    per_second: float = 50,
    burst: int = 20_000,
) -> dict[str, float]:
    """Measure on a migrated, empty database, with server and client on this machine.

    The receiver's figures are medians of rounds in which the one that does nothing and ours take
    turns: the same server and load, and a handler that reads the body and does nothing with it.
    """
    return {
        **receiver_figures(database_url, requests=requests, rounds=rounds),
        **latency_figures(database_url, events=events, per_second=per_second),
        **burst_figures(database_url, burst=burst),
    }


def receiver_figures(database_url: str, *, requests: int, rounds: int) -> dict[str, float]:
    """Requests a second and latency, durable and not, at full load."""
    noop: list[dict[str, float]] = []
    durable: list[dict[str, float]] = []
    with idle_receiver() as idle, receiver(database_url, "--workers", "0") as ours:
        for _ in range(rounds):
            noop.append(_load(idle, requests))
            durable.append(_load(ours, requests))
    assert all(not one["refused"] for one in (*noop, *durable))
    ours_per_s = statistics.median(one["per_second"] for one in durable)
    noop_per_s = statistics.median(one["per_second"] for one in noop)
    return {
        "webhooks.requests_per_s": ours_per_s,
        "webhooks.noop_requests_per_s": noop_per_s,
        "webhooks.ratio_to_noop": ours_per_s / noop_per_s,
        "webhooks.p50_ms": statistics.median(one["p50_ms"] for one in durable),
        "webhooks.p99_ms": statistics.median(one["p99_ms"] for one in durable),
    }


def latency_figures(database_url: str, *, events: int, per_second: float) -> dict[str, float]:
    """From sending a webhook about a new order until another connection sees the row."""
    _empty(database_url)
    start = datetime.now(UTC) - timedelta(days=1)
    seen: dict[int, float] = {}
    with receiver(database_url, "--workers", "1", "--no-refresh") as address:
        prepared = orders(address, events, distinct=events, start=start)
        sent_at: list[float] = []
        sender = threading.Thread(
            target=lambda: sent_at.append(_send_steadily(address, prepared, per_second))
        )
        with psycopg.connect(database_url, autocommit=True) as connection:
            sender.start()
            deadline = time.perf_counter() + events / per_second + 60
            while len(seen) < events and time.perf_counter() < deadline:
                rows = connection.execute(
                    "SELECT shopify_order_id FROM shopify_orders "
                    "WHERE NOT shopify_order_id = ANY(%s)",
                    [list(seen)],
                ).fetchall()
                now = time.perf_counter()
                seen.update((row[0], now) for row in rows)
                time.sleep(0.003)
        sender.join()
    assert len(seen) == events, f"only {len(seen)} of {events} rows came"
    took = sorted(
        1000 * (moment - (sent_at[0] + (number - 1) / per_second))
        for number, moment in seen.items()
    )
    return {
        "webhooks.post_to_row_p50_ms": took[len(took) // 2],
        "webhooks.post_to_row_p99_ms": took[int(len(took) * 0.99)],
    }


def burst_figures(database_url: str, *, burst: int) -> dict[str, float]:
    """A burst at full speed: what was lost, and when the inbox was empty again."""
    _empty(database_url)
    start = datetime.now(UTC) - timedelta(days=1)
    with (
        receiver(database_url, "--workers", "1", "--no-refresh") as address,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        prepared = orders(address, burst, distinct=burst, start=start)
        began = time.perf_counter()
        load = asyncio.run(send(address, prepared, connections=CONNECTIONS))
        pending = "SELECT count(*) FROM shopify_internal.webhook_inbox WHERE state = 'pending'"
        while connection.execute(pending).fetchall()[0][0]:
            time.sleep(0.05)
        drained = time.perf_counter() - began
        there = connection.execute("SELECT count(*) FROM shopify_orders").fetchall()[0][0]
    return {
        "webhooks.burst_lost": load.accepted - there,
        "webhooks.burst_refused": load.refused,
        "webhooks.burst_sent_s": load.seconds,
        "webhooks.burst_drain_s": drained,
    }


@contextmanager
def receiver(database_url: str, *arguments: str) -> Iterator[str]:
    """Our receiver as its own process; yields its address once it takes webhooks."""
    with service(database_url, *arguments) as running:
        workers = int(arguments[arguments.index("--workers") + 1])
        _until_ready(running.address)
        with psycopg.connect(database_url, autocommit=True) as connection:
            listening = "SELECT count(*) FROM shopify_internal.webhook_workers"
            while connection.execute(listening).fetchall()[0][0] < workers:
                time.sleep(0.05)
        yield running.address
        running.stop()


@contextmanager
def idle_receiver() -> Iterator[str]:
    """The same server and path with a handler that reads the body and does nothing."""
    module = "shopify_pipeline_tests.benchmarks.webhook_noop"
    process = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        _until_ready(address)
        yield address
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def _load(address: str, requests: int) -> dict[str, float]:
    """Send a load from a process of its own, so that the client is not what is measured."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "shopify_pipeline_tests.benchmarks.webhook_load"),
            *(address, str(requests), str(CONNECTIONS)),
        ],
        capture_output=True,
        check=True,
    )
    result: dict[str, float] = orjson.loads(done.stdout)
    return result


def _send_steadily(address: str, prepared: list[bytes], per_second: float) -> float:
    """Send so many a second; returns when the first was sent."""
    began = time.perf_counter()

    async def sending() -> Load:
        return await send(address, prepared, connections=16, per_second=per_second)

    asyncio.run(sending())
    return began


def _until_ready(address: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError(address)


def _empty(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "TRUNCATE shopify_orders, shopify_order_items, shopify_internal.refresh_queue, "
            "shopify_internal.webhook_inbox, shopify_internal.webhook_bodies, "
            "shopify_internal.webhook_workers CASCADE"
        )
        connection.execute("CHECKPOINT")


def main() -> None:
    """Measure on an embedded Postgres and print the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as directory:
        server = EmbeddedPostgres(Path(directory))
        try:
            url = server.create_database("bench")
            migrate(url)
            figures = measure(url)
        finally:
            server.stop()
    sys.stdout.write(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() + "\n")


if __name__ == "__main__":
    main()
