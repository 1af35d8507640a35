"""The split and the shard of a document, as functions of its id alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.schemas.document import SPLITS
from corpusmill.schemas.identity import first_64_bits_column
from corpusmill.schemas.splitmix import splitmix64_column

_UNIT: Final = 2.0**-64


def splits(keys: pa.Array, shares: Mapping[str, float]) -> npt.NDArray[np.int64]:
    """Return the split of each key (an id of 32 hex characters) as an index into `SPLITS`.

    The bits of the key are mixed first, because their order already decides the shard. Equal keys have the same split.
    """
    places = splitmix64_column(first_64_bits_column(keys)).astype(np.float64) * _UNIT
    bounds = np.cumsum([shares[name] for name in SPLITS])[:-1]
    indexes = np.searchsorted(bounds, places, side="right")
    empty = [index for index, name in enumerate(SPLITS) if shares[name] == 0]
    if len(SPLITS) - 1 in empty:  # rounding must not put a document into a split of share 0
        indexes = np.minimum(indexes, max(index for index in range(len(SPLITS)) if index not in empty))
    return indexes.astype(np.int64)


def partition_numbers(
    ids: pa.Array, split: npt.NDArray[np.int64], *, shards: Mapping[str, int], pieces: int
) -> npt.NDArray[np.int64]:
    """Return the partition of each id: its shard, counted over all splits in the order of `SPLITS`, and its piece.

    Args:
        split: The split of each id, as an index into `SPLITS`.
        shards: Number of shards of each split. The id ranges are those of `schemas.identity.shard_of`.
        pieces: Number of id ranges per shard; partitions ``[n * pieces, (n + 1) * pieces)`` make up shard n.
    """
    counts = np.array([shards.get(name, 0) * pieces for name in SPLITS], np.uint64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    return starts[split] + _scaled(first_64_bits_column(ids), counts[split]).astype(np.int64)


def shards_of(ids: pa.Array, shards: int) -> npt.NDArray[np.int64]:
    """Return `schemas.identity.shard_of` of each id."""
    return _scaled(first_64_bits_column(ids), np.full(len(ids), shards, np.uint64)).astype(np.int64)


def _scaled(bits: npt.NDArray[np.uint64], counts: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return ``bits * counts >> 64`` exactly, for counts below 2^32."""
    low, high = bits & np.uint64(0xFFFFFFFF), bits >> np.uint64(32)
    carry = (low * counts) >> np.uint64(32)
    return (high * counts + carry) >> np.uint64(32)
