"""Loads a store by this project's own synchronisation, in a process of its own.

What to do comes as JSON on standard input. The first time it is a first load; later ones are an
hourly pull, and the daily reconciliation.
"""

import json
import logging
import sys
from datetime import date

from pydantic import SecretStr

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.settings import Settings
from shopify_pipeline.sync.context import open_sync
from shopify_pipeline.sync.pull import pull
from shopify_pipeline.sync.reconcile import reconcile
from shopify_pipeline.sync.refresh import drain_refresh_queue
from shopify_pipeline.sync.window import DAY, Window, midnight


def main() -> None:
    """Load everything, or what has changed."""
    task = json.load(sys.stdin)
    logging.disable(logging.INFO)
    start = date.fromisoformat(task["start_date"])
    settings = Settings(
        shopify_shop=task["shop"],
        shopify_access_token=SecretStr(task["token"]),
        shopify_api_url=task["store_url"],
        shopify_start_date=start,
        database_url=SecretStr(task["database_url"]),
    )
    with open_sync(settings, application_name="benchmark") as sync:
        window = Window(midnight(start), midnight(sync.api.now().date()) + DAY)
        for root in ROOTS:
            pull(sync, root, window, resume=not task["is_first"])
        drain_refresh_queue(sync)
        if not task["is_first"]:
            for root in ROOTS:
                reconcile(sync, root)


if __name__ == "__main__":
    main()
