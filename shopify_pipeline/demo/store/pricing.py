"""An order's totals, worked out from its lines, shipping, discounts, payments and refunds.

All amounts are micros of the shop's currency. `total…` is the order as placed, `current…` what
remains of it after edits, removals and refunds.
"""

from __future__ import annotations

from typing import Any

from shopify_pipeline.demo.store.amounts import rounded
from shopify_pipeline.demo.store.database import Document

Line = dict[str, Any]


def line_of(
    *,
    identity: int,
    title: str,
    quantity: int,
    unit_price: int,
    currency: str = "USD",
    discount: int = 0,
    order_discount: int = 0,
    tax_rate: int = 0,
    product: int | None = None,
    variant: int | None = None,
    variant_title: str | None = None,
    sku: str | None = None,
    vendor: str | None = None,
    taxable: bool = True,
    gift_card: bool = False,
    added: bool = False,
    taxes_included: bool = False,
) -> Line:
    """A line document. `tax_rate` is micros per whole; discounts are for the whole line."""
    net = unit_price * quantity - discount - order_discount
    tax = 0
    if taxable and tax_rate:
        base = net * tax_rate
        tax = rounded(
            base // (1_000_000 + tax_rate) if taxes_included else base // 1_000_000, currency
        )
    return {
        "id": identity,
        "title": title,
        "variantTitle": variant_title,
        "sku": sku,
        "vendor": vendor,
        "quantity": quantity,
        "currentQuantity": quantity,
        "refundableQuantity": quantity,
        "product": product,
        "variant": variant,
        "originalUnitPriceSet": unit_price,
        "totalDiscountSet": discount,
        "orderDiscount": order_discount,
        "discountedUnitPriceSet": rounded(unit_price - discount // max(1, quantity), currency),
        "discountedUnitPriceAfterAllDiscountsSet": rounded(
            unit_price - (discount + order_discount) // max(1, quantity), currency
        ),
        "tax": tax,
        "taxRate": tax_rate,
        "taxable": taxable,
        "isGiftCard": gift_card,
        "requiresShipping": not gift_card,
        "added": added,
    }


def share_of(amount: int, part: int, whole: int, currency: str) -> int:
    """What `part` of `whole` pieces is of an amount, in whole smallest units."""
    return amount if part == whole else rounded(amount * part // whole, currency) if whole else 0


def line_net(line: Line) -> int:
    """What a line was sold for, after all discounts and before taxes that come on top."""
    return int(
        line["originalUnitPriceSet"] * line["quantity"]
        - line["totalDiscountSet"]
        - line["orderDiscount"]
    )


def price(order: Document) -> Document:
    """Set every total of the order from its parts; returns the order."""
    currency = order["currencyCode"]
    shipping, tip = order["shipping"], order["totalTipReceivedSet"]
    included = order["taxesIncluded"]
    subtotal = tax = discounts = now_subtotal = now_tax = now_discounts = 0
    for line in order["lines"]:
        part, whole, line_tax = line["currentQuantity"], line["quantity"], line["tax"]
        off = line["totalDiscountSet"] + line["orderDiscount"]
        net = line["originalUnitPriceSet"] * whole - off
        if not line["added"]:
            subtotal += net
            tax += line_tax
            discounts += off
        if part == whole:
            now_subtotal += net
            now_tax += line_tax
            now_discounts += off
        else:
            now_subtotal += share_of(net, part, whole, currency)
            now_tax += share_of(line_tax, part, whole, currency)
            now_discounts += share_of(off, part, whole, currency)
    refunded = refunded_shipping = 0
    for refund in order["refunds"]:
        refunded += refund["amount"]
        refunded_shipping += refund.get("shipping", 0)
    order["subtotalPriceSet"] = subtotal
    order["totalTaxSet"] = tax
    order["totalDiscountsSet"] = discounts
    order["totalShippingPriceSet"] = shipping
    order["totalPriceSet"] = subtotal + shipping + tip + (0 if included else tax)
    order["originalTotalPriceSet"] = order["totalPriceSet"]
    order["currentSubtotalPriceSet"] = now_subtotal
    order["currentTotalTaxSet"] = now_tax
    order["currentTotalDiscountsSet"] = now_discounts
    order["currentTotalPriceSet"] = (
        now_subtotal + shipping - refunded_shipping + tip + (0 if included else now_tax)
    )
    order["totalRefundedSet"] = refunded
    order["totalRefundedShippingSet"] = refunded_shipping
    received = order["received"]
    order["totalReceivedSet"] = received
    order["netPaymentSet"] = received - refunded
    order["totalOutstandingSet"] = (
        0
        if order["cancelledAt"] is not None
        else max(0, order["currentTotalPriceSet"] - (received - refunded))
    )
    return order
