"""Random hyperplanes: bits of a vector of which most are equal for vectors in nearly the same direction.

A bit says on which side of a random hyperplane the vector lies. Two vectors with the angle θ have a different bit with
probability ``θ / π`` (Charikar 2002, doi:10.1145/509907.509965). Bits are cut into bands. Vectors with an equal band
are candidates, and pairs of candidates with too many different bits are left out.

The normal vector of a hyperplane should have normally distributed components. Here they are the number of set bits of
64-bit hashes, less 32: a binomial distribution, which is close to normal, and integers, so that the sign of a
projection is the same on every machine.
"""

from __future__ import annotations

import functools
import math
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup.banding import FOUND
from corpusmill.pipelines.stages.dedup.semantic.vectors import Int64, Vectors, rows_by_length
from corpusmill.schemas.splitmix import GAMMA, splitmix64_column

Bools: TypeAlias = npt.NDArray[np.bool_]
Float32: TypeAlias = npt.NDArray[np.float32]

MAX_BITS: Final = 1_024
"""Bits of a vector that `chosen_planes` uses at most."""
MAX_PLANES: Final = 62
"""Bits of a band, which is a 64-bit number."""
_DEVIATIONS: Final = 3
"""Pairs with more different bits than expected at the threshold, by as many standard deviations, are left out: at the
threshold itself, one pair in 700. Each further deviation lets several times as many pairs below the threshold pass."""
_SEED: Final = 0x9A11E1_5EED
_MIN_DIMENSIONS: Final = 1_024


def equal_bit(cosine: float) -> float:
    """Return the probability that two vectors have an equal bit.

    >>> equal_bit(1), equal_bit(0), equal_bit(-1)
    (1.0, 0.5, 0.0)
    """
    return 1 - math.acos(cosine) / math.pi


def found_share(cosine: float, *, bands: int, planes: int) -> float:
    """Return the probability that two vectors have an equal band.

    >>> round(found_share(0.95, bands=46, planes=20), 4)
    0.997
    """
    return 1 - (1 - equal_bit(cosine) ** planes) ** bands


def chosen_planes(threshold: float) -> tuple[int, int]:
    """Return the numbers of bands and planes with the most planes that detect `FOUND` of the pairs at *threshold*.

    >>> chosen_planes(0.95), chosen_planes(0.8)
    ((46, 20), (70, 11))
    """
    choice = (_bands_for(threshold, 1), 1)
    for planes in range(2, MAX_PLANES + 1):
        bands = _bands_for(threshold, planes)
        if bands * planes <= MAX_BITS:
            choice = (bands, planes)
    return choice


def _bands_for(threshold: float, planes: int) -> int:
    is_equal = min(equal_bit(threshold) ** planes, FOUND)
    return math.ceil(math.log(1 - FOUND) / math.log1p(-is_equal))


def max_different_bits(threshold: float, *, bits: int) -> int:
    """Return how many of *bits* two vectors at *threshold* differ in at most, but for one pair in 700.

    >>> max_different_bits(0.95, bits=920)
    121
    """
    share = 1 - equal_bit(threshold)
    return min(bits, math.ceil(bits * share + _DEVIATIONS * math.sqrt(bits * share * (1 - share))))


class Signed(NamedTuple):
    """Band keys of the R vectors of rows that have one, and their bits in little-endian words of 64."""

    keys_RB: Int64  # noqa: N815 - B bands
    words_RW: npt.NDArray[np.uint64]  # noqa: N815 - W words


def signed(vectors: Vectors, *, bands: int, planes: int) -> Signed:
    """Return the keys and bits of the rows that have a vector. Vectors of different lengths share no key."""
    some = Vectors(vectors.values, vectors.counts_R[vectors.counts_R > 0])
    keys_RB = np.empty((len(some.counts_R), bands), np.int64)  # noqa: N806
    words_RW = np.empty((len(some.counts_R), -(-bands * planes // 64)), np.uint64)  # noqa: N806
    for rows, vectors_RD in rows_by_length(some, width=1):  # noqa: N806
        bits_RP = _bits(vectors_RD, bands * planes)  # noqa: N806
        words_RW[rows] = _words(bits_RP, words_RW.shape[1])
        keys_RB[rows] = _keys(bits_RP.reshape(len(rows), bands, planes), vectors_RD.shape[1])
    return Signed(keys_RB, words_RW)


def signed_words(vectors: Vectors, *, bits: int) -> npt.NDArray[np.uint64]:
    """Return *bits* bits of each row in little-endian words of 64. All rows have a vector."""
    words_RW = np.empty((len(vectors.counts_R), -(-bits // 64)), np.uint64)  # noqa: N806
    for rows, vectors_RD in rows_by_length(vectors, width=bits):  # noqa: N806
        words_RW[rows] = _words(_bits(vectors_RD, bits), words_RW.shape[1])
    return words_RW


def _bits(vectors_RD: npt.NDArray[np.int16], bits: int) -> Bools:  # noqa: N803 - D dimensions
    """Return on which side of each hyperplane the vectors lie. See `vectors.LENGTH` for why float32 is exact."""
    is_above: Bools = vectors_RD.astype(np.float32) @ normals(vectors_RD.shape[1], bits) > 0
    return is_above


def normals(dimensions: int, planes: int) -> Float32:
    """Return the normal vectors of hyperplanes: integers of shape (dimensions, planes).

    More dimensions add components, so that vectors of many lengths share one array.
    """
    return _normals(max(_MIN_DIMENSIONS, 1 << (dimensions - 1).bit_length()), planes)[:dimensions]


@functools.lru_cache(maxsize=4)
def _normals(dimensions: int, planes: int) -> Float32:
    normals_DP = np.empty((dimensions, planes), np.float32)  # noqa: N806
    with np.errstate(over="ignore"):
        columns_P = splitmix64_column(np.arange(planes, dtype=np.uint64) + np.uint64(_SEED))  # noqa: N806
        for dimension in range(dimensions):
            steps = np.uint64((dimension * GAMMA) & ((1 << 64) - 1))
            normals_DP[dimension] = np.bitwise_count(splitmix64_column(columns_P + steps)).astype(np.float32) - 32
    return normals_DP


def _words(bits_RP: Bools, words: int) -> npt.NDArray[np.uint64]:  # noqa: N803 - P planes
    """Return the bits as 64-bit words, the last one padded with zeros."""
    packed = np.zeros((len(bits_RP), words * 8), np.uint8)
    bytes_RB = np.packbits(bits_RP, axis=1, bitorder="little")  # noqa: N806
    packed[:, : bytes_RB.shape[1]] = bytes_RB
    return packed.view("<u8").astype(np.uint64, copy=False)


def _keys(bits_RBP: Bools, length: int) -> Int64:  # noqa: N803
    """Return a hash of the bits of each band, its number, and the *length* of the vector."""
    rows, bands, planes = bits_RBP.shape
    words = _words(bits_RBP.reshape(rows * bands, planes), 1).reshape(rows, bands)
    numbers_B = (np.arange(bands, dtype=np.uint64) << np.uint64(32)) | np.uint64(length)  # noqa: N806
    return splitmix64_column(splitmix64_column(words) + numbers_B).view(np.int64)
