"""/metrics on a public port: however many ask, the database is asked by one of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg

from shopify_pipeline_tests.webhooks.conftest import Sender, within


def backlog(sender: Sender) -> str:
    """What the figures say is pending."""
    lines = sender.client.get(f"{sender.address}/metrics").text.splitlines()
    (found,) = (line for line in lines if line.startswith('shopify_webhooks_inbox{what="pending"}'))
    return found.rpartition(" ")[2]


def test_many_readers_of_the_figures_share_one_connection(
    database_url: str, sender_to: Callable[..., Sender]
) -> None:
    sender = sender_to(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = _connections_ever(connection)
        with ThreadPoolExecutor(20) as pool:
            read = list(pool.map(lambda _: backlog(sender), range(200)))
        assert set(read) == {"0.0"}
        # A new one each time the cached answer is too old; a slow machine may take a while.
        within(lambda: _connections_ever(connection) > before)
        assert _connections_ever(connection) - before < 50


def test_the_figures_follow_the_inbox(sender: Sender) -> None:
    assert backlog(sender) == "0.0"
    assert sender.post("orders/create", {"id": 1}).is_success
    within(lambda: backlog(sender) == "1.0")


def _connections_ever(connection: psycopg.Connection[tuple[int]]) -> int:
    connection.execute("SELECT pg_stat_clear_snapshot()")
    (row,) = connection.execute(
        "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
    ).fetchall()
    return row[0]
