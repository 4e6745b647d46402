"""Measures the merge against raw COPY: first load, the same again, a few changes.

    python -m shopify_pipeline_tests.benchmarks.merge_load --orders 100000 --chunk 10000

Both write the very same rows into the same tables with their indexes and foreign keys; COPY gets
ready-made bytes in one transaction. Rows are orders and lines together. Time to make the rows is
left out.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.merge import MergeCounts, merge_reads
from shopify_pipeline.warehouse.migrations import migrate
from shopify_pipeline_tests.benchmarks import merge_rows


def load(database: Database, orders: int, chunk: int, **kwargs: Any) -> tuple[float, MergeCounts]:
    """Merge the orders in chunks, a transaction each; seconds without making the rows."""
    seconds, counts = 0.0, MergeCounts()
    for first in range(0, orders, chunk):
        batch = merge_rows.orders(range(first, min(first + chunk, orders)), **kwargs)
        began = time.perf_counter()
        with database.transaction() as connection:
            for found in merge_reads(connection, *batch).values():
                counts += found
        seconds += time.perf_counter() - began
    return seconds, counts


def raw_copy(url: str) -> tuple[float, int]:
    """Copy the tables' rows out, empty them, and copy the same bytes in; seconds and rows."""
    tables = ("public.shopify_orders", "public.shopify_order_items")
    with psycopg.connect(url) as connection:
        data = {}
        for table in tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT (FORMAT BINARY)") as out:
                data[table] = [bytes(block) for block in out]
        connection.execute(f"TRUNCATE {', '.join(tables)}")
        connection.commit()
        began = time.perf_counter()
        rows = 0
        for table in tables:
            cursor = connection.cursor()
            with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
                for block in _blocks(data[table]):
                    copy.write(block)
            rows += cursor.rowcount
        connection.commit()
        return time.perf_counter() - began, rows


def _blocks(rows: list[bytes]) -> Iterator[bytes]:
    for first in range(0, len(rows), 500):
        yield b"".join(rows[first : first + 500])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--chunk", type=int, default=10_000)
    parser.add_argument("--url", help="a server's maintenance database; default: an embedded one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as directory:
        server = None if options.url else EmbeddedPostgres(Path(directory))
        try:
            url = options.url or (server.create_database("bench") if server else "")
            measure(url, options.orders, options.chunk)
        finally:
            if server:
                server.stop()


def measure(url: str, orders: int, chunk: int) -> None:
    """Measure on a database that is migrated and empty of orders afterwards."""
    migrate(url)
    database = Database(url)
    for found in merge_rows.parents():
        with database.transaction() as connection:
            merge_reads(connection, *found)
    load_seconds, counts = load(database, orders, chunk)
    rows = counts.inserted
    copy_seconds, copied = raw_copy(url)
    assert copied == rows, (copied, rows)
    again_seconds, counts = load(database, orders, chunk)
    assert counts.unchanged == rows, counts
    with database.direct(autocommit=True) as connection:
        connection.exec_driver_sql("VACUUM ANALYZE public.shopify_orders")
        connection.exec_driver_sql("VACUUM ANALYZE public.shopify_order_items")
    changes = []
    for day in range(1, 6):
        seconds, counts = load(database, 1000, 1000, changed=day)
        changes.append(seconds)
    report = [
        f"first load   {rows / load_seconds:10,.0f} rows/s  ({rows:,} rows, {load_seconds:.2f} s)",
        f"raw COPY     {rows / copy_seconds:10,.0f} rows/s  ({copy_seconds:.2f} s)",
        f"ratio        {copy_seconds / load_seconds:10.2f}",
        f"repeat       {rows / again_seconds:10,.0f} rows/s  ({load_seconds / again_seconds:.1f}x)",
        "1,000 changed " + " ".join(f"{seconds * 1000:.0f}" for seconds in changes) + " ms",
    ]
    sys.stdout.write("\n".join(report) + "\n")
    database.close()


if __name__ == "__main__":
    main()
