"""How a worker learns of news: by LISTEN where it is shown to work, by polling elsewhere."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from shopify_pipeline.webhooks.wakeup import Wakeup


@pytest.fixture
def sending(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """The connection of somebody who stores deliveries."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def test_news_end_a_wait_at_once(
    database_url: str, sending: psycopg.Connection[tuple[object, ...]]
) -> None:
    def notify(word: str) -> None:
        sending.execute("SELECT pg_notify('shopify_webhooks', %s)", [word])

    stopping = threading.Event()
    with Wakeup(database_url, notify=notify, idle_seconds=60) as wakeup:
        wakeup.wait(stopping, at_most=0)
        assert wakeup.mode == "listen"
        threading.Timer(0.3, notify, [""]).start()
        started = time.monotonic()
        wakeup.wait(stopping)
        assert 0.2 < time.monotonic() - started < 30


def test_where_no_word_is_heard_it_polls(database_url: str) -> None:
    stopping = threading.Event()
    with Wakeup(
        database_url,
        notify=lambda _word: None,
        answer_seconds=0.2,
        poll_seconds=0.1,
        idle_seconds=60,
    ) as wakeup:
        wakeup.wait(stopping)
        assert wakeup.mode == "poll"
        started = time.monotonic()
        wakeup.wait(stopping)
        assert time.monotonic() - started < 30


def test_a_lost_connection_turns_to_polling_and_back(
    database_url: str, sending: psycopg.Connection[tuple[object, ...]]
) -> None:
    def notify(word: str) -> None:
        sending.execute("SELECT pg_notify('shopify_webhooks', %s)", [word])

    stopping = threading.Event()
    with Wakeup(database_url, notify=notify, verify_seconds=0.3, poll_seconds=0.1) as wakeup:
        wakeup.wait(stopping, at_most=0)
        sending.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'shopify_pipeline webhook listener' "
            "AND datname = current_database()"
        )
        for mode in ("poll", "listen"):
            deadline = time.monotonic() + 60
            while wakeup.mode != mode and time.monotonic() < deadline:
                wakeup.wait(stopping)
            assert wakeup.mode == mode


def test_an_unreachable_database_is_polled_for_without_an_error() -> None:
    with Wakeup("postgresql://nobody@127.0.0.1:1/none", notify=lambda _: None) as wakeup:
        wakeup.wait(threading.Event())
        assert wakeup.mode == "poll"
