"""Whole groups from a sorted stream, wherever its batches are cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

TARGET_ROWS: Final = 8_192
TARGET_BYTES: Final = 16_000_000
"""Groups are joined up to this many rows or bytes. A larger group is one batch."""


def whole_groups(
    batches: Iterable[pa.RecordBatch], *, by: str, target_rows: int = TARGET_ROWS
) -> Iterator[pa.RecordBatch]:
    """Cut a stream sorted by the column *by* so that no group of equal values spans two batches.

    Groups are joined up to *target_rows* rows or `TARGET_BYTES`. The function holds that much, or one group if it is
    larger, plus the current batch.

    >>> stream = [pa.record_batch({"k": [1, 1, 2]}), pa.record_batch({"k": [2]}), pa.record_batch({"k": [2, 3]})]
    >>> [batch["k"].to_pylist() for batch in whole_groups(stream, by="k", target_rows=1)]
    [[1, 1], [2, 2, 2], [3]]
    """
    ready: list[pa.RecordBatch] = []
    unfinished: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        if not batch.num_rows:
            continue
        last = int(run_starts(batch[by])[-1])
        if last or (unfinished and unfinished[-1][by][-1] != batch[by][0]):
            ready += [*unfinished, batch.slice(0, last)]
            rows += sum(part.num_rows for part in unfinished) + last
            size += batch.nbytes
            unfinished = []
        if rows and (rows >= target_rows or size >= TARGET_BYTES):
            yield pa.concat_batches(ready)
            ready, rows, size = [], 0, 0
        unfinished.append(batch.slice(last))
    if ready or unfinished:
        yield pa.concat_batches(ready + unfinished)


def run_starts(column: pa.Array) -> npt.NDArray[np.int64]:
    """Return the positions, from 0, at which runs of equal values of *column* (no nulls) begin.

    >>> run_starts(pa.array(["a", "a", "b", "a"])).tolist()
    [0, 2, 3]
    """
    if not len(column):
        return np.empty(0, np.int64)
    changes = np.asarray(pc.not_equal(column.slice(1), column.slice(0, len(column) - 1)))
    return np.concatenate([[0], np.flatnonzero(changes) + 1]).astype(np.int64)


def group_numbers(starts: npt.NDArray[np.int64], *, rows: int) -> npt.NDArray[np.int64]:
    """Return, for each of *rows* rows, the number (from 0) of the run that contains it, given the runs' *starts*."""
    return np.repeat(np.arange(len(starts)), np.diff(starts, append=rows))
