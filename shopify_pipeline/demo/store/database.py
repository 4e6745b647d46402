"""The store's records in SQLite: whole documents by id, and an index beside them that may lag.

A search reads the index; `node(id)` reads the document. With an index lag set, a write reaches
the document at once and the index only when the store's clock has passed the lag.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

Document = dict[str, Any]

KINDS = ("products", "variants", "customers", "orders")

INDEX_COLUMNS: dict[str, tuple[str, ...]] = {
    "products": (
        "created_at", "updated_at", "published_at", "title", "handle", "vendor", "product_type",
        "status", "tags", "inventory_total", "is_gift_card", "words", "out_of_stock",
    ),
    "variants": (
        "created_at", "updated_at", "product_id", "position", "sku", "title", "full_title",
        "barcode", "inventory_quantity", "price", "product_status", "product_type", "vendor",
        "tags", "taxable", "words",
    ),
    "customers": (
        "created_at", "updated_at", "email", "phone", "first_name", "last_name", "name", "state",
        "tags", "orders_count", "total_spent", "accepts_marketing", "country", "last_order_id",
        "words",
    ),
    "orders": (
        "created_at", "updated_at", "processed_at", "number", "name", "email", "customer_id",
        "customer_name", "financial_status", "fulfillment_status", "return_status", "status",
        "test", "tags", "source_name", "total", "quantity", "cancelled_at", "closed_at", "words",
    ),
}  # fmt: skip

_INDEXED = {
    "products": ("created_at", "updated_at"),
    "variants": ("product_id", "position"),
    "customers": ("created_at", "updated_at", "email"),
    "orders": ("created_at", "updated_at", "processed_at", "customer_id", "number"),
}

_TABLES = """
CREATE TABLE IF NOT EXISTS products (id INTEGER PRIMARY KEY, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS variants (
    id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL, position INTEGER NOT NULL,
    doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER, created_at INTEGER NOT NULL,
    spent INTEGER, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, kind TEXT NOT NULL,
    subject INTEGER NOT NULL, action TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bulk (
    id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, completed_at INTEGER,
    status TEXT NOT NULL, type TEXT NOT NULL, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS subscriptions (id INTEGER PRIMARY KEY, doc BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pending (
    due_at INTEGER NOT NULL, kind TEXT NOT NULL, id INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""

_LATE_INDEXES = """
CREATE INDEX IF NOT EXISTS variants_of_product ON variants (product_id, position);
CREATE INDEX IF NOT EXISTS orders_of_customer ON orders (customer_id, created_at, spent);
CREATE INDEX IF NOT EXISTS events_by_time ON events (created_at);
CREATE INDEX IF NOT EXISTS pending_by_time ON pending (due_at);
"""


class Database:
    """One SQLite file, or memory, with one connection."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
        target = ":memory:" if directory is None else str(directory / "store.sqlite")
        self.connection = sqlite3.connect(target, isolation_level=None, check_same_thread=False)
        self._cursor = self.connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=OFF",
            "temp_store=MEMORY",
            "cache_size=-65536",
        ):
            self.execute(f"PRAGMA {pragma}")
        self.connection.executescript(_TABLES)
        for kind, columns in INDEX_COLUMNS.items():
            spelled = ", ".join(columns)
            self.execute(
                f"CREATE TABLE IF NOT EXISTS {kind}_index (id INTEGER PRIMARY KEY, {spelled})"
            )

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self.connection.execute(sql, values)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        return self.connection.execute(sql, values).fetchall()

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.connection.execute(sql, values).fetchone()
        return row[0] if row else None

    def add_indexes(self) -> None:
        """Create the indexes; after the first fill, which is faster without them."""
        self.connection.executescript(_LATE_INDEXES)
        for kind, columns in _INDEXED.items():
            for column in columns:
                self.execute(
                    f"CREATE INDEX IF NOT EXISTS {kind}_by_{column} ON {kind}_index ({column}, id)"
                )

    def empty(self) -> None:
        """Delete every record: what an interrupted first fill has left."""
        for table in (*KINDS, *(f"{kind}_index" for kind in KINDS), "lines", "events"):
            self.execute(f"DELETE FROM {table}")  # noqa: S608

    def journal(self, mode: str) -> None:
        """Set SQLite's journal mode; the first fill needs none, since it can be repeated.

        A database in memory, which knows no WAL, can't roll back unless it is given MEMORY.
        """
        if mode == "WAL" and self.directory is None:
            mode = "MEMORY"
        self.execute(f"PRAGMA journal_mode={mode}").fetchall()

    def fact(self, name: str, default: Any = None) -> Any:
        """A stored setting or counter."""
        found = self.value("SELECT value FROM facts WHERE name = ?", (name,))
        return default if found is None else orjson.loads(found)

    def keep_fact(self, name: str, value: Any) -> None:
        """Store a setting or counter."""
        self.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, orjson.dumps(value)))

    def document(self, kind: str, identity: int) -> Document | None:
        """The present document of one record."""
        found = self.value(f"SELECT doc FROM {kind} WHERE id = ?", (identity,))  # noqa: S608
        return None if found is None else orjson.loads(found)

    def documents(self, kind: str, identities: Sequence[int]) -> dict[int, Document]:
        """The present documents of several records, by id."""
        marks = ",".join("?" * len(identities))
        found = self.execute(
            f"SELECT id, doc FROM {kind} WHERE id IN ({marks})",  # noqa: S608
            identities,
        )
        return {identity: orjson.loads(doc) for identity, doc in found}

    def exists(self, kind: str, identity: int | None) -> bool:
        """Whether the record is there now."""
        if identity is None:
            return False
        sql = f"SELECT 1 FROM {kind} WHERE id = ?"  # noqa: S608
        return self.connection.execute(sql, (identity,)).fetchone() is not None

    def stream(self, kind: str, *, batch: int = 500) -> Iterator[Document]:
        """Every present document in id order, safe against writes meanwhile."""
        last = -1
        while True:
            found = self.rows(
                f"SELECT id, doc FROM {kind} WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608
                (last, batch),
            )
            if not found:
                return
            for _, doc in found:
                yield orjson.loads(doc)
            last = found[-1][0]

    def fill(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows; each has the table's columns in order."""
        iterator = iter(rows)
        first = next(iterator, None)
        if first is None:
            return
        marks = ",".join("?" * len(first))
        sql = f"INSERT OR REPLACE INTO {table} VALUES ({marks})"  # noqa: S608
        self.execute(sql, first)
        self.connection.executemany(sql, iterator)

    def transaction(self, work: Callable[[], Any]) -> Any:
        """Run `work` between BEGIN and COMMIT."""
        self.execute("BEGIN")
        try:
            result = work()
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")
        return result

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
