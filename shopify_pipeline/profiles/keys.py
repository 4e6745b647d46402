"""Keeps the normalised keys of both sides in step with the rows, reading only what changed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from typing import Any, cast

import psycopg
import sqlalchemy as sa

from shopify_pipeline.profiles import rules
from shopify_pipeline.profiles.options import LinkOptions
from shopify_pipeline.profiles.statements import read_statements
from shopify_pipeline.warehouse.database import sqlstate

STATEMENTS = read_statements("keys.sql")
BATCH = 20_000
MANY = 10_000

_UNREADABLE = frozenset({"42501", "42703", "42P01"})


class ProfilesUnreadableError(RuntimeError):
    """`unified_profiles` cannot be read whole: a right, a column or the table is missing."""


def refresh_customer_keys(connection: sa.Connection, options: LinkOptions) -> int:
    """Stage the keys of the living ones among `recent_customers` whose values changed.

    Returns their number.
    """
    statement = STATEMENTS["changed_customers"].bindparams(
        seed=options.seed,
        with_phones=options.phone_column is not None,
        with_names=bool(options.name_columns),
    )
    line = partial(_customer_line, region=options.phone_region)
    return _stage(connection, statement, "staged_customers", line)


def refresh_profile_keys(connection: sa.Connection, options: LinkOptions) -> int:
    """Stage the keys of the profiles that are new or whose values changed; return their number.

    Compares every profile with the fingerprint of its keys: the platform guarantees no column
    that would tell of a change.
    """
    return _stage(
        connection,
        _changed_profiles(options),
        "staged_profiles",
        partial(_profile_line, region=options.phone_region, has_phone=bool(options.phone_column)),
    )


def probe_profiles(connection: sa.Connection, options: LinkOptions) -> None:
    """See that all profiles and every column needed can be read, without reading them.

    Raises:
        ProfilesUnreadableError: row-level security hides some, or a right, a column or the table
            is missing.
    """
    try:
        with connection.begin_nested():
            # Names every column, so that a missing one or a missing right shows here.
            connection.execute(sa.select(_profiles(options)).limit(0))
    except sa.exc.DBAPIError as error:
        if sqlstate(error) not in _UNREADABLE:
            raise
        said = str(error.orig).partition("\n")[0]
        raise ProfilesUnreadableError(f"unified_profiles cannot be read whole: {said}") from None


def copy_rows(connection: sa.Connection, target: str, lines: Iterable[str]) -> None:
    """COPY finished lines of the text format into a temporary table."""
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN") as copy:
        copy.write("".join(lines))


def _stage(
    connection: sa.Connection,
    statement: sa.ClauseElement,
    target: str,
    line: Callable[[Sequence[Any]], str],
) -> int:
    """COPY the keys of the statement's rows; the next are fetched while these are normalised."""
    count = 0
    batches = read_in_batches(connection, statement)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch") as fetching:
        batch = next(batches, None)
        while batch:
            coming = fetching.submit(next, batches, None)
            lines = [line(row) for row in batch]
            count += len(batch)
            batch = coming.result()
            copy_rows(connection, target, lines)
    return count


def read_in_batches(
    connection: sa.Connection, statement: sa.ClauseElement
) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows of a statement from a server-side cursor, a batch in memory at a time.

    The driver's own cursor gives tuples in half the time that SQLAlchemy's rows take.
    """
    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    compiled = statement.compile(dialect=connection.dialect)
    with driver.cursor(name="profile_linking") as cursor:
        cursor.execute(str(compiled).encode(), compiled.params)
        while batch := cursor.fetchmany(BATCH):
            yield batch


def _profiles(options: LinkOptions) -> sa.TableClause:
    extra = [options.phone_column] if options.phone_column else []
    names = dict.fromkeys(["id", "email", *extra, *options.name_columns])
    return sa.table("unified_profiles", *(sa.column(name) for name in names), schema="public")


def _changed_profiles(options: LinkOptions) -> sa.ClauseElement:
    profiles = _profiles(options)
    keys = sa.table(
        "profile_keys", sa.column("profile_id"), sa.column("fingerprint"), schema="shopify_internal"
    )
    extra = [options.phone_column] if options.phone_column else []
    read = [sa.cast(profiles.c[name], sa.Text) for name in ("email", *extra, *options.name_columns)]
    parts = [sa.func.coalesce(sa.literal("=").concat(column), "") for column in read]
    said: sa.ColumnElement[str] = parts[0]
    for part in parts[1:]:
        said = said.concat("\x1f").concat(part)
    fingerprint = sa.func.hashtextextended(said, sa.cast(sa.literal(options.seed), sa.BigInteger))
    return (
        sa.select(sa.cast(profiles.c.id, sa.Text), *read, fingerprint)
        .select_from(profiles.outerjoin(keys, keys.c.profile_id == profiles.c.id))
        .where(keys.c.fingerprint.is_distinct_from(fingerprint))
    )


def _customer_line(row: Sequence[Any], region: str | None) -> str:
    identity, email, phone, first_name, last_name, fingerprint = row
    others = _other_digests(phone, (first_name, last_name), region)
    return f"{identity}\t{fingerprint}\t{_email_digests(email)}\t{others}\n"


def _profile_line(row: Sequence[Any], region: str | None, has_phone: bool) -> str:
    identity, email, *rest, fingerprint = row
    phone = rest.pop(0) if has_phone else None
    others = _other_digests(phone, rest, region)
    return f"{identity}\t{fingerprint}\t{_email_digests(email)}\t{others}\n"


def _email_digests(written: str | None) -> str:
    """Exact, canonical and near address in the order of the columns, in COPY's text format."""
    if written and (plain := rules.plain_email(written)):
        digest = _digest(plain)
        return f"{digest}\t{digest}\t\\N"
    exact = rules.exact_email(written)
    canonical = rules.canonical_email(exact)
    return "\t".join(map(_digest, (exact, canonical, rules.near_email(exact))))


def _other_digests(phone: str | None, names: Sequence[str | None], region: str | None) -> str:
    if not phone and not any(names):
        return "\\N\t\\N"
    number = rules.phone_number(phone, region=region)
    return f"{_digest(number)}\t{_digest(rules.person_name(names))}"


def _digest(text: str | None) -> str:
    if text is None:
        return r"\N"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
