"""The memory that a worker may take: what sorting, merging and deciding keep within, by spilling to disk."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import Final

from corpusmill.pipelines.engines.memory import resident
from corpusmill.schemas.errors import UsageError

LEAST_BYTES: Final = 400_000_000
"""Least bound on a worker: 180 MB for the interpreter, libraries and models, and room for the largest batches."""
_BASE_BYTES: Final = 180_000_000
"""Resident memory of a worker that has loaded pyarrow, the language model and the tables of words; measured."""
_DEFAULT_SHARE_BYTES: Final = 256_000_000
"""What sorting or deciding may hold where nobody sets a bound."""
_CHECK_S: Final = 0.1

_bound: int | None = None


def check_bound(memory_bytes: int | None) -> None:
    """Refuse a bound in which no task fits.

    Raises:
        UsageError: It is below `LEAST_BYTES`.
    """
    if memory_bytes is not None and memory_bytes < LEAST_BYTES:
        raise UsageError(
            f"--memory {memory_bytes / 1e6:,.0f}MB is too little for a worker: the least is {LEAST_BYTES / 1e6:,.0f}MB",
            hint=f"--memory {LEAST_BYTES // 1_000_000}MB, and fewer --workers where the machine has less",
        )


def set_bound(memory_bytes: int | None) -> None:
    """Set the bound of this process; None: no bound."""
    global _bound
    _bound = memory_bytes


def share_bytes() -> int:
    """Return how many bytes one sort, merge or decision may hold: half of what is left beside the worker itself."""
    if _bound is None:
        return _DEFAULT_SHARE_BYTES
    return min(_DEFAULT_SHARE_BYTES, (_bound - _BASE_BYTES) // 2)


def watch(memory_bytes: int) -> None:
    """Raise `MemoryError` in the main thread of this process when its own memory passes *memory_bytes*.

    What is measured is anonymous resident memory, ten times a second: a task that takes more fails, not the machine.
    Call it in the main thread.
    """
    signal.signal(signal.SIGUSR1, _too_much)
    threading.Thread(target=_watch, args=(memory_bytes, threading.main_thread().ident), daemon=True).start()


def _too_much(*_: object) -> None:
    raise MemoryError("the bound on resident memory is passed")


def _watch(memory_bytes: int, thread: int | None) -> None:
    assert thread is not None, "the main thread runs"
    with contextlib.suppress(OSError):
        while True:
            time.sleep(_CHECK_S)
            if resident().anonymous > memory_bytes:
                signal.pthread_kill(thread, signal.SIGUSR1)
                time.sleep(10 * _CHECK_S)  # once per task that fails
