"""Injects divergences of every kind into the tables, each of its own rows, and remembers which."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import psycopg

ROOT_KEYS = {
    "shopify_products": "shopify_product_id",
    "shopify_customers": "shopify_customer_id",
    "shopify_orders": "shopify_order_id",
}


@dataclass
class Injected:
    """What was done, by kind, and the ids of the root rows that were touched."""

    number: dict[str, int] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)

    @property
    def total(self) -> int:
        return sum(self.number.values())


class Injector:
    """Divides a table's rows among the kinds, so that no row has two divergences."""

    def __init__(self, connection: psycopg.Connection[Any], *, seed: int, each: int) -> None:
        self._connection = connection
        self._draw = Random(seed)
        self._each = each
        self.done = Injected()
        self._free = {
            table: self._shuffled(f"SELECT {key} FROM {table} WHERE deleted_at IS NULL ORDER BY 1")
            for table, key in ROOT_KEYS.items()
        }
        # A customer may be deleted here only when no order's foreign key points to its row.
        self._alone = self._shuffled(
            "SELECT shopify_customer_id FROM shopify_customers c WHERE deleted_at IS NULL"
            " AND NOT EXISTS (SELECT FROM shopify_orders o WHERE o.customer_id = c.id) ORDER BY 1"
        )
        self._free["shopify_customers"] = [
            one for one in self._free["shopify_customers"] if one not in set(self._alone)
        ]

    def _shuffled(self, query: str) -> list[int]:
        found = [row[0] for row in self._connection.execute(query)]
        self._draw.shuffle(found)
        return found

    def everything(self) -> Injected:
        """Inject every kind."""
        for kind, statement, table in STATEMENTS:
            self._run(kind, statement, self._take(table))
        self._run(
            "customers lost",
            "DELETE FROM shopify_customers WHERE shopify_customer_id = ANY(%(ids)s)",
            [self._alone.pop() for _ in range(min(self._each, len(self._alone)))],
        )
        for kind, make in MADE:
            made = self._each
            for n in range(made):
                self._connection.execute(make(n))
            self.done.number[kind] = made
        self._connection.commit()
        return self.done

    def _take(self, table: str) -> list[int]:
        return [self._free[table].pop() for _ in range(self._each)]

    def _run(self, kind: str, statement: str, ids: list[int]) -> None:
        for one in statement.split(";"):
            self._connection.execute(one, {"ids": ids})
        self.done.number[kind] = len(ids)
        self.done.touched |= set(ids)


def _where(table: str) -> str:
    return f"WHERE {ROOT_KEYS[table]} = ANY(%(ids)s)"


def _every_root() -> Iterator[tuple[str, str, str]]:
    for table in ROOT_KEYS:
        where = _where(table)
        name = table.removeprefix("shopify_")
        yield (
            f"{name} stale",
            (
                f"UPDATE {table} SET updated_at = updated_at - interval '1 day', tags = '{{old}}',"
                f" complete_at = complete_at - interval '1 day' {where}"
            ),
            table,
        )
        yield (
            f"{name} ahead",
            (
                f"UPDATE {table} SET updated_at = updated_at + interval '3 seconds',"
                f" complete_at = complete_at + interval '3 seconds', tags = '{{ahead}}' {where}"
            ),
            table,
        )
        yield (
            f"{name} revived",
            f"UPDATE {table} SET deleted_at = now() - interval '2 minutes' {where}",
            table,
        )
        yield (
            f"{name} not whole",
            f"UPDATE {table} SET complete_at = complete_at - interval '1 day', tags = NULL {where}",
            table,
        )
        yield (
            f"{name} from the future",
            (
                f"UPDATE {table} SET updated_at = now() + interval '3 years',"
                f" complete_at = now() + interval '3 years' {where}"
            ),
            table,
        )


_PRODUCT = "(SELECT id FROM shopify_products WHERE shopify_product_id = ANY(%(ids)s))"
_ORDER = "(SELECT id FROM shopify_orders WHERE shopify_order_id = ANY(%(ids)s))"
_ONE_LINE = (
    f"(SELECT DISTINCT ON (order_id) id FROM shopify_order_items WHERE order_id IN {_ORDER})"
)

