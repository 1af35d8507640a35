"""The memory bound of a worker. Sorting, merging and deduplication stay within it by spilling to disk."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from typing import Final

from corpusmill.pipelines.engines.memory import resident
from corpusmill.schemas.errors import UsageError

LEAST_BYTES: Final = 400_000_000
"""Smallest bound for a worker: 180 MB for the interpreter, libraries and models, plus room for the largest batches."""
_BASE_BYTES: Final = 180_000_000
"""Resident memory of a worker with pyarrow, the language model and the word tables loaded; measured."""
_DEFAULT_SHARE_BYTES: Final = 256_000_000
"""Memory for one sort or deduplication when no bound is set."""
_CHECK_S: Final = 0.1

_bound: int | None = None


def check_bound(memory_bytes: int | None) -> None:
    """Refuse a bound that is too small for any task.

    Raises:
        UsageError: *memory_bytes* is below `LEAST_BYTES`.
    """
    if memory_bytes is not None and memory_bytes < LEAST_BYTES:
        shown = f"{memory_bytes / 1e6:,.0f}MB" if memory_bytes >= 1e6 else f"of {memory_bytes:,} bytes"
        raise UsageError(
            f"--memory {shown} is below the minimum of {LEAST_BYTES / 1e6:,.0f}MB for a worker",
            hint=f"--memory {LEAST_BYTES // 1_000_000}MB, and fewer --workers if the machine has less",
        )


def set_bound(memory_bytes: int | None) -> None:
    """Set the memory bound of this process; None: no bound."""
    global _bound
    _bound = memory_bytes


def share_bytes() -> int:
    """Return how many bytes one sort, merge or deduplication may hold: half of what the worker itself leaves free."""
    if _bound is None:
        return _DEFAULT_SHARE_BYTES
    return min(_DEFAULT_SHARE_BYTES, (_bound - _BASE_BYTES) // 2)


def watch(memory_bytes: int) -> None:
    """Raise `MemoryError` in the main thread of this process when its own memory exceeds *memory_bytes*.

    Anonymous resident memory is measured ten times a second, so that a task that takes too much fails before the
    machine does. Call this function in the main thread.
    """
    signal.signal(signal.SIGUSR1, _too_much)
    threading.Thread(target=_watch, args=(memory_bytes, threading.main_thread().ident), daemon=True).start()


def _too_much(*_: object) -> None:
    raise MemoryError("resident memory exceeds its bound")


def _watch(memory_bytes: int, thread: int | None) -> None:
    assert thread is not None, "the main thread is running"
    with contextlib.suppress(OSError):
        while True:
            time.sleep(_CHECK_S)
            if resident().anonymous > memory_bytes:
                signal.pthread_kill(thread, signal.SIGUSR1)
                time.sleep(10 * _CHECK_S)  # once per task that fails
