"""Loads one simulated store into one Postgres by dlt and by this pipeline: `make bench-peers`.

    make bench-peers ARGS="--source FOLDER --python /path/to/python --orders 20000"

FOLDER holds dlt's verified source `shopify_dlt`, which `dlt init shopify_dlt postgres` makes; it is
not shipped here, and dlt need not be installed here: `--python` names an interpreter that has it.

Seconds are those of the whole process, its imports and what it waits for the store included. After
the first load an order becomes visible late, one is changed, and a product, a customer and an order
are deleted; what each then lacks, still holds, or holds as it was is counted against the store.
dlt reads by REST, which shows at most 100 variants of a product; what it stores beyond the five
kinds of records (tax lines, addresses …) is in its seconds, and is not counted. The source must
fit the version of dlt.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from tabulate import tabulate

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.entities import ENTITIES
from shopify_pipeline.settings import Settings
from shopify_pipeline.warehouse.migrations import migrate
from shopify_pipeline_tests.benchmarks.watching import Watched, watched
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore, serving
from shopify_pipeline_tests.truth import truth

SCHEMA = "dlt_shopify"
START = "2015-01-01"
DLT_TABLES = {
    "products": "products",
    "product_variants": "products__variants",
    "customers": "customers",
    "orders": "orders",
    "order_items": "orders__line_items",
}

Seen = dict[int, datetime | None]
"""Records by Shopify's id: when each was changed last, where that is said of its kind."""


class RefusedError(Exception):
    """Nothing was measured; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Peer:
    """A way to load the store: what runs, and where its rows are."""

    name: str
    command: Sequence[str | Path]
    task: dict[str, Any]
    queries: dict[str, str]

    def load(self, directory: Path, *, is_first: bool) -> Watched:
        """Load what there is to load, in a process of its own.

        Raises:
            RuntimeError: it failed.
        """
        done = watched(
            self.command,
            given=json.dumps(self.task | {"is_first": is_first}),
            environment=_environment(directory),
            directory=directory if self.name == "dlt" else None,
        )
        if done.exit_code != 0:
            raise RuntimeError(f"{self.name} failed: {(done.errors or done.output)[-3000:]}")
        return done

    def rows(self, database_url: str) -> dict[str, Seen]:
        """Ids and times of what its tables hold and don't mark as deleted."""
        with psycopg.connect(database_url) as connection:
            return {
                name: dict(connection.execute(query).fetchall())
                for name, query in self.queries.items()
            }


