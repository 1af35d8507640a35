"""What a function may know of the task that runs it: where to count, to put files, to emit rows, to find inputs."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

import pyarrow as pa

_CURRENT: ContextVar[TaskContext] = ContextVar("task")


class TaskContext:
    """The running task: counters that end up in the step's manifest, and files that appear when the task is done.

    Args:
        prefix: Path and beginning of the name of the files that the task writes.
        partition: Number of the partition that the task computes.
        attempt: Tells the attempts of one task apart: files of a dead one are never mistaken for ours.
        contents: Where each input by content lies, by name.
    """

    def __init__(
        self, prefix: Path, *, partition: int, attempt: str, contents: Mapping[str, str] | None = None
    ) -> None:
        self.counters: collections.Counter[str] = collections.Counter()
        self.partition = partition
        self.sides: dict[str, Callable[[pa.RecordBatch], None]] = {}
        self._prefix = prefix
        self._attempt = attempt
        self._contents = contents or {}
        self._files: dict[str, Path] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add *by* to the counter *name*."""
        self.counters[name] += by

    def emit(self, side: str, batch: pa.RecordBatch) -> None:
        """Append *batch* to the side table *side* of the step.

        Raises:
            KeyError: The step declares no side table of this name.
        """
        self.sides[side](batch)

    def content(self, name: str) -> Path:
        """Return where the input by content *name* lies.

        Raises:
            KeyError: The step declares none of this name.
        """
        return Path(self._contents[name])

    def file(self, name: str) -> Path:
        """Return the path at which to write the file *name* of this task."""
        self._files[name] = self._prefix.with_name(f"{self._prefix.name}.{self._attempt}.{name}")
        return self._files[name]

    def adopt_files(self) -> dict[str, int]:
        """Rename the files to their final names and return their sizes in bytes by name."""
        sizes = {}
        for name, path in self._files.items():
            sizes[name] = path.stat().st_size
            path.replace(final_path(self._prefix, name))
        return sizes

    def drop_files(self) -> None:
        """Remove what a failed attempt wrote."""
        for path in self._files.values():
            path.unlink(missing_ok=True)


def final_path(prefix: Path, name: str) -> Path:
    """Return the path of the file *name* of the finished task at *prefix*."""
    return prefix.with_name(f"{prefix.name}.{name}")


@contextlib.contextmanager
def running(context: TaskContext) -> Iterator[TaskContext]:
    """Make *context* the current task."""
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)


def task() -> TaskContext:
    """Return the current task.

    Raises:
        LookupError: No task is running.
    """
    return _CURRENT.get()
