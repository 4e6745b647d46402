"""Orders with their lines for a seed, in independent chunks, edge cases included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from shopify_pipeline.demo.store import blueprints, pricing
from shopify_pipeline.demo.store.clock import DAY, SECOND
from shopify_pipeline.demo.store.database import Document
from shopify_pipeline.demo.store.seed_catalogue import Sellable
from shopify_pipeline.demo.store.seed_customers import address

FIRST_ORDER = 5_300_000_000_000
FIRST_LINE = 14_100_000_000_000
FIRST_NUMBER = 1001
LINES_PER_ORDER = 512
CHUNK = 2_000
DELETED_PRODUCT = 8_099_000_000_000

FINANCIAL = (
    "AUTHORIZED", "EXPIRED", "PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "PENDING",
    "REFUNDED", "VOIDED",
)  # fmt: skip
FULFILLMENT = (
    "FULFILLED", "FULFILLMENT_NOT_REQUIRED", "IN_PROGRESS", "ON_HOLD", "OPEN",
    "PARTIALLY_FULFILLED", "PENDING_FULFILLMENT", "REQUEST_DECLINED", "RESTOCKED", "SCHEDULED",
    "UNFULFILLED",
)  # fmt: skip
RETURNS = (
    "IN_PROGRESS", "INSPECTION_COMPLETE", "NO_RETURN", "RETURNED", "RETURN_FAILED",
    "RETURN_REQUESTED",
)  # fmt: skip
CANCEL_REASONS = ("CUSTOMER", "DECLINED", "FRAUD", "INVENTORY", "OTHER", "STAFF")
_SOURCES = ("web", "web", "web", "web", "web", "pos", "shopify_draft_order", "580111", "iphone")
_RATES = {"USD": 1_000_000, "EUR": 920_000, "CAD": 1_370_000, "JPY": 150_250_000, "KWD": 307_000}
_PAGES = ("/", "/products/classic-tee", "/collections/all?sort=price", "/pages/über-uns")
_REFERRERS = ("https://www.google.com/", "https://news.example.org/p?q=1", None, None)
_TAGS = ("gift", "wholesale", "rush", "first-order", "VIP", "à vérifier")


@dataclass(frozen=True)
class OrderPlan:
    """Everything that a chunk needs, so that chunks can be made in any order, anywhere."""

    seed: int
    count: int
    start: int
    end: int
    sellables: Sequence[Sellable]
    customers: Sequence[tuple[int, str | None]]
    shared_moment: int
    shared_count: int
    currency: str = "USD"


def chunk(plan: OrderPlan, index: int) -> list[Document]:
    """The orders of one chunk, in order of creation."""
    draw = Random(f"{plan.seed}-orders-{index}")  # noqa: S311
    first = index * CHUNK
    return [_order(plan, draw, place) for place in range(first, min(first + CHUNK, plan.count))]


def _order(plan: OrderPlan, draw: Random, place: int) -> Document:
    roll = draw.random
    step = (plan.end - plan.start) / (plan.count + 1)
    created = plan.start + int(step * (place + 1)) + draw.randrange(SECOND)
    identity = FIRST_ORDER + place * 32_768
    source = draw.choice(_SOURCES)
    customer: int | None = None
    email: str | None = None
    if plan.customers and roll() > 0.04:
        customer, email = plan.customers[int(len(plan.customers) * roll() ** 2)]
    elif roll() < 0.7:
        email = f"Guest.{place}@Example.com" if roll() < 0.3 else f"guest.{place}@example.com"
    if customer is not None and roll() < 0.02:
        email = f"other.{place}@example.com"
    if source == "pos" and roll() < 0.5:
        customer = email = None
    currency = plan.currency
    presentment = currency
    if roll() < 0.06:
        presentment = draw.choice(("EUR", "CAD", "JPY", "KWD"))
    order = blueprints.order(
        identity,
        FIRST_NUMBER + place,
        created,
        email=email,
        phone=f"+1555{place % 10_000_000:07d}" if roll() < 0.1 else None,
        processedAt=created - 30 * DAY if roll() < 0.005 else created,
        currencyCode=currency,
        presentmentCurrencyCode=presentment,
        rate=_RATES[presentment] if presentment != currency else 1_000_000,
        sourceName=source,
        tags=sorted(draw.sample(_TAGS, draw.choice((0, 0, 0, 1, 2)))),
        customer=customer,
        taxesIncluded=roll() < 0.05,
        test=roll() < 0.004,
        confirmed=roll() > 0.003,
        note="Bitte klingeln – " * 200 if roll() < 0.002 else None,  # noqa: RUF001
    )
    if source == "web" and roll() > 0.03:
        order["journey"] = {
            "page": draw.choice(_PAGES),
            "referrer": draw.choice(_REFERRERS),
            "at": created - 600 * SECOND,
        }
    if source != "pos" and roll() < 0.8:
        order["address"] = address(draw, "Ada", "Smith")
    _add_lines(plan, draw, place, order)
    order["shipping"] = draw.choice((0, 4_990_000, 9_950_000)) if source != "pos" else 0
    if roll() < 0.01:
        order["totalTipReceivedSet"] = draw.randrange(50, 900) * 10_000
    if place % 350 == 17:
        _make_tiny(order, 10_000 if place % 700 == 17 else 0)
    pricing.price(order)
    _live(plan, draw, place, order)
    return order


def _add_lines(plan: OrderPlan, draw: Random, place: int, order: Document) -> None:
    roll = draw.random
    lines = order["lines"]
    number = 400 if place % 1_000 == 234 else min(9, 1 + int(draw.expovariate(0.65)))
    line_id = FIRST_LINE + place * LINES_PER_ORDER
    rate = draw.choice((0, 50_000, 88_750, 130_000))
    off = roll() < 0.12
    if off and roll() < 0.5:
        order["discountCodes"] = ["SPRING10"]
    for _ in range(number):
        line_id += 1
        sold = plan.sellables[int(len(plan.sellables) * roll())] if plan.sellables else None
        if sold is None or roll() < 0.02:
            lines.append(
                pricing.line_of(
                    identity=line_id,
                    title="Custom item – gravure",  # noqa: RUF001
                    quantity=1,
                    unit_price=draw.randrange(100, 9_000) * 10_000,
                    tax_rate=rate,
                    taxes_included=order["taxesIncluded"],
                )
            )
            continue
        quantity = 1 if roll() < 0.8 else draw.randint(2, 12)
        gross = sold.price * quantity
        gone = roll() < 0.01
        lines.append(
            pricing.line_of(
                identity=line_id,
                title=sold.title,
                quantity=quantity,
                unit_price=sold.price,
                discount=gross // 10 // 10_000 * 10_000 if roll() < 0.06 else 0,
                order_discount=gross // 20 // 10_000 * 10_000 if off else 0,
                tax_rate=0 if sold.gift_card else rate,
                product=DELETED_PRODUCT + place % 50 if gone else sold.product,
                variant=DELETED_PRODUCT + 40_000_000 + place % 50 if gone else sold.variant,
                variant_title=sold.variant_title,
                sku=sold.sku,
                vendor=sold.vendor,
                taxable=not sold.gift_card,
                gift_card=sold.gift_card,
                taxes_included=order["taxesIncluded"],
            )
        )


def _make_tiny(order: Document, amount: int) -> None:
    order["shipping"] = order["totalTipReceivedSet"] = 0
    order["lines"] = order["lines"][:1]
    line = order["lines"][0]
    order["lines"] = [
        pricing.line_of(
            identity=line["id"],
            title=line["title"],
            quantity=1,
            unit_price=amount,
            product=line["product"],
            variant=line["variant"],
            sku=line["sku"],
            vendor=line["vendor"],
        )
    ]


def _live(plan: OrderPlan, draw: Random, place: int, order: Document) -> None:  # noqa: PLR0915
    """What happened to the order since: payment, fulfilment, edits, refunds, cancellation."""
    roll = draw.random()
    created = order["createdAt"]
    age = plan.end - created
    moment = created + min(age - SECOND, int(draw.expovariate(1 / (2 * DAY))))
    moment = max(created, moment)
    total = order["totalPriceSet"]
    order["received"] = total
    line_count = len(order["lines"])
    if moment - created > 3600 * SECOND:
        order["displayFulfillmentStatus"] = "FULFILLED"
        order["fulfillments"] = [
            {
                "id": order["id"] // 2,
                "createdAt": moment,
                "lines": [[line["id"], line["quantity"]] for line in order["lines"]],
            }
        ]
        if draw.random() < 0.8:
            order["closedAt"] = moment
    if roll < 0.015:
        order["displayFinancialStatus"] = draw.choice(FINANCIAL)
        order["displayFulfillmentStatus"] = draw.choice(FULFILLMENT)
        order["returnStatus"] = draw.choice(RETURNS)
        order["received"] = total if order["displayFinancialStatus"] == "PAID" else 0
    elif roll < 0.03:
        order["displayFinancialStatus"] = "PENDING"
        order["received"] = 0
    elif roll < 0.05:
        order["cancelledAt"] = order["closedAt"] = moment
        order["cancelReason"] = draw.choice(CANCEL_REASONS)
        order["displayFinancialStatus"] = "REFUNDED" if total else "PAID"
        refund(order, order["id"] // 3, moment, [line["quantity"] for line in order["lines"]])
    elif roll < 0.08:
        order["displayFinancialStatus"] = "PARTIALLY_REFUNDED"
        quantities = [1] + [0] * (line_count - 1)
        refund(order, order["id"] // 3, moment, quantities)
        if order["totalRefundedSet"] >= total:
            order["displayFinancialStatus"] = "REFUNDED"
    elif roll < 0.09:
        order["displayFinancialStatus"] = "REFUNDED"
        refund(order, order["id"] // 3, moment, [line["quantity"] for line in order["lines"]])
    elif roll < 0.105 and line_count > 1:
        order["edited"] = True
        removed = order["lines"][-1]
        removed["currentQuantity"] = removed["refundableQuantity"] = 0
        if draw.random() < 0.5:
            order["displayFinancialStatus"] = "PARTIALLY_PAID"
            order["lines"].append(
                pricing.line_of(
                    identity=order["lines"][-1]["id"] + 1,
                    title="Added by edit",
                    quantity=1,
                    unit_price=29_990_000,
                    added=True,
                )
            )
    updated = moment
    if draw.random() < 0.1:
        updated = moment + int(draw.random() * max(0, plan.end - moment - SECOND))
    half = plan.count // 2
    if half <= place < half + plan.shared_count:
        updated = max(updated, plan.shared_moment)
        updated = plan.shared_moment if created <= plan.shared_moment else updated
    order["updatedAt"] = max(created, updated)
    pricing.price(order)


def refund(order: Document, identity: int, moment: int, quantities: Sequence[int]) -> None:
    """Refund so many of each line, with their taxes; shipping too when everything goes back."""
    currency = order["currencyCode"]
    lines, amount = [], 0
    for number, (line, quantity) in enumerate(zip(order["lines"], quantities, strict=False)):
        quantity = min(quantity, line["currentQuantity"])  # noqa: PLW2901
        if quantity <= 0:
            continue
        share = pricing.share_of
        subtotal = share(pricing.line_net(line), quantity, line["quantity"], currency)
        tax = share(line["tax"], quantity, line["quantity"], currency)
        line["currentQuantity"] -= quantity
        line["refundableQuantity"] = line["currentQuantity"]
        amount += subtotal + (0 if order["taxesIncluded"] else tax)
        lines.append(
            {
                "id": identity + 1 + number,
                "line": line["id"],
                "quantity": quantity,
                "subtotal": subtotal,
                "tax": tax,
                "restockType": "RETURN",
            }
        )
    shipping = 0
    if all(line["currentQuantity"] == 0 for line in order["lines"]):
        shipping = order["shipping"]
        amount += shipping + order["totalTipReceivedSet"]
    order["refunds"].append(
        {
            "id": identity,
            "createdAt": moment,
            "lines": lines,
            "amount": amount,
            "shipping": shipping,
            "note": None,
        }
    )
    pricing.price(order)
