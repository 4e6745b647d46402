"""How a step fails: in words that help, without customers' data, retried only where that helps."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg
import sqlalchemy as sa

from shopify_pipeline.admin_api import AdminApiError
from shopify_pipeline.settings import SettingsError
from shopify_pipeline.warehouse.shop import WrongShopError

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=15, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""For what the client's own retries did not outlast: an outage, a restart of Postgres."""


class DatabaseFailedError(Exception):
    """Postgres refused or went away; says how, without the statement's values."""


@contextmanager
def explained() -> Iterator[None]:
    """Raise errors in the form in which a run may keep them for ever.

    What only a person can mend (a wrong token, a missing scope, another shop) is not retried.
    Errors of Postgres lose the statement's parameters and the offending values, which are
    customers' data.

    Raises:
        dagster.Failure: not worth a retry.
        DatabaseFailedError: Postgres refused or went away.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise DatabaseFailedError(_without_values(error.orig)) from None
    except psycopg.Error as error:
        raise DatabaseFailedError(_without_values(error)) from None
    except Exception as error:
        if not _is_configuration(error):
            raise
        raise dg.Failure(description=str(error), allow_retries=False) from error


def ends_here(error: BaseException, *, retry_number: int) -> bool:
    """Whether a step that fails so, at its attempt `retry_number` (from 0), is not tried again."""
    if not isinstance(error, Exception):
        return True
    return retry_number >= RETRIES.max_retries or _is_configuration(error)


def _is_configuration(error: Exception) -> bool:
    if isinstance(error, AdminApiError):
        return error.is_configuration
    return isinstance(error, (SettingsError, WrongShopError))


def _without_values(error: BaseException | None) -> str:
    """SQLSTATE and name of the error; its own words only where they never quote a row."""
    if not isinstance(error, psycopg.Error) or error.sqlstate is None:
        return f"The connection to Postgres failed ({type(error).__name__})."
    diagnosis = error.diag
    place = ".".join(filter(None, (diagnosis.table_name, diagnosis.column_name)))
    constraint = diagnosis.constraint_name
    quotes_rows = error.sqlstate[:2] in {"22", "23"}
    said = "" if quotes_rows or not diagnosis.message_primary else diagnosis.message_primary
    details = ", ".join(filter(None, (said, place, constraint)))
    return f"Postgres: {type(error).__name__} (SQLSTATE {error.sqlstate}) {details}".rstrip()
