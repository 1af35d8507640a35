"""Ctrl-C while other processes or libraries work: they are stopped in an order, and print nothing."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

Handler = Callable[[int, FrameType | None], Any]
_INTERRUPTS: Final = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def replaced_handlers(replace: Callable[[Handler], Handler]) -> Iterator[None]:
    """Handle SIGINT and SIGTERM in a block with what *replace* returns for their handlers.

    Signals without a handler in Python stay as they are, and so do all in another thread than the main one, in which
    Python runs its handlers.
    """
    handlers: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {number: signal.getsignal(number) for number in _INTERRUPTS}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number, handler in handlers.items():
        signal.signal(number, replace(handler))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held_interrupts() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back for the length of a block; those that came are handled behind it.

    A process that is started in the block has SIGINT blocked from its first instruction on, and is never left half
    started. It calls `ignore_interrupts` as soon as it can.
    """
    held: list[int] = []
    try:
        with replaced_handlers(lambda _: lambda number, _: held.append(number)), _blocked_interrupts():
            yield
    finally:
        for number in held:
            signal.raise_signal(number)


@contextlib.contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Block SIGINT in this thread and what it starts; other threads may still take it, and the main one handles it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def ignore_interrupts() -> None:
    """Ignore SIGINT in this process, also one that came while it was blocked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
