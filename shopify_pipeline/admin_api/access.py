"""Checks, before anything is read, which shop answers and what the app may read of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_pipeline.admin_api.client import AdminApi
from shopify_pipeline.admin_api.errors import MissingScopesError, OrdersTooOldError, OtherShopError

ORDERS_WINDOW = timedelta(days=60)
"""How far back orders are visible without `read_all_orders`: older ones are left out in silence
(https://shopify.dev/docs/api/usage/access-scopes)."""

ALL_ORDERS = "read_all_orders"

QUERY = """
query Access {
  shop { id myshopifyDomain currencyCode ianaTimezone createdAt }
  currentAppInstallation { accessScopes { handle } }
}
"""


@dataclass(frozen=True, kw_only=True)
class Access:
    """The shop that answered, and the scopes that the app holds there."""

    shop_gid: str
    domain: str
    currency: str
    timezone: str
    shop_created_at: datetime
    scopes: frozenset[str]

    @property
    def reads_all_orders(self) -> bool:
        """Whether orders older than 60 days are visible."""
        return ALL_ORDERS in self.scopes


def check_access(
    api: AdminApi, *, required_scopes: Iterable[str], oldest: datetime | None = None
) -> Access:
    """Ask which shop this is and what the app may read; one call.

    `oldest` is the start of the oldest window of orders about to be read, None if no orders are.
    Raises:
        OtherShopError: another shop answers than `api.shop`. A shop keeps its first myshopify.com
            domain for the API, whatever it is renamed to.
        MissingScopesError: a required scope isn't granted (`write_x` grants `read_x`).
        OrdersTooOldError: `oldest` lies over 60 days back, and `read_all_orders` isn't granted.
        AdminApiError: the call failed.
    """
    answer = api.execute(QUERY)
    shop = answer.data["shop"]
    installation = answer.data["currentAppInstallation"]
    access = Access(
        shop_gid=shop["id"],
        domain=shop["myshopifyDomain"],
        currency=shop["currencyCode"],
        timezone=shop["ianaTimezone"],
        shop_created_at=datetime.fromisoformat(shop["createdAt"]),
        scopes=frozenset(scope["handle"] for scope in installation["accessScopes"]),
    )
    if access.domain != api.shop:
        raise OtherShopError(
            f"{access.domain} answers at {api.base_url}, not {api.shop}: set SHOPIFY_SHOP to the "
            "permanent myshopify.com domain of the store that is meant, which stays when a store "
            "is renamed, or correct SHOPIFY_API_URL. Nothing was read",
            operation="Access",
            request_id=answer.request_id,
        )
    missing = tuple(sorted(s for s in set(required_scopes) if not _granted(s, access.scopes)))
    if missing:
        raise MissingScopesError(
            f"The app lacks the access scope{'s' if len(missing) > 1 else ''} {', '.join(missing)} "
            f"on {access.domain}: add to the app's version in Shopify's Dev Dashboard (a custom "
            "app of the shop's admin: Configuration, Admin API integration), release it, and "
            "approve it in the shop. Nothing was read",
            missing=missing,
            operation="Access",
            request_id=answer.request_id,
        )
    if oldest is not None and not access.reads_all_orders and oldest < api.now() - ORDERS_WINDOW:
        raise OrdersTooOldError(
            f"Orders from {oldest:%Y-%m-%d} on are asked for, and without the access scope "
            f"{ALL_ORDERS} Shopify shows those of the last 60 days only, and says nothing: grant "
            f"it to the app on {access.domain}, or start later. Nothing was read",
            operation="Access",
            request_id=answer.request_id,
        )
    return access


def _granted(scope: str, scopes: frozenset[str]) -> bool:
    return scope in scopes or scope.replace("read_", "write_", 1) in scopes
