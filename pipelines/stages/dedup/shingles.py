"""Words and shingles of texts, as 64-bit hashes computed over whole columns.

A word is a match of ``re.findall(r"\\w+", text.lower())``, except that in scripts that do not separate words
(`corpusmill.pipelines.stages.dedup.scripts`) each letter with its marks is a word: ``中文abc1`` has three. A shingle is
`ngram` consecutive words. A text with fewer words is one shingle, and a text without words has none. Hashes depend on
the words alone and are equal on every machine:

- A word is read in little-endian pieces of 8 bytes of UTF-8 (the last one padded with zeros) and folded by
  ``h = splitmix64(h ^ piece)``, starting from its length in bytes.
- A shingle is ``splitmix64`` of the sum of its words' hashes, each times a power of 0x94D049BB133111EB. This number is
  odd, and 3 modulo 4: swapping two words changes the sum in all bits but one. Texts shorter than a shingle are padded
  with the number 0xD6E8FEB86659FD93.

The loops are in C (`native/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.stages.dedup import _kernel
from corpusmill.pipelines.stages.dedup.characters import characters_for

UInt64: TypeAlias = npt.NDArray[np.uint64]
Int64: TypeAlias = npt.NDArray[np.int64]
Texts: TypeAlias = pa.StringArray | Sequence[str]

MAX_NGRAM: Final = 64
_FIRST_BEYOND_ASCII: Final = 0x80


class Ragged(NamedTuple):
    """Values of D documents in sequence: document d has the next ``counts_D[d]`` values."""

    values: UInt64
    counts_D: Int64  # noqa: N815


class Columns(NamedTuple):
    """A column of texts as the kernel reads it: UTF-8 bytes, offsets, and tables of characters."""

    utf8: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int32]
    lower: npt.NDArray[np.int32]
    classes: npt.NDArray[np.uint8]


def word_hashes(texts: Texts) -> Ragged:
    """Return the hash of each word of each text, in order."""
    return ragged(*_kernel.hashes(*columns(texts), 1, _kernel.WORDS))


def shingles(texts: Texts, *, ngram: int) -> Ragged:
    """Return the shingles of each text in the order of its words, including repeated ones.

    >>> shingles(["Fish and chips", "fish AND chips!", "", "a b c d e f"], ngram=5).counts_D.tolist()
    [1, 1, 0, 2]
    """
    return ragged(*_kernel.hashes(*columns(texts), ngram, _kernel.SHINGLES))


def shingle_sets(texts: Texts, *, ngram: int) -> Ragged:
    """Return the distinct shingles of each text, sorted.

    >>> shingle_sets(["a b a b a b", ""], ngram=2).counts_D.tolist()
    [2, 0]
    """
    return ragged(*_kernel.hashes(*columns(texts), ngram, _kernel.SETS))


def columns(texts: Texts) -> Columns:
    """Return *texts* (no nulls) in the form of the kernel.

    Texts whose lower case depends on more than single characters, such as those with a capital sigma, are lower-cased
    here.
    """
    column = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())
    utf8, offsets = _buffers(column)
    used = utf8[offsets[0] : offsets[-1]]
    tables = characters_for(used)
    if len(used) and int(used.max()) >= _FIRST_BEYOND_ASCII:
        rows = _kernel.special_rows(utf8, offsets, *tables)
        if rows:
            return Columns(*_buffers(_with_lower_case(column, rows)), *tables)
    return Columns(utf8, offsets, *tables)


def _with_lower_case(column: pa.StringArray, rows: list[int]) -> pa.StringArray:
    lowered = [text.lower() for text in column.take(pa.array(rows)).to_pylist()]
    mask = np.zeros(len(column), np.bool_)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array(lowered, pa.string()))


def _buffers(column: pa.StringArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
    _, offsets, data = column.buffers()
    if not len(column):
        return np.empty(0, np.uint8), np.zeros(1, np.int32)
    starts = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8), starts


def ragged(values: bytes, counts: bytes) -> Ragged:
    """Return what the kernel returned as arrays."""
    return Ragged(np.frombuffer(values, np.uint64), np.frombuffer(counts, np.int64))
