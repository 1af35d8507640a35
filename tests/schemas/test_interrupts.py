"""Ctrl-C while worker processes are started."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from corpusmill.schemas.interrupts import held_interrupts

SHOW_MASK = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))"


def test_an_interrupt_is_delayed_until_the_end_of_the_block() -> None:
    """A worker that is interrupted while it starts prints a traceback."""
    handler = signal.getsignal(signal.SIGINT)
    reached = []

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.01)
        reached.append("the end")

    with pytest.raises(KeyboardInterrupt), held_interrupts():
        work()

    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is handler
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_process_started_in_the_block_is_not_interrupted_while_python_starts() -> None:
    """Before the first line of Python runs, only the inherited signal mask can protect the process."""
    with held_interrupts():
        inside = subprocess.run([sys.executable, "-c", SHOW_MASK], stdout=subprocess.PIPE, text=True, check=True)
    outside = subprocess.run([sys.executable, "-c", SHOW_MASK], stdout=subprocess.PIPE, text=True, check=True)

    assert [inside.stdout.strip(), outside.stdout.strip()] == ["True", "False"]
