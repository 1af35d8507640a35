"""Vectors of integers, so that a cosine is the same number on every machine and in every batch.

The sum of floating-point numbers depends on their order, which differs between processors and sizes of batches. A
vector is therefore scaled to a length of about `LENGTH` and rounded. Sums of products of integers are exact in any
order. The rounding changes a cosine by about 0.0001.

Vectors lie one after the other: row r has the next ``counts_R[r]`` components.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.schemas.vectors import MAX_DIMENSIONS

Int16: TypeAlias = npt.NDArray[np.int16]
Int64: TypeAlias = npt.NDArray[np.int64]
Float64: TypeAlias = npt.NDArray[np.float64]
Number = TypeVar("Number", np.int64, np.float64)

LENGTH: Final = 4_000
"""With at most `MAX_DIMENSIONS` rounded components, a vector is shorter than 4,096. The sum of the products of two
vectors is then below 2^24 at every point, up to which float32 represents all integers."""
BLOCK_VALUES: Final = 1 << 19
"""Numbers to compute at a time."""
_STEPS: Final = 1 << 20
"""Values of a component, relative to the largest one, before a vector is scaled to its length."""


class Vectors(NamedTuple):
    """Vectors of R rows. A row without a vector has no components."""

    values: Int16
    counts_R: Int64  # noqa: N815


def quantized(values: Float64, counts_R: Int64) -> Vectors:  # noqa: N803 - R rows
    """Return vectors of float64 *values* with integer components.

    A vector that is zero, has a component that is infinite or not a number, or has more than `MAX_DIMENSIONS`
    components becomes a row without a vector.

    >>> quantized(np.array([0.6, 0.8, 0.0, 3.0]), np.array([2, 1, 1])).values.tolist()
    [2400, 3200, 4000]
    """
    magnitudes = np.abs(values)
    peaks_R = reduced(np.maximum, magnitudes, counts_R)  # noqa: N806
    is_vector = np.isfinite(peaks_R) & (peaks_R > 0) & (counts_R <= MAX_DIMENSIONS)
    values = values[np.repeat(is_vector, counts_R)]
    counts_R = np.where(is_vector, counts_R, 0)  # noqa: N806
    peaks_R = np.where(is_vector, peaks_R, 1.0)  # noqa: N806
    whole = np.rint(values / np.repeat(peaks_R, counts_R) * _STEPS)
    integers = whole.astype(np.int64)
    squares_R = reduced(np.add, integers * integers, counts_R)  # noqa: N806
    factors_R = LENGTH / np.sqrt(np.maximum(squares_R, 1).astype(np.float64))  # noqa: N806
    return Vectors(np.rint(whole * np.repeat(factors_R, counts_R)).astype(np.int16), counts_R)


def rows_by_length(
    vectors: Vectors, *, width: int, first: int = 0, step: int = 1
) -> Iterator[tuple[Int64, npt.NDArray[np.int16]]]:
    """Yield rows that have vectors of one length, and these as an array of shape (rows, length).

    Args:
        width: Numbers that the caller computes for each row. Without it, all vectors of a length are one array.
        first: The first row; of those behind it, every *step*-th one is used.
    """
    starts = np.cumsum(vectors.counts_R) - vectors.counts_R
    counts = vectors.counts_R[first::step]
    for length in np.unique(counts[counts > 0]).tolist():
        rows = first + step * np.flatnonzero(counts == length)
        size = max(1, BLOCK_VALUES // max(width, length)) if width else len(rows)
        for begin in range(0, len(rows), size):
            block = rows[begin : begin + size]
            yield block, vectors.values[starts[block][:, None] + np.arange(length)]


def cosines(one: Int16, other: Int16, counts_R: Int64) -> Float64:  # noqa: N803 - R rows
    """Return the cosine of each vector of *one* and the vector of *other* in the same row. No row is empty.

    >>> cosines(np.array([3, 4, 3, 4], np.int16), np.array([3, 4, 4, -3], np.int16), np.array([2, 2])).tolist()
    [1.0, 0.0]
    """
    left, right = one.astype(np.int64), other.astype(np.int64)
    products_R, left_R, right_R = (  # noqa: N806
        reduced(np.add, part, counts_R) for part in (left * right, left * left, right * right)
    )
    cosines_R: Float64 = products_R / np.sqrt((left_R * right_R).astype(np.float64))  # noqa: N806
    return cosines_R


def as_binary(vectors: Vectors) -> pa.BinaryArray:
    """Return the vectors as a column of little-endian int16 components, null in rows without a vector."""
    offsets = np.concatenate([[0], np.cumsum(vectors.counts_R * 2)]).astype(np.int32)
    is_vector = pa.array(vectors.counts_R > 0).buffers()[1]
    data = pa.py_buffer(np.ascontiguousarray(vectors.values, "<i2"))
    return pa.BinaryArray.from_buffers(pa.binary(), len(vectors.counts_R), [is_vector, pa.py_buffer(offsets), data])


def from_binary(column: pa.BinaryArray) -> Vectors:
    """Return the vectors of a column that `as_binary` made; a null row has none."""
    _, offsets, data = column.buffers()
    if not len(column) or data is None:
        return Vectors(np.empty(0, np.int16), np.zeros(len(column), np.int64))
    starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    values = np.frombuffer(data, "<i2")[starts[0] // 2 : starts[-1] // 2]
    return Vectors(values.astype(np.int16, copy=False), np.diff(starts).astype(np.int64) // 2)


def reduced(function: np.ufunc, values: npt.NDArray[Number], counts_R: Int64) -> npt.NDArray[Number]:  # noqa: N803
    """Return the values of each row combined by *function*, 0 for rows without values.

    >>> reduced(np.add, np.array([1, 2, 3]), np.array([2, 0, 1])).tolist()
    [3, 0, 3]
    """
    result = np.zeros(len(counts_R), values.dtype)
    some = counts_R > 0
    if some.any():
        starts = (np.cumsum(counts_R) - counts_R)[some]
        result[some] = function.reduceat(values, starts)
    return result
