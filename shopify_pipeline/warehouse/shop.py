"""The one store that a database belongs to: kept at the first run, compared at every later one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

_TIME = sa.DateTime(timezone=True)

SHOP = sa.Table(
    "shop",
    sa.MetaData(),
    sa.Column("only_row", sa.Boolean),
    sa.Column("shop_gid", sa.Text),
    sa.Column("domain", sa.Text),
    sa.Column("currency", sa.Text),
    sa.Column("timezone", sa.Text),
    sa.Column("shop_created_at", _TIME),
    sa.Column("scopes", sa.ARRAY(sa.Text)),
    sa.Column("first_seen_at", _TIME),
    sa.Column("last_seen_at", _TIME),
    schema="shopify_internal",
)


@dataclass(frozen=True, slots=True)
class Shop:
    """The store as the last run saw it."""

    shop_gid: str
    domain: str
    currency: str | None
    timezone: str | None
    shop_created_at: datetime | None
    scopes: frozenset[str]


class WrongShopError(Exception):
    """The database holds the data of another store than the one that was met."""


def read(connection: sa.Connection) -> Shop | None:
    """Return the store of this database, None before the first run."""
    row = connection.execute(
        sa.select(
            SHOP.c.shop_gid,
            SHOP.c.domain,
            SHOP.c.currency,
            SHOP.c.timezone,
            SHOP.c.shop_created_at,
            SHOP.c.scopes,
        )
    ).one_or_none()
    if row is None:
        return None
    return Shop(*row[:5], frozenset(row.scopes or ()))


def check_domain(connection: sa.Connection, domain: str) -> None:
    """Compare a store with the database's by its permanent domain alone, without asking Shopify.

    Raises:
        WrongShopError: the database belongs to another store.
    """
    if connection.execute(sa.text("SELECT to_regclass('shopify_internal.shop')")).scalar() is None:
        return
    known = read(connection)
    if known is not None and known.domain != domain:
        raise WrongShopError(_refusal(known.domain, domain))


def recognise(
    connection: sa.Connection,
    *,
    shop_gid: str,
    domain: str,
    currency: str | None,
    timezone: str | None,
    shop_created_at: datetime | None,
    scopes: Collection[str],
) -> frozenset[str]:
    """Compare a store with the database's, keep what is new about it; return the scopes before.

    The first store met becomes the database's. A store is its gid: its domain may change. Scopes
    once had stay known until `accept_scopes`.

    Raises:
        WrongShopError: the database belongs to another store; nothing was changed.
    """
    values = {
        "shop_gid": shop_gid,
        "domain": domain,
        "currency": currency,
        "timezone": timezone,
        "shop_created_at": shop_created_at,
        "scopes": sorted(scopes),
        "last_seen_at": sa.func.now(),
    }
    first = insert(SHOP).values(only_row=True, **values).on_conflict_do_nothing()
    if connection.execute(first.returning(SHOP.c.only_row)).one_or_none():
        return frozenset(scopes)
    known = connection.execute(
        sa.select(SHOP.c.shop_gid, SHOP.c.domain, SHOP.c.scopes).with_for_update()
    ).one()
    if known.shop_gid != shop_gid:
        raise WrongShopError(_refusal(known.domain, domain))
    before = frozenset(known.scopes or ())
    connection.execute(sa.update(SHOP).values({**values, "scopes": sorted(before.union(scopes))}))
    return before


def accept_scopes(connection: sa.Connection, scopes: Collection[str]) -> None:
    """Forget the scopes that the app had besides these: what they showed counts as gone."""
    connection.execute(sa.update(SHOP).values(scopes=sorted(scopes)))


def _refusal(known: str, met: str) -> str:
    return (
        f"This database holds the data of {known}; {met} is another store. Use another database "
        "for it, or correct SHOPIFY_SHOP."
    )
