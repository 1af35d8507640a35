"""Sample pairs of kept documents that are nearly similar, so that a reader can judge the threshold from both sides.

Bitmaps leave out most pairs below the threshold, but some are compared. Which ones is a function of the documents. Of
those with a similarity less than `BELOW` below the threshold whose documents are both kept, the rounds choose the most
similar one for each document, and `sample_steps` draws `SAMPLE` of these by a hash of their ranks. Nothing is compared
for the sample, and a run moves a few rows for it.

The sample is recorded in counters of its step (`pair_counter`), from which the manifest of a version takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.context import task
from corpusmill.schemas.splitmix import splitmix64_column

Int64 = npt.NDArray[np.int64]

BELOW: Final = 0.1
"""Greatest distance of a sampled pair from the threshold, in similarity. Farther pairs say nothing about it."""
SAMPLE: Final = 32
"""Pairs that are recorded for a stage."""
_FATE_KEPT: Final = 1
"""The fate of a kept vertex in `native/module.c`."""
_COUNTER: Final = "below"
_MILLION: Final = 1_000_000
"""Counters are whole numbers: a similarity is counted in millionths."""
_ORDERED: Final = ("all", "hash", "rank")

NEAR: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in (*_ORDERED, "near")),
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)
"""A pair of kept vertices, by their ranks."""
NAMED: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("all", "rank")),
        pa.field("id", pa.string(), nullable=False),
    ]
)
"""A kept document of the sample."""


def nearest_kept(fates: bytearray, near: pa.RecordBatch, ranks: Int64) -> tuple[pa.Int64Array, pa.DoubleArray]:
    """Return the most similar of the kept vertices that each kept vertex is nearly similar to, and the similarity.

    Args:
        fates: The fate of each vertex, by its rank.
        near: Pairs below the threshold: the columns `rank`, `other` and `value`.
        ranks: The vertices to return the result for, sorted. All ranks of *near* are among them.
    """
    rank, other, value = (np.asarray(near[name]) for name in ("rank", "other", "value"))
    fate = np.frombuffer(fates, np.uint8)
    are_kept = (fate[rank] == _FATE_KEPT) & (fate[other] == _FATE_KEPT)
    rank, other, value = rank[are_kept], other[are_kept], value[are_kept]
    order = np.lexsort((other, -value, rank))
    first = order[np.flatnonzero(np.diff(rank[order], prepend=-1))]
    others, values = np.full(len(ranks), -1, np.int64), np.zeros(len(ranks))
    places = np.searchsorted(ranks, rank[first])
    others[places], values[places] = other[first], value[first]
    return pa.array(others, mask=others < 0), pa.array(values, mask=others < 0)


def sample_steps(name: str, *, stage: str, vertices: str, rays: str, threshold: float) -> tuple[Exchange, ...]:
    """Return the steps that draw the sample of a *stage*. The last one counts its pairs.

    Args:
        name: Name of the last step; the other is ``name.drawn``.
        vertices: A step with the columns of `vertices.VERTEX`.
        rays: A step with the columns of `stars.RAY`.
    """
    drawn = f"{name}.drawn"
    return (
        Exchange(
            name=drawn,
            inputs=(Input(vertices, through=NearVertices(), columns=("rank", "near", "near_similarity")),),
            by="all",
            order=_ORDERED[1:],
            function=Draw(),
            moved=NEAR,
            schema=NEAR,
            partitions=1,
        ),
        Exchange(
            name=name,
            inputs=(Input(rays, through=Drawn(), columns=("kept", "is_removed", "id")),),
            by="all",
            order=("rank",),
            function=CountPairs(stage=stage, threshold=threshold),
            moved=NAMED,
            schema=NAMED,
            partitions=1,
            tables={"drawn": drawn},
        ),
    )


class NearVertices(Function):
    """Turns `VERTEX` rows into `NEAR` rows: the first `SAMPLE` of each batch, because no other can be drawn."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `rank`, `near`, `near_similarity`."""
        return lambda batches: map(near_vertices, batches)


