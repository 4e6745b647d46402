"""Runs the benchmarks on an embedded Postgres: `make bench ARGS="--orders 1000000 --only load"`.

Prints each figure as it comes, and as the last line one JSON object with all of them. Compare the
ratios: they come from one run on one machine; the seconds depend on what else it does.
"""

import argparse
import json
import logging
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from shopify_pipeline.demo.postgres import EmbeddedPostgres
from shopify_pipeline.warehouse.migrations import migrate
from shopify_pipeline_tests.benchmarks import dagster_run, loading

SECTIONS = ("load", "hourly", "dagster", "webhooks", "profiles")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000, help="orders of the load")
    parser.add_argument("--rounds", type=int, default=5, help="how often it is measured")
    parser.add_argument(
        "--tables",
        type=int,
        nargs=2,
        default=(100_000, 1_000_000),
        metavar="ORDERS",
        help="sizes of the table beside which the hourly pull is measured",
    )
    parser.add_argument("--links", type=int, default=1_000_000, help="customers to link")
    parser.add_argument("--burst", type=int, default=20_000, help="webhooks of the burst")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as directory:
        server = EmbeddedPostgres(Path(directory))

        def database(name: str) -> str:
            url = server.create_database(f"{name}_{uuid.uuid4().hex[:6]}")
            migrate(url)
            return url

        try:
            for section in options.only:
                for name, found in _measured(section, options, database, server).items():
                    figures[name] = found
                    print(tabulate(_rows(name, found), tablefmt="plain"), flush=True)
        finally:
            server.stop()
    print(json.dumps(figures))


def _measured(
    section: str,
    options: argparse.Namespace,
    database: Callable[[str], str],
    server: EmbeddedPostgres,
) -> dict[str, Any]:
    print(f"\n{section} …", file=sys.stderr, flush=True)
    match section:
        case "load":
            load, repeat = loading.measure_load(
                database("load"), orders=options.orders, rounds=options.rounds
            )
            return {"load": load, "repeat": repeat}
        case "hourly":
            return {"hourly": loading.measure_hourly(database, sizes=tuple(options.tables))}
        case "dagster":
            storage = server.create_database("dagster")
            return {"dagster": dagster_run.measure(database("dagster_work"), storage)}
        case "webhooks":
            from shopify_pipeline_tests.benchmarks import webhooks

            found = webhooks.measure(database("webhooks"), burst=options.burst)
        case _:
            from shopify_pipeline_tests.benchmarks import profiles

            found = profiles.measure(database("profiles"), count=options.links)
    return {section: {name.removeprefix(f"{section}."): round(v, 3) for name, v in found.items()}}


def _rows(name: str, found: Any) -> list[tuple[str, Any]]:
    if not isinstance(found, dict):
        return [(name, found)]
    return [row for key, value in found.items() for row in _rows(f"{name}.{key}", value)]


if __name__ == "__main__":
    main()
