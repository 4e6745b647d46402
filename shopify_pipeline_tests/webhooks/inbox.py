"""Puts deliveries into the inbox without a receiver, and reads tables back."""

import itertools
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from psycopg.rows import dict_row

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

_NUMBERS = itertools.count(1)


class Shop:
    """The inbox and the tables of one database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def deliver(
        self,
        topic: str,
        payload: Any,
        *,
        at: datetime | None = NOW,
        is_test: bool = False,
    ) -> int:
        """Store one delivery as a receiver does; returns its number."""
        body = payload if isinstance(payload, bytes) else orjson.dumps(payload)
        number = next(_NUMBERS)
        self.connection.execute(
            "INSERT INTO shopify_internal.webhook_inbox (id, shop, topic, webhook_id, "
            "triggered_at, is_test, body_bytes, body_slot) "
            "VALUES (%s, 'demo-store.myshopify.com', %s, %s, %s, %s, %s, "
            "mod(extract(epoch FROM now())::bigint / 86400, 32))",
            [number, topic, f"w{number}", at, is_test, len(body)],
        )
        self.connection.execute(
            "INSERT INTO shopify_internal.webhook_bodies "
            "SELECT body_slot, id, %s FROM shopify_internal.webhook_inbox WHERE id = %s",
            [body, number],
        )
        return number

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of a query."""
        return self.connection.execute(query, values).fetchall()

    def row(self, table: str, key: str, number: int) -> dict[str, Any]:
        """One row of a data table."""
        query = f"SELECT * FROM {table} WHERE {key} = %s"
        return self.connection.execute(query, [number]).fetchall()[0]

    def order(self, number: int) -> dict[str, Any]:
        """One order."""
        return self.row("shopify_orders", "shopify_order_id", number)

    def customer(self, number: int) -> dict[str, Any]:
        """One customer."""
        return self.row("shopify_customers", "shopify_customer_id", number)

    def states(self) -> dict[int, str]:
        """State of every delivery."""
        return {
            r["id"]: r["state"] for r in self.rows("SELECT * FROM shopify_internal.webhook_inbox")
        }

    def queued(self) -> dict[tuple[str, int], dict[str, Any]]:
        """The refresh queue."""
        return {
            (row["entity"], row["shopify_id"]): row
            for row in self.rows("SELECT * FROM shopify_internal.refresh_queue")
        }
