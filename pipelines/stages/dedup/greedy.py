"""Greedy near-duplicate removal: documents are kept in order unless they are too similar to one already kept.

A document is removed if an earlier kept document shares a band key with it and their Jaccard similarity is at least the
threshold. The removed document names the most similar kept one. Clusters are therefore stars around kept documents,
never chains, and adding documents at the end of the order does not change earlier decisions.

Every decision is exact over the 64-bit shingle hashes. Two filters skip most comparisons without changing a decision.
The first compares sizes: J >= t requires sizes within a factor t. The second compares bitmaps: each set becomes a row
of `BITMAP_BITS` parities, and two rows differ in no more bits than the sets differ in members (Sandes, Teodoro, Melo
2017, arXiv:1711.07295), while J >= t allows at most ``(a + b) (1 - t) / (1 + t)`` different members. Without the
filters, documents made from one template but below the threshold would all be compared in full.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Function
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.budget import share_bytes
from corpusmill.pipelines.stages.dedup.lists import list_rows
from corpusmill.pipelines.stages.dedup.shingle_sets import ShingleSets
from corpusmill.pipelines.stages.verdicts import DECISION

BITMAP_BITS: Final = 2048
_WORDS: Final = BITMAP_BITS // 64

STAR: Final = pa.schema(
    [
        *DECISION,
        pa.field("cluster_id", pa.string()),
        pa.field("cluster_size", pa.int64()),
    ]
)
"""A decision about a candidate and its star: `cluster_id` is the kept document, `cluster_size` counts the documents of
the star. Kept documents without duplicates are not listed."""


class Nearest(NamedTuple):
    """The most similar kept document, numbered from 0 in the order of keeping."""

    place: int
    similarity: float


class Stars:
    """The documents kept so far, indexed by band key.

    Args:
        threshold: Least Jaccard similarity at which a document is removed, in (0, 1].
    """

    def __init__(self, *, threshold: float) -> None:
        self._threshold = threshold
        self._index: dict[int, array[int]] = {}
        self._shingles = ShingleSets(memory_bytes=share_bytes())
        self._sizes = np.zeros(64, np.int64)
        self._bitmaps = np.zeros((64, _WORDS), np.uint64)

    def __len__(self) -> int:
        """Return the number of kept documents."""
        return len(self._shingles)

    def add(self, bands: Sequence[int], shingles: npt.NDArray[np.int64]) -> Nearest | None:
        """Process the next document in order: return the kept document that it duplicates, or keep it and return None.

        Args:
            bands: Band keys of the document.
            shingles: Its shingles, sorted and distinct, not empty.
        """
        bits = bitmap(shingles)
        nearest = self._nearest(bands, shingles, bits)
        if nearest is None:
            self._keep(bands, shingles, bits)
        return nearest

    def _nearest(
        self, bands: Sequence[int], shingles: npt.NDArray[np.int64], bits: npt.NDArray[np.uint64]
    ) -> Nearest | None:
        """Return the most similar kept document at or above the threshold; the first one if several are equal."""
        best: Nearest | None = None
        for index in self._possible(self._sharing(bands), len(shingles), bits).tolist():
            similarity = jaccard(shingles, self._shingles[index])
            if similarity >= self._threshold and (best is None or similarity > best.similarity):
                best = Nearest(index, similarity)
        return best

    def _sharing(self, bands: Sequence[int]) -> npt.NDArray[np.int32]:
        """Return the kept documents that share one of *bands*, in order."""
        buckets = [np.frombuffer(bucket, np.int32) for key in bands if (bucket := self._index.get(key)) is not None]
        return np.unique(np.concatenate(buckets)) if buckets else np.empty(0, np.int32)

    def _possible(
        self, indexes: npt.NDArray[np.int32], size: int, bits: npt.NDArray[np.uint64]
    ) -> npt.NDArray[np.int32]:
        """Return those of *indexes* that pass the filters."""
        if not len(indexes):
            return indexes
        sizes = self._sizes[indexes]
        fits = (sizes >= self._threshold * size - 1e-6) & (sizes * self._threshold <= size + 1e-6)
        indexes, sizes = indexes[fits], sizes[fits]
        differing = np.bitwise_count(self._bitmaps[indexes] ^ bits).sum(axis=1, dtype=np.int64)
        allowed = (sizes + size) * ((1 - self._threshold) / (1 + self._threshold))
        possible: npt.NDArray[np.int32] = indexes[differing <= allowed + 1e-6]
        return possible

    def _keep(self, bands: Sequence[int], shingles: npt.NDArray[np.int64], bits: npt.NDArray[np.uint64]) -> None:
        index = len(self._shingles)
        if index == len(self._sizes):
            self._sizes = np.concatenate([self._sizes, np.zeros_like(self._sizes)])
            self._bitmaps = np.concatenate([self._bitmaps, np.zeros_like(self._bitmaps)])
        self._shingles.append(shingles)
        self._sizes[index] = len(shingles)
        self._bitmaps[index] = bits
        for key in bands:
            self._index.setdefault(key, array("i")).append(index)


def jaccard(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> float:
    """Return the Jaccard similarity of two sorted arrays of distinct values, not both empty.

    >>> jaccard(np.array([1, 2, 3]), np.array([2, 3, 4]))
    0.5
    """
    merged = np.sort(np.concatenate([one, other]))
    shared = int(np.count_nonzero(merged[1:] == merged[:-1]))
    return shared / (len(merged) - shared)


def bitmap(shingles: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return the parities of *shingles*, grouped by their low bits: `BITMAP_BITS` bits in 64-bit words."""
    counts = np.bincount(shingles & (BITMAP_BITS - 1), minlength=BITMAP_BITS)
    return np.packbits((counts & 1).astype(np.bool_)).view(np.uint64)


