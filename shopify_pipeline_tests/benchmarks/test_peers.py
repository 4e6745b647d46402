"""The comparison with dlt: what it says when something is missing, how it counts, a small run."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shopify_pipeline_tests.benchmarks.peers import Seen, losses, source_folder
from shopify_pipeline_tests.benchmarks.watching import watched

SOURCE, PYTHON = os.environ.get("PEERS_SOURCE"), os.environ.get("PEERS_PYTHON")


def peers(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shopify_pipeline_tests.benchmarks.peers", *words],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def refusal(*words: str) -> str:
    done = peers(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    [said] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "Traceback" not in done.stderr
    return said


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder that looks like dlt's source."""
    folder = tmp_path / "shopify_dlt"
    folder.mkdir()
    (folder / "__init__.py").touch()
    return folder


def test_without_a_folder_it_says_how_to_come_by_one() -> None:
    assert "dlt init shopify_dlt postgres" in refusal()


def test_a_folder_without_the_source_is_refused_by_name(tmp_path: Path) -> None:
    said = refusal("--source", str(tmp_path))
    assert str(tmp_path) in said
    assert "dlt init shopify_dlt postgres" in said


def test_the_source_may_be_named_itself_or_by_what_holds_it(source: Path) -> None:
    assert source_folder(source) == source_folder(source.parent) == source.resolve()


@pytest.mark.parametrize("python", ["/no/such/python", sys.executable])
def test_an_interpreter_without_dlt_is_refused_by_name(source: Path, python: str) -> None:
    said = refusal("--source", str(source), "--python", python)
    assert python in said
    assert "--python" in said.removeprefix(python)


def test_losses_are_what_is_missing_what_is_gone_and_what_is_old() -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    true: dict[str, Seen] = {
        "orders": {1: new, 2: new, 3: new},
        "order_items": {10: None, 11: None},
    }
    held: dict[str, Seen] = {"orders": {1: new, 2: old, 4: new}, "order_items": {10: None}}
    assert losses(true, held) == {
        "missing": 2,
        "missing_of": {"orders": 1, "order_items": 1},
        "gone_but_held": 1,
        "outdated": 1,
    }


def test_a_watched_command_tells_its_memory_and_that_of_what_it_starts() -> None:
    inner = "import time; held = bytearray(150 * 2**20); time.sleep(1)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    done = watched([sys.executable, "-c", outer])
    assert done.exit_code == 0
    assert 150 < done.peak_rss_mb < 250
    assert done.seconds > 1 > done.processor_seconds


@pytest.mark.skipif(
    not (SOURCE and PYTHON),
    reason="PEERS_SOURCE and PEERS_PYTHON don't name dlt's source and an interpreter with dlt",
)
def test_both_load_the_same_store_and_only_dlt_loses_what_it_can_not_see() -> None:
    done = peers("--source", str(SOURCE), "--python", str(PYTHON), "--orders", "300")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["peers"]
    assert figures.keys() == {"dlt", "shopify_pipeline"}
    for found in figures.values():
        assert found["rows"] > 300
        assert found["first"]["gone_but_held"] == found["first"]["outdated"] == 0
    for name in ("first", "again"):
        assert figures["shopify_pipeline"][name]["missing"] == 0
    assert figures["shopify_pipeline"]["again"]["gone_but_held"] == 0
    assert figures["dlt"]["again"]["gone_but_held"] == 5
    assert figures["dlt"]["again"]["missing_of"]["orders"] == 1
