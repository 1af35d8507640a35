"""Words and shingles of texts, as 64-bit hashes computed over whole columns.

A word is a match of ``re.findall(r"\\w+", text.lower())``, except that in scripts that do not separate words
(`corpusmill.pipelines.stages.dedup.scripts`) each letter with its marks is a word: ``中文abc1`` has three. A shingle is
`ngram` consecutive words. A text with fewer words is one shingle, and a text without words has none. Hashes depend on
the words alone and are equal on every machine:

- A word of up to `LONG_WORD` bytes of UTF-8 is read in little-endian pieces of 8 bytes (the last one padded with zeros)
  and folded by ``h = splitmix64(h ^ piece)``, starting from its length in bytes. A longer word is hashed with BLAKE2b
  to 8 bytes.
- A shingle is ``splitmix64`` of the sum of its words' hashes, each times a power of `MULTIPLIER`.

Shapes: B bytes of a column, W words, S shingles, D documents.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup.scripts import FIRST_UNSPACED, unspaced
from corpusmill.schemas.splitmix import splitmix64_column

UInt64: TypeAlias = npt.NDArray[np.uint64]
Int64: TypeAlias = npt.NDArray[np.int64]
Bytes: TypeAlias = npt.NDArray[np.uint8]
Bools: TypeAlias = npt.NDArray[np.bool_]

LONG_WORD: Final = 256
"""Bytes above which words are hashed individually, so that a text of one long word costs no more than other texts."""
MULTIPLIER: Final = 0x94D049BB133111EB
"""Odd, and 3 modulo 4: swapping two words changes the sum in all bits but one."""
PADDING: Final = np.uint64(0xD6E8FEB86659FD93)
"""Pads texts that are shorter than a shingle."""
_SEPARATOR: Final = b"\n"


class Ragged(NamedTuple):
    """Values of D documents in sequence: document d has the next ``counts_D[d]`` values."""

    values: UInt64
    counts_D: Int64  # noqa: N815


def shingles(texts: Sequence[str], *, ngram: int) -> Ragged:
    """Return the shingles of each text in the order of its words, including repeated ones.

    >>> shingles(["Fish and chips", "fish AND chips!", "", "a b c d e f"], ngram=5).counts_D.tolist()
    [1, 1, 0, 2]
    """
    words, counts_D = word_hashes(texts)  # noqa: N806
    words, counts_D = _padded(words, counts_D, ngram=ngram)  # noqa: N806
    if not len(words):
        return Ragged(words, counts_D)
    sums = _window_sums(words, ngram=ngram)
    shingles_D = np.maximum(counts_D - (ngram - 1), 0)  # noqa: N806
    return Ragged(splitmix64_column(sums[_inner_places(counts_D, shingles_D)]), shingles_D)


def word_hashes(texts: Sequence[str]) -> Ragged:
    """Return the hash of each word of each text, in order."""
    lowered = [text.lower().encode() for text in texts]
    joined = _SEPARATOR.join(lowered) + bytes(8)
    starts_W, ends_W = _words(joined)  # noqa: N806
    ends_D = np.cumsum([len(text) + 1 for text in lowered], dtype=np.int64)  # noqa: N806
    counts_D = np.diff(np.searchsorted(starts_W, ends_D), prepend=0)  # noqa: N806
    return Ragged(_hash_words(joined, starts_W, ends_W - starts_W), counts_D.astype(np.int64))


def _hash_words(data: bytes, starts_W: Int64, lengths_W: Int64) -> UInt64:  # noqa: N803
    """Hash the words of *data*, which has at least 7 more bytes after the last word."""
    pieces_B = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))  # noqa: N806
    first = pieces_B[starts_W] & _LOW_BYTES[np.minimum(lengths_W, 8)]
    hashes_W = splitmix64_column(lengths_W.astype(np.uint64) ^ first)  # noqa: N806
    rest = np.flatnonzero((lengths_W > 8) & (lengths_W <= LONG_WORD))
    for done in range(8, LONG_WORD, 8):
        left = lengths_W[rest] - done
        piece = pieces_B[starts_W[rest] + done] & _LOW_BYTES[np.minimum(left, 8)]
        hashes_W[rest] = splitmix64_column(hashes_W[rest] ^ piece)
        rest = rest[left > 8]
        if not len(rest):
            break
    for index in np.flatnonzero(lengths_W > LONG_WORD):
        word = data[starts_W[index] : starts_W[index] + lengths_W[index]]
        hashes_W[index] = int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little")
    return hashes_W


_LOW_BYTES: Final = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)


def _padded(words: UInt64, counts_D: Int64, *, ngram: int) -> Ragged:  # noqa: N803
    """Pad each text that has at least one but fewer than *ngram* words."""
    missing_D = np.where(counts_D > 0, np.maximum(ngram - counts_D, 0), 0)  # noqa: N806
    if not missing_D.any():
        return Ragged(words, counts_D)
    places = np.repeat(np.cumsum(counts_D), missing_D)
    return Ragged(np.insert(words, places, PADDING), counts_D + missing_D)


def _window_sums(words: UInt64, *, ngram: int) -> UInt64:
    """Return the weighted sum of the *ngram* words from each position. Sums across text boundaries are included."""
    weights = [np.uint64(pow(MULTIPLIER, power, 1 << 64)) for power in range(ngram)]
    count = len(words) - ngram + 1
    sums = words[:count].copy()
    for power in range(1, ngram):
        sums += words[power : power + count] * weights[power]
    return sums


def _inner_places(counts_D: Int64, shingles_D: Int64) -> Int64:  # noqa: N803
    """Return the positions whose windows lie within one text."""
    first_D = np.cumsum(counts_D) - counts_D  # noqa: N806
    shift_D = first_D - (np.cumsum(shingles_D) - shingles_D)  # noqa: N806
    places: Int64 = np.arange(shingles_D.sum(), dtype=np.int64) + np.repeat(shift_D, shingles_D)
    return places


def _words(utf8: bytes) -> tuple[Int64, Int64]:
    """Return the first byte of each word of *utf8*, which must not end in a word, and the byte after each word."""
    utf8_B = np.frombuffer(utf8, np.uint8)  # noqa: N806
    is_word_B = np.frombuffer(bytearray(utf8.translate(_ascii_words())), np.bool_)  # noqa: N806
    heads = np.flatnonzero(utf8_B >= 0xC0)
    breaks = np.empty(0, np.int64)
    if len(heads):
        points, lengths = _code_points(utf8_B, heads)
        greatest = points.max()
        size = _BASIC if greatest < _BASIC else sys.maxunicode + 1
        _mark(is_word_B, heads, lengths, _word_table(size)[points])
        if greatest >= FIRST_UNSPACED:
            breaks = _breaks(is_word_B, heads, lengths, points, size=size)
    edges = np.flatnonzero(is_word_B[1:] != is_word_B[:-1]) + 1
    if is_word_B[0]:
        edges = np.concatenate([[0], edges])
    starts, ends = edges[::2], edges[1::2]
    if not len(breaks):
        return starts, ends
    return np.sort(np.concatenate([starts, breaks])), np.sort(np.concatenate([ends, breaks]))


def _breaks(is_word_B: Bools, heads: Int64, lengths: Int64, points: Int64, *, size: int) -> Int64:  # noqa: N803
    """Return the positions within words at which another word begins, after adding marks to the words in *is_word_B*.

    The characters that start at *heads* have *points* below *size*.
    """
    late = np.flatnonzero(points >= FIRST_UNSPACED)
    tables = unspaced(size)
    is_letter, is_mark = tables.letters[points[late]], tables.marks[points[late]]
    is_either = is_letter | is_mark
    if not is_either.any():
        return np.empty(0, np.int64)
    heads, lengths = heads[late], lengths[late]
    _mark(is_word_B, heads, lengths, is_mark)
    is_unspaced_B = np.zeros(len(is_word_B), np.bool_)  # noqa: N806
    _mark(is_unspaced_B, heads, lengths, is_either)
    is_break_B = np.zeros(len(is_word_B), np.bool_)  # noqa: N806
    is_break_B[1:] = is_unspaced_B[1:] != is_unspaced_B[:-1]
    is_break_B[heads[is_letter]] = True
    is_break_B[1:] &= is_word_B[1:] & is_word_B[:-1]
    is_break_B[0] = False
    return np.flatnonzero(is_break_B)


def _mark(flags_B: Bools, heads: Int64, lengths: Int64, chosen: Bools) -> None:  # noqa: N803
    """Set the flags of all bytes of the *chosen* characters."""
    for step in range(4):
        flags_B[heads[chosen & (lengths > step)] + step] = True


def _code_points(utf8_B: Bytes, heads: Int64) -> tuple[Int64, Int64]:  # noqa: N803
    """Decode the characters of two to four bytes that start at *heads* to code points and lengths in bytes."""
    first = utf8_B[heads].astype(np.int64)
    lengths = 2 + (first >= 0xE0) + (first >= 0xF0)
    points = first & (0x7F >> lengths)
    for step in range(1, 4):
        more = lengths > step
        tail = utf8_B[np.where(more, heads + step, heads)].astype(np.int64) & 0x3F
        points = np.where(more, points << 6 | tail, points)
    return points, lengths


_BASIC: Final = 1 << 16
"""Number of code points of the Basic Multilingual Plane, which covers most texts."""


@cache
def _word_table(count: int) -> Bools:
    """Return for each of the first *count* code points whether ``\\w`` matches it, as computed by `re`.

    The table of all 1.1 million code points takes 0.1 CPU seconds, so it is built only if a text needs it.
    """
    table = np.zeros(count, np.bool_)
    for match in re.finditer(r"\w+", "".join(map(chr, range(count)))):
        table[match.start() : match.end()] = True
    return table


@cache
def _ascii_words() -> bytes:
    """Return the table that maps ASCII word characters to 1 and all other bytes to 0."""
    return bytes(_word_table(128)) + bytes(128)
