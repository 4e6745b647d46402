"""The store itself: its records, clock and settings, and every way in which a record changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from shopify_pipeline.demo.store import records
from shopify_pipeline.demo.store.clock import DAY, SECOND, Clock
from shopify_pipeline.demo.store.database import INDEX_COLUMNS, Database, Document
from shopify_pipeline.demo.store.identifiers import DEMO_SHOP_ID, domain_of, shop_id_of

PLANS = {"standard": (2000, 100), "advanced": (4000, 200), "plus": (20000, 1000)}

DEFAULT_SCOPES = (
    "read_all_orders", "read_customer_merge", "read_customers", "read_fulfillments",
    "read_inventory", "read_locations", "read_orders", "read_products", "read_returns",
)  # fmt: skip

STABLE_VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")

GID_TYPES = {
    "products": "Product",
    "variants": "ProductVariant",
    "customers": "Customer",
    "orders": "Order",
}


@dataclass
class Settings:
    """What can be set from the command line or while the store runs."""

    shop: str = "demo-store"
    token: str = "shpat_demo"  # noqa: S105 - the demo's own
    client_id: str = "demo"
    client_secret: str = "demo"  # noqa: S105
    plan: str = "standard"
    currency: str = "USD"
    timezone: str = "America/New_York"
    index_lag: int = 0
    scopes: list[str] = field(default_factory=lambda: list(DEFAULT_SCOPES))
    versions: list[str] = field(default_factory=lambda: list(STABLE_VERSIONS))
    shop_id: int = 0
    denied_fields: list[str] = field(default_factory=list)
    created_at: int = 0

    def __post_init__(self) -> None:
        self.shop_id = self.shop_id or shop_id_of(self.domain)

    @property
    def domain(self) -> str:
        """The store's myshopify.com name."""
        return domain_of(self.shop)

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.timezone)


Listener = Callable[[str, str, Document, dict[str, Any]], None]


