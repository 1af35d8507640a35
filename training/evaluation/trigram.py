"""An untrained baseline: an interpolated Witten-Bell model of byte trigrams."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

_BYTES: Final = 256
_CHUNK: Final = 1 << 22
"""Bytes to count at once; bounds memory to about 200 MB besides the table of 64 MB."""


@dataclass(frozen=True)
class Trigram:
    """Counts of a training text, and the probabilities that follow from them.

    With n(h) the times that a byte followed the context h, T(h) the number of different bytes that did, and c(h x):

        P(x | a b) = (c(a b x) + T(a b) P(x | b)) / (n(a b) + T(a b))
        P(x | b)   = (c(b x) + T(b) P(x)) / (n(b) + T(b))
        P(x)       = (c(x) + T / 256) / (n + T)

    and the next shorter context if a context was never seen (Witten & Bell 1991, doi:10.1109/18.87000; interpolated as
    in Chen & Goodman 1999, doi:10.1006/csla.1999.0128). Documents are independent: the first byte has no context, the
    second a context of one byte, and the end is not predicted.

    Attributes:
        ones, twos, threes: Counts, shapes (256,), (256, 256) and (65536, 256), uint32; the last byte varies fastest.
    """

    ones: npt.NDArray[np.uint32]
    twos: npt.NDArray[np.uint32]
    threes: npt.NDArray[np.uint32]

    def bits(self, document: bytes) -> float:
        """Return the bits of *document*: -log2 of its probability."""
        codes = np.frombuffer(document, np.uint8).astype(np.int64)
        if not len(codes):
            return 0.0
        one = _mixed(self.ones[None], np.zeros_like(codes), codes, np.full(len(codes), 1 / _BYTES))
        two = _mixed(self.twos, codes[:-1], codes[1:], one[1:])
        three = _mixed(self.threes, codes[:-2] * _BYTES + codes[1:-1], codes[2:], two[1:])
        return -float(np.log2(np.concatenate([one[:1], two[:1], three])).sum())

    def bits_per_byte(self, documents: Iterable[bytes]) -> float:
        """Return the bits of *documents* per byte; nan without bytes."""
        total, length = 0.0, 0
        for document in documents:
            total += self.bits(document)
            length += len(document)
        return total / length if length else math.nan


def count_trigrams(documents: Iterable[bytes]) -> Trigram:
    """Count the bytes, pairs and triples in *documents*; none crosses a document boundary."""
    ones = np.zeros(_BYTES, np.uint32)
    twos = np.zeros(_BYTES**2, np.uint32)
    threes = np.zeros(_BYTES**3, np.uint32)
    for codes, context, own in _chunks(documents):
        pairs = codes[:-1] * _BYTES + codes[1:]
        triples = pairs[:-1] * _BYTES + codes[2:]
        ones += np.bincount(codes[own], minlength=_BYTES).astype(np.uint32)
        twos += np.bincount(pairs[(own & (context > 0))[1:]], minlength=_BYTES**2).astype(np.uint32)
        threes += np.bincount(triples[(own & (context > 1))[2:]], minlength=_BYTES**3).astype(np.uint32)
    return Trigram(ones, twos.reshape(_BYTES, _BYTES), threes.reshape(_BYTES**2, _BYTES))


def _mixed(
    counts: npt.NDArray[np.uint32],
    contexts: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    shorter: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return P(code | context) from the *counts* of each context and the probability after the next shorter context."""
    distinct, inverse = np.unique(contexts, return_inverse=True)
    seen = counts[distinct].sum(axis=1, dtype=np.float64)[inverse]
    kinds = np.count_nonzero(counts[distinct], axis=1).astype(np.float64)[inverse]
    mixed = (counts[contexts, codes] + kinds * shorter) / np.maximum(seen + kinds, 1)
    return np.where(seen > 0, mixed, shorter)


def _chunks(
    documents: Iterable[bytes],
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """Yield the bytes of many documents at once: codes, bytes of context of each (at most 2), and whether to count it.

    A document longer than a chunk is split, and each part begins with the last two bytes of the part before."""
    parts: list[tuple[bytes, int]] = []
    size = 0
    for document in documents:
        for start in range(0, len(document), _CHUNK):
            overlap = min(start, 2)
            parts.append((document[start - overlap : start + _CHUNK], overlap))
            size += len(parts[-1][0])
            if size >= _CHUNK:
                yield _laid(parts)
                parts, size = [], 0
    if parts:
        yield _laid(parts)


def _laid(
    parts: list[tuple[bytes, int]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    codes = np.frombuffer(b"".join(part for part, _ in parts), np.uint8).astype(np.int64)
    context = np.full(len(codes), 2)
    own = np.ones(len(codes), bool)
    start = 0
    for part, overlap in parts:
        context[start : start + 2] = [0, 1][: len(part)]
        own[start : start + overlap] = False
        start += len(part)
    return codes, context, own
