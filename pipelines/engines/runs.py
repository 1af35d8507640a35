"""Runs of equal keys in a sorted stream, without holding a run in memory.

`groups.whole_groups` joins a run into one batch, which is as large as its most frequent key. What is decided by the
first row of a run, such as which of equal documents is kept, needs only that row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.groups import group_numbers


class RunRows(NamedTuple):
    """A batch of a sorted stream, and what is known about the run of each row."""

    batch: pa.RecordBatch
    is_first: npt.NDArray[np.bool_]
    """Whether the row is the first of its run; shape (rows,)."""
    first: pa.RecordBatch
    """For each row, the selected columns of the first row of its run, which may have been in an earlier batch."""


def with_first_of_run(batches: Iterable[pa.RecordBatch], *, by: Sequence[str], of: Sequence[str]) -> Iterator[RunRows]:
    """Yield each batch of a stream sorted by *by* (no nulls), with the columns *of* of the first row of each run.

    Wherever the stream is cut, the rows are the same. Empty batches are dropped. The function holds the current batch
    and one row, however long a run is.

    >>> stream = [pa.record_batch({"k": [1, 1], "v": ["a", "b"]}), pa.record_batch({"k": [1, 2], "v": ["c", "d"]})]
    >>> [rows.is_first.tolist() for rows in with_first_of_run(stream, by=["k"], of=["v"])]
    [[True, False], [False, True]]
    >>> [rows.first["v"].to_pylist() for rows in with_first_of_run(stream, by=["k"], of=["v"])]
    [['a', 'a'], ['a', 'd']]
    """
    opened: pa.RecordBatch | None = None
    kept = list(dict.fromkeys((*by, *of)))
    for batch in batches:
        if not batch.num_rows:
            continue
        starts = _starts(batch, by)
        firsts = batch.select(kept).take(pa.array(starts))
        is_first = np.zeros(batch.num_rows, np.bool_)
        is_first[starts] = True
        if opened is not None and all(opened[name][0] == firsts[name][0] for name in by):
            firsts = pa.concat_batches([opened, firsts.slice(1)])
            is_first[0] = False
        opened = firsts.take(pa.array([firsts.num_rows - 1]))  # a copy: a slice would keep all rows in memory
        groups = pa.array(group_numbers(starts, rows=batch.num_rows))
        yield RunRows(batch, is_first, firsts.select(list(of)).take(groups))


def first_of_runs(batches: Iterable[pa.RecordBatch], *, by: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the first row of each run of a stream sorted by *by* (no nulls).

    >>> stream = [pa.record_batch({"k": [1, 1], "v": ["a", "b"]}), pa.record_batch({"k": [1, 2], "v": ["c", "d"]})]
    >>> [batch["v"].to_pylist() for batch in first_of_runs(stream, by=["k"])]
    [['a'], ['d']]
    """
    for rows in with_first_of_run(batches, by=by, of=()):
        yield rows.batch.filter(pa.array(rows.is_first))


def _starts(batch: pa.RecordBatch, by: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the positions at which a value of one of the columns *by* differs from that of the row before."""
    changes = np.zeros(batch.num_rows, np.bool_)
    changes[0] = True
    for name in by:
        column = batch[name]
        changes[1:] |= np.asarray(pc.not_equal(column.slice(1), column.slice(0, len(column) - 1)))
    return np.flatnonzero(changes).astype(np.int64)


def with_is_above(
    batches: Iterable[pa.RecordBatch], *, by: Sequence[str], limit: int
) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.bool_]]]:
    """Yield the rows of a stream sorted by the columns *by* (no nulls), and which are in a run of more than *limit*.

    The rows of a run are held back until their number is known: the function holds the current batch and at most
    *limit* rows.

    >>> stream = [pa.record_batch({"k": [1, 2]}), pa.record_batch({"k": [2, 2]}), pa.record_batch({"k": [2, 3]})]
    >>> [(batch["k"].to_pylist(), above.tolist()) for batch, above in with_is_above(stream, by=["k"], limit=2)]
    [([1], [False]), ([2, 2, 2], [True, True, True]), ([2], [True]), ([3], [False])]
    """
    held: list[pa.RecordBatch] = []
    large: pa.RecordBatch | None = None
    for batch in (batch for batch in batches if batch.num_rows):
        rows = pa.concat_batches([*held, batch])
        starts = _starts(rows, by)
        sizes = np.diff(starts, append=rows.num_rows)
        is_large = sizes > limit
        if large is not None and all(large[name][0] == rows[name][0] for name in by):
            is_large[0] = True
        end = rows.num_rows if is_large[-1] else int(starts[-1])
        large = rows.take(pa.array([end - 1])).select(list(by)) if is_large[-1] else None
        held = [] if is_large[-1] else [rows.slice(end)]
        if end:
            yield rows.slice(0, end), np.repeat(is_large, sizes)[:end]
    if held:
        rest = pa.concat_batches(held)
        yield rest, np.zeros(rest.num_rows, np.bool_)
