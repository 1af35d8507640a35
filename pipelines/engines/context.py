"""The context of a running task: counters, files, side tables and inputs."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa

from corpusmill.pipelines.engines.base import Content
from corpusmill.pipelines.engines.batches import discard
from corpusmill.schemas.errors import WorkError
from corpusmill.schemas.storage import Store, located

_CURRENT: ContextVar[TaskContext] = ContextVar("task")


class WholeTable(NamedTuple):
    """A table that a task reads whole: what distinguishes it from others, and a function that reads it."""

    identity: Any
    read: Callable[[], Iterator[pa.RecordBatch]]


_Made = TypeVar("_Made")
_last_made: tuple[Any, Any] | None = None


class TaskContext:
    """The running task: its counters go into the step's manifest, its files appear when the task is finished.

    Args:
        store: Store of the task's files.
        out: Prefix of their keys.
        partition: Number of the partition that the task computes.
        contents: The input files, by name.
    """

    def __init__(self, store: Store, out: str, *, partition: int, contents: Iterable[Content] = ()) -> None:
        self.counters: collections.Counter[str] = collections.Counter()
        self.partition = partition
        self.sides: dict[str, Callable[[pa.RecordBatch], None]] = {}
        self.tables: dict[str, WholeTable] = {}
        self.contents = {content.name: content for content in contents}
        self._held: list[tuple[str, pa.RecordBatch]] | None = None
        self._store = store
        self._out = out
        self._appearing = contextlib.ExitStack()
        self._read = contextlib.ExitStack()
        self._files: dict[str, Path] = {}

    def count(self, name: str, by: int = 1) -> None:
        """Add *by* to the counter *name*."""
        self.counters[name] += by

    def emit(self, side: str, batch: pa.RecordBatch) -> None:
        """Append *batch* to the side table *side* of the step.

        Raises:
            WorkError: The step does not declare this side table, or *batch* has undeclared columns.
        """
        if side not in self.sides:
            raise WorkError(
                f"a stage emits to the undeclared side table {side!r}",
                hint=f"declare it in `sides()`; declared: {', '.join(sorted(self.sides)) or 'none'}",
            )
        if self._held is None:
            self.sides[side](batch)
        else:
            self._held.append((side, batch))

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Keep the counts and rows of the block only if it succeeds: the caller retries a failed batch row by row."""
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

    def table(self, name: str, make: Callable[[Iterator[pa.RecordBatch]], _Made]) -> _Made:
        """Return what *make* returns for the whole table *name* of the step (`Exchange.tables`).

        The last result is reused by the next task of this process that asks for the same, and must not be changed.

        Raises:
            KeyError: The step declares no table of this name.
        """
        global _last_made
        table = self.tables[name]
        wanted = (make, table.identity)
        if _last_made is None or _last_made[0] != wanted:
            _last_made = None
            _last_made = (wanted, make(table.read()))
        made: _Made = _last_made[1]
        return made

    def content(self, name: str) -> Path:
        """Return a local path of the input file *name*, for as long as the task runs.

        Raises:
            KeyError: The step declares no input of this name.
        """
        store, key = located(self.contents[name].path)
        return self._read.enter_context(store.fetched(key))

    def file(self, name: str) -> Path:
        """Return a local path at which to write the file *name* of this task."""
        self._files[name] = self._appearing.enter_context(self._store.creating(final_key(self._out, name)))
        return self._files[name]

    def adopt_files(self) -> dict[str, int]:
        """Publish the files in the store and return their sizes in bytes by name."""
        sizes = {name: path.stat().st_size for name, path in self._files.items()}
        self._appearing.close()
        self._read.close()
        return sizes

    def drop_files(self) -> None:
        """Remove the files of a failed attempt."""
        discard(self._appearing)
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
