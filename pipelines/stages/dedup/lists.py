"""Columns of lists of 64-bit integers as numpy arrays."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64: TypeAlias = npt.NDArray[np.int64]

INT64_LIST: Final = pa.list_(pa.int64())


class Lists(NamedTuple):
    """The rows of a list column in sequence: row r has the next ``counts_R[r]`` values."""

    values: Int64
    counts_R: Int64  # noqa: N815


def list_values(column: pa.ListArray) -> Lists:
    """Return the values of *column* without copying them; a null row is empty.

    >>> values, counts = list_values(pa.array([[1, 2], None, [3]], INT64_LIST).slice(1))
    >>> values.tolist(), counts.tolist()
    ([3], [0, 1])
    """
    offsets = np.asarray(column.offsets)
    return Lists(np.asarray(column.values)[offsets[0] : offsets[-1]], np.diff(offsets).astype(np.int64))


def list_column(values: Int64, counts: Int64) -> pa.ListArray:
    """Return *values* as a column of lists; *counts* has the length of each list.

    >>> list_column(np.array([1, 2, 3]), np.array([2, 0, 1])).to_pylist()
    [[1, 2], [], [3]]
    """
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, pa.int64()))
