"""The backfill's measurement is the truth about a small one, and ends with nothing left running."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

KEYS = {
    "succeeded", "runs", "days", "rows", "rows_total", "seconds", "seconds_to_run", "run_seconds",
    "rows_per_s", "run_rows_per_s", "peak_rss_mb", "partitions_materialized", "partitions_failed",
    "all_green", "queued_after", "queued_at_the_end", "hourly_seconds", "hourly_succeeded",
    "bulk_operations", "store_bulk_seconds", "rows_per_s_without_store",
    "differences", "compared_share", "compared_rows", "compare_seconds",
}  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_backfill_is_one_run_all_days_are_green_and_nothing_differs(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "shopify_pipeline_tests.benchmarks.backfill"),
            *("--orders", "300", "--home", str(tmp_path)),
        ],
        env={**os.environ, "SHOPIFY_BULK_THRESHOLD": "nonsense, and not to be heard"},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])["backfill"]
    assert found.keys() == KEYS
    assert found["runs"] == 1
    assert found["all_green"]
    assert found["partitions_materialized"] == found["days"] * len(found["rows"])
    assert found["rows"]["orders"] == 300
    assert found["rows_total"] == sum(found["rows"].values()) <= found["compared_rows"]
    assert found["differences"] == found["queued_at_the_end"] == 0
    assert found["peak_rss_mb"] > 50
    ours = [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(_line(p))]
    assert ours == []


def _line(process: psutil.Process) -> list[str]:
    return process.info["cmdline"] or []
