"""A database, and two small families of tables on it: products pruned, orders not."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

from shopify_pipeline.warehouse.database import Database
from shopify_pipeline.warehouse.tables import Column, Link, Table
from shopify_pipeline_tests.conftest import database_named

START = datetime(2026, 1, 1, tzinfo=UTC)
TIME = sa.DateTime(timezone=True)

PRODUCTS = Table(
    name="shopify_products",
    key="shopify_product_id",
    columns=(
        Column(name="shopify_product_id", type=sa.BigInteger()),
        Column(name="title", type=sa.Text()),
        Column(name="tags", type=sa.ARRAY(sa.Text())),
        Column(name="variants_count", type=sa.Integer()),
        Column(name="updated_at", type=TIME),
    ),
)
VARIANTS = Table(
    name="shopify_product_variants",
    key="shopify_variant_id",
    columns=(
        Column(name="shopify_variant_id", type=sa.BigInteger()),
        Column(name="shopify_product_id", type=sa.BigInteger()),
        Column(name="title", type=sa.Text()),
        Column(name="price", type=sa.Numeric()),
        Column(name="updated_at", type=TIME),
    ),
    owner=Link(
        column="product_id",
        id_column="shopify_product_id",
        parent="shopify_products",
        parent_key="shopify_product_id",
    ),
    prune=True,
)
CUSTOMERS = Table(
    name="shopify_customers",
    key="shopify_customer_id",
    columns=(
        Column(name="shopify_customer_id", type=sa.BigInteger()),
        Column(name="email", type=sa.Text()),
        Column(name="updated_at", type=TIME),
    ),
)
ORDERS = Table(
    name="shopify_orders",
    key="shopify_order_id",
    columns=(
        Column(name="shopify_order_id", type=sa.BigInteger()),
        Column(name="shopify_customer_id", type=sa.BigInteger()),
        Column(name="name", type=sa.Text()),
        Column(name="total_price", type=sa.Numeric()),
        Column(name="net_payment", type=sa.Numeric()),
        Column(name="test", type=sa.Boolean()),
        Column(name="updated_at", type=TIME),
    ),
    links=(
        Link(
            column="customer_id",
            id_column="shopify_customer_id",
            parent="shopify_customers",
            parent_key="shopify_customer_id",
        ),
    ),
)
ITEMS = Table(
    name="shopify_order_items",
    key="shopify_line_item_id",
    columns=(
        Column(name="shopify_line_item_id", type=sa.BigInteger()),
        Column(name="shopify_order_id", type=sa.BigInteger()),
        Column(name="shopify_product_id", type=sa.BigInteger(), write_once=True),
        Column(name="title", type=sa.Text()),
        Column(name="quantity", type=sa.Integer()),
    ),
    links=(
        Link(
            column="product_id",
            id_column="shopify_product_id",
            parent="shopify_products",
            parent_key="shopify_product_id",
        ),
    ),
    owner=Link(
        column="order_id",
        id_column="shopify_order_id",
        parent="shopify_orders",
        parent_key="shopify_order_id",
    ),
)
INTERNAL = ("checkpoints", "refresh_queue", "shop", "heartbeats", "state")
TABLES = (PRODUCTS, VARIANTS, CUSTOMERS, ORDERS, ITEMS)


def at(seconds: float) -> datetime:
    """A moment, `seconds` after the start of the tests' time."""
    return START + timedelta(seconds=seconds)


def fetch(connection: sa.Connection, query: str) -> list[tuple[object, ...]]:
    """The rows of a query, as plain tuples."""
    return [tuple(row) for row in connection.exec_driver_sql(query)]


@pytest.fixture(scope="session")
def warehouse(postgres_server: str, migrated_template: str) -> Iterator[Database]:
    """A migrated database that the tests of this folder share."""
    name = f"warehouse_{uuid.uuid4().hex[:12]}"
    names = sql.Identifier(name), sql.Identifier(migrated_template)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
    database = Database(database_named(postgres_server, name))
    yield database
    database.close()
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


@pytest.fixture
def database(warehouse: Database) -> Database:
    """The shared database, emptied."""
    emptied = [f"public.{table.name}" for table in TABLES]
    emptied += [f"shopify_internal.{name}" for name in INTERNAL]
    with warehouse.transaction() as connection:
        connection.exec_driver_sql(";".join(f"DELETE FROM {name}" for name in reversed(emptied)))
    return warehouse
