"""Watches processes while they work: the memory of the largest, the processors' seconds."""

import contextlib
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

INTERVAL_SECONDS = 0.1


class PeakMemory(threading.Thread):
    """Samples the resident memory of some processes; `peak_mb` is that of the largest, ever.

    `find` names the processes anew for each sample; those that have ended meanwhile are left out.
    """

    def __init__(
        self,
        find: Callable[[], Iterable[psutil.Process]],
        *,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        super().__init__(daemon=True, name="peak memory")
        self.peak_mb = 0.0
        self._find = find
        self._interval = interval_seconds
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._over.wait(self._interval):
            with contextlib.suppress(psutil.Error):
                for process in self._find():
                    with contextlib.suppress(psutil.Error):
                        found = process.memory_info().rss / 2**20
                        self.peak_mb = max(self.peak_mb, found)

    def stop(self) -> float:
        """Sample no longer; the peak in MB."""
        self._over.set()
        if self.is_alive():
            self.join()
        return self.peak_mb


def tree(process: psutil.Process) -> Callable[[], list[psutil.Process]]:
    """Names a process and all that descend from it."""
    return lambda: [process, *process.children(recursive=True)]


@dataclass(frozen=True)
class Watched:
    """A command that has ended: what it wrote, seconds by the clock and of processors, memory."""

    exit_code: int
    output: str
    errors: str
    seconds: float
    processor_seconds: float
    peak_rss_mb: float


def watched(
    command: Sequence[str | Path],
    *,
    given: str = "",
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Watched:
    """Run a command to its end, `given` on its standard input."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment and dict(environment),
        cwd=directory,
    ) as process:
        memory = PeakMemory(tree(psutil.Process(process.pid)))
        memory.start()
        output, errors = process.communicate(given)
        seconds = time.perf_counter() - began
        peak = memory.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Watched(process.returncode, output, errors, seconds, spent, peak)
