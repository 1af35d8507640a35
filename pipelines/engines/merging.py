"""Merge the spills of an exchange: the rows of one partition in order, in bounded memory and open files.

Merging goes in rounds. A round fills the buffer of each segment in proportion to the unread rows of the segment. All
rows up to the smallest last key of the buffers are final, because no unread row precedes them. They are sorted together
and returned. The cost of a row therefore depends neither on the shortest spill nor on how the spills overlap. If there
are more segments than may be open, or than fit in memory, groups of neighbors are first merged into larger temporary
spills.
"""

from __future__ import annotations

import bisect
import contextlib
import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa

from corpusmill.pipelines.engines.batches import TARGET_BYTES, TARGET_ROWS, bounded, joined
from corpusmill.pipelines.engines.sorting import sorted_positions
from corpusmill.pipelines.engines.spills import (
    Order,
    Segment,
    SegmentReader,
    SpillWriter,
    batch_bytes,
    release_memory,
    rows_of,
    schema_of,
    segments,
    sorted_bytes,
    sorting_cost,
)
from corpusmill.schemas.storage.attempts import attempt_name, sweep

MAX_OPEN: Final = 128
"""Spills that are read at the same time."""

Key: TypeAlias = tuple[Any, ...]


def merged(
    folder: Path, partition: int, order: Order, *, memory_bytes: int, max_open: int = MAX_OPEN
) -> Iterator[pa.RecordBatch]:
    """Merge the rows of *partition* from all spills in *folder*, in the order of ``(by, *order)``.

    Equal rows are ordered by the names of their spills, then by their position in the spill. Temporary spills are
    written to *folder* and removed at the end. The next call removes those of a killed one.

    Args:
        memory_bytes: Bound on the memory for rows and their copies; two batches and the largest row are always held.
        max_open: Bound on spills open at the same time.

    Raises:
        DamagedFileError: A spill is missing or damaged.
        UnfinishedError: The process cannot open *max_open* files.
    """
    temporary = folder / f"merge-{partition:06d}"
    sweep(temporary)
    merge = _Merge(order.keys, temporary, memory_bytes=memory_bytes, max_open=max_open)
    try:
        yield from joined(merge.rows(segments(folder, partition, parts=order.parts)))
    finally:
        merge.remove_files()