class Greedy(Function):
    """Turns candidates in order of priority into decisions and stars."""

    version = 2

    threshold: float
    rule: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `CANDIDATE` rows, sorted by (`priority`, `id`)."""
        return lambda batches: decide(batches, threshold=self.threshold, rule=self.rule)


def decide(batches: Batches, *, threshold: float, rule: str) -> Iterator[pa.RecordBatch]:
    """Yield the `STAR` rows of all candidates of *batches*.

    Memory grows by about 500 bytes per kept document. Shingles are written to disk when they exceed the memory bound.
    """
    kept = Stars(threshold=threshold)
    ids: list[str] = []
    star, place, size, members = array("q"), array("q"), array("q"), array("q")
    similarities = array("d")
    for batch in batches:
        rows = (batch[name].to_pylist() for name in ("id", "bands"))
        for document, bands, shingles in zip(*rows, list_rows(batch["shingles"]), strict=True):
            nearest = kept.add(bands, shingles)
            star.append(len(ids) if nearest is None else nearest.place)
            similarities.append(math.nan if nearest is None else nearest.similarity)
            if nearest is None:
                ids.append(document)
        for column, name in ((place, PLACE), (size, "text_bytes"), (members, "members")):
            column.extend(np.asarray(batch[name]).tolist())
    stars, places, sizes, counts = (np.frombuffer(column, np.int64) for column in (star, place, size, members))
    values = np.frombuffer(similarities, np.float64)
    yield from bounded([_star_rows(ids, stars, places, sizes, counts, values, threshold=threshold, rule=rule)])


def _star_rows(
    ids: list[str],
    star: npt.NDArray[np.int64],
    place: npt.NDArray[np.int64],
    size: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
    similarity: npt.NDArray[np.float64],
    *,
    threshold: float,
    rule: str,
) -> pa.RecordBatch:
    """Return the decisions about the candidates. Each is in the star of the kept document ``ids[star]``."""
    sizes = np.bincount(star, weights=members, minlength=len(ids)).astype(np.int64)[star]
    shared = np.flatnonzero(sizes > 1)
    kept = pa.array(ids, pa.string()).take(pa.array(star[shared]))
    is_removed = pa.array(~np.isnan(similarity[shared]))
    columns = {
        PLACE: pa.array(place[shared]),
        "text_bytes": pa.array(size[shared]),
        "rule": pc.if_else(is_removed, rule, pa.scalar(None, pa.string())),
        "value": pc.if_else(is_removed, pa.array(similarity[shared]), pa.scalar(None, pa.float64())),
        "threshold": pc.if_else(is_removed, threshold, pa.scalar(None, pa.float64())),
        "message": pa.nulls(len(shared), pa.string()),
        "duplicate_of": pc.if_else(is_removed, kept, pa.scalar(None, pa.string())),
        "cluster_id": kept,
        "cluster_size": pa.array(sizes[shared]),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in STAR.names], schema=STAR)
