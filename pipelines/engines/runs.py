"""External sorting: rows go into sorted runs on disk, and come back merged, in bounded memory.

A run is an Arrow IPC file sorted by (partition, by, order). Merging reads the keys of all runs first, sorts those, and
then takes the rows piece by piece: memory holds the keys of one partition and one piece.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.batches import IpcFile, IpcWriter, bounded, joined
from corpusmill.pipelines.engines.partition import partition_numbers

RUN_BYTES: Final = 64_000_000
"""Rows held in memory before a run is written."""
_BATCH_BYTES: Final = 1_000_000
"""Size of a batch in a run: merging holds one a run."""
PARTITION: Final = "_partition"


@dataclass(frozen=True)
class Run:
    """A sorted file: ``segments[partition] = (first row, row behind the last)``."""

    path: str
    batch_starts: tuple[int, ...]
    segments: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Order:
    """By what rows are partitioned and sorted."""

    by: str
    order: tuple[str, ...]
    parts: int
    by_value: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that sort the rows inside a partition."""
        return (self.by, *self.order)


def write_runs(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, order: Order, *, prefix: Path, run_bytes: int = RUN_BYTES
) -> list[Run]:
    """Sort *batches* into runs ``<prefix>.<n>.arrow``; an input without rows gives none."""
    runs: list[Run] = []
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in bounded(batches):
        waiting.append(batch)
        size += batch.nbytes
        if size >= run_bytes:
            runs.append(_write_run(waiting, schema, order, prefix.with_name(f"{prefix.name}.{len(runs)}.arrow")))
            waiting, size = [], 0
    if waiting:
        runs.append(_write_run(waiting, schema, order, prefix.with_name(f"{prefix.name}.{len(runs)}.arrow")))
    return runs


def _write_run(batches: list[pa.RecordBatch], schema: pa.Schema, order: Order, path: Path) -> Run:
    numbers = np.concatenate(
        [partition_numbers(batch[order.by], order.parts, by_value=order.by_value) for batch in batches]
    )
    table = pa.Table.from_batches(batches, schema).append_column(PARTITION, pa.array(numbers))
    positions = _sort_indices(table.select([PARTITION, *order.keys]))
    numbers = numbers[positions]
    bounds = np.flatnonzero(np.diff(numbers, prepend=-1, append=-1)) if len(numbers) else np.empty(0, np.int64)
    segments = {int(numbers[start]): (int(start), int(stop)) for start, stop in itertools.pairwise(bounds)}
    writer = IpcWriter(path, schema)
    starts = [0]
    try:
        for batch in _taken(table.drop_columns([PARTITION]), positions):
            writer.write(batch)
            starts.append(starts[-1] + batch.num_rows)
        writer.close()
    except BaseException:
        writer.abort()
        raise
    return Run(path=str(path), batch_starts=tuple(starts), segments=segments)


