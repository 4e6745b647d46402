"""What the faults did and what they left behind: told as it goes, and as a table at the end."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import click
from tabulate import tabulate

SHOWN_DIFFERENCES = 12


@dataclass
class Line:
    """One scenario: how often each thing happened, what was found wrong, seconds it took."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Stopped(BaseException):
    """The command is to end; raised in every scenario's thread."""


class Report:
    """The findings of all scenarios; may be written by several threads.

    Every write of a scenario's raises Stopped once `stop` was called, so that it ends what it
    started. `seconds` bounds the whole: see `in_time`.
    """

    def __init__(self, *, seed: int, seconds: float = 3600.0) -> None:
        self.seed = seed
        self._seconds = seconds
        self._stopped = threading.Event()
        self._lines: dict[str, Line] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Let every scenario end at its next word."""
        self._stopped.set()

    def in_time(self, scenario: str, *, done: int, wanted: int) -> bool:
        """Whether a scenario may go on; one that may not has failed, and says how far it got."""
        if time.monotonic() - self._began < self._seconds:
            return True
        self.wrong(scenario, "time is over", [f"only {done} of {wanted} were done"])
        return False

    def say(self, scenario: str, message: str) -> None:
        """Print a line of progress."""
        self._check()
        with self._lock:
            click.echo(f"{time.monotonic() - self._began:6.0f} s  {scenario:<12} {message}")

    def begin(self, scenario: str) -> None:
        """Give a scenario its row in the table; one without a finding of its own fails."""
        with self._lock:
            self._lines.setdefault(scenario, Line())

    def count(self, scenario: str, what: str, times: int = 1) -> None:
        """Count that something happened."""
        self._check()
        with self._lock:
            self._lines.setdefault(scenario, Line()).counts[what] += times

    def took(self, scenario: str, seconds: float) -> None:
        """Add to the time that a scenario took."""
        with self._lock:
            self._lines.setdefault(scenario, Line()).seconds += seconds

    def compared(self, scenario: str, where: str, differences: Sequence[str]) -> bool:
        """Count a comparison of all tables with the truth, and keep what differed."""
        self.count(scenario, "compared")
        if differences:
            self.wrong(scenario, where, differences)
        return not differences

    def wrong(self, scenario: str, where: str, findings: Sequence[str]) -> None:
        """Keep and print what should not be."""
        shown = list(findings[:SHOWN_DIFFERENCES])
        if len(findings) > len(shown):
            shown.append(f"… and {len(findings) - len(shown)} more")
        with self._lock:
            self._lines.setdefault(scenario, Line()).wrong += [f"{where}: {one}" for one in shown]
        for one in shown:
            self.say(scenario, f"WRONG, seed {self.seed}, {where}: {one}")

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped

    @property
    def findings(self) -> int:
        """How many things were found wrong, in all scenarios."""
        return sum(len(line.wrong) for line in self._lines.values())

    def counted(self, what: str, scenario: str | None = None) -> int:
        """How often something happened, in one scenario or in all."""
        lines = [line for name, line in self._lines.items() if scenario in {None, name}]
        return sum(line.counts[what] for line in lines)

    def table(self) -> str:
        """The closing table."""
        rows = []
        for scenario, line in self._lines.items():
            others = ", ".join(
                f"{times} {what}"
                for what, times in line.counts.items()
                if what not in {"kills", "compared"}
            )
            rows.append(
                (
                    scenario,
                    line.counts["kills"],
                    others,
                    line.counts["compared"],
                    len(line.wrong),
                    round(line.seconds),
                )
            )
        headers = ("scenario", "SIGKILLs", "besides", "compared", "differences", "seconds")
        return str(tabulate(rows, headers=headers, maxcolwidths=[None, None, 60, None, None, None]))
