"""Loads a store by dlt and its `shopify_dlt` source, as its own documentation does it.

Run as a file, by an interpreter that has dlt; it imports nothing of this project. What to do comes
as JSON on standard input.
"""

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Load what is new since the last time."""
    task = json.load(sys.stdin)
    source = Path(task["source"])
    sys.path[0] = str(source.parent)  # instead of this file's folder, whose names are not for dlt
    dlt = importlib.import_module("dlt")
    shopify = importlib.import_module(source.name)
    pipeline = dlt.pipeline(
        "shopify",
        pipelines_dir=task["state"],
        destination=dlt.destinations.postgres(task["database_url"]),
        dataset_name=task["schema"],
    )
    loaded = pipeline.run(
        shopify.shopify_source(
            private_app_password=task["token"],
            api_version=task["api_version"],
            shop_url=task["store_url"],
            start_date=task["start_date"],
        )
    )
    loaded.raise_on_failed_jobs()


if __name__ == "__main__":
    main()