def near_vertices(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the pairs of the vertices of *batch* that may be drawn."""
    batch = batch.filter(pc.is_valid(batch["near"]))
    rank, near = (np.asarray(batch[name]).view(np.uint64) for name in ("rank", "near"))
    hashes = splitmix64_column(rank ^ splitmix64_column(near)).view(np.int64)
    columns = [pa.array(np.zeros(batch.num_rows, np.int64)), pa.array(hashes), *batch.columns]
    rows = pa.RecordBatch.from_arrays(columns, schema=NEAR)
    return rows.take(pa.array(np.lexsort((rank, hashes))[:SAMPLE]))


class Draw(Function):
    """Selects the first `SAMPLE` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `NEAR` rows, sorted by (`hash`, `rank`)."""

        def run(batches: Batches) -> Batches:
            left = SAMPLE
            for batch in batches:
                yield batch.slice(0, left)
                left -= min(left, batch.num_rows)

        return run


class Drawn(Function):
    """Turns `RAY` rows into `NAMED` rows, for the kept documents in a pair that was drawn."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `kept`, `is_removed`, `id`."""

        def run(batches: Batches) -> Batches:
            pairs = task().table("drawn", drawn_pairs)
            ranks = pa.array(sorted({pair[name] for pair in pairs for name in ("rank", "near")}), pa.int64())
            for batch in batches:
                is_drawn = pc.and_(pc.equal(batch["is_removed"], 0), pc.is_in(batch["kept"], value_set=ranks))
                rows = batch.filter(is_drawn)
                every = pa.array(np.zeros(rows.num_rows, np.int64))
                yield pa.RecordBatch.from_arrays([every, rows["kept"], rows["id"]], schema=NAMED)

        return run


def drawn_pairs(batches: Iterator[pa.RecordBatch]) -> list[dict[str, Any]]:
    """Return the `NEAR` rows of the sample, at most `SAMPLE`."""
    return [row for batch in batches for row in batch.to_pylist()]


class CountPairs(Function):
    """Counts the pairs of the sample by the ids of their documents."""

    stage: str
    threshold: float

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `NAMED` rows."""

        def run(batches: Batches) -> Batches:
            ids: dict[int, str] = {}
            for batch in batches:
                ids |= zip(batch["rank"].to_pylist(), batch["id"].to_pylist(), strict=True)
                yield batch
            for pair in task().table("drawn", drawn_pairs):
                counter = pair_counter(self.stage, self.threshold, ids[pair["rank"]], ids[pair["near"]])
                task().count(counter, round(pair["similarity"] * _MILLION))

        return run


class Pair(NamedTuple):
    """Two kept documents and their similarity, which is below the *threshold* of a *stage*."""

    stage: str
    id: str
    other_id: str
    similarity: float
    threshold: float


def pair_counter(stage: str, threshold: float, identity: str, other: str) -> str:
    """Return the name of the counter of a pair."""
    return f"{_COUNTER}/{stage}/{threshold}/{identity}/{other}"


def sampled_pairs(counters: Mapping[str, int]) -> list[Pair]:
    """Return the pairs in the counters of all steps, by stage, the most similar ones first.

    >>> sampled_pairs({pair_counter("near_dedup", 0.8, "a1", "b2"): 765_432, "read/notes": 7})
    [Pair(stage='near_dedup', id='a1', other_id='b2', similarity=0.765432, threshold=0.8)]
    """
    pairs = []
    for name, millionths in counters.items():
        kind, _, rest = name.partition("/")
        if kind == _COUNTER:
            stage, threshold, identity, other = rest.split("/")
            pairs.append(Pair(stage, identity, other, millionths / _MILLION, float(threshold)))
    return sorted(pairs, key=lambda pair: (pair.stage, -pair.similarity, pair.id, pair.other_id))
