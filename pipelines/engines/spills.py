"""Sorted files of an exchange, and the index that locates the rows of a partition in them.

A *spill* is an Arrow IPC file sorted by (partition, by, order). A task writes spills `<prefix>.<n>.arrow` and then
their index `<prefix>.index`. The index consists of little-endian 64-bit integers, of which a reader of one partition
needs only a few: a header; for each spill, the first row and batch of each partition; for each batch, its first row,
its offset in the file and the cost of the batches before it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.pipelines.engines.batches import bounded, discard, too_many_open_files
from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.engines.sorting import sorted_positions
from corpusmill.schemas.errors import CorpusmillError, DamagedFileError
from corpusmill.schemas.storage import appearing, write_atomically

MEMORY_BYTES: Final = 256_000_000
"""Memory for sorting or merging when no bound is set."""
MAX_SORTED_BYTES: Final = 1_000_000_000
"""Bytes of rows sorted at once: Arrow's `take` overflows at 2 GB of a column."""
_ROW_OVERHEAD_BYTES: Final = 48
"""Bytes that sorting adds to a row: packed keys, positions and their copies."""
_FIXED_BYTES: Final = 16_000_000
"""Memory of a merge besides rows: batches being read, compressed and written, and the tables of many segments."""
_COPIES: Final = 3.0
"""Copies of a row during sorting: as received, concatenated, and in batches being read and written; measured."""
_COMPRESSION: Final = "lz4"
_SCHEMA_PLACE: Final = 8
"""Offset of the schema in an IPC file, after eight bytes that name the format."""
_MAGIC: Final = 0x31_6C_6C_69_70_73  # "spill1"


@dataclass(frozen=True)
class Order:
    """The partitioning and sort order of rows."""

    by: str
    order: tuple[str, ...]
    parts: int
    by_value: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns by which the rows of a partition are sorted."""
        return (self.by, *self.order)


@dataclass(frozen=True)
class Spilled:
    """What `write_spills` wrote: *bytes* on disk, *memory_bytes* of rows in memory."""

    rows: int = 0
    bytes: int = 0
    memory_bytes: int = 0
    spills: int = 0


@dataclass(frozen=True)
class Segment:
    """The rows ``[start, stop)`` of a spill.

    Args:
        batches: For each batch that contains some of the rows, and for the end: first row, offset in the file, cost of
            all batches before it (`sorting_cost`).
    """

    path: Path
    batches: npt.NDArray[np.int64]
    start: int
    stop: int

    @property
    def cost(self) -> int:
        """Approximate cost of sorting the rows: their share of the cost of their batches."""
        rows, cost = (self.batches[-1] - self.batches[0])[[0, 2]]
        return int(cost * (self.stop - self.start) // rows)

    @property
    def max_batch_cost(self) -> int:
        """Cost of sorting the rows of the largest batch."""
        return min(int(np.diff(self.batches[:, 2]).max()), self.cost)


def sorted_bytes(memory_bytes: int) -> int:
    """Return how many bytes of rows can be sorted at once in *memory_bytes*."""
    return min(int(max(memory_bytes - _FIXED_BYTES, memory_bytes / 3) / _COPIES), MAX_SORTED_BYTES)


def batch_bytes(memory_bytes: int) -> int:
    """Return the size of a batch of a spill.

    Merging holds one batch of each spill; small batches have high overhead.
    """
    return min(max(memory_bytes // 512, min(32_000, memory_bytes // 8)), 500_000)


def sorting_cost(batch: pa.RecordBatch) -> int:
    """Return the bytes that *batch* counts against `sorted_bytes`: its size plus the overhead of sorting each row."""
    return int(batch.nbytes + batch.num_rows * _ROW_OVERHEAD_BYTES / _COPIES)


def write_spills(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Order, *, prefix: Path, memory_bytes: int
) -> Spilled:
    """Sort *batches* into spills ``<prefix>.<n>.arrow`` and write their index ``<prefix>.index``.

    Rows of one spill that have equal partition and keys keep their order.

    Args:
        memory_bytes: Bound on the memory for rows and their copies. A batch is always held whole, so a batch larger
            than the bound exceeds it.

    Raises:
        ValueError: A key has nulls or a type that cannot be sorted, or a partition number is out of range.
    """
    prefix.parent.mkdir(parents=True, exist_ok=True)
    spills: list[_Spill] = []
    waiting: list[pa.RecordBatch] = []
    cost = rows = size = 0
    limit = sorted_bytes(memory_bytes)
    for batch in bounded(batches):
        waiting.append(_owned(batch))
        rows += batch.num_rows
        size += batch.nbytes
        cost += sorting_cost(batch)
        if cost >= limit:
            spills.append(_write_spill(waiting, schema, order, _spill_path(prefix, len(spills)), memory_bytes))
            cost = 0
    if waiting:
        spills.append(_write_spill(waiting, schema, order, _spill_path(prefix, len(spills)), memory_bytes))
    _write_index(_index_path(prefix), spills, parts=order.parts)
    return Spilled(rows, sum(spill.bytes for spill in spills), size, len(spills))


def _spill_path(prefix: Path, number: int) -> Path:
    return prefix.with_name(f"{prefix.name}.{number}.arrow")


def _index_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")


def _owned(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return *batch*, copied if it is a small slice of a large batch, which it would keep in memory."""
    if batch.get_total_buffer_size() <= 2 * batch.nbytes + 4096:
        return batch
    return batch.take(pa.array(np.arange(batch.num_rows)))


