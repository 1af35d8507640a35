"""What a function may know of the task that runs it: where to count, to put files, to emit rows, to find inputs."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

import pyarrow as pa

from corpusmill.pipelines.engines.batches import give_up
from corpusmill.schemas.errors import WorkError
from corpusmill.schemas.storage import Store, located

_CURRENT: ContextVar[TaskContext] = ContextVar("task")


class TaskContext:
    """The running task: counters that end up in the step's manifest, and files that appear when the task is done.

    Args:
        store: Where the task's files appear.
        out: Beginning of their keys.
        partition: Number of the partition that the task computes.
        contents: Where each input by content lies, by name.
    """

    def __init__(self, store: Store, out: str, *, partition: int, contents: Mapping[str, str] | None = None) -> None:
        self.counters: collections.Counter[str] = collections.Counter()
        self.partition = partition
        self.sides: dict[str, Callable[[pa.RecordBatch], None]] = {}
        self._held: list[tuple[str, pa.RecordBatch]] | None = None
        self._store = store
        self._out = out
        self._contents = contents or {}
        self._appearing = contextlib.ExitStack()
        self._read = contextlib.ExitStack()
        self._files: dict[str, Path] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add *by* to the counter *name*."""
        self.counters[name] += by

    def emit(self, side: str, batch: pa.RecordBatch) -> None:
        """Append *batch* to the side table *side* of the step.

        Raises:
            WorkError: The step declares no side table of this name, or *batch* has other columns than it declares.
        """
        if side not in self.sides:
            raise WorkError(
                f"a stage emits to the side table {side!r}, which it does not declare",
                hint=f"declare it in `sides()`; declared: {', '.join(sorted(self.sides)) or 'none'}",
            )
        if self._held is None:
            self.sides[side](batch)
        else:
            self._held.append((side, batch))

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Keep what the block counts and emits only when it ends well: a stage that fails is asked again by rows."""
        counters, self.counters = self.counters, collections.Counter()
        self._held = []
        try:
            yield
            held, self._held = self._held, None
            for side, batch in held:
                self.emit(side, batch)
            counters.update(self.counters)
        finally:
            self.counters, self._held = counters, None

    def content(self, name: str) -> Path:
        """Return a local path of the input by content *name*, for as long as the task runs.

        Raises:
            KeyError: The step declares none of this name.
        """
        store, key = located(self._contents[name])
        return self._read.enter_context(store.fetched(key))

    def file(self, name: str) -> Path:
        """Return a local path at which to write the file *name* of this task."""
        self._files[name] = self._appearing.enter_context(self._store.creating(final_key(self._out, name)))
        return self._files[name]

    def adopt_files(self) -> dict[str, int]:
        """Let the files appear in the store and return their sizes in bytes by name."""
        sizes = {name: path.stat().st_size for name, path in self._files.items()}
        self._appearing.close()
        self._read.close()
        return sizes

    def drop_files(self) -> None:
        """Remove what a failed attempt wrote."""
        give_up(self._appearing)
        self._read.close()


def final_key(out: str, name: str) -> str:
    """Return the key of the file *name* of the finished task at *out*.

    >>> final_key("tasks/ab/abc", "shard.parquet")
    'tasks/ab/abc.shard.parquet'
    """
    return f"{out}.{name}"


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