def _taken(table: pa.Table, positions: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    """Give the rows at *positions* in pieces of about `_BATCH_BYTES`."""
    table = table.combine_chunks()  # else each piece copies all chunks of a text or list column: 20 times as dear
    rows = max(1, int(_BATCH_BYTES * max(1, table.num_rows) / max(1, table.nbytes)))
    for start in range(0, len(positions), rows):
        piece = table.take(pa.array(positions[start : start + rows])).combine_chunks()
        yield from bounded(piece.to_batches())


def _sort_indices(table: pa.Table) -> npt.NDArray[np.int64]:
    keys = [(name, "ascending") for name in table.schema.names]
    return np.asarray(pc.sort_indices(table, sort_keys=keys)).astype(np.int64)


def merged(runs: Sequence[Run], partition: int, order: Order) -> Iterator[pa.RecordBatch]:
    """Give the rows of *partition* in the order of ``(by, *order)``."""
    segments = [_Segment(run, *run.segments[partition], keys=order.keys) for run in runs if partition in run.segments]
    if not segments:
        return
    if len(segments) == 1:
        yield from joined(segments[0].pieces())
        return
    lengths = np.array([len(segment) for segment in segments])
    sorted_rows = _sort_indices(pa.concat_tables([segment.key_table() for segment in segments]))
    segment_of = np.repeat(np.arange(len(segments)), lengths)[sorted_rows]
    yield from joined(_pick(segments, segment_of, rows=_rows_of_a_piece(segments)))


def _rows_of_a_piece(segments: Sequence[_Segment]) -> int:
    return max(1, min(segment.rows_of_a_batch() for segment in segments) * 2)


def _pick(segments: Sequence[_Segment], segment_of: npt.NDArray[np.int64], *, rows: int) -> Iterator[pa.RecordBatch]:
    """Take rows from the sorted *segments*; each of *segment_of* names the one that gives the next row."""
    for start in range(0, len(segment_of), rows):
        wanted = segment_of[start : start + rows]
        counts = np.bincount(wanted, minlength=len(segments))
        pieces = [segment.take(int(count)) for segment, count in zip(segments, counts, strict=True) if count]
        # The rows of each segment lie one behind the other in the concatenation; a stable sort by segment inverts that.
        positions = np.empty(len(wanted), np.int64)
        positions[np.argsort(wanted, kind="stable")] = np.arange(len(wanted))
        table = pa.Table.from_batches([batch for piece in pieces for batch in piece])
        yield from bounded(table.take(pa.array(positions)).combine_chunks().to_batches())


class _Segment:
    """The rows ``[start, stop)`` of a run, read once from front to back."""

    def __init__(self, run: Run, start: int, stop: int, *, keys: tuple[str, ...]) -> None:
        self._file = IpcFile(Path(run.path))
        self._starts = run.batch_starts
        self._next = start
        self._start = start
        self._stop = stop
        self._keys = keys
        self._path = Path(run.path)
        self._open: tuple[int, pa.RecordBatch] | None = None

    def __len__(self) -> int:
        return self._stop - self._start

    def rows_of_a_batch(self) -> int:
        """Give the mean rows of a batch of the run."""
        return max(1, self._starts[-1] // max(1, len(self._starts) - 1))

    def key_table(self) -> pa.Table:
        """Read the key columns of all rows."""
        file = IpcFile(self._path, columns=self._keys)
        batches = [
            batch
            for index, low, high in self._ranges(self._start, self._stop)
            for batch in [file.batch(index).slice(low, high - low)]
        ]
        return pa.Table.from_batches(batches).select(list(self._keys))

    def _ranges(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Give (batch, first row in it, row behind the last) that cover the rows ``[start, stop)`` of the run."""
        index = int(np.searchsorted(self._starts, start, side="right")) - 1
        while start < stop:
            low, high = self._starts[index], self._starts[index + 1]
            yield index, start - low, min(stop, high) - low
            start = min(stop, high)
            index += 1

    def take(self, rows: int) -> list[pa.RecordBatch]:
        """Give the next *rows* rows."""
        pieces = []
        for index, low, high in self._ranges(self._next, self._next + rows):
            if self._open is None or self._open[0] != index:
                self._open = (index, self._file.batch(index))
            pieces.append(self._open[1].slice(low, high - low))
        self._next += rows
        return pieces

    def pieces(self) -> Iterator[pa.RecordBatch]:
        """Give all rows."""
        for index, low, high in self._ranges(self._start, self._stop):
            yield self._file.batch(index).slice(low, high - low)


def run_as_json(run: Run) -> dict[str, Any]:
    """Give *run* as plain data."""
    return {
        "path": run.path,
        "batch_starts": list(run.batch_starts),
        "segments": [[p, *s] for p, s in run.segments.items()],
    }


def run_from_json(data: dict[str, Any]) -> Run:
    """Read what `run_as_json` gave."""
    segments = {partition: (start, stop) for partition, start, stop in data["segments"]}
    return Run(path=data["path"], batch_starts=tuple(data["batch_starts"]), segments=segments)
