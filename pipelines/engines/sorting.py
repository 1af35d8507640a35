"""Stable sorting of rows by several key columns.

The keys of a row are read as one long number: integers, dates and floats as 64 order-preserving bits, strings and bytes
eight bytes at a time. A pass packs as many of these bits as fit, followed by the row's position, into 64 bits and sorts
the packed numbers. Only rows that are still equal enter the next pass. numpy sorts plain 64-bit numbers with vector
instructions: sorting a million rows by three integer keys took a fifth of the time of `pyarrow.compute.sort_indices`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import takewhile
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_WORD_BYTES: Final = 8
_MAX_WORDS: Final = 4
"""8-byte words of a string to compare, after the prefix that all strings share, before Arrow ranks the rest."""
_SIGN: Final = np.uint64(1 << 63)

Rows: TypeAlias = npt.NDArray[np.int64]
WordReader: TypeAlias = Callable[[Rows | None], npt.NDArray[np.uint64]]
"""Reads the sort key of the rows passed, or of all rows, as numbers."""


def sorted_positions(keys: Sequence[pa.Array]) -> Rows:
    """Compute the positions that sort rows by *keys* in order of priority; equal rows keep their order.

    Floats sort as in Arrow: NaN after all numbers, 0.0 and -0.0 equal. Strings sort by their UTF-8 bytes.

    Raises:
        ValueError: A key has nulls or a type that cannot be sorted.

    >>> sorted_positions([pa.array([2, 1, 2]), pa.array(["b", "c", "a"])]).tolist()
    [1, 2, 0]
    """
    ties = _Ties(keys)
    while (packed := ties.next_bits()) is not None:
        ties.sort(packed)
    return ties.positions


class _Ties:
    """Rows that are still equal: *rows* in sorted order, each in its slot of *positions*, numbered by group."""

    def __init__(self, keys: Sequence[pa.Array]) -> None:
        self.positions = np.arange(len(keys[0]), dtype=np.int64)
        self._rows = self.positions
        self._slots = self.positions
        self._groups = np.zeros(len(self._rows), np.uint64)
        self._readers = _readers_of(keys)
        self._words = np.empty(0, np.uint64)
        self._bits = 0

    def next_bits(self) -> npt.NDArray[np.uint64] | None:
        """Return each row's group followed by as many of its next bits as fit; None when all rows are sorted."""
        if len(self._rows) < 2:
            return None
        free = 64 - int(self._groups[-1]).bit_length() - self._place_bits
        packed: npt.NDArray[np.uint64] | None = None
        while free:
            while not self._bits:
                if (read := next(self._readers, None)) is None:
                    return packed
                self._words, self._bits = _narrowed(read(None if self._rows is self.positions else self._rows))
            used = min(free, self._bits)
            self._bits -= used
            free -= used
            packed = (self._groups if packed is None else packed) << np.uint64(used)
            packed |= (self._words >> np.uint64(self._bits)) & _mask(used)
        return packed

    @property
    def _place_bits(self) -> int:
        return (len(self._rows) - 1).bit_length()

    def sort(self, packed: npt.NDArray[np.uint64]) -> None:
        """Sort the rows by *packed*, and continue with those that are still equal."""
        divided = self._rows_of_divided_groups(packed)
        if divided is not None and not len(divided):
            return
        numbered = (packed if divided is None else packed[divided]) << np.uint64(self._place_bits)
        numbered |= np.arange(len(numbered), dtype=np.uint64)
        numbered.sort()
        places = (numbered & _mask(self._place_bits)).view(np.int64)
        numbered >>= np.uint64(self._place_bits)
        if divided is None:
            packed = numbered
        else:
            packed[divided] = numbered
            places = _with(np.arange(len(packed)), divided, divided[places])
        self._rows = self._rows[places]
        if self._slots is self.positions:
            self._slots = np.arange(len(places))
            self.positions = self._rows
        else:
            self.positions[self._slots] = self._rows
        starts = np.ones(len(packed) + 1, np.bool_)
        np.not_equal(packed[1:], packed[:-1], out=starts[1:-1])
        self._keep(np.flatnonzero(~(starts[1:] & starts[:-1])), places, starts)

    def _rows_of_divided_groups(self, packed: npt.NDArray[np.uint64]) -> Rows | None:
        """Return the rows of the groups in which *packed* differs between rows; None for all rows."""
        if not self._groups[-1]:
            return None if (packed != packed[0]).any() else np.empty(0, np.int64)
        is_change = (self._groups[1:] == self._groups[:-1]) & (packed[1:] != packed[:-1])
        is_divided = np.zeros(int(self._groups[-1]) + 1, np.bool_)
        is_divided[self._groups[1:][is_change]] = True
        return None if is_divided.all() else np.flatnonzero(is_divided[self._groups])

    def _keep(self, tied: Rows, places: Rows, starts: npt.NDArray[np.bool_]) -> None:
        self._slots, self._rows = self._slots[tied], self._rows[tied]
        self._groups = np.cumsum(starts[tied], dtype=np.uint64) - np.uint64(1)
        if self._bits:
            self._words = self._words[places[tied]]


