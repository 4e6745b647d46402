"""Child processes in one process group, so that stopping them leaves none behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

GRACE_SECONDS = 8.0
"""How long the group may take to end by itself before it is killed."""


class ProcessDiedError(RuntimeError):
    """A child ended by itself; the message holds the last lines that it wrote."""


@dataclass
class ProcessGroup:
    """Children that are started together and stopped together, with whatever they started.

    Dagster's processes start code servers and run workers of their own, which a signal to the
    parents alone leaves behind; all inherit the group, which is signalled as a whole.
    """

    log_folder: Path
    directory: Path
    environment: Mapping[str, str]
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    group: int | None = None

    def start(self, name: str, command: Sequence[str | Path]) -> None:
        """Start a command; what it writes goes to `<name>.log`."""
        self.log_folder.mkdir(parents=True, exist_ok=True)
        with self._log(name).open("wb") as log:
            child = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.directory,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=self.group or 0,
            )
        if self.group is None:
            self.group = child.pid
            self._note.write_text(str(self.group))
        self.children[name] = child

    def stop_leftovers(self) -> None:
        """Stop what an earlier command left running, because it was killed itself.

        A group whose number some other program has by now is left alone: ours carry PIPELINE_HOME.
        """
        if not self._note.exists():
            return
        self.group = int(self._note.read_text())
        if any(self._is_ours(pid) for pid in self.alive()):
            self.stop()
        self.group = None
        self._note.unlink(missing_ok=True)

    def check(self) -> None:
        """See that every child is alive.

        Raises:
            ProcessDiedError: one is not.
        """
        for name, child in self.children.items():
            if child.poll() is not None:
                raise ProcessDiedError(
                    f"{name} ended with exit code {child.returncode}. Its log, {self._log(name)}, "
                    f"ends with:\n{self.tail(name)}"
                )

    def wait_until(self, name: str, ready: Callable[[], bool], *, timeout: float) -> None:
        """Wait until `ready` says yes.

        Raises:
            ProcessDiedError: a child ended meanwhile, or `timeout` seconds passed.
        """
        deadline = time.monotonic() + timeout
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessDiedError(
                    f"{name} did not answer within {timeout:.0f} s. Its log, {self._log(name)}, "
                    f"ends with:\n{self.tail(name)}"
                )
            time.sleep(0.2)

    def tail(self, name: str, *, lines: int = 15) -> str:
        """The last lines that a child wrote."""
        written = self._log(name).read_text(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in written[-lines:])

    def stop(self) -> None:
        """Interrupt the whole group, and kill what is left of it after the grace period."""
        if self.group is None:
            return
        for send, patience in ((signal.SIGINT, GRACE_SECONDS), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.group, send)
            deadline = time.monotonic() + patience
            while (left := self.alive()) and time.monotonic() < deadline:
                time.sleep(0.05)
            if not left:
                self._note.unlink(missing_ok=True)
                break

    def alive(self) -> list[int]:
        """Ids of the group's processes that have not ended, grandchildren included."""
        for child in self.children.values():
            child.poll()
        if self.group is None:
            return []
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if os.getpgid(process.pid) == self.group:
                    ended = process.status() == psutil.STATUS_ZOMBIE
                    found += [] if ended else [process.pid]
        return found

    @property
    def _note(self) -> Path:
        return self.log_folder / "process_group"

    def _is_ours(self, pid: int) -> bool:
        try:
            home = psutil.Process(pid).environ().get("PIPELINE_HOME")
        except psutil.Error:
            return False
        return home is not None and home == self.environment.get("PIPELINE_HOME")

    def _log(self, name: str) -> Path:
        return self.log_folder / f"{name.lower().replace(' ', '-')}.log"
