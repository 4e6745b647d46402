"""Values as REST and webhooks write them: the shop's offset, small letters, padded amounts."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from shopify_pipeline.demo.store.amounts import converted, padded
from shopify_pipeline.demo.store.clock import SECOND
from shopify_pipeline.demo.store.database import Document


def local_time(moment: int | None, zone: ZoneInfo) -> str | None:
    """Whole seconds with the shop's offset."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment // SECOND, zone).isoformat()


def lowered(word: str | None) -> str | None:
    """An enum's word as REST writes it."""
    return word.lower() if word else None


def money_bag(order: Document, amount: int) -> Document:
    """An amount of an order in the shop's currency and in the buyer's."""
    shop, presentment = order["currencyCode"], order["presentmentCurrencyCode"]
    other = amount if shop == presentment else converted(amount, order["rate"], presentment)
    return {
        "shop_money": {"amount": padded(amount, shop), "currency_code": shop},
        "presentment_money": {"amount": padded(other, presentment), "currency_code": presentment},
    }