def _readers_of(keys: Sequence[pa.Array]) -> Iterator[WordReader]:
    for key in keys:
        if is_bytes(key.type):
            yield from _text_readers(_as_binary(key))
        else:
            yield partial(_of_rows, ordered_words(key))


def _text_readers(column: pa.Array) -> Iterator[WordReader]:
    if not len(column):
        return
    ends = pc.min_max(column)
    shared = _shared_bytes(ends["min"].as_py(), ends["max"].as_py())
    lengths = np.asarray(pc.binary_length(column)).astype(np.uint64)
    longest = int(lengths.max())
    compared = shared + _MAX_WORDS * _WORD_BYTES
    for start in range(shared, min(longest, compared), _WORD_BYTES):
        yield partial(_text_word, column, start)
    if longest <= compared:  # the last word is padded with zero bytes, so lengths break the tie
        yield partial(_of_rows, lengths)
    else:
        yield partial(_ranks, column)


def _of_rows(words: npt.NDArray[np.uint64], rows: Rows | None) -> npt.NDArray[np.uint64]:
    return words if rows is None else words[rows]


def _ranks(column: pa.Array, rows: Rows | None) -> npt.NDArray[np.uint64]:
    chosen = column if rows is None else column.take(pa.array(rows))
    return np.asarray(pc.rank(chosen, sort_keys="ascending", tiebreaker="dense")).astype(np.uint64)


def _with(values: Rows, slots: Rows, others: Rows) -> Rows:
    values[slots] = others
    return values


def _mask(bits: int) -> np.uint64:
    return np.uint64((1 << bits) - 1)


def _narrowed(words: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], int]:
    """Return *words* minus their minimum, and how many low bits differ."""
    least = words.min()
    return words - least, int(words.max() - least).bit_length()


def is_bytes(kind: pa.DataType) -> bool:
    """Return whether values of type *kind* compare byte by byte."""
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def ordered_words(column: pa.Array) -> npt.NDArray[np.uint64]:
    """Map numbers, booleans, dates and timestamps to unsigned numbers in the same order.

    Raises:
        ValueError: The column has nulls or a type that cannot be sorted.
    """
    kind = column.type
    if column.null_count:
        raise ValueError("a key column has nulls")
    if pa.types.is_floating(kind):
        return _ordered_floats(np.asarray(column).astype(np.float64))
    if pa.types.is_timestamp(kind):
        column = column.view(pa.int64())
    elif pa.types.is_date32(kind):
        column = column.view(pa.int32())
    elif not (pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise ValueError(f"a column of type {kind} cannot be a key")
    values = np.asarray(column)
    if pa.types.is_unsigned_integer(kind):
        return values.astype(np.uint64)
    return values.astype(np.int64).view(np.uint64) ^ _SIGN


def _ordered_floats(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    values = values + 0.0  # -0.0 becomes 0.0
    values[np.isnan(values)] = np.nan  # one NaN, without a sign
    bits = values.view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _as_binary(column: pa.Array) -> pa.Array:
    if column.null_count:
        raise ValueError("a key column has nulls")
    return column.cast(pa.binary())


def _shared_bytes(one: bytes, other: bytes) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _text_word(column: pa.Array, start: int, rows: Rows | None) -> npt.NDArray[np.uint64]:
    """Read the bytes ``[start, start + 8)`` of each value as one big-endian number, padded with zeros."""
    if rows is not None and len(rows) * 4 < len(column):
        return _text_word(column.take(pa.array(rows)), start, None)
    piece = pc.binary_slice(column, start, start + _WORD_BYTES)
    padded = pc.ascii_rpad(piece.view(pa.string()), width=_WORD_BYTES, padding="\0")
    data = np.frombuffer(padded.buffers()[2] or b"", ">u8", count=len(padded), offset=padded.offset * _WORD_BYTES)
    return _of_rows(data.astype(np.uint64), rows)