@dataclass(frozen=True)
class _Spill:
    """A written spill: *bounds* are the first rows of the partitions, *batches* as in `Segment`."""

    bounds: npt.NDArray[np.int64]
    batches: npt.NDArray[np.int64]
    bytes: int


def _write_spill(
    batches: list[pa.RecordBatch], schema: pa.Schema, order: Order, path: Path, memory_bytes: int
) -> _Spill:
    whole = pa.concat_batches(batches)
    batches.clear()
    numbers = partition_numbers(whole[order.by], order.parts, by_value=order.by_value)
    positions = sorted_positions([pa.array(numbers), *(whole[name] for name in order.keys)])
    bounds = np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=order.parts))])
    with SpillWriter(path, schema) as writer:
        target = batch_bytes(memory_bytes)
        for start, stop in _cuts(bounds, rows=rows_of(whole, target)):
            writer.write(bounded([whole.take(pa.array(positions[start:stop]))], max_bytes=4 * target))
    del whole, positions
    release_memory()
    return _Spill(bounds, writer.batches, writer.bytes)


def release_memory() -> None:
    """Return unused memory of Arrow's allocator to the system: it can be as large as the rows were."""
    pa.default_memory_pool().release_unused()


def rows_of(whole: pa.RecordBatch, target_bytes: int) -> int:
    """Return how many rows of *whole* take about *target_bytes*."""
    return max(1, target_bytes * int(whole.num_rows) // max(1, int(whole.nbytes)))


def _cuts(bounds: npt.NDArray[np.int64], *, rows: int) -> Iterator[tuple[int, int]]:
    """Cut rows into pieces of at most *rows*, at partition boundaries if a piece then has at least an eighth of *rows*.

    A reader of one partition then reads few rows of others, and pieces are not too small to read efficiently.

    >>> list(_cuts(np.array([0, 2, 9, 10, 50]), rows=24))
    [(0, 10), (10, 34), (34, 50)]
    """
    start = 0
    while start < bounds[-1]:
        last = int(bounds[np.searchsorted(bounds, start + rows, side="right") - 1])
        stop = last if last >= start + max(1, rows // 8) else min(start + rows, int(bounds[-1]))
        yield start, stop
        start = stop


class SpillWriter:
    """Writes batches to a spill, which appears under its name when it is complete."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._appearing = contextlib.ExitStack()
        self._draft = self._appearing.enter_context(appearing(path))
        with reported(self._draft):
            self._sink = pa.OSFile(str(self._draft), "wb")
        self._writer = pa.ipc.new_file(self._sink, schema, options=pa.ipc.IpcWriteOptions(compression=_COMPRESSION))
        self._table = [(0, 0, 0)]
        self.bytes = 0

    def __enter__(self) -> SpillWriter:
        return self

    def __exit__(self, kind: object, *details: object) -> None:
        with self._appearing:
            if kind is None:
                self._finish()
                return
            with contextlib.suppress(OSError, pa.ArrowException):
                self._sink.close()
            discard(self._appearing)

    def write(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Append *batches*."""
        for batch in batches:
            self._writer.write_batch(batch)
            row, _, cost = self._table[-1]
            self._table.append((row + batch.num_rows, self._sink.tell(), cost + sorting_cost(batch)))

    def _finish(self) -> None:
        self._writer.close()
        self._sink.close()
        self.bytes = self._draft.stat().st_size
        self._table[0] = (0, _first_batch_place(self._draft), 0)  # the header is written together with the first batch

    @property
    def batches(self) -> npt.NDArray[np.int64]:
        """The table of batches, as in `Segment`."""
        return np.array(self._table, np.int64)

    def segment(self) -> Segment:
        """Return all rows of the finished spill."""
        return Segment(self._path, self.batches, 0, self._table[-1][0])


def _first_batch_place(path: Path) -> int:
    with pa.OSFile(str(path)) as file:
        file.seek(_SCHEMA_PLACE)
        pa.ipc.read_schema(file)
        return int(file.tell())


def schema_of(segment: Segment) -> pa.Schema:
    """Read the schema of the spill of *segment*."""
    with reported(segment.path), pa.OSFile(str(segment.path)) as file:
        file.seek(_SCHEMA_PLACE)
        return pa.ipc.read_schema(file)


def _write_index(path: Path, spills: Sequence[_Spill], *, parts: int) -> None:
    words = [np.array([_MAGIC, parts, len(spills), *(len(spill.batches) for spill in spills)])]
    for spill in spills:
        batches = np.searchsorted(spill.batches[:, 0], spill.bounds, side="right") - 1
        words += [np.stack([spill.bounds, batches], axis=1).ravel(), spill.batches.ravel()]
    write_atomically(path, np.concatenate(words).astype("<i8").tobytes())


def segments(folder: Path, partition: int, *, parts: int) -> list[Segment]:
    """List the rows of *partition* in all spills of *folder*, ordered by the names of indexes, then of spills.

    Raises:
        DamagedFileError: An index is truncated, or was written for another number of partitions.
    """
    return [
        segment
        for path in sorted(folder.glob("*.index"))
        for segment in _segments_of_index(path, partition, parts=parts)
    ]


def _segments_of_index(path: Path, partition: int, *, parts: int) -> Iterator[Segment]:
    with reported(path), path.open("rb") as file:
        magic, parts_there, spills = _words(file.fileno(), 0, 3)
        if magic != _MAGIC or parts_there != parts:
            raise DamagedFileError("not an index of these spills", file=str(path), hint=_AGAIN)
        batch_counts = _words(file.fileno(), 3, int(spills))
        place = 3 + len(batch_counts)
        for number, count in enumerate(batch_counts.tolist()):
            start, first, stop, last = _words(file.fileno(), place + 2 * partition, 4).tolist()
            place += 2 * (parts + 1)
            if start < stop:
                rows = min(last + 2, count) - first
                batches = _words(file.fileno(), place + 3 * first, 3 * rows).reshape(rows, 3)
                if batches[-2, 0] >= stop:  # the partition ends where a batch ends
                    batches = batches[:-1]
                name = f"{path.name.removesuffix('.index')}.{number}.arrow"
                yield Segment(path.with_name(name), batches, start, stop)
            place += 3 * count


def _words(file: int, place: int, count: int) -> npt.NDArray[np.int64]:
    data = os.pread(file, 8 * count, 8 * place)
    if len(data) != 8 * count:
        raise pa.ArrowInvalid("the file is truncated")
    return np.frombuffer(data, "<i8").astype(np.int64)


class SegmentReader:
    """Reads the batches of a segment in order. The file is open from the first batch to the last."""

    def __init__(self, segment: Segment, schema: pa.Schema) -> None:
        self._segment = segment
        self._schema = schema
        self._next = 0
        self._file: pa.OSFile | None = None

    @property
    def is_finished(self) -> bool:
        """Whether all batches have been read."""
        return self._next == len(self._segment.batches) - 1

    @property
    def unread_cost(self) -> int:
        """Approximate cost of sorting the rows that have not been read."""
        costs = self._segment.batches[:, 2]
        return int(self._segment.cost * (costs[-1] - costs[self._next]) // max(1, costs[-1] - costs[0]))

    def read(self) -> pa.RecordBatch:
        """Read the next batch, without the rows of other partitions.

        Raises:
            DamagedFileError: The spill is missing, truncated, or differs from what was written.
        """
        first, place, _ = self._segment.batches[self._next].tolist()
        stop = int(self._segment.batches[self._next + 1, 0])
        with reported(self._segment.path):
            if self._file is None:
                self._file = pa.OSFile(str(self._segment.path))
            self._file.seek(place)
            batch = pa.ipc.read_record_batch(pa.ipc.read_message(self._file), self._schema)
            batch.validate()
            if batch.num_rows != stop - first:
                raise pa.ArrowInvalid(f"a batch has {batch.num_rows} rows, but {stop - first} were written")
        self._next += 1
        if self.is_finished:
            self.close()
        start = max(first, self._segment.start)
        return _owned(batch.slice(start - first, min(stop, self._segment.stop) - start))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


_AGAIN: Final = "run the same command again to compute the spills again"


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    """Convert errors of reading or opening the spill at *path* into errors with a hint.

    Raises:
        UnfinishedError: The limit of open files is reached.
        DamagedFileError: The spill is missing, or its content differs from what was written.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise _as_reported(error, path) from error


def _as_reported(error: Exception, path: Path) -> CorpusmillError | OSError:
    if (unfinished := too_many_open_files(error, path)) is not None:
        return unfinished
    if isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
        return error
    return DamagedFileError(f"a spill of an exchange is damaged ({error})", file=str(path), hint=_AGAIN)
