"""Settings that a test changes while the store runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shopify_pipeline.demo.store.identifiers import shop_id_of
from shopify_pipeline.demo.store.store import PLANS, seconds

if TYPE_CHECKING:
    from shopify_pipeline.demo.store.server import Application

_NAMES = {
    "scopes": "scopes",
    "versions": "versions",
    "token": "token",
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "deniedFields": "denied_fields",
    "shop": "shop",
    "shopId": "shop_id",
    "timezone": "timezone",
}


def apply(application: Application, body: dict[str, Any]) -> None:
    """Set what the body names; other scopes are told to whoever subscribed.

    Scopes and denied fields, the app's standing with the shop, outlive the process in a store
    with a directory; all else is as the command line says at each start.
    """
    settings = application.store.settings
    before = list(settings.scopes)
    for given, name in _NAMES.items():
        if given in body:
            setattr(settings, name, body[given])
    if "shop" in body and "shopId" not in body:
        settings.shop_id = shop_id_of(settings.domain)
    if "scopes" in body or "deniedFields" in body:
        application.store.keep_access()
    if settings.scopes != before:
        details = {"previous": before, "current": settings.scopes}
        application.store.tell("app", "app/scopes_update", {"id": 1, **details})
    if "indexLag" in body:
        settings.index_lag = seconds(body["indexLag"])
    if body.get("revokeTokens"):
        application.revoke_tokens()
    bucket = application.bucket
    if "plan" in body:
        settings.plan = body["plan"]
        maximum, rate = PLANS[settings.plan]
        bucket.resize(maximum=maximum, restore_rate=rate)
    if "bucket" in body:
        wanted = body["bucket"]
        bucket.resize(
            maximum=wanted.get("maximum", bucket.maximum),
            restore_rate=wanted.get("restoreRate", bucket.restore_rate),
        )
        if "level" in wanted:
            bucket.spend(bucket.available() - wanted["level"])
