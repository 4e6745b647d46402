"""Rows of a large store, as the merge takes them, made as fast as they are merged."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.warehouse.merge import RowSet
from shopify_pipeline.warehouse.tables import Table

START = datetime(2023, 1, 1, tzinfo=UTC)
OBSERVED = datetime(2026, 11, 1, tzinfo=UTC)
PRODUCTS, CUSTOMERS = 5_000, 50_000

_PRICES = [Decimal(cents) / 100 for cents in range(100, 20_000, 37)]
_TAGS = [[], [], ["wholesale"], ["vip", "first order, web"]]


def table(entity: str) -> Table:
    """The table of an entity."""
    return ENTITIES[entity].table


def shape(entity: str) -> tuple[str, ...]:
    """The columns of a complete read of an entity."""
    return (*ENTITIES[entity].read_columns(), "observed_at")


def rows(entity: str, known: Sequence[dict[str, Any]]) -> RowSet:
    """Rows with the given values, the rest filled by the type of the column."""
    columns = shape(entity)
    return RowSet(table(entity), columns, [_row(entity, columns, values) for values in known])


def parents() -> Iterator[tuple[RowSet, list[RowSet]]]:
    """What the orders point to: customers, and products with a variant each."""
    for first in range(0, CUSTOMERS, 10_000):
        numbers = range(first, min(first + 10_000, CUSTOMERS))
        yield rows("customers", [{"shopify_customer_id": 7_000_000 + n} for n in numbers]), []
    products = [{"shopify_product_id": 8_000_000 + n} for n in range(PRODUCTS)]
    variants = [
        {"shopify_variant_id": 9_000_000 + n, "shopify_product_id": 8_000_000 + n}
        for n in range(PRODUCTS)
    ]
    yield rows("products", products), [rows("product_variants", variants)]


def orders(
    numbers: range, *, changed: int = 0, observed: datetime = OBSERVED
) -> tuple[RowSet, list[RowSet]]:
    """Orders with 1 to 3 lines each, in the order of `numbers`; `changed` moves their version."""
    found: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    for n in numbers:
        updated = START + timedelta(seconds=60 * n, days=changed)
        found.append(
            {
                "shopify_order_id": 5_000_000_000_000 + n * 32_768,
                "shopify_customer_id": 7_000_000 + n * 7919 % CUSTOMERS,
                "order_number": str(1001 + n),
                "name": f"#{1001 + n}",
                "email": f"customer{n * 7919 % CUSTOMERS}@example.com",
                "tags": _TAGS[n % 4],
                "financial_status": "paid",
                "created_at": START + timedelta(seconds=60 * n),
                "updated_at": updated,
                "total_price": _PRICES[n % len(_PRICES)],
                "observed_at": observed,
            }
        )
        items.extend(
            {
                "shopify_line_item_id": 12_000_000_000_000 + n * 98_304 + k,
                "shopify_order_id": 5_000_000_000_000 + n * 32_768,
                "shopify_product_id": 8_000_000 + (n * 31 + k) % PRODUCTS,
                "shopify_variant_id": 9_000_000 + (n * 31 + k) % PRODUCTS,
                "title": f"Product {(n * 31 + k) % PRODUCTS}",
                "observed_at": observed,
            }
            for k in range(1 + n % 3)
        )
    return rows("orders", found), [rows("order_items", items)]


def _row(entity: str, columns: Sequence[str], values: dict[str, Any]) -> tuple[Any, ...]:
    fill = _fills(entity)
    return tuple(values[name] if name in values else fill[name] for name in columns)


def _fills(entity: str) -> dict[str, Any]:
    if entity not in _FILLS:
        types = {column.name: column.type.python_type for column in table(entity).columns}
        by_type = {
            int: 1,
            str: "some text",
            bool: False,
            Decimal: Decimal("12.50"),
            datetime: START,
            list: [],
        }
        _FILLS[entity] = {name: by_type[kind] for name, kind in types.items()}
        _FILLS[entity] |= {"cancelled_at": None, "closed_at": None, "observed_at": OBSERVED}
    return _FILLS[entity]


_FILLS: dict[str, dict[str, Any]] = {}
