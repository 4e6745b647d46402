"""The worker processes beside a receiver: started with it, restarted when they die, stopped."""

import logging
import os
import subprocess
import sys
import threading
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "shopify_pipeline.webhooks", "work")


class Crew:
    """Keeps so many worker processes running until it is closed.

    They end by themselves when this process dies, however it dies. `options` are added to the
    workers' command.
    """

    def __init__(self, count: int, *, options: tuple[str, ...] = ()) -> None:
        self._command = [*COMMAND, "--parent", str(os.getpid()), *options]
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * count
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="crew", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Have the workers finish their batch, and wait for them."""
        self._stopping.set()
        self._watcher.join(5)
        running = [process for process in self._processes if process is not None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()

    def _watch(self) -> None:
        pause = 0.5
        while not self._stopping.is_set():
            died = False
            for place, process in enumerate(self._processes):
                if process is not None and process.poll() is None:
                    continue
                if process is not None:
                    died = True
                    log.warning("A worker ended with %d and is started again", process.returncode)
                self._processes[place] = subprocess.Popen(self._command)
            # One that dies at once is started again ever more slowly.
            pause = min(2 * pause, 30) if died else 0.5
            self._stopping.wait(pause)
