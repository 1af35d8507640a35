"""Compare vectors exactly: `rounds` decides which, and removes documents by the result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.runs import RunRows, with_first_of_run
from corpusmill.pipelines.stages.dedup.rounds import EDGE, LEADS
from corpusmill.pipelines.stages.dedup.semantic.signing import HasVectors
from corpusmill.pipelines.stages.dedup.semantic.vectors import cosines, from_binary

_LEADER, _OTHER = 0, 1
VECTOR: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("leader", "role", "rank")),
        pa.field("vector", pa.binary(), nullable=False),
    ]
)
"""The vector of a vertex: of the leader itself (role 0), or of one to compare with it (role 1)."""


def compare_step(name: str, vectors: ShowVectors, *, of: str, threshold: float) -> Exchange:
    """Return the step that compares the documents of the step *of* with their leaders."""
    columns = (vectors.source, vectors.rank, vectors.leaders)
    return Exchange(
        name=name,
        inputs=(Input(of, through=vectors, columns=columns, where=vectors.leaders),),
        by="leader",
        order=("role", "rank"),
        function=CompareVectors(threshold=threshold),
        moved=VECTOR,
        schema=EDGE,
    )


class ShowVectors(HasVectors, Function):
    """Turns documents that have to be compared into `VECTOR` rows.

    Args:
        rank: The column with the rank of a document.
        leaders: The column with the ranks of its leaders; see `rounds.rounds_with`.
    """

    rank: str
    leaders: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `source`, *rank*, *leaders*."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.is_valid(batch[self.leaders]))
                yield from bounded([self._shown(chosen)])

        return run

    def _shown(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = pc.list_parent_indices(batch[self.leaders])
        leaders = pc.list_flatten(batch[self.leaders])
        ranks = batch[self.rank].take(rows)
        leads = pc.equal(leaders, LEADS)
        roles = pc.if_else(leads, pa.scalar(_LEADER, pa.int64()), pa.scalar(_OTHER, pa.int64()))
        vectors = self.vectors(batch[self.source]).take(rows)
        return pa.RecordBatch.from_arrays([pc.if_else(leads, ranks, leaders), roles, ranks, vectors], schema=VECTOR)


class CompareVectors(Function):
    """Compares vectors with their leaders and returns the pairs at or above the threshold, as `EDGE` rows."""

    threshold: float

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `VECTOR` rows sorted by (`leader`, `role`, `rank`)."""
        return lambda batches: (
            edges(rows, threshold=self.threshold) for rows in with_first_of_run(batches, by=("leader",), of=("vector",))
        )


def edges(rows: RunRows, *, threshold: float) -> pa.RecordBatch:
    """Return the pairs of *rows*, whose runs begin with the leader, that have a cosine of at least *threshold*."""
    lengths = pc.equal(pc.binary_length(rows.batch["vector"]), pc.binary_length(rows.first["vector"]))
    is_pair = pc.and_(pc.equal(rows.batch["role"], _OTHER), lengths)
    batch = rows.batch.filter(is_pair)
    own, leader = from_binary(batch["vector"]), from_binary(rows.first["vector"].filter(is_pair))
    similarities = cosines(own.values, leader.values, own.counts_R)
    is_edge = pa.array(similarities >= threshold)
    columns = [batch["rank"], batch["leader"], pa.array(similarities)]
    return pa.RecordBatch.from_arrays([column.filter(is_edge) for column in columns], schema=EDGE)
