"""The query for orders whose amounts do not add up, in the shop's currency, to its smallest unit.

Shopify's totals of an order as placed (https://shopify.dev/docs/api/admin-graphql/latest/objects/Order):
the price of every line, less all discounts (of lines, order and shipping), plus shipping before
discounts, taxes (unless prices include them) and tips. Not every order can be held to it, see
`EXEMPT`; and an order with duties, fees or cash rounding, which the table has no columns for,
deviates rightly: suspects have to be compared with Shopify's own figures.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shopify_pipeline.warehouse.checks.rows import written_since
from shopify_pipeline.warehouse.tables import Table

NO_DECIMALS = (
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
)  # fmt: skip
THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
"""ISO 4217: currencies whose smallest unit is not a hundredth."""

EXEMPT = {
    "converted": "paid in another currency: the shop's amounts are converted back, part by part",
    "edited": "edited: their lines are those after the edit, their totals partly those before",
}

AMOUNTS = (
    "total_price", "subtotal_price", "total_tax", "total_discounts", "total_shipping", "total_tip",
    "current_total_price", "current_subtotal_price", "current_total_tax",
    "current_total_discounts", "total_refunded",
)  # fmt: skip


def decimals(currency: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """How many digits after the point the smallest unit of a currency is."""
    return sa.case((currency.in_(NO_DECIMALS), 0), (currency.in_(THREE_DECIMALS), 3), else_=2)


def unbalanced(orders: Table, lines: Table, since: datetime | None) -> sa.Select[Any]:
    """Living orders, read whole, whose amounts contradict each other or their lines.

    Rows: the order's id, its currency, what is wrong, the total it has and the one it should have.
    """
    sums = _with_lines(orders, lines, since)
    row = sums.c
    zero: sa.ColumnElement[Any] = sa.literal_column("0::numeric")

    def amount(name: str) -> sa.ColumnElement[Any]:
        return sa.func.coalesce(row[name], zero)

    parts = row.goods - amount("total_discounts")
    expected = (
        parts
        + amount("total_shipping")
        + amount("total_tip")
        + sa.case((row.taxes_included, zero), else_=amount("total_tax"))
    )
    comparable = sa.and_(
        sa.not_(row.converted), sa.not_(sa.func.coalesce(row.edited, False)), row.lines > 0
    )

    def differ(one: Any, other: Any) -> sa.ColumnElement[bool]:
        return sa.func.round(one - other, row.digits) != 0

    subtotal_is_off = sa.case(
        # Without shipping no discount can be of it.
        (amount("total_shipping") == 0, differ(row.subtotal_price, parts)),
        else_=sa.or_(
            sa.func.round(row.subtotal_price - parts, row.digits) < 0,
            sa.func.round(row.goods - row.line_discounts - row.subtotal_price, row.digits) < 0,
        ),
    )
    problems: list[sa.ColumnElement[Any]] = [
        sa.case((row.no_currency, "an amount without its currency")),
        sa.case((row.is_negative, "a negative amount")),
        sa.case((sa.and_(comparable, differ(row.total_price, expected)), "total")),
        sa.case((sa.and_(comparable, subtotal_is_off), "subtotal")),
        sa.case(
            (
                sa.and_(
                    comparable,
                    sa.func.round(amount("total_discounts") - row.line_discounts, row.digits) < 0,
                ),
                "discounts of lines exceed the order's",
            )
        ),
    ]
    wrong = sa.func.concat_ws(", ", *problems)
    return sa.select(
        row[orders.key],
        row.currency,
        wrong.label("wrong"),
        row.total_price,
        sa.case((comparable, expected)).label("expected_total"),
    ).where(wrong != "")


def exempt(orders: Table, since: datetime | None) -> sa.Select[int, int, int]:
    """How many living orders were looked at, and how many are exempt, by the words of `EXEMPT`."""
    row = orders.sql.c
    return sa.select(
        sa.func.count().label("checked"),
        sa.func.count().filter(_converted(row)).label("converted"),
        sa.func.count().filter(row.edited, sa.not_(_converted(row))).label("edited"),
    ).where(*_whole(orders, since))


def _whole(orders: Table, since: datetime | None) -> list[sa.ColumnElement[bool]]:
    row = orders.sql.c
    return [
        row.deleted_at.is_(None),
        row.complete_at >= row.updated_at,
        *written_since(orders, since),
    ]


def _converted(row: Any) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(row.presentment_currency != row.currency, False)


def _with_lines(orders: Table, lines: Table, since: datetime | None) -> sa.Subquery:
    """Each order with the sums of its lines; the planner joins by index for few, by hash for many.

    Lines of orders written since are looked at, not lines written since.
    """
    assert lines.owner is not None  # noqa: S101
    row, line = orders.sql.c, lines.sql.c
    gross = sa.func.sum(line.price * line.quantity)
    money = [row[name] for name in AMOUNTS]
    return (
        sa.select(
            row[orders.key],
            row.currency,
            row.edited,
            row.taxes_included,
            decimals(row.currency).label("digits"),
            *money,
            _converted(row).label("converted"),
            sa.or_(
                row.currency.is_(None),
                row.presentment_currency.is_(None),
                row.presentment_total_price.is_(None),
            ).label("no_currency"),
            sa.or_(*(amount < 0 for amount in money)).label("is_negative"),
            sa.func.count(line.id).label("lines"),
            sa.func.coalesce(gross, 0).label("goods"),
            sa.func.coalesce(sa.func.sum(line.total_discount), 0).label("line_discounts"),
        )
        .select_from(
            orders.sql.outerjoin(
                lines.sql, sa.and_(line[lines.owner.column] == row.id, line.deleted_at.is_(None))
            )
        )
        .where(*_whole(orders, since))
        .group_by(row.id)
        .subquery("sums")
    )