class Store:
    """Records with Shopify's habits: a write stamps `updatedAt`, the index may follow later."""

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        directory: Path | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.clock = clock or Clock()
        self.database = Database(directory)
        self.listeners: list[Listener] = []
        self._next_id: dict[str, int] = {}
        self.settings.shop_id = self._kept_shop_id()
        kept = self.database.fact("access", {})
        self.settings.scopes = kept.get("scopes", self.settings.scopes)
        self.settings.denied_fields = kept.get("denied_fields", self.settings.denied_fields)

    def _kept_shop_id(self) -> int:
        """The id under which the directory was begun; the settings' one when it is new."""
        kept = self.database.fact("shop_id")
        if kept is None:
            filled = self.database.fact("settings") is not None  # before ids followed the domain
            kept = DEMO_SHOP_ID if filled else self.settings.shop_id
            self.database.keep_fact("shop_id", kept)
        return int(kept)

    def keep_access(self) -> None:
        """Remember the app's scopes and denied fields for whoever opens the directory again."""
        settings = self.settings
        self.database.keep_fact(
            "access", {"scopes": settings.scopes, "denied_fields": settings.denied_fields}
        )

    # -- identities and times

    def new_id(self, kind: str) -> int:
        """The next free id of a kind; ids grow by uneven steps, as Shopify's do."""
        last = self._next_id.get(kind)
        if last is None:
            last = int(self.database.fact(f"last_id.{kind}", 9_000_000_000_000))
        following = last + 32_768 + last % 7
        self._next_id[kind] = following
        self.database.keep_fact(f"last_id.{kind}", following)
        return following

    def visible_from(self) -> int:
        """Orders created before this moment are hidden without `read_all_orders`."""
        if "read_all_orders" in self.settings.scopes:
            return 0
        return self.clock.now() - 60 * DAY

    # -- reading

    def order_of_line(self, identity: int) -> Document | None:
        """The order that holds a line."""
        order = self.database.value("SELECT order_id FROM lines WHERE id = ?", (identity,))
        return None if order is None else self.database.document("orders", order)

    def variants_of(self, product: int) -> list[Document]:
        """A product's variants by position."""
        found = self.database.rows(
            "SELECT doc FROM variants WHERE product_id = ? ORDER BY position, id", (product,)
        )
        return [orjson.loads(doc) for (doc,) in found]

    def variant_count(self, product: int) -> int:
        """How many variants a product has."""
        return int(
            self.database.value("SELECT COUNT(*) FROM variants WHERE product_id = ?", (product,))
        )

    def purchases(self, customer: int) -> tuple[int, int, int | None]:
        """Number of orders, micros spent and the last order's id of a customer, as of now."""
        count, spent = self.database.rows(
            "SELECT COUNT(spent), COALESCE(SUM(spent), 0) FROM orders WHERE customer_id = ?",
            (customer,),
        )[0]
        last = self.database.value(
            "SELECT id FROM orders WHERE customer_id = ? ORDER BY created_at DESC LIMIT 1",
            (customer,),
        )
        return count, spent, last

    # -- writing

    def put(
        self,
        kind: str,
        document: Document,
        *,
        topic: str | None = None,
        created: bool = False,
        details: dict[str, Any] | None = None,
    ) -> None:
        """Store a document, index it (perhaps later) and tell the listeners what happened."""
        self._write(kind, document)
        self._reindex(kind, document["id"])
        if created:
            self._record_event(kind, document["id"], "create")
        if topic:
            self.tell(kind, topic, document, **(details or {}))

    def put_many(self, kind: str, documents: Iterable[Document]) -> int:
        """Store many documents in one transaction; returns how many."""

        def work() -> int:
            count = 0
            for document in documents:
                self._write(kind, document)
                self._reindex(kind, document["id"])
                count += 1
            return count

        return int(self.database.transaction(work))

    def remove(self, kind: str, identity: int, *, topic: str | None = None) -> Document | None:
        """Delete a record with what belongs to it; returns what was there."""
        document = self.database.document(kind, identity)
        if document is None:
            return None
        if kind == "products":
            for variant in self.variants_of(identity):
                self._erase("variants", variant["id"])
        if kind == "orders":
            self.database.execute("DELETE FROM lines WHERE order_id = ?", (identity,))
        self._erase(kind, identity)
        self._record_event(kind, identity, "destroy")
        if kind == "orders" and document["customer"] is not None:
            self._reindex("customers", document["customer"])
        if topic:
            self.tell(kind, topic, document)
        return document

    def tell(self, kind: str, topic: str, document: Document, **details: Any) -> None:
        """Tell the listeners (webhook delivery) that something happened."""
        for listener in self.listeners:
            listener(kind, topic, document, details)

    def touch_many(self, kind: str, identities: Sequence[int], moment: int) -> int:
        """Set one `updatedAt` on many records, as a mass edit does; returns how many."""

        def documents() -> Iterable[Document]:
            for identity in identities:
                document = self.database.document(kind, identity)
                if document is not None:
                    document["updatedAt"] = moment
                    yield document

        touched = self.put_many(kind, documents())
        topics = {"products": "products/update", "customers": "customers/update"}
        if self.listeners and kind != "variants":
            for identity in identities:
                document = self.database.document(kind, identity)
                if document is not None:
                    self.tell(kind, topics.get(kind, "orders/updated"), document)
        return touched

    def _write(self, kind: str, document: Document) -> None:
        if kind == "products":
            self.database.fill("products", [records.product_row(document)])
        elif kind == "variants":
            self.database.fill("variants", [records.variant_row(document)])
        elif kind == "customers":
            self.database.fill("customers", [records.customer_row(document)])
        else:
            self.database.fill("orders", [records.order_row(document)])
            self.database.execute("DELETE FROM lines WHERE order_id = ?", (document["id"],))
            self.database.fill("lines", records.line_rows(document))
            if document["customer"] is not None:
                self._reindex("customers", document["customer"])

    def _erase(self, kind: str, identity: int) -> None:
        self.database.execute(f"DELETE FROM {kind} WHERE id = ?", (identity,))  # noqa: S608
        self._reindex(kind, identity)

    def _record_event(self, kind: str, identity: int, action: str) -> None:
        self.database.execute(
            "INSERT INTO events (created_at, kind, subject, action) VALUES (?, ?, ?, ?)",
            (self.clock.now(), GID_TYPES[kind], identity, action),
        )

    # -- the index

    def _reindex(self, kind: str, identity: int) -> None:
        lag = self.settings.index_lag
        if lag > 0:
            self.database.execute(
                "INSERT INTO pending VALUES (?, ?, ?)", (self.clock.now() + lag, kind, identity)
            )
        else:
            self._index(kind, identity)

    def refresh_index(self) -> None:
        """Bring into the index every write whose lag has passed. Called before each search."""
        now = self.clock.now()
        due = self.database.rows(
            "SELECT rowid, kind, id FROM pending WHERE due_at <= ? ORDER BY due_at", (now,)
        )
        if not due:
            return

        def work() -> None:
            for rowid, kind, identity in due:
                self._index(kind, identity)
                self.database.execute("DELETE FROM pending WHERE rowid = ?", (rowid,))

        self.database.transaction(work)

    def _index(self, kind: str, identity: int) -> None:
        document = self.database.document(kind, identity)
        if document is None:
            sql = f"DELETE FROM {kind}_index WHERE id = ?"  # noqa: S608
            self.database.execute(sql, (identity,))
            return
        if kind == "products":
            row = records.product_index(document)
        elif kind == "variants":
            product = self.database.document("products", document["product"])
            if product is None:
                return
            row = records.variant_index(document, product)
        elif kind == "customers":
            count, spent, last = self.purchases(identity)
            row = records.customer_index(document, orders=count, spent=spent, last_order=last)
        else:
            row = records.order_index(document, customer_name=self._name(document["customer"]))
        if len(row) != len(INDEX_COLUMNS[kind]) + 1:
            raise AssertionError(f"index row of {kind} does not fit its columns")
        self.database.fill(f"{kind}_index", [row])

    def _name(self, customer: int | None) -> str | None:
        if customer is None:
            return None
        document = self.database.document("customers", customer)
        return None if document is None else records.display_name(document)


def seconds(value: float) -> int:
    """Microseconds of a number of seconds."""
    return int(value * SECOND)