STATEMENTS: list[tuple[str, str, str]] = [
    *_every_root(),
    (
        "products lost",
        (f"UPDATE shopify_order_items SET product_id = NULL, variant_id = NULL"
        f" WHERE product_id IN {_PRODUCT};"
        f"DELETE FROM shopify_product_variants WHERE product_id IN {_PRODUCT};"
        f"DELETE FROM shopify_products {_where('shopify_products')}"),
        "shopify_products",
    ),
    (
        "variants lost",
        ("UPDATE shopify_order_items SET variant_id = NULL WHERE variant_id IN"
        f" (SELECT id FROM shopify_product_variants WHERE product_id IN {_PRODUCT});"
        f"DELETE FROM shopify_product_variants WHERE product_id IN {_PRODUCT}"),
        "shopify_products",
    ),
    (
        "variants invented",
        ("INSERT INTO shopify_product_variants (shopify_variant_id, shopify_product_id, product_id,"
        " title) SELECT shopify_product_id + 7, shopify_product_id, id, 'invented'"
        f" FROM shopify_products {_where('shopify_products')}"),
        "shopify_products",
    ),
    (
        "orders lost",
        (f"DELETE FROM shopify_order_items WHERE order_id IN {_ORDER};"
        f"DELETE FROM shopify_orders {_where('shopify_orders')}"),
        "shopify_orders",
    ),
    (
        "lines lost",
        f"DELETE FROM shopify_order_items WHERE id IN {_ONE_LINE}",
        "shopify_orders",
    ),
    (
        "all lines lost",
        f"DELETE FROM shopify_order_items WHERE order_id IN {_ORDER}",
        "shopify_orders",
    ),
    (
        "lines invented",
        ("INSERT INTO shopify_order_items (shopify_line_item_id, shopify_order_id, order_id, title,"
        " quantity, current_quantity, price, total_discount) SELECT shopify_order_id + 7,"
        f" shopify_order_id, id, 'invented', 2, 2, 1, 0 FROM shopify_orders"
        f" {_where('shopify_orders')}"),
        "shopify_orders",
    ),
    (
        "quantities changed",
        f"UPDATE shopify_order_items SET quantity = quantity + 3 WHERE id IN {_ONE_LINE}",
        "shopify_orders",
    ),
    (
        "lines without order",
        f"UPDATE shopify_order_items SET order_id = NULL WHERE order_id IN {_ORDER}",
        "shopify_orders",
    ),
    (
        "orders without customer",
        f"UPDATE shopify_orders SET customer_id = NULL {_where('shopify_orders')}",
        "shopify_orders",
    ),
    (
        "orders of another customer",
        (
            "UPDATE shopify_orders SET customer_id = (SELECT customer_id FROM shopify_orders"
            " WHERE customer_id IS NOT NULL AND shopify_order_id <> ALL(%(ids)s) LIMIT 1)"
            f" {_where('shopify_orders')}"
        ),
        "shopify_orders",
    ),
    (
        "links astray",
        ("UPDATE shopify_order_items SET order_id = (SELECT id FROM shopify_orders"
        f" WHERE shopify_order_id <> ALL(%(ids)s) LIMIT 1) WHERE id IN {_ONE_LINE}"),
        "shopify_orders",
    ),
    (
        "totals drifted",
        ("UPDATE shopify_customers SET orders_count = orders_count + 1, total_spent = total_spent"
        f" + 0.01 {_where('shopify_customers')}"),
        "shopify_customers",
    ),
    (
        "values removed",
        f"UPDATE shopify_customers SET state = NULL, locale = NULL {_where('shopify_customers')}",
        "shopify_customers",
    ),
    (
        "fulfilment drifted",
        ("UPDATE shopify_orders SET fulfillment_status = 'somewhere'"
        f" {_where('shopify_orders')}"),
        "shopify_orders",
    ),
]  # fmt: skip

MADE: list[tuple[str, Callable[[int], str]]] = [
    (
        "products invented",
        lambda n: (
            "INSERT INTO shopify_products (shopify_product_id, title, variants_count,"
            " created_at, updated_at, complete_at, observed_at) VALUES"
            f" ({n + 1}, 'invented', 0, '2026-01-01', '2026-01-01', '2026-01-01', '2026-01-01')"
        ),
    ),
    (
        "customers invented",
        lambda n: (
            "INSERT INTO shopify_customers (shopify_customer_id, created_at, updated_at)"
            f" VALUES ({n + 1}, '2026-01-01', '2026-01-01')"
        ),
    ),
    (
        "orders invented",
        lambda n: f"INSERT INTO shopify_orders (shopify_order_id) VALUES ({n + 1})",
    ),
]
