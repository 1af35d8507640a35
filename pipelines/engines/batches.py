"""Cut streams of record batches to size and store them in Arrow IPC files."""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from corpusmill.schemas.document import MAX_BATCH_BYTES, MAX_BATCH_ROWS
from corpusmill.schemas.errors import DamagedFileError, UnfinishedError
from corpusmill.schemas.storage import Store

TARGET_BYTES: Final = 4_000_000
"""Small batches are joined up to this size, because each batch costs about 20 µs in every function it passes."""
TARGET_ROWS: Final = 8_192
_COMPRESSION: Final = "lz4"
_POSITIONS: Final[dict[tuple[str, int], Mapping[str, int]]] = {}
"""Positions of the columns of files, by address and size."""
_MAX_POSITIONS: Final = 10_000


def bounded(
    batches: Iterable[pa.RecordBatch], *, max_rows: int = MAX_BATCH_ROWS, max_bytes: int = MAX_BATCH_BYTES
) -> Iterator[pa.RecordBatch]:
    """Cut batches above the bounds into pieces and drop empty batches. A single row may exceed *max_bytes*."""
    for batch in batches:
        if batch.num_rows <= max_rows and batch.nbytes <= max_bytes:
            if batch.num_rows:
                yield batch
            continue
        if batch.num_rows == 1:
            yield batch
            continue
        pieces = -(-batch.num_rows // max_rows)
        middle = pieces // 2 * max_rows or (batch.num_rows + 1) // 2
        yield from bounded([batch.slice(0, middle)], max_rows=max_rows, max_bytes=max_bytes)
        yield from bounded([batch.slice(middle)], max_rows=max_rows, max_bytes=max_bytes)


def joined(
    batches: Iterable[pa.RecordBatch], *, target_rows: int = TARGET_ROWS, target_bytes: int = TARGET_BYTES
) -> Iterator[pa.RecordBatch]:
    """Join small neighboring batches up to the targets and cut batches above the bounds."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in bounded(batches):
        if waiting and (rows + batch.num_rows > target_rows or size + batch.nbytes > target_bytes):
            yield _concatenated(waiting)
            waiting, rows, size = [], 0, 0
        waiting.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
    if waiting:
        yield _concatenated(waiting)


def _concatenated(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """Return *batches* as one; a single one is not copied."""
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def only_where(mask: pa.BooleanArray, values: pa.Array) -> pa.Array:
    """Return *values* where *mask* (no nulls) is true, null elsewhere. The masked values take no memory.

    >>> texts = pa.array(["long" * 100, "short"])
    >>> only_where(pa.array([False, True]), texts).nbytes < texts.nbytes / 10
    True
    """
    kept = mask.true_count
    if kept == len(mask):
        return values
    if not kept:
        return pa.nulls(len(values), values.type)
    rows = np.arange(len(values))
    return values.take(pa.array(rows, mask=~np.asarray(mask)))  # `if_else` would keep all bytes of a text


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return *batch* with the columns of *schema*, in its order. Missing columns are null, others are dropped.

    Raises:
        pa.ArrowInvalid: A column cannot be cast.
    """
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type) if field.name in names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class IpcWriter:
    """Writes batches to an Arrow IPC file in a store. The file appears under its key when it is complete."""

    def __init__(self, store: Store, key: str, schema: pa.Schema, *, is_compressed: bool = True) -> None:
        self._appearing = contextlib.ExitStack()
        self._path = self._appearing.enter_context(store.creating(key))
        self._sink = pa.OSFile(str(self._path), "wb")
        options = pa.ipc.IpcWriteOptions(compression=_COMPRESSION if is_compressed else None)
        self._writer = pa.ipc.new_file(self._sink, schema, options=options)
        self.rows = 0
        self.batch_bytes: list[int] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Append *batch*."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        self.batch_bytes.append(batch.nbytes)

    def close(self) -> int:
        """Finish the file and return its size in bytes."""
        self._writer.close()
        self._sink.close()
        size = self._path.stat().st_size
        self._appearing.close()
        return size

    def abort(self) -> None:
        """Discard the file."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._sink.close()
        discard(self._appearing)


class _DiscardedError(Exception):
    """Ends the writing of a file that must not appear."""


def discard(appearing: contextlib.ExitStack) -> None:
    """Close the files that *appearing* holds open, without publishing them."""
    error = _DiscardedError()
    with contextlib.suppress(_DiscardedError):
        appearing.__exit__(_DiscardedError, error, None)


class IpcFile:
    """A memory-mapped Arrow IPC file of a store, read batch by batch.

    Args:
        columns: Names to read, in the file's order; all by default.

    Raises:
        DamagedFileError: The file is missing, not an IPC file, or truncated.
        UnfinishedError: The process cannot open more files, or the store does not respond.
    """

    def __init__(self, store: Store, key: str, *, columns: Sequence[str] | None = None) -> None:
        self._address = store.address(key)
        try:
            with store.fetched(key) as path:
                self._map = pa.memory_map(str(path))
            self._reader = self._opened(columns)
        except (pa.ArrowInvalid, OSError) as error:
            if (unfinished := too_many_open_files(error, self._address)) is not None:
                raise unfinished from error
            hint = "run with --fresh to compute it again"
            raise DamagedFileError(f"not a readable task output ({error})", file=self._address, hint=hint) from error

    def _opened(self, columns: Sequence[str] | None) -> pa.ipc.RecordBatchFileReader:
        """Open the file for *columns*. Their positions are looked up only once in a process."""
        known = (self._address, self._map.size())
        if columns is None or known not in _POSITIONS:
            reader = pa.ipc.open_file(self._map)
            if columns is None:
                return reader
            if len(_POSITIONS) >= _MAX_POSITIONS:
                _POSITIONS.clear()
            _POSITIONS[known] = {name: position for position, name in enumerate(reader.schema.names)}
            if len(columns) == len(_POSITIONS[known]):
                return reader
        positions = [_POSITIONS[known][name] for name in columns]
        return pa.ipc.open_file(self._map, options=pa.ipc.IpcReadOptions(included_fields=positions))

    @property
    def schema(self) -> pa.Schema:
        """Schema of the columns to read."""
        return self._reader.schema

    def __len__(self) -> int:
        """Return the number of batches."""
        return int(self._reader.num_record_batches)

    def batch(self, index: int) -> pa.RecordBatch:
        """Read the batch *index*.

        Raises:
            DamagedFileError: The bytes differ from what was written.
        """
        try:
            return self._reader.get_batch(index)
        except (pa.ArrowException, OSError) as error:
            hint = "run with --fresh to compute it again"
            raise DamagedFileError(f"a task output is damaged ({error})", file=self._address, hint=hint) from error

    def batches(self, start: int = 0, stop: int | None = None) -> Iterator[pa.RecordBatch]:
        """Read the batches ``[start, stop)``."""
        for index in range(start, len(self) if stop is None else stop):
            yield self.batch(index)


def too_many_open_files(error: Exception, path: Path | str) -> UnfinishedError | None:
    """Return an error with a hint if opening *path* failed at the limit of open files; None for other errors."""
    if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return UnfinishedError(
        f"too many open files: the limit is {soft} (`ulimit -n`)",
        hint="raise the limit (`ulimit -n 4096`) or use fewer --workers, then run the same command again",
        file=str(path),
    )
