"""Compute MinHash signatures and their band keys over whole columns.

The permutations are those of datasketch (`MinHash(scheme="affine32", seed=1)`), so a signature equals the one that
datasketch computes from the same shingles. The loop runs over permutations instead of documents, which is several times
faster than `MinHash.bulk` on precomputed hashes.

Shapes: S shingles of all documents, D documents, P permutations, K bands of R rows.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup.shingles import Ragged
from corpusmill.schemas.splitmix import splitmix64_column

UInt32: TypeAlias = npt.NDArray[np.uint32]
Int64: TypeAlias = npt.NDArray[np.int64]

SEED: Final = 1
"""Seed of datasketch's permutations; another seed gives other candidates."""
_BLOCK: Final = 32_768
"""Shingles processed at a time: 128 KB, which stay in the cache while all permutations pass over them."""


@cache
def permutations(count: int) -> UInt32:
    """Return datasketch's first *count* permutations ``h -> a h + b mod 2^32`` as rows *a* and *b*: (2, count)."""
    from datasketch import MinHash  # imports scipy, which takes half a second

    return np.asarray(MinHash(num_perm=count, seed=SEED, scheme="affine32").permutations, np.uint32)


def signatures(shingles: Ragged, *, count: int, known: UInt32 | None = None) -> UInt32:
    """Return the MinHash signature of each document from the low 32 bits of its shingles: shape (D, count).

    *known* are the `permutations`, if already computed. A document without shingles has the maximum value in every
    position, like an empty `MinHash`.
    """
    a_P, b_P = permutations(count) if known is None else known  # noqa: N806
    mixed_S = _finalized(shingles.values.astype(np.uint32))  # noqa: N806
    result_PD = np.full((count, len(shingles.counts_D)), 0xFFFFFFFF, np.uint32)  # noqa: N806
    filled = np.flatnonzero(shingles.counts_D)
    ends = np.cumsum(shingles.counts_D[filled])
    for first, last in _blocks(ends):
        start = ends[first] - shingles.counts_D[filled[first]]
        hashes = mixed_S[start : ends[last - 1]]
        starts = np.concatenate([[0], ends[first : last - 1] - start])
        work = np.empty_like(hashes)
        for p in range(count):
            np.multiply(hashes, a_P[p], out=work)
            np.add(work, b_P[p], out=work)
            result_PD[p, filled[first:last]] = np.minimum.reduceat(work, starts)
    return np.ascontiguousarray(result_PD.T)


def _blocks(ends: Int64) -> list[tuple[int, int]]:
    """Cut documents whose shingles end at *ends* into ranges of about `_BLOCK` shingles."""
    if not len(ends):
        return []
    cuts = np.flatnonzero(np.diff(ends // _BLOCK)) + 1
    edges = [0, *cuts.tolist(), len(ends)]
    return list(itertools.pairwise(edges))


def _finalized(hashes: UInt32) -> UInt32:
    """Apply the finalizer of MurmurHash3 (Appleby 2011, public domain), as datasketch does first."""
    mixed = hashes ^ (hashes >> np.uint32(16))
    mixed *= np.uint32(0x85EBCA6B)
    mixed ^= mixed >> np.uint32(13)
    mixed *= np.uint32(0xC2B2AE35)
    mixed ^= mixed >> np.uint32(16)
    return mixed


def band_keys(signatures_DP: UInt32, *, bands: int, rows: int) -> npt.NDArray[np.int64]:  # noqa: N803
    """Hash each band of each signature to 64 bits. Equal keys of the same band mean equal rows.

    Returns:
        Shape (D, bands). Keys of different bands differ.
    """
    rows_DKR = signatures_DP.reshape(-1, bands, rows).astype(np.uint64)  # noqa: N806
    keys_DK = np.broadcast_to(np.arange(1, bands + 1, dtype=np.uint64), rows_DKR.shape[:2])  # noqa: N806
    for row in range(rows):
        keys_DK = splitmix64_column(keys_DK ^ rows_DKR[:, :, row])  # noqa: N806
    return keys_DK.view(np.int64)
