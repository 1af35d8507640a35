"""Signal handling around other processes and libraries, so that Ctrl-C stops them in order and without output."""

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
    """Replace the handlers of SIGINT and SIGTERM inside a block: *replace* maps the old handler to the new one.

    Signals without a Python handler are left alone. Outside the main thread nothing is replaced, because Python runs
    handlers in the main thread only.
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
    """Delay SIGINT and SIGTERM until the end of a block.

    A process started in the block has SIGINT blocked from its first instruction, so it is never interrupted while it
    starts. It calls `ignore_interrupts` as soon as it can.
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
    """Block SIGINT in this thread and its children.

    Another thread can still receive the signal; its handler then runs in the main thread.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def ignore_interrupts() -> None:
    """Ignore SIGINT in this process, including one that arrived while it was blocked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
