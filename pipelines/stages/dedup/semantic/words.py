"""Vectors of texts without a model: TF-IDF weights of words, hashed to a number of dimensions.

Each distinct word is added to one dimension, chosen by its hash, with a sign that is also chosen by its hash, so that
words that share a dimension cancel out on average (Weinberger et al. 2009, arXiv:0902.2206). Its weight is
``(1 + log2 tf) (1 + log2 (n / df))``: *tf* is how often the text has the word, and *df* how many of *n* documents have
it. Logarithms are rounded down to eighths and computed with integers, because those of a C library differ in the last
digit between machines.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from corpusmill.pipelines.stages.dedup.semantic.vectors import Float64, Int64, Vectors, quantized
from corpusmill.schemas.splitmix import splitmix64_column

_SEED: Final = np.uint64(0x5E11A7C0_5E11A7C0)
_MAX_LOG: Final = 32
EIGHTHS: Final = 8


def _eighth_powers() -> Int64:
    """Return the least integer t with ``8 log2 t >= k``, for each k."""
    least, t = [], 1
    for k in range(EIGHTHS * _MAX_LOG):
        t = max(t, round(2 ** (k / EIGHTHS)) - 1)
        while t**EIGHTHS < 1 << k:
            t += 1
        least.append(t)
    return np.array(least, np.int64)


_POWERS: Final = _eighth_powers()


def log2_eighths(values: Int64) -> Int64:
    """Return ``floor(8 log2 v)`` of integers from 1 to 2^31.

    >>> log2_eighths(np.array([1, 2, 3, 1024])).tolist()
    [0, 8, 12, 80]
    """
    return np.searchsorted(_POWERS, values, side="right").astype(np.int64) - 1


def ratio_eighths(documents: int, frequency: int) -> int:
    """Return ``floor(8 log2 (documents / frequency))`` for a *frequency* from 1 to *documents*.

    >>> ratio_eighths(100, 100), ratio_eighths(100, 50), ratio_eighths(100, 1)
    (0, 8, 53)
    """
    return (documents**EIGHTHS // frequency**EIGHTHS).bit_length() - 1


class Counts(NamedTuple):
    """How often each of D documents has each of its distinct words."""

    words: Int64
    documents: Int64
    """The row of the document of each word, in ascending order."""
    frequencies: Int64


def word_counts(texts: pa.StringArray) -> Counts:
    """Count the words of *texts* (no nulls), as `shingles.word_hashes` defines words."""
    from corpusmill.pipelines.stages.dedup.shingles import word_hashes

    hashes, counts = word_hashes(texts)
    documents = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((hashes, documents))
    words, documents = hashes[order].view(np.int64), documents[order]
    is_first = np.ones(len(words), np.bool_)
    is_first[1:] = (words[1:] != words[:-1]) | (documents[1:] != documents[:-1])
    starts = np.flatnonzero(is_first)
    return Counts(words[starts], documents[starts], np.diff(starts, append=len(words)))


class Rarity(NamedTuple):
    """``1 + log2 (n / df)`` in eighths of the frequent words, sorted by their hashes, and of all other words."""

    words: Int64
    eighths: Int64
    others: int

    def of(self, words: Int64) -> Int64:
        """Return the rarity of each of *words*."""
        if not len(self.words):
            return np.full(len(words), self.others, np.int64)
        places = np.minimum(np.searchsorted(self.words, words), len(self.words) - 1)
        return np.where(self.words[places] == words, self.eighths[places], self.others)


def word_vectors(texts: pa.StringArray, rarity: Rarity, *, dimensions: int) -> Vectors:
    """Return the vector of each of *texts* (no nulls). Texts without words have none."""
    counts = word_counts(texts)
    weights = (EIGHTHS + log2_eighths(counts.frequencies)) * rarity.of(counts.words)
    mixed = splitmix64_column(counts.words.view(np.uint64) ^ _SEED)
    signs = 1 - 2 * (mixed >> np.uint64(63)).astype(np.int64)
    cells = counts.documents * dimensions + (mixed % np.uint64(dimensions)).astype(np.int64)
    return quantized(
        _summed(cells, weights * signs, size=len(texts) * dimensions), np.full(len(texts), dimensions, np.int64)
    )


def _summed(cells: Int64, values: Int64, *, size: int) -> Float64:
    """Return the sum of the *values* of each cell. They are integers, so the sums are exact."""
    return np.bincount(cells, weights=values, minlength=size).astype(np.float64)
