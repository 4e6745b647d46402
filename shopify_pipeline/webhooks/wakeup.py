"""Wakes a worker when the inbox has news: by LISTEN where that is shown to work, else by polls."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import psycopg

from shopify_pipeline.warehouse.database import postgres_url

log = logging.getLogger(__name__)

CHANNEL = "shopify_webhooks"


class Wakeup:
    """Waits for news on the direct connection.

    LISTEN is only trusted after a word sent by `notify` (over the connection that receivers use)
    was heard here: a transaction pooler accepts LISTEN and delivers nothing. It is tried again
    every `verify_seconds`, since a connection can die without a sign. Until it works,
    `wait` returns after `poll_seconds`.
    """

    def __init__(
        self,
        direct_url: str,
        *,
        notify: Callable[[str], None],
        poll_seconds: float = 0.2,
        idle_seconds: float = 2.0,
        verify_seconds: float = 30.0,
        answer_seconds: float = 2.0,
    ) -> None:
        self._conninfo = postgres_url(direct_url).render_as_string(hide_password=False)
        self._notify = notify
        self._poll = poll_seconds
        self._idle = idle_seconds
        self._verify_every = verify_seconds
        self._answer = answer_seconds
        self._connection: psycopg.Connection[Any] | None = None
        self._verified_at = -float("inf")
        self._tried_at = -float("inf")

    @property
    def mode(self) -> str:
        """`listen` while news is heard, else `poll`."""
        return "poll" if self._connection is None else "listen"

    def wait(self, stopping: threading.Event, *, at_most: float | None = None) -> None:
        """Return on news, when it is time to look anyway, or soon after `stopping` is set."""
        now = time.monotonic()
        if self._connection is not None and now - self._verified_at > self._verify_every:
            self._verify(self._connection)
        elif self._connection is None and now - self._tried_at > self._verify_every:
            self._listen()
        seconds = self._poll if self._connection is None else self._idle
        if at_most is not None:
            seconds = max(0.0, min(seconds, at_most))
        if self._connection is None:
            stopping.wait(seconds)
            return
        try:
            for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                return
        except psycopg.Error:
            self._lose("the connection was lost")

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _listen(self) -> None:
        self._tried_at = time.monotonic()
        try:
            connection = psycopg.connect(
                self._conninfo,
                autocommit=True,
                prepare_threshold=None,
                application_name="shopify_pipeline webhook listener",
                connect_timeout=3,
            )
        except psycopg.Error:
            return
        try:
            connection.execute("LISTEN shopify_webhooks")
        except psycopg.Error:
            connection.close()
            return
        self._connection = connection
        self._verify(connection)
        if self._connection is not None:
            log.info("Webhooks are announced by the database")

    def _verify(self, connection: psycopg.Connection[Any]) -> None:
        """Send a word and hear it; otherwise poll from now on, and try again later."""
        word = uuid.uuid4().hex
        try:
            self._notify(word)
            for heard in connection.notifies(timeout=self._answer):
                if heard.payload == word:
                    self._verified_at = time.monotonic()
                    return
        except Exception as error:  # noqa: BLE001 - whatever failed, polling goes on
            self._lose(type(error).__name__)
            return
        self._lose("a word that was sent was not heard: is this a transaction pooler?")

    def _lose(self, reason: str) -> None:
        log.info("Webhooks are polled for: %s", reason)
        self._tried_at = time.monotonic()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
