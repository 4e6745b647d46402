"""What people decide about links: it outranks every rule, and outlives reloads of either side."""

import uuid

import sqlalchemy as sa

from shopify_pipeline.profiles.linking import relink_within
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.report import LinkReport
from shopify_pipeline.profiles.statements import read_statements
from shopify_pipeline.profiles.transactions import retrying, take_lock
from shopify_pipeline.warehouse.database import Database

STATEMENTS = read_statements("decisions.sql")


class NoSuchRowError(LookupError):
    """A decision names a customer or a profile that has no row."""


def decide_link(
    database: Database,
    options: LinkOptions,
    *,
    customer: int,
    profile: uuid.UUID,
    note: str | None = None,
) -> LinkReport:
    """Link a customer (Shopify's number) to a profile, whatever the rules say, from now on.

    Raises:
        NoSuchRowError: one of them has no row.
    """

    def work(connection: sa.Connection) -> LinkReport:
        take_lock(connection)
        _check(connection, customer=customer, profile=profile)
        values = {"customer": customer, "profile": profile, "verdict": "link", "note": note}
        connection.execute(STATEMENTS["withdraw_choice"], values)
        connection.execute(STATEMENTS["decide"], values)
        connection.execute(STATEMENTS["know_profile"], values)
        return relink_within(connection, options, [customer])

    return retrying(database, work)


def decide_never(
    database: Database,
    options: LinkOptions,
    *,
    customer: int,
    profile: uuid.UUID | None = None,
    note: str | None = None,
) -> LinkReport:
    """Never link a customer to this profile, or (None) to any.

    Raises:
        NoSuchRowError: the customer has no row.
    """

    def work(connection: sa.Connection) -> LinkReport:
        take_lock(connection)
        _check(connection, customer=customer)
        values = {"customer": customer, "profile": profile, "verdict": "never", "note": note}
        if profile is None:
            connection.execute(STATEMENTS["withdraw_choice"], values)
        connection.execute(STATEMENTS["decide"], values)
        return relink_within(connection, options, [customer])

    return retrying(database, work)


def forget_decisions(database: Database, options: LinkOptions, *, customer: int) -> LinkReport:
    """Leave a customer to the rules again.

    Raises:
        NoSuchRowError: nothing was decided about the customer.
    """

    def work(connection: sa.Connection) -> LinkReport:
        take_lock(connection)
        if not connection.execute(STATEMENTS["forget"], {"customer": customer}).rowcount:
            raise NoSuchRowError(f"nothing was decided about customer {customer}")
        return relink_within(connection, options, [customer])

    return retrying(database, work)


def _check(connection: sa.Connection, *, customer: int, profile: uuid.UUID | None = None) -> None:
    if not connection.scalar(STATEMENTS["customer_exists"], {"customer": customer}):
        raise NoSuchRowError(f"shopify_customers has no shopify_customer_id {customer}")
    if profile and not connection.scalar(STATEMENTS["profile_exists"], {"profile": profile}):
        raise NoSuchRowError(f"unified_profiles has no id {profile}")
