"""Divide texts into lines and paragraphs, as whole columns: pieces are ranges of bytes of the column's buffer.

White space is that of `str.isspace`. Lines end at ``\\n`` only, so that every other character of white space can be
treated like a blank.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Unit: TypeAlias = Literal["paragraph", "line"]

_NEWLINE: Final = 10
_BLANK: Final = 32
_WIDE_SPACES: Final = np.array([point for point in range(128, 0x3001) if chr(point).isspace()])
"""White space outside ASCII: U+0085 and U+00A0 (two bytes in UTF-8), U+1680 to U+3000 (three bytes)."""


class Texts(NamedTuple):
    """The bytes of a column of texts: that of row i is ``data[offsets[i] : offsets[i + 1]]``."""

    data: Bytes
    offsets: Int64

    @classmethod
    def of(cls, column: pa.StringArray) -> Texts:
        """Return the bytes of *column* (no nulls) without copying them."""
        if not len(column):
            return cls(np.empty(0, np.uint8), np.zeros(1, np.int64))
        _, offset_buffer, data_buffer = column.buffers()
        offsets = np.frombuffer(offset_buffer, np.int32)[column.offset : column.offset + len(column) + 1]
        data = np.frombuffer(data_buffer or b"", np.uint8)[offsets[0] : offsets[-1]]
        return cls(data, offsets.astype(np.int64) - int(offsets[0]))

    def column(self) -> pa.StringArray:
        """Return the texts as a column."""
        buffers = [None, pa.py_buffer(self.offsets.astype(np.int32)), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.string(), len(self.offsets) - 1, buffers)


class Spans(NamedTuple):
    """Pieces in order, without empty ones: bytes ``[starts, ends)`` of `Texts.data` in the text of the row `rows`."""

    rows: Int64
    starts: Int64
    ends: Int64


def is_space(data: Bytes) -> npt.NDArray[np.bool_]:
    r"""Return which bytes are white space of ASCII. Differences wrap around, so each is one comparison of a range.

    >>> bytes(code for code in range(256) if is_space(np.array([code], np.uint8))[0])
    b'\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f '
    """
    space: npt.NDArray[np.bool_] = (data == _BLANK) | (data - np.uint8(9) < 5) | (data - np.uint8(28) < 4)
    return space


def with_plain_spaces(texts: Texts) -> Texts:
    """Return *texts* with all white space outside ASCII replaced by blanks, as many as it has bytes.

    >>> with_plain_spaces(Texts.of(pa.array(["a\\u3000b", "é"]))).column().to_pylist()
    ['a   b', 'é']
    """
    data = texts.data
    at = np.flatnonzero((data == 0xC2) | ((data >= 0xE1) & (data <= 0xE3)))
    if not len(at):
        return texts
    padded = np.concatenate([data, np.zeros(2, np.uint8)]).astype(np.int32)
    first, second, third = padded[at], padded[at + 1] & 0x3F, padded[at + 2] & 0x3F
    is_long = first != 0xC2
    points = np.where(is_long, (first & 0x0F) << 12 | second << 6 | third, (first & 0x1F) << 6 | second)
    wide = np.isin(points, _WIDE_SPACES)
    if not wide.any():
        return texts
    data = data.copy()
    data[at[wide]] = data[at[wide] + 1] = data[at[wide & is_long] + 2] = _BLANK
    return Texts(data, texts.offsets)


def spans(texts: Texts, unit: Unit) -> Spans:
    r"""Return the lines, or the paragraphs between empty lines, of *texts*, from `with_plain_spaces`.

    A line of white space is empty. A piece begins at the beginning of a line and ends before a newline.

    >>> texts = Texts.of(pa.array(["a\nb\n \n  c\n", "", "d"]))
    >>> [bytes(texts.data[start:end]) for _, start, end in zip(*spans(texts, "paragraph"))]
    [b'a\nb', b'  c', b'd']
    """
    newlines = np.flatnonzero(texts.data == _NEWLINE)
    starts = np.sort(np.concatenate([texts.offsets[:-1], newlines + 1]), kind="stable")
    ends = np.sort(np.concatenate([newlines, texts.offsets[1:]]), kind="stable")
    lines = np.diff(np.searchsorted(newlines, texts.offsets)) + 1
    rows = np.repeat(np.arange(len(lines)), lines)
    spaces = np.flatnonzero(is_space(texts.data))
    is_empty = np.searchsorted(spaces, ends) - np.searchsorted(spaces, starts) == ends - starts
    if unit == "line":
        return Spans(rows[~is_empty], starts[~is_empty], ends[~is_empty])
    follows = np.zeros(len(rows), np.bool_)
    follows[1:] = ~is_empty[:-1] & (rows[1:] == rows[:-1])
    is_first = ~is_empty & ~follows
    is_last = ~is_empty & np.append(is_empty[1:] | (rows[1:] != rows[:-1]), True)[: len(rows)]
    return Spans(rows[is_first], starts[is_first], ends[is_last])