def measure(
    server: EmbeddedPostgres, directory: Path, *, source: Path, python: str, orders: int
) -> dict[str, Any]:
    """Figures of both, by name of the peer."""
    found: dict[str, Any] = {}
    products, customers = max(20, orders // 20), max(50, orders // 5)
    with serving(products=products, customers=customers, orders=orders, plan="plus") as store:
        peers = [
            _dlt(server.create_database("peer_dlt"), directory, store, source, python),
            _pipeline(server.create_database("peer_pipeline"), store),
        ]
        made = _make(store)
        true = _true(store)
        for peer in peers:
            found[peer.name] = _first(peer, directory, true)
        _change(store, made)
        true = _true(store)
        for peer in peers:
            done = peer.load(directory, is_first=False)
            found[peer.name]["again"] = {
                "seconds": round(done.seconds, 2),
                **losses(true, peer.rows(peer.task["database_url"])),
            }
    return found


def _first(peer: Peer, directory: Path, true: dict[str, Seen]) -> dict[str, Any]:
    print(f"{peer.name} …", file=sys.stderr, flush=True)
    done = peer.load(directory, is_first=True)
    held = peer.rows(peer.task["database_url"])
    rows = sum(len(one) for one in held.values())
    return {
        "rows": rows,
        "seconds": round(done.seconds, 2),
        "rows_per_s": round(rows / done.seconds),
        "processor_seconds": round(done.processor_seconds, 2),
        "peak_rss_mb": round(done.peak_rss_mb),
        "first": losses(true, held),
    }


def _dlt(
    database_url: str, directory: Path, store: SimulatedStore, source: Path, python: str
) -> Peer:
    socket = parse_qs(urlsplit(database_url).query)["host"][0]
    name = urlsplit(database_url).path.lstrip("/")
    plain = {"products", "product_variants", "customers", "orders"}
    return Peer(
        "dlt",
        [python, Path(__file__).with_name("peer_dlt.py")],
        {
            "source": str(source),
            "state": str(directory / "state"),
            # dlt wants a host and a password, which the socket then makes idle.
            "database_url": f"postgresql://postgres:none@localhost/{name}?host={socket}",
            "schema": SCHEMA,
            "store_url": store.url,
            "token": TOKEN,
            "api_version": Settings.model_fields["shopify_api_version"].default,
            "start_date": START,
        },
        {
            entity: f"SELECT id, {'updated_at' if entity in plain else 'NULL'} "
            f"FROM {SCHEMA}.{table}"
            for entity, table in DLT_TABLES.items()
        },
    )


def _pipeline(database_url: str, store: SimulatedStore) -> Peer:
    migrate(database_url)
    queries = {}
    for name, entity in ENTITIES.items():
        has_time = any(column.name == "updated_at" for column in entity.table.columns)
        queries[name] = (
            f"SELECT {entity.key}, {'updated_at' if has_time else 'NULL'} "
            f"FROM {entity.table_name} WHERE deleted_at IS NULL"
        )
    return Peer(
        "shopify_pipeline",
        [sys.executable, "-m", "shopify_pipeline_tests.benchmarks.peer_pipeline"],
        {
            "database_url": database_url,
            "shop": store.shop,
            "store_url": store.url,
            "token": TOKEN,
            "start_date": START,
        },
        queries,
    )


def _true(store: SimulatedStore) -> dict[str, Seen]:
    return {
        name: {
            int(node["id"].rsplit("/", 1)[-1]): (
                datetime.fromisoformat(node["updatedAt"]) if node.get("updatedAt") else None
            )
            for node in truth(store.url, entity)
        }
        for name, entity in ENTITIES.items()
    }


def losses(true: Mapping[str, Seen], held: Mapping[str, Seen]) -> dict[str, Any]:
    """Records that are not held, held though they are gone, and held as they were before."""
    missing = {name: len(true[name].keys() - held[name].keys()) for name in true}
    return {
        "missing": sum(missing.values()),
        "missing_of": {name: count for name, count in missing.items() if count},
        "gone_but_held": sum(len(held[name].keys() - true[name].keys()) for name in true),
        "outdated": sum(
            held[name][number] != changed
            for name, seen in true.items()
            for number, changed in seen.items()
            if number in held[name] and changed is not None
        ),
    }


def _make(store: SimulatedStore) -> dict[str, str]:
    """Records to change and delete afterwards, and the newest change of all."""
    variants = [{"sku": "peer", "price": "9.50"}]
    product = store.control("products", {"title": "Peer", "variants": variants})
    customer = store.control("customers", {"email": "peer@example.com", "firstName": "Peer"})
    orders = [store.control("orders", _order(store)) for _ in range(2)]
    return {
        "products": product["id"],
        "customers": customer["id"],
        "orders": orders[0]["id"],
        "changed": orders[1]["id"],
        "newest": orders[1]["updatedAt"],
    }


def _change(store: SimulatedStore, made: dict[str, str]) -> None:
    late = datetime.fromisoformat(made["newest"]) - timedelta(seconds=10)
    store.control("orders", _order(store) | {"updatedAt": late.isoformat()})
    store.control("clock", {"advance": 3600})
    for kind in ("products", "customers", "orders"):
        store.control(f"{kind}/{made[kind].rsplit('/', 1)[-1]}", method="DELETE")
    store.control(f"orders/{made['changed'].rsplit('/', 1)[-1]}", {"tags": ["changed"]})
    store.control("clock", {"advance": 600})


def _order(store: SimulatedStore) -> dict[str, Any]:
    variant = next(truth(store.url, ENTITIES["product_variants"]))["id"]
    return {
        "email": "late@example.com",
        "lineItems": [{"variant": variant, "quantity": 1, "price": "5.00"}],
    }


def _environment(directory: Path) -> dict[str, str]:
    """That of this process, with dlt's own files kept in the folder and its telemetry off."""
    return {
        **os.environ,
        "DLT_DATA_DIR": str(directory),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }


def source_folder(named: Path | None) -> Path:
    """The folder of the source: itself, or the one that holds it.

    Raises:
        RefusedError: it is not there.
    """
    how = (
        "`dlt init shopify_dlt postgres`, run in a folder of yours, makes one; "
        'then make bench-peers ARGS="--source FOLDER".'
    )
    if named is None:
        raise RefusedError(f"Name the folder of dlt's source shopify_dlt: {how}")
    for folder in (named, named / "shopify_dlt"):
        if (folder / "__init__.py").is_file():
            return folder.resolve()
    raise RefusedError(f"{named} does not hold dlt's source shopify_dlt: {how}")


def check_dlt(python: str) -> str:
    """The version of dlt that an interpreter has.

    Raises:
        RefusedError: it has none that can load into Postgres.
    """
    asked = [python, "-c", "import dlt, psycopg2; print(dlt.__version__)"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise RefusedError(
            f"{python} can't import dlt with its Postgres driver: install 'dlt[postgres]' into a "
            "virtual environment of its own, and name its interpreter with --python."
        ) from None
    return done.stdout.strip()


def main() -> None:
    """Print both side by side, and as the last line all figures as one JSON object."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=__doc__)
    parser.add_argument("--source", type=Path, help="folder of dlt's source shopify_dlt")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has dlt")
    parser.add_argument("--orders", type=int, default=20_000)
    options = parser.parse_args()
    try:
        source = source_folder(options.source)
        version = check_dlt(options.python)
    except RefusedError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    with tempfile.TemporaryDirectory(prefix="peers", ignore_cleanup_errors=True) as directory:
        server = EmbeddedPostgres(Path(directory) / "postgres")
        try:
            found = measure(
                server,
                Path(directory),
                source=source,
                python=options.python,
                orders=options.orders,
            )
        finally:
            server.stop()
    found["dlt"]["version"] = version
    print(tabulate(_lines(found), headers=["", *found], tablefmt="plain", disable_numparse=True))
    print(json.dumps({"peers": found}))


def _lines(found: dict[str, Any]) -> list[tuple[str, ...]]:
    flat = {name: _flat(figures) for name, figures in found.items()}
    names = dict.fromkeys(name for figures in flat.values() for name in figures)
    return [(name, *(str(figures.get(name, "")) for figures in flat.values())) for name in names]


def _flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


if __name__ == "__main__":
    main()
