"""Signals that end a command, held back while something is being started or stopped."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Turns each signal that ends a program into KeyboardInterrupt, at a moment that suits."""

    def __init__(self) -> None:
        self._held = 0
        self._pending = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Take the signals, also those that a shell had ignored for its background job."""
        before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Let nothing be left half started or half stopped: a signal is heard afterwards."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if self._pending and not self._held:
                self._pending = False
                raise KeyboardInterrupt

    def _receive(self, _: int, __: FrameType | None) -> None:
        if self._held:
            self._pending = True
        else:
            raise KeyboardInterrupt
