"""The partition of a row: a hash of one column that is equal on every engine and machine."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.schemas.splitmix import splitmix64_column

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_PIECE_BYTES: Final = 100_000
"""Bytes of strings hashed at once; the intermediate arrays then fit into a processor's cache."""


def hash_column(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Hash each value of *column* (integers, booleans, dates, times, strings or binary, no nulls) to 64 bits.

    Numbers are mixed with splitmix64. A string is a polynomial over its bytes with an odd multiplier, mixed with its
    length.

    Raises:
        ValueError: The column has nulls, or its type cannot be a key.
    """
    if column.null_count:
        raise ValueError("a key column has nulls")
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _hash_bytes(column)
    if pa.types.is_boolean(kind):
        return splitmix64_column(np.asarray(column).astype(np.uint64))
    if pa.types.is_timestamp(kind):
        column = column.view(pa.int64())
    elif pa.types.is_date32(kind):
        column = column.view(pa.int32())
    elif not pa.types.is_integer(kind):
        raise ValueError(f"a column of type {kind} cannot be a key")
    return splitmix64_column(np.asarray(column).astype(np.int64).view(np.uint64))


def _hash_bytes(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Hash in pieces, because 64-bit numbers for each byte of a column would take many times its memory."""
    rows = max(1, _PIECE_BYTES * len(column) // max(1, column.nbytes))
    pieces = [_hash_piece(column.slice(start, rows)) for start in range(0, len(column), rows)]
    return np.concatenate([np.empty(0, np.uint64), *pieces])


def _hash_piece(column: pa.Array) -> npt.NDArray[np.uint64]:
    buffers = column.buffers()
    offsets = np.frombuffer(buffers[1], np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    lengths = np.diff(offsets)
    longest = int(lengths.max())
    if not longest:
        return splitmix64_column(lengths.astype(np.uint64))
    data = np.frombuffer(buffers[2], np.uint8)[offsets[0] : offsets[-1]]
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.full(longest, _MULTIPLIER, np.uint64))
        if len(data) == longest * len(column):  # ids and hashes
            sums = data.reshape(-1, longest).astype(np.uint64) @ powers + powers.sum(dtype=np.uint64)
        else:
            places = np.arange(len(data)) - np.repeat(offsets[:-1] - offsets[0], lengths)
            products = (data.astype(np.uint64) + np.uint64(1)) * powers[places]
            terms = np.concatenate([[np.uint64(0)], np.cumsum(products, dtype=np.uint64)])
            sums = terms[offsets[1:] - offsets[0]] - terms[offsets[:-1] - offsets[0]]
        return splitmix64_column(sums ^ (lengths.astype(np.uint64) * _MULTIPLIER))


def partition_numbers(column: pa.Array, parts: int, *, by_value: bool = False) -> npt.NDArray[np.int32]:
    """Return the partition, from 0, of each row by its key.

    Args:
        by_value: The key is the number of the partition.

    Raises:
        ValueError: A number is not in ``[0, parts)``.
    """
    if not by_value:
        return (hash_column(column) % np.uint64(parts)).astype(np.int32)
    numbers = np.asarray(column).astype(np.int64)
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < parts):
        raise ValueError(f"partition numbers {numbers.min()} to {numbers.max()} for {parts} partitions")
    return numbers.astype(np.int32)
