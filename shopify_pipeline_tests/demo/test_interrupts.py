"""Signals interrupt, but not while something is being started or stopped."""

import os
import signal

import pytest

from shopify_pipeline.demo.interrupts import SIGNALS, Interrupts


@pytest.mark.parametrize("number", SIGNALS)
def test_every_ending_signal_interrupts(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), Interrupts().caught():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_signal_is_held_back_until_the_block_is_done() -> None:
    interrupts = Interrupts()
    done = []

    def work() -> None:
        with interrupts.caught(), interrupts.held_back():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("inner work")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner work"]


def test_no_signal_no_interrupt() -> None:
    interrupts = Interrupts()
    with interrupts.caught(), interrupts.held_back():
        pass