class _Merge:
    """Merges segments within bounds; its temporary spills are ``<temporary>.<attempt>.<n>.arrow``."""

    def __init__(self, keys: Sequence[str], temporary: Path, *, memory_bytes: int, max_open: int) -> None:
        self._keys = keys
        self._temporary = temporary
        self._attempt = attempt_name()
        self._buffered_cost = sorted_bytes(memory_bytes)
        self._batch_bytes = batch_bytes(memory_bytes)
        self._max_open = max(2, max_open)
        self._schema = pa.schema([])
        self._files: list[Path] = []

    def rows(self, pieces: list[Segment]) -> Iterator[pa.RecordBatch]:
        """Generate the rows of *pieces* in order."""
        if not pieces:
            return
        self._schema = schema_of(pieces[0])
        pieces = self._few(pieces)
        yield from self._merged(pieces, target_bytes=min(TARGET_BYTES, self._buffered_cost // 8))

    def _few(self, pieces: list[Segment]) -> list[Segment]:
        """Merge groups of neighbors until one merge can read all remaining segments."""
        start = 0
        while (width := self._fitting(pieces, 0)) < len(pieces):
            start = 0 if start >= len(pieces) - 1 else start
            width = min(self._fitting(pieces, start), max(2, len(pieces) - width + 1))
            group = pieces[start : start + width]
            pieces = [*pieces[:start], self._spill_of(group), *pieces[start + width :]]
            start += 1
        return pieces

    def _fitting(self, pieces: Sequence[Segment], start: int) -> int:
        """Return how many of *pieces* from *start* on can be merged at once: at least two, if there are two."""
        width = size = buffers = 0
        for piece in pieces[start:]:
            size += piece.cost
            buffers += 2 * piece.max_batch_cost
            fits_whole = size <= self._buffered_cost
            fits_in_batches = width < self._max_open and buffers <= self._buffered_cost
            if width >= 2 and not (fits_whole or fits_in_batches):
                break
            width += 1
        return width

    def _spill_of(self, group: Sequence[Segment]) -> Segment:
        path = self._temporary.with_name(f"{self._temporary.name}.{self._attempt}.{len(self._files)}.arrow")
        rows = self._merged(group, target_bytes=self._batch_bytes)
        self._files.append(path)
        with contextlib.closing(rows), SpillWriter(path, self._schema) as writer:
            writer.write(rows)
        for piece in group:
            if piece.path in self._files:
                piece.path.unlink()
        return writer.segment()

    def _merged(self, pieces: Sequence[Segment], *, target_bytes: int) -> Generator[pa.RecordBatch, None, None]:
        cursors = [_Cursor(SegmentReader(piece, self._schema), self._keys) for piece in pieces]
        try:
            if len(cursors) == 1:
                yield from cursors[0].rest()
                return
            while cursors:
                yield from self._sorted(_final_rows(cursors, self._buffered_cost), target_bytes)
                release_memory()
                cursors = [cursor for cursor in cursors if not cursor.is_finished]
        finally:
            for cursor in cursors:
                cursor.close()

    def _sorted(self, batches: list[pa.RecordBatch], target_bytes: int) -> Iterator[pa.RecordBatch]:
        whole = pa.concat_batches(batches)
        batches.clear()
        positions = sorted_positions([whole[name] for name in self._keys])
        rows = min(rows_of(whole, target_bytes), TARGET_ROWS)
        for start in range(0, len(positions), rows):
            piece = whole.take(pa.array(positions[start : start + rows]))
            yield from bounded([piece], max_bytes=4 * target_bytes)

    def remove_files(self) -> None:
        """Remove all temporary spills."""
        for path in self._files:
            path.unlink(missing_ok=True)


def _final_rows(cursors: Sequence[_Cursor], buffered_cost: int) -> list[pa.RecordBatch]:
    """Fill the buffers of *cursors*, and take the rows that no unread row precedes."""
    left = sum(cursor.left_cost for cursor in cursors)
    share = min(1.0, buffered_cost / max(1, left))
    for cursor in cursors:
        cursor.fill(math.inf if share == 1 else share * cursor.left_cost)
    # Rows equal to the last key of a buffer may follow in that segment, so equal rows of later segments must wait.
    bound = min(((cursor.last_key, place) for place, cursor in enumerate(cursors) if cursor.has_unread), default=None)
    if bound is None:
        return [batch for cursor in cursors for batch in cursor.take_all()]
    key, bounding = bound
    return [
        batch for place, cursor in enumerate(cursors) for batch in cursor.take_below(key, inclusive=place <= bounding)
    ]


class _Cursor:
    """A segment and the buffer of its next rows."""

    def __init__(self, reader: SegmentReader, keys: Sequence[str]) -> None:
        self._reader = reader
        self._keys = keys
        self._buffer: deque[pa.RecordBatch] = deque()
        self._buffered_cost = 0

    @property
    def left_cost(self) -> int:
        """Cost of the rows that have not been taken."""
        return self._buffered_cost + self._reader.unread_cost

    @property
    def has_unread(self) -> bool:
        """Whether rows remain outside the buffer."""
        return not self._reader.is_finished

    @property
    def is_finished(self) -> bool:
        """Whether all rows have been taken."""
        return not self._buffer and self._reader.is_finished

    @property
    def last_key(self) -> Key:
        """The key of the last row in the buffer."""
        return self._key(self._buffer[-1], self._buffer[-1].num_rows - 1)

    def _key(self, batch: pa.RecordBatch, row: int) -> Key:
        return tuple(_comparable(batch[name][row]) for name in self._keys)

    def fill(self, target: float) -> None:
        """Read until the buffer has *target* bytes, and at least one row."""
        while self.has_unread and (self._buffered_cost < target or not self._buffer):
            batch = self._reader.read()
            self._buffer.append(batch)
            self._buffered_cost += sorting_cost(batch)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """Generate all remaining rows."""
        while not self.is_finished:
            self.fill(0)
            yield from self.take_all()

    def take_all(self) -> list[pa.RecordBatch]:
        """Take the buffer."""
        batches = list(self._buffer)
        self._buffer.clear()
        self._buffered_cost = 0
        return batches

    def take_below(self, key: Key, *, inclusive: bool) -> list[pa.RecordBatch]:
        """Take the rows below *key*, and those equal to it if *inclusive*."""
        cut = bisect.bisect_right if inclusive else bisect.bisect_left
        batches = []
        while self._buffer:
            batch = self._buffer[0]
            if len(self._buffer) > 1 and self._key(batch, batch.num_rows - 1) < key:
                batches.append(self._buffer.popleft())
                continue
            rows = cut(range(batch.num_rows), key, key=partial(self._key, batch))
            if rows:
                batches.append(batch.slice(0, rows))
            if rows < batch.num_rows:
                self._buffer[0] = batch.slice(rows)
                break
            self._buffer.popleft()
        self._buffered_cost -= sum(map(sorting_cost, batches))
        return batches

    def close(self) -> None:
        """Close the spill."""
        self._reader.close()


def _comparable(value: pa.Scalar) -> Any:
    """Return a value that compares as the *value* of a key column sorts."""
    if pa.types.is_temporal(value.type):
        return value.value
    plain = value.as_py()
    if pa.types.is_floating(value.type):
        return (plain != plain, 0.0 if plain != plain else plain)
    return plain
