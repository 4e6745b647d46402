"""Connections to Postgres: transactions with our settings, poolers and plain URLs alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote

import psycopg
import sqlalchemy as sa
import stamina
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

Result = TypeVar("Result")

RETRIED_STATES = frozenset({"40001", "40P01"})
"""SQLSTATEs of a serialization failure and a deadlock: the same transaction again may succeed."""


class DatabaseUrlError(ValueError):
    """A Postgres URL cannot be used; the message says why and never holds the password."""


def postgres_url(url: str, *, driver: str | None = None) -> URL:
    """Return the URL as SQLAlchemy's object, for a driver of SQLAlchemy or (None) for libpq.

    Accepts `postgresql://`, `postgres://` and `postgresql+driver://`, over TCP or a socket
    (`?host=/directory`).

    Raises:
        DatabaseUrlError: it is no Postgres URL, or names a parameter that libpq does not know.
    """
    try:
        parsed = make_url(url.strip())
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseUrlError(
            "not a URL of the form postgresql://user:password@host:port/database"
        ) from error
    scheme = parsed.drivername.partition("+")[0]
    if scheme not in {"postgresql", "postgres"}:
        raise DatabaseUrlError(f"its scheme is {scheme!r}, not postgresql")
    if not parsed.database:
        raise DatabaseUrlError("it names no database")
    plain = parsed.set(drivername="postgresql")
    try:
        conninfo_to_dict(written(plain))
    except psycopg.ProgrammingError as error:
        known = [name for name in plain.query if name in str(error)]
        raise DatabaseUrlError(
            f"Postgres knows no parameter {known[0]!r}" if known else "libpq cannot read it"
        ) from None
    return plain.set(drivername=f"postgresql+{driver}") if driver else plain


def written(url: URL) -> str:
    """Return the URL as a text, password and all, for libpq and other programs."""
    # SQLAlchemy leaves spaces as they are.
    return url.render_as_string(hide_password=False).replace(" ", "%20")


def without_password(text: str, url: str) -> str:
    """Return the text with the URL's password, as written or quoted, replaced by `***`."""
    password = make_url(url.strip()).password
    if password:
        quoted = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
        for secret in (quoted, quote(password, safe=""), password):
            text = text.replace(secret, "***") if secret else text
    return text


class Database:
    """The database of the tables.

    `url` may lead to a transaction pooler: nothing of a session outlives a transaction and no
    statement is prepared. What needs a session goes over `direct_url` (default: the same).

    Raises:
        DatabaseUrlError: a URL cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        direct_url: str | None = None,
        application_name: str = "shopify_pipeline",
        pool_size: int = 5,
        lock_timeout_seconds: float = 60,
        statement_timeout_seconds: float = 1800,
    ) -> None:
        self.url = url
        self.direct_url = direct_url or url
        options = {
            "connect_args": {"prepare_threshold": None, "application_name": application_name},
            "use_native_hstore": False,
            # Errors are logged, and what a statement carries is personal.
            "hide_parameters": True,
        }
        self._pooled = sa.create_engine(
            postgres_url(url, driver="psycopg"),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            **options,
        )
        self._direct = sa.create_engine(
            postgres_url(self.direct_url, driver="psycopg"), poolclass=NullPool, **options
        )
        timeouts = {
            "lock_timeout": lock_timeout_seconds,
            "statement_timeout": statement_timeout_seconds,
        }
        self._settings = ["row_security = off", "TimeZone = 'UTC'"]
        self._settings += [f"{name} = {int(value * 1000)}" for name, value in timeouts.items()]

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction: committed at the end, rolled back on an exception.

        Row-level security that would filter is an error here, times are UTC, locks and statements
        time out.
        """
        with self._pooled.begin() as connection:
            self._set(connection, "SET LOCAL")
            yield connection

    @contextmanager
    def direct(self, *, autocommit: bool = False) -> Iterator[sa.Connection]:
        """Open the same over the direct URL, on a connection of its own that is closed at the end.

        With `autocommit` there is no transaction: for LISTEN and session locks. The psycopg
        connection is `connection.connection.driver_connection`.
        """
        if not autocommit:
            with self._direct.begin() as connection:
                self._set(connection, "SET LOCAL")
                yield connection
            return
        with self._direct.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            self._set(connection, "SET")
            yield connection

    def retrying(self, work: Callable[[sa.Connection], Result], *, attempts: int = 6) -> Result:
        """Call `work` in a transaction, and again in a new one on a deadlock or like failure.

        Waits between the attempts with jitter. `work` must not keep state of a failed attempt.
        """
        for attempt in stamina.retry_context(
            on=_may_succeed_again, attempts=attempts, timeout=None, wait_initial=0.05, wait_max=5
        ):
            with attempt, self.transaction() as connection:
                return work(connection)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close every connection."""
        self._pooled.dispose()
        self._direct.dispose()

    def _set(self, connection: sa.Connection, command: str) -> None:
        connection.exec_driver_sql(";".join(f"{command} {setting}" for setting in self._settings))


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of an error of psycopg, bare or wrapped by SQLAlchemy."""
    original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return original.sqlstate if isinstance(original, psycopg.Error) else None


def _may_succeed_again(error: Exception) -> bool:
    return sqlstate(error) in RETRIED_STATES
