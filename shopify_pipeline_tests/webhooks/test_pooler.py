"""Behind a transaction pooler: the receiver stores, the worker works, by LISTEN or by polling."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from shopify_pipeline_tests.webhooks.bodies import order
from shopify_pipeline_tests.webhooks.conftest import Sender, within
from shopify_pipeline_tests.webhooks.inbox import NOW, Shop
from shopify_pipeline_tests.webhooks.service import service
from shopify_pipeline_tests.webhooks.test_service import ready

PGBOUNCER = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path(PGBOUNCER).exists(), reason="pgbouncer is not installed"),
]

CONFIG = """
[databases]
{dbname} = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
ignore_startup_parameters = extra_float_digits
"""


@pytest.fixture
def pooled_url(database_url: str) -> Iterator[str]:
    """The database's URL by way of PgBouncer in transaction mode."""
    known = conninfo_to_dict(database_url)
    dbname = str(known["dbname"])
    server = " ".join(f"{name}={value}" for name, value in known.items() if value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="pgbouncer") as directory:
        config = Path(directory, "pgbouncer.ini")
        config.write_text(CONFIG.format(dbname=dbname, server=server, port=port))
        # It refuses to run as root; as whom then may it read this and reach the server's socket?
        config.parent.chmod(0o755)
        host = Path(str(known.get("host", "")))
        owner = host.owner() if host.is_dir() else "nobody"
        user = ("-u", owner) if os.geteuid() == 0 else ()
        process = subprocess.Popen([PGBOUNCER, *user, str(config)], stderr=subprocess.DEVNULL)
        url = f"postgresql://postgres@127.0.0.1:{port}/{dbname}"
        try:
            within(lambda: _answers(url))
            yield url
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.parametrize(
    ("has_direct", "mode"), [(True, "listen"), (False, "poll")], ids=["direct url", "pooler alone"]
)
def test_what_comes_by_a_pooler_is_a_row_soon(
    database_url: str, pooled_url: str, shop: Shop, has_direct: bool, mode: str
) -> None:
    urls: dict[str, Any] = {"DATABASE_DIRECT_URL": database_url} if has_direct else {}
    with service(pooled_url, "--no-refresh", **urls) as running:
        within(lambda: ready(running.address))
        workers = "SELECT mode FROM shopify_internal.webhook_workers WHERE beaten_at > started_at"
        # The mode is told with the second sign of life, once listening was tried.
        within(lambda: shop.rows(workers))
        sender = Sender(running.address, database_url)
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda n: sender.post("orders/create", order(n, NOW)), range(1, 101))
            )
        assert {answer.status_code for answer in answers} == {200}
        within(lambda: len(shop.rows("SELECT 1 FROM shopify_orders")) == 100)
        for number in range(201, 206):
            assert sender.post("orders/create", order(number, NOW)).is_success
            row = "SELECT 1 FROM shopify_orders WHERE shopify_order_id = %s"
            within(partial(shop.rows, row, number))
        assert [found["mode"] for found in shop.rows(workers)] == [mode]
        assert running.stop() == 0


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False
