"""MinHash signatures of texts and their band keys, computed over whole columns.

The permutations are those of datasketch (`MinHash(scheme="affine32", seed=1)`), so a signature equals the one that
datasketch computes from the same shingles.

Shapes: D documents, P permutations, K bands of R rows.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup import _kernel
from corpusmill.pipelines.stages.dedup.shingles import Ragged, Texts, columns, ragged
from corpusmill.schemas.splitmix import splitmix64_column

UInt32: TypeAlias = npt.NDArray[np.uint32]
Int64: TypeAlias = npt.NDArray[np.int64]

SEED: Final = 1
"""Seed of datasketch's permutations; another seed gives other candidates."""


class Signed(NamedTuple):
    """Signatures of D documents.

    Args:
        bands_DK: Keys of the bands. Equal keys mean equal rows of the same band.
        sizes_D: Numbers of distinct shingles; 0 for a text without words.
        sets_D2: Hashes (128 bits) of the sets of shingles.
        bitmaps: The bitmaps of the sets, as 64-bit words; see `rounds`.
    """

    bands_DK: Int64  # noqa: N815
    sizes_D: Int64  # noqa: N815
    sets_D2: Int64  # noqa: N815
    bitmaps: Ragged


@cache
def permutations(count: int) -> UInt32:
    """Return datasketch's first *count* permutations ``h -> a h + b mod 2^32`` as rows *a* and *b*: (2, count).

    They are drawn as datasketch draws them, because importing datasketch, and scipy with it, takes half a second.
    """
    draw = np.random.RandomState(SEED)
    a = draw.randint(0, 1 << 31, count, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = draw.randint(0, 1 << 32, count, dtype=np.uint32)
    return np.stack([a, b])


def signed(texts: Texts, *, ngram: int, bands: int, rows: int) -> Signed:
    """Sign *texts* (no nulls)."""
    return _sign(texts, np.empty(bands * rows, np.uint32), ngram=ngram, bands=bands, rows=rows)


def signatures(texts: Texts, *, ngram: int, count: int) -> UInt32:
    """Return the MinHash signature of each document from the low 32 bits of its shingles: shape (D, count).

    A document without shingles has the maximum value in every position, like an empty `MinHash`.
    """
    minima_DP = np.empty((len(texts), count), np.uint32)  # noqa: N806
    _sign(texts, minima_DP, ngram=ngram, bands=count, rows=1)
    return minima_DP


def band_keys(signature_P: UInt32, *, bands: int) -> Int64:  # noqa: N803
    """Return the keys of the *bands* of one signature, those that `signed` computes in C: shape (K,).

    A key starts as the number of its band, counted from 1. Each row changes it to ``splitmix64(key ^ row)``.

    Raises:
        ValueError: The length of the signature is not a multiple of *bands*.
    """
    rows_KR = signature_P.astype(np.uint64).reshape(bands, -1)  # noqa: N806
    keys_K = np.arange(1, bands + 1, dtype=np.uint64)  # noqa: N806
    for row_K in rows_KR.T:  # noqa: N806
        keys_K = splitmix64_column(keys_K ^ row_K)  # noqa: N806
    return keys_K.view(np.int64)


def _sign(texts: Texts, minima: UInt32, *, ngram: int, bands: int, rows: int) -> Signed:
    keys_DK = np.empty((len(texts), bands), np.int64)  # noqa: N806
    sets_D3 = np.empty((len(texts), 3), np.int64)  # noqa: N806
    shape = (ngram, permutations(bands * rows), bands, rows)
    bitmaps = ragged(*_kernel.sign(*columns(texts), *shape, minima, keys_DK, sets_D3))
    return Signed(keys_DK, sets_D3[:, 0], sets_D3[:, 1:], bitmaps)
