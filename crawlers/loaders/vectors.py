"""Embeddings in a field of a row, as vectors of float32.

A record whose field is not a vector stays, without one, and is counted by the reason (`schemas.vectors`). The hash of
the row has the SHA-256 of the components in place of the numbers, because writing a thousand numbers as JSON takes
longer than everything else that a loader does with a row.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.schemas.vectors import LENGTH, MAX_DIMENSIONS, MISSING, NOT_NUMBERS, TOO_LONG, VECTOR_COUNTS, ZERO

Float32: TypeAlias = npt.NDArray[np.float32]

_NUMBERS: Final = frozenset((int, float, type(None)))


class VectorField:
    """The field *name* of rows. Records with and without a vector in it are counted in *counts*."""

    def __init__(self, name: str, counts: Counter[str]) -> None:
        self.name = name
        self._counts = counts

    def count(self, outcome: str) -> None:
        """Count a record by the *outcome* of `vector_of`."""
        self._counts[f"{VECTOR_COUNTS}{outcome}"] += 1


class Taken(NamedTuple):
    """A row with a short list in place of its vector, the vector, and the name under which the record is counted."""

    row: dict[str, Any]
    vector: Float32 | None
    outcome: str


def taken(row: dict[str, Any], name: str) -> Taken:
    """Return the vector in the field *name* of *row*, and the row with the hash of the vector."""
    components = as_float32(row.get(name))
    if components is None:
        return Taken(row, None, MISSING if row.get(name) is None else NOT_NUMBERS)
    digest = hashlib.sha256(components.astype("<f4").tobytes()).hexdigest()
    vector, outcome = vector_of(components)
    return Taken({**row, name: [digest]}, vector, outcome)


def vector_of(components: Float32) -> tuple[Float32 | None, str]:
    """Return *components* if they are a vector, and the name under which its record is counted.

    >>> vector_of(np.array([1, 2], np.float32))[1], vector_of(np.zeros(3, np.float32))
    ('length.2', (None, 'zero'))
    """
    if len(components) > MAX_DIMENSIONS:
        return None, TOO_LONG
    if not np.isfinite(components).all():
        return None, NOT_NUMBERS
    if not components.any():
        return None, ZERO
    return components, f"{LENGTH}{len(components)}"


def as_float32(value: Any) -> Float32 | None:
    """Return the numbers of a list, with NaN for null; None if *value* is not a list of numbers.

    A number that is too large for float32 is infinite.

    >>> as_float32([1, 2.5, None]), as_float32([True]), as_float32("1, 2")
    (array([1. , 2.5, nan], dtype=float32), None, None)
    """
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, list) or not _NUMBERS.issuperset(map(type, value)):
        return None
    try:
        numbers = np.array(value, np.float64)
    except OverflowError:  # an integer beyond the range of float64
        return None
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def is_list_of_numbers(kind: pa.DataType) -> bool:
    """Return whether a column of Parquet of this type can have vectors."""
    kind = getattr(kind, "storage_type", kind)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)))


def float32_rows(column: pa.Array) -> list[Float32 | None]:
    """Return the numbers of each row of a column for which `is_list_of_numbers`, with NaN for null components."""
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    lists = storage.cast(pa.list_(pa.float32()), safe=False)
    components = lists.values.to_numpy(zero_copy_only=False)
    components = np.where(np.isnan(components), np.float32(np.nan), components)  # one NaN, so that hashes are equal
    offsets = lists.offsets.to_pylist()
    return [
        components[start:end] if is_valid else None
        for start, end, is_valid in zip(offsets, offsets[1:], lists.is_valid().to_pylist(), strict=False)
    ]
