"""What is looked at before anything starts, each refusal one sentence that says what to do."""

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from shopify_pipeline.settings import DatabaseSettings
from shopify_pipeline.warehouse.database import DatabaseUrlError, postgres_url, without_password

IDENTITY = (
    "SHOPIFY_SHOP",
    "SHOPIFY_ACCESS_TOKEN",
    "SHOPIFY_CLIENT_ID",
    "SHOPIFY_CLIENT_SECRET",
    "SHOPIFY_API_URL",
)
"""The settings that name a store; without any of them the demonstration store is meant."""

_IDENTITY = """
SELECT oid, datname, pg_postmaster_start_time() FROM pg_database WHERE datname = current_database()
"""
"""A copy of a server has the same databases and the same system identifier; not the same start."""


class RefusedError(Exception):
    """Nothing is started; the message is one sentence that says why, and what to do."""


def is_demonstration(environment: Mapping[str, str]) -> bool:
    """Whether the demonstration store is meant: no store and no database is named.

    Raises:
        RefusedError: a database is named, but no store.
    """
    if any(environment.get(name, "").strip() for name in IDENTITY):
        return False
    named = [n for n in ("DATABASE_URL", "DATABASE_DIRECT_URL") if environment.get(n, "").strip()]
    if named:
        raise RefusedError(
            f"{' and '.join(named)} set, but no store: the demonstration store only ever goes with "
            "the embedded Postgres. Set SHOPIFY_SHOP and its credentials, or unset "
            f"{' and '.join(named)}."
        )
    return True


@contextmanager
def sole_owner(home: Path) -> Iterator[None]:
    """Hold PIPELINE_HOME, which is made where absent, for this process alone.

    Raises:
        RefusedError: it can't be written to, or another command holds it.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RefusedError(
            f"PIPELINE_HOME, {home}, can't be written to ({error.strerror}): name another folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise RefusedError(
            f"Another `shopify-pipeline run` uses {home}: stop it, or set PIPELINE_HOME."
        ) from error
    try:
        yield
    finally:
        os.close(lock)


def check_port(port: int, *, purpose: str, setting: str) -> None:
    """See that a port of this machine is free.

    Raises:
        RefusedError: something listens there.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RefusedError(
                f"Port {port}, for {purpose}, can't be used ({error.strerror}): stop what listens "
                f"there, or set {setting} to another port."
            ) from error


def check_databases(settings: DatabaseSettings) -> None:
    """Connect to the database, by both URLs where there are two.

    Raises:
        RefusedError: one doesn't work, or they lead to different databases.
    """
    there = check_database(settings.database_url.get_secret_value(), setting="DATABASE_URL")
    if settings.database_direct_url is None:
        return
    direct = settings.database_direct_url.get_secret_value()
    if check_database(direct, setting="DATABASE_DIRECT_URL") != there:
        raise RefusedError(
            "DATABASE_URL and DATABASE_DIRECT_URL lead to different databases: let both lead to "
            "the one that gets the tables, DATABASE_DIRECT_URL without a pooler."
        )


def check_database(url: str, *, setting: str) -> tuple[object, ...]:
    """Connect once; return what is equal for two URLs only where they lead to one database.

    Raises:
        RefusedError: the URL or the connection doesn't work.
    """
    try:
        plain = postgres_url(url).render_as_string(hide_password=False)
        with psycopg.connect(plain, connect_timeout=10) as connection:
            found = connection.execute(_IDENTITY).fetchone()
    except DatabaseUrlError as error:
        raise RefusedError(f"{setting} does not work: {error}.") from error
    except psycopg.Error as error:
        said = " ".join(without_password(str(error), url).split())
        raise RefusedError(f"{setting} does not work: {said}") from error
    return tuple(found or ())


def check_dagster_storage(url: str) -> None:
    """See that Dagster's tables would not land in the `public` of a database of the store.

    Raises:
        RefusedError: they would, or the schema that the URL names is absent.
    """
    plain = postgres_url(url).render_as_string(hide_password=False)
    with psycopg.connect(plain, connect_timeout=10) as connection:
        row = connection.execute(
            "SELECT current_schema(), to_regclass('public.shopify_orders') IS NOT NULL"
        ).fetchone()
    schema, holds_the_store = row or (None, False)
    if schema is None:
        raise RefusedError("The schema that DAGSTER_POSTGRES_URL names does not exist: create it.")
    if schema == "public" and holds_the_store:
        raise RefusedError(
            "DAGSTER_POSTGRES_URL leads to the schema public beside the store's tables: give "
            "Dagster a database, or a schema (…?options=-csearch_path%3Ddagster), of its own."
        )
