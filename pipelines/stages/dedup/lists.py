"""Convert list columns of int64 to numpy arrays and back, without copying."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64: TypeAlias = npt.NDArray[np.int64]


def list_rows(column: pa.ListArray) -> list[Int64]:
    """Return each row of *column* as a view of its values; a null row is empty.

    >>> [row.tolist() for row in list_rows(pa.array([[1, 2], None, [3]], pa.list_(pa.int64())).slice(1))]
    [[], [3]]
    """
    values = np.asarray(column.values)
    return [values[start:end] for start, end in pairwise(np.asarray(column.offsets).tolist())]


def list_column(values: Int64, counts: Sequence[int] | Int64) -> pa.ListArray:
    """Return *values* as a column of lists; *counts* has the length of each list.

    >>> list_column(np.array([1, 2, 3]), [2, 0, 1]).to_pylist()
    [[1, 2], [], [3]]
    """
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(values, pa.int64()))
