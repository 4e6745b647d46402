"""A group of processes ends whole: children, grandchildren, and those that ignore an interrupt."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shopify_pipeline.demo import processes
from shopify_pipeline.demo.processes import ProcessDiedError, ProcessGroup

GRANDCHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
SLEEP = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"


@pytest.fixture
def group(tmp_path: Path) -> Iterator[ProcessGroup]:
    started = ProcessGroup(log_folder=tmp_path / "logs", directory=tmp_path, environment=os.environ)
    yield started
    started.stop()


def python(group: ProcessGroup, name: str, code: str) -> None:
    group.start(name, [sys.executable, "-c", code])


def wait_for(group: ProcessGroup, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(group.alive()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_stopping_ends_children_and_grandchildren(group: ProcessGroup) -> None:
    python(group, "one", SLEEP)
    python(group, "two", GRANDCHILD.format(code=SLEEP))
    wait_for(group, 3)
    group.stop()
    assert group.alive() == []


def test_a_grandchild_outlives_its_parent_but_not_the_group(group: ProcessGroup) -> None:
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}])"
    python(group, "parent", code)
    group.children["parent"].wait()
    assert len(group.alive()) == 1
    group.stop()
    assert group.alive() == []


def test_what_ignores_an_interrupt_is_killed(
    group: ProcessGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 1.0)
    python(group, "deaf", DEAF)
    wait_for(group, 1)
    time.sleep(0.5)
    group.stop()
    assert group.alive() == []


def test_a_child_that_ended_is_reported_with_its_last_lines(group: ProcessGroup) -> None:
    python(group, "Short Lived", "print('the reason'); raise SystemExit(3)")
    group.children["Short Lived"].wait()
    with pytest.raises(
        ProcessDiedError, match=r"(?s)Short Lived ended with exit code 3.*the reason"
    ):
        group.check()


def test_waiting_for_a_child_that_ends_does_not_last(group: ProcessGroup) -> None:
    python(group, "gone", "raise SystemExit(1)")
    with pytest.raises(ProcessDiedError, match="exit code 1"):
        group.wait_until("gone", lambda: False, timeout=60)


def test_waiting_ends_at_the_timeout(group: ProcessGroup) -> None:
    python(group, "slow", SLEEP)
    with pytest.raises(ProcessDiedError, match="did not answer within 0 s"):
        group.wait_until("slow", lambda: False, timeout=0.3)
