"""Tokenize many documents at once: words, lines and paragraphs as arrays over the whole batch.

Shapes: D documents, W words, U different words, S lines or paragraphs (segments); ``…_W`` has one entry per word.

- A *word* is a longest run of characters that are not white space (`str.split`).
- A *line* is the text between two line feeds, if it has at least one word.
- A *paragraph* is a longest run of lines without an empty line in between.
- White space does not count as characters: lengths are code points of words. Lines and paragraphs are equal if their
  words are equal.
"""

# ruff: noqa: N802, N806, N815 (arrays carry their shape as a suffix)
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Mask: TypeAlias = npt.NDArray[np.bool_]

_ASCII_SPACES: Final = np.isin(np.arange(256), (*range(9, 14), *range(28, 33)))
_TWO_BYTES: Final = (b"\xc2\x85", b"\xc2\xa0")
_THREE_BYTES: Final = tuple(
    chr(point).encode() for point in (0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
)
"""The white space of Unicode beyond ASCII, as defined by `str.isspace`."""


@dataclass(frozen=True)
class Segments:
    """Runs of words: lines or paragraphs.

    Args:
        starts_S: Number of the first word, ascending.
        ends_S: Number of the word after the last one.
        document_S: Number of the document.
        id_S: Equal for equal segments, also across documents.
        chars_S: Number of characters.
    """

    starts_S: Integers
    ends_S: Integers
    document_S: Integers
    id_S: Integers
    chars_S: Integers


@dataclass(frozen=True)
class Words:
    """The words of a batch, document by document.

    Args:
        documents: Number D of documents.
        offsets: First word of each document, and the number of all words; shape ``(D + 1,)``.
        document_W: Number of the document.
        id_W: Index of the word in `different`.
        line_W: Line feeds before the word, counted over the batch.
        different: The U different words.
    """

    documents: int
    offsets: Integers
    document_W: Integers
    id_W: npt.NDArray[np.int32]
    line_W: Integers
    different: pa.StringArray

    @cached_property
    def chars_U(self) -> Integers:
        """Return the code points of each different word."""
        return _int64(pc.utf8_length(self.different))

    @cached_property
    def chars_before(self) -> Integers:
        """Return the number of characters in the words before each word, shape ``(W + 1,)``."""
        return running(self.chars_U[self.id_W])

    @cached_property
    def chars_D(self) -> Integers:
        """Return the number of characters of each document."""
        return np.diff(self.chars_before[self.offsets])

    @cached_property
    def lines(self) -> Segments:
        """Return the lines."""
        return self._segments(1)

    @cached_property
    def paragraphs(self) -> Segments:
        """Return the paragraphs, which are separated by at least two line feeds between two words."""
        return self._segments(2)

    def _segments(self, feeds: int) -> Segments:
        begins_W = np.ones(len(self.id_W), np.bool_)
        begins_W[1:] = (np.diff(self.line_W) >= feeds) | (np.diff(self.document_W) > 0)
        starts = np.flatnonzero(begins_W)
        ends = np.append(starts, len(self.id_W))[1:]
        chars = self.chars_before[ends] - self.chars_before[starts]
        return Segments(starts, ends, self.document_W[starts], self._segment_ids(starts), chars)

    def _segment_ids(self, starts: Integers) -> Integers:
        """Number the segments by their words. The compared keys are the bytes of their consecutive word ids."""
        offsets = (np.append(starts, len(self.id_W)) * self.id_W.itemsize).astype(np.int32)
        rows = pa.Array.from_buffers(
            pa.binary(), len(starts), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(self.id_W))]
        )
        return _int64(rows.dictionary_encode().indices)


def words_of(text: pa.StringArray) -> Words:
    """Tokenize *text*; a null is an empty document."""
    data, offsets = _bytes(text)
    is_space = _is_space(data)
    begins, ends = _runs(is_space, offsets)
    encoded = _slices(data, is_space, begins, ends).dictionary_encode()
    word_offsets = np.searchsorted(begins, offsets).astype(np.int64)
    return Words(
        documents=len(text),
        offsets=word_offsets,
        document_W=np.repeat(np.arange(len(text)), np.diff(word_offsets)),
        id_W=np.asarray(encoded.indices),
        line_W=np.searchsorted(np.flatnonzero(data == 10), begins),
        different=encoded.dictionary,
    )


def running(values: Integers) -> Integers:
    """Return the sum of the values before each position, and the total: one longer than *values*."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _int64(values: pa.Array) -> Integers:
    return np.asarray(values).astype(np.int64)


def _bytes(text: pa.StringArray) -> tuple[Bytes, Integers]:
    """Return the UTF-8 of *text* without gaps, and the offsets of its documents."""
    if text.null_count:
        text = text.fill_null("")
    offsets = np.frombuffer(text.buffers()[1] or bytes(4), np.int32)[text.offset : text.offset + len(text) + 1]
    offsets = offsets.astype(np.int64) if len(offsets) else np.zeros(1, np.int64)
    buffer = text.buffers()[2]
    data = np.frombuffer(buffer, np.uint8) if buffer is not None else np.zeros(0, np.uint8)
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _is_space(data: Bytes) -> Mask:
    """Mark the bytes of white space."""
    is_space: Mask = _ASCII_SPACES[data]
    for spaces, leads in ((_TWO_BYTES, (0xC2,)), (_THREE_BYTES, (0xE1, 0xE2, 0xE3))):
        length = len(spaces[0])
        is_lead = data[: len(data) - length + 1] == leads[0]
        for lead in leads[1:]:
            is_lead |= data[: len(data) - length + 1] == lead
        at = np.flatnonzero(is_lead)
        if not len(at):
            continue
        points = sum(data[at + place].astype(np.int64) << 8 * (length - 1 - place) for place in range(length))
        matches = at[np.isin(points, [int.from_bytes(space, "big") for space in spaces])]
        for place in range(length):
            is_space[matches + place] = True
    return is_space


def _runs(is_space: Mask, offsets: Integers) -> tuple[Integers, Integers]:
    """Return where words begin and end. The end of a document ends a word."""
    is_word = ~is_space
    before = np.zeros(len(is_word), np.bool_)
    before[1:] = is_word[:-1]
    before[offsets[:-1][offsets[:-1] < len(is_word)]] = False
    after = np.zeros(len(is_word), np.bool_)
    after[:-1] = is_word[1:]
    after[offsets[1:][offsets[1:] > 0] - 1] = False
    return np.flatnonzero(is_word & ~before), np.flatnonzero(is_word & ~after) + 1


def _slices(data: Bytes, is_space: Mask, begins: Integers, ends: Integers) -> pa.StringArray:
    """Return the words as an Arrow array, built from their bytes."""
    offsets = running(ends - begins).astype(np.int32)
    return pa.StringArray.from_buffers(len(begins), pa.py_buffer(offsets), pa.py_buffer(data[~is_space]))
