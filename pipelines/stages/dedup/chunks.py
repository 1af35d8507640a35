"""Send documents to tasks in chunks, each with the same sample of all of them.

A function that has to know what a crowd of documents looks like learns it from a sample. The crowd is cut into chunks
by a hash of each document, and the sample is copied to every chunk, so that no task holds more than its chunk.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.pipelines.engines.base import Batches, Counters, Value
from corpusmill.pipelines.stages.dedup.buckets import CROWDED
from corpusmill.schemas.splitmix import splitmix64_column

Int64: TypeAlias = npt.NDArray[np.int64]

CHUNK: Final = 20_000
"""Documents per call."""
SAMPLED, ALL = 0, 1
"""Values of `role`: a document is part of the sample of a chunk, or of the chunk itself."""


class KnowsCrowd(Value):
    """Base of the functions that depend on the number of documents in crowded buckets.

    Args:
        shared: The step that counts them.
        count: Their number; follows from the counter.
    """

    shared: str
    count: int = 0

    def asks(self) -> tuple[str, ...]:
        """Ask how many documents are in crowded buckets."""
        return (*super().asks(), self.shared)

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        """Return the function with their number."""
        return super().bound(counters).model_copy(update={"count": counters[self.shared].get(CROWDED, 0)})

    def identity(self) -> dict[str, Any]:
        """Leave out what follows from the counter."""
        identity = super().identity()
        identity["params"].pop("count")
        return identity


class Chunks(NamedTuple):
    """The rows of documents to send, each with its chunk and role."""

    rows: Int64
    chunks: Int64
    roles: Int64


def chunked(hashes: Int64, *, count: int, sample: int) -> Chunks:
    """Return each row once in its chunk, and the rows of the sample in every chunk.

    Args:
        hashes: A number of each row, different for different documents, which decides its chunk.
        count: Documents in all, of which about *sample* are chosen.
    """
    mixed = splitmix64_column(hashes.view(np.uint64))
    number = max(1, math.ceil(count / CHUNK))
    rate = min(1.0, sample / max(1, count))
    sampled = np.flatnonzero((mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 < rate)
    every = np.arange(len(hashes))
    return Chunks(
        rows=np.concatenate([every, np.repeat(sampled, number)]),
        chunks=np.concatenate([(mixed % np.uint64(number)).astype(np.int64), np.tile(np.arange(number), len(sampled))]),
        roles=np.repeat([ALL, SAMPLED], [len(hashes), len(sampled) * number]),
    )


def parts_of_chunks(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Cut batches sorted by (`chunk`, `role`) into parts of one chunk and role."""
    for batch in batches:
        chunk, role = np.asarray(batch["chunk"]), np.asarray(batch["role"])
        edges = np.flatnonzero((chunk[1:] != chunk[:-1]) | (role[1:] != role[:-1])) + 1
        for start, stop in itertools.pairwise([0, *edges.tolist(), batch.num_rows]):
            yield batch.slice(start, stop - start)
