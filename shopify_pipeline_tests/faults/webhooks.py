"""The faults of webhooks, one test each, as a scenario of `make faults`."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

from shopify_pipeline_tests.faults.report import Report

SCENARIO = "webhooks"
TESTS = Path(__file__).with_name("test_webhooks.py")


def webhooks(report: Report, tests: Path = TESTS) -> None:
    """Kill receivers, workers and Postgres under load; every 200 must be in the tables."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        results = Path(directory, "results.xml")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-m", "long", "--timeout", "600"),
                *("--tb=short", f"--junitxml={results}", str(tests)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        cases = ElementTree.parse(results).findall(".//testcase") if results.exists() else []
    for case in cases:
        name = case.get("name", "")
        bad = [child for child in case if child.tag in {"failure", "error"}]
        skipped = case.find("skipped")
        outcome = "failed" if bad else "passed" if skipped is None else "skipped"
        report.say(SCENARIO, f"{name}: {outcome}")
        report.count(SCENARIO, f"tests {outcome}")
        if bad:
            report.wrong(SCENARIO, name, [(child.text or "")[-2000:] for child in bad])
    if not cases or done.returncode not in (0, 1):
        report.wrong(SCENARIO, "the scenario itself", [done.stdout[-1000:] + done.stderr[-1000:]])
    report.took(SCENARIO, time.monotonic() - began)
