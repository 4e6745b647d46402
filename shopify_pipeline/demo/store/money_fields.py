"""Fields of amounts: in the shop's currency and in the buyer's."""

from __future__ import annotations

from shopify_pipeline.demo.store.amounts import converted
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.execution import Execution, FieldCall, Resolver, Source


def _shop_money(bag: Source, call: FieldCall, execution: Execution) -> Document:
    currency = bag["of"].get("currencyCode") or execution.store.settings.currency
    return {"amount": bag["amount"], "currencyCode": currency}


def _presentment_money(bag: Source, call: FieldCall, execution: Execution) -> Document:
    order = bag["of"]
    currency = order.get("presentmentCurrencyCode")
    if currency is None or currency == order["currencyCode"]:
        return _shop_money(bag, call, execution)
    return {
        "amount": converted(bag["amount"], order["rate"], currency),
        "currencyCode": currency,
    }


RESOLVERS: dict[str, Resolver] = {
    "MoneyBag.shopMoney": _shop_money,
    "MoneyBag.presentmentMoney": _presentment_money,
}
