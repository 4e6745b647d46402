"""Measures what Dagster adds to an hourly run that finds nothing new."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from shopify_pipeline.entities import ROOTS
from shopify_pipeline.settings import CHECKOUT
from shopify_pipeline.sync.pull import pull
from shopify_pipeline_tests.benchmarks.loading import START, Figures, everything, joined
from shopify_pipeline_tests.simulated import TOKEN, SimulatedStore, serving

RUN = """
import sys
from datetime import date
import dagster as dg
from shopify_pipeline.definitions import defs
from shopify_pipeline.entities import ROOTS
from shopify_pipeline.orchestration.assets import PullConfig, pull_name
from shopify_pipeline.orchestration.jobs import hourly_job
from shopify_pipeline.orchestration.partitions import range_tags
pulls = dg.AssetSelection.assets(*[k for a in defs.assets if isinstance(a, dg.AssetsDefinition)
                                   and a.op.name.startswith("pull_") for k in a.keys])
job = dg.define_asset_job("nothing_to_do", pulls)
run = dg.Definitions(assets=defs.assets, jobs=[job], resources=defs.resources,
                     executor=dg.in_process_executor).resolve_job_def("nothing_to_do")
with dg.DagsterInstance.get() as instance:
    done = run.execute_in_process(
        instance=instance,
        run_config=dg.RunConfig(
            ops={pull_name(root): PullConfig(resume_from_checkpoint=True) for root in ROOTS}
        ),
        tags=range_tags([date.fromisoformat(sys.argv[1])]),
    )
assert done.success
"""


def measure(database_url: str, dagster_url: str) -> Figures:
    """Figures `dagster`: seconds from the start of a run's process to its end, less its work."""
    with serving(products=20, customers=50, orders=100) as store:
        with joined(store, database_url, bulk_threshold=10_000) as sync:
            for root in ROOTS:
                pull(sync, root, everything(sync))
        store.control("clock", {"advance": 3600})
        with joined(store, database_url, bulk_threshold=10_000) as sync:
            began = time.perf_counter()
            for root in ROOTS:
                pull(sync, root, everything(sync), resume=True)
            work = time.perf_counter() - began
            today = sync.api.now().date().isoformat()
        spent = [_run(store, database_url, dagster_url, today) for _ in range(2)]
    return {"run_s": round(spent[-1], 2), "overhead_s": round(spent[-1] - work, 2)}


def _run(store: SimulatedStore, database_url: str, dagster_url: str, today: str) -> float:
    with tempfile.TemporaryDirectory() as home:
        shutil.copy(CHECKOUT / "dagster.yaml", Path(home) / "dagster.yaml")
        environment = {
            **os.environ,
            "DAGSTER_HOME": home,
            "DAGSTER_POSTGRES_URL": dagster_url,
            "DAGSTER_EVENT_BATCH_SIZE": "100",
            "SHOPIFY_SHOP": store.shop,
            "SHOPIFY_ACCESS_TOKEN": TOKEN,
            "SHOPIFY_API_URL": store.url,
            "SHOPIFY_START_DATE": START.isoformat(),
            "DATABASE_URL": database_url,
        }
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", RUN, today], env=environment, check=True, capture_output=True
        )
        return time.perf_counter() - began
