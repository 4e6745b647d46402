"""Life in the store: the changes that a living shop makes, one at a time or as steady traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from shopify_pipeline.demo.store import (
    changes,
    customer_changes,
    order_actions,
    order_changes,
    product_changes,
)
from shopify_pipeline.demo.store.amounts import padded
from shopify_pipeline.demo.store.given_fields import ChangeError
from shopify_pipeline.demo.store.store import Store

_WEIGHTS: tuple[tuple[str, int], ...] = (
    ("new_order", 45),
    ("fulfill", 18),
    ("edit_order", 5),
    ("refund", 4),
    ("cancel", 2),
    ("new_customer", 8),
    ("change_customer", 6),
    ("change_price", 6),
    ("sell_elsewhere", 3),
    ("new_product", 1),
    ("merge_customers", 1),
    ("delete_something", 1),
)
ACTIONS = tuple(name for name, _ in _WEIGHTS)


class Life:
    """Makes changes, drawn by seed."""

    def __init__(self, store: Store, *, seed: int) -> None:
        self._store = store
        self._draw = Random(f"{seed}-life")  # noqa: S311
        self._task: asyncio.Task[None] | None = None
        self.rate = 0.0
        self.made: dict[str, int] = {}

    # -- traffic

    def flow(self, rate: float) -> None:
        """Make that many changes a second from now on; 0 stops."""
        self.rate = rate
        if rate > 0 and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def close(self) -> None:
        """Stop the traffic."""
        self.rate = 0.0
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while self.rate > 0:
            self.step()
            due = max(due + 1 / self.rate, loop.time() - 1)
            await asyncio.sleep(max(0, due - loop.time()))
        self._task = None

    def step(self, action: str | None = None) -> str:
        """Make one change; returns its name. Where it can't be made, an order comes instead."""
        weights = [weight for _, weight in _WEIGHTS]
        chosen = action or self._draw.choices(ACTIONS, weights)[0]
        work: Callable[[], None] = getattr(self, f"_{chosen}")
        try:
            work()
        except ChangeError:
            return self.step("new_order")
        self.made[chosen] = self.made.get(chosen, 0) + 1
        return chosen

    def inventory_noise(self, count: int) -> int:
        """Bump `updatedAt` of that many products, as sales elsewhere do; returns how many."""
        rows = self._store.database.rows("SELECT id FROM products ORDER BY id")
        chosen = self._draw.sample(rows, min(count, len(rows)))
        moment = self._store.clock.now()
        return self._store.touch_many("products", [row[0] for row in chosen], moment)

    # -- choosing

    def _any(self, kind: str, condition: str = "1") -> int:
        """A random record's id. Raises ChangeError when there is none."""
        table = f"{kind}_index WHERE {condition}"
        count = self._store.database.value(f"SELECT COUNT(*) FROM {table}")  # noqa: S608
        if not count:
            raise ChangeError(f"no {kind}")
        sql = f"SELECT id FROM {table} LIMIT 1 OFFSET ?"  # noqa: S608
        return int(self._store.database.value(sql, (self._draw.randrange(count),)))

    def _open_order(self) -> dict[str, Any]:
        """One of the recent orders that is still alive."""
        rows = self._store.database.rows(
            "SELECT id FROM orders_index WHERE status = 'open' ORDER BY created_at DESC LIMIT 50"
        )
        if not rows:
            raise ChangeError("no open order")
        order = self._store.database.document("orders", self._draw.choice(rows)[0])
        if order is None:
            raise ChangeError("no open order")
        return order

    # -- changes

    def _new_order(self) -> None:
        draw = self._draw
        offers = self._store.database.value("SELECT COUNT(*) FROM variants_index")
        lines = [
            {"variant": self._any("variants"), "quantity": draw.choice((1, 1, 1, 2))}
            for _ in range(min(6, 1 + int(draw.expovariate(0.8))) if offers else 0)
        ]
        fields: dict[str, Any] = {"lineItems": lines, "shipping": draw.choice(("0", "4.99"))}
        known = self._store.database.value("SELECT COUNT(*) FROM customers_index")
        if draw.random() < 0.9 and known:
            buyer = self._store.database.document("customers", self._any("customers"))
            if buyer is not None:
                fields |= {"customer": buyer["id"], "email": buyer["email"]}
        else:
            fields["email"] = f"guest.{draw.randrange(10**6)}@example.com"
        if draw.random() < 0.1:
            fields["displayFinancialStatus"] = "PENDING"
        if draw.random() < 0.8:
            fields["customerJourneySummary"] = {"landingPage": "/", "referrerUrl": None}
        order_changes.create_order(self._store, fields)

    def _fulfill(self) -> None:
        order_actions.act_on_order(self._store, self._open_order()["id"], "fulfill", {})

    def _edit_order(self) -> None:
        order = self._open_order()
        order_actions.act_on_order(
            self._store,
            order["id"],
            "edit",
            {"add": [{"variant": self._any("variants")}], "remove": [order["lines"][0]["id"]]},
        )

    def _refund(self) -> None:
        order = self._open_order()
        line = self._draw.choice(order["lines"])
        given = {"lineItems": [{"id": line["id"], "quantity": 1}]}
        order_actions.act_on_order(self._store, order["id"], "refund", given)

    def _cancel(self) -> None:
        order_actions.act_on_order(
            self._store, self._open_order()["id"], "cancel", {"reason": "OTHER"}
        )

    def _new_customer(self) -> None:
        number = self._draw.randrange(10**9)
        customer_changes.create_customer(
            self._store,
            {"firstName": "New", "lastName": "Buyer", "email": f"new.{number}@example.com"},
        )

    def _change_customer(self) -> None:
        tags = self._draw.sample(["vip", "newsletter", "b2b"], self._draw.randint(0, 2))
        fields = {"tags": tags, "acceptsMarketing": self._draw.random() < 0.5}
        customer_changes.update_customer(self._store, self._any("customers"), fields)

    def _change_price(self) -> None:
        price = padded(self._draw.randrange(500, 20_000) * 10_000)
        product_changes.update_variant(self._store, self._any("variants"), {"price": price})

    def _sell_elsewhere(self) -> None:
        self.inventory_noise(self._draw.randint(1, 5))

    def _new_product(self) -> None:
        number = self._draw.randrange(10**6)
        product_changes.create_product(
            self._store,
            {
                "title": f"Novelty {number}",
                "variants": [{"sku": f"NEW-{number}", "price": "12.50"}],
            },
        )

    def _merge_customers(self) -> None:
        one, other = self._any("customers"), self._any("customers")
        if one == other:
            raise ChangeError("the same customer")
        customer_changes.merge_customers(self._store, one, other)

    def _delete_something(self) -> None:
        kind = self._draw.choice(("products", "variants", "orders", "customers"))
        if kind == "customers":
            free = "id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL)"
            changes.delete(self._store, kind, self._any(kind, free))
            return
        changes.delete(self._store, kind, self._any(kind))
