"""Turn candidates into vertices: documents with equal sets of shingles become one, and vertices get ranks.

`Collapse` brings candidates with equal sets together: the first of them in priority is the vertex that stands for all.
`Rank` numbers the vertices in the order of priority, so that later steps exchange and compare single numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.runs import with_first_of_run
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

CANDIDATE: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("set_a", "set_b", "size", "priority")),
        pa.field("id", pa.string(), nullable=False),
        PLACE_FIELD,
        *(pa.field(name, pa.int64(), nullable=False) for name in ("is_kept", "home", "text_bytes", "members")),
    ]
)
"""A candidate with its set of shingles (`size` and 128 bits of hash) and the number of documents that it stands for.
`is_kept`: the parent version kept it, and it stays. `home` is its place among all documents, which differs from its own
place in an incremental run."""
COLLAPSED: Final = pa.schema(
    [
        pa.field("vertex", pa.int64(), nullable=False),
        PLACE_FIELD,
        *(CANDIDATE.field(name) for name in ("priority", "id", "is_kept", "home", "text_bytes", "members")),
    ]
)
"""A candidate and the place of its vertex, which is its own place if it is the vertex."""
RANKING: Final = pa.schema(
    [CANDIDATE.field("priority"), CANDIDATE.field("id"), PLACE_FIELD, CANDIDATE.field("is_kept")]
)
VERTEX: Final = pa.schema(
    [
        pa.field("rank", pa.int64(), nullable=False),
        PLACE_FIELD,
        pa.field("kept", pa.int64()),
        pa.field("similarity", pa.float64()),
        pa.field("rounds", pa.int64(), nullable=False),
        pa.field("near", pa.int64()),
        pa.field("near_similarity", pa.float64()),
    ]
)
"""A vertex. `kept` is its own rank if it is kept, the rank of a kept vertex that it is similar to if it is removed, and
null if it is undecided after `rounds` rounds. `near` is the rank of a kept vertex before it that is nearly similar to a
kept one (`below`)."""


class Candidates(Function):
    """Selects living documents that share a bucket, as `CANDIDATE` rows.

    Args:
        signs: Prefix of the columns of `buckets.Sign`.
        buckets: The column with the buckets of a document; null: it shares none.
        keeper: The column that is not null for documents that the parent version kept.
        home: The column with the place among all documents.
    """

    keep: Keep
    sources: tuple[str, ...] = ()
    signs: str
    buckets: str
    keeper: str | None = None
    home: str = PLACE

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (candidates(batch, self) for batch in batches)


def candidates(batch: pa.RecordBatch, options: Candidates) -> pa.RecordBatch:
    """Return the candidates among the documents of *batch*."""
    batch = batch.filter(pc.is_valid(batch[options.buckets]))
    has_sizes = "cluster_size" in batch.schema.names
    priority = priorities(batch, keep=options.keep, sources=options.sources)
    is_kept = pa.nulls(batch.num_rows) if options.keeper is None else batch[options.keeper]
    columns = {
        **{name: batch[f"{options.signs}.{name}"] for name in ("set_a", "set_b", "size")},
        "priority": priority,
        "is_kept": pc.is_valid(is_kept).cast(pa.int64()),
        "home": batch[options.home],
        "members": pc.fill_null(batch["cluster_size"], 1) if has_sizes else pa.repeat(1, batch.num_rows),
    }
    columns = {**{name: batch[name] for name in ("id", PLACE, "text_bytes")}, **columns}
    return pa.RecordBatch.from_arrays([columns[name] for name in CANDIDATE.names], schema=CANDIDATE)


class Collapse(Function):
    """Turns `CANDIDATE` rows into `COLLAPSED` rows. The first candidate of each set is its vertex."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`set_a`, `set_b`, `size`, `priority`, `id`)."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=("set_a", "set_b", "size"), of=(PLACE,)):
                batch = rows.batch.select(COLLAPSED.names[1:])
                yield pa.RecordBatch.from_arrays([rows.first[PLACE], *batch.columns], schema=COLLAPSED)

        return run


class Vertices(Function):
    """Selects the vertices among `COLLAPSED` rows, as `RANKING` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (
            batch.filter(pc.equal(batch["vertex"], batch[PLACE])).select(RANKING.names) for batch in batches
        )


class Rank(Function):
    """Numbers all vertices in their order. Those that the parent version kept are kept, the others undecided."""

    version: ClassVar[int] = 2

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `RANKING` rows, sorted by (`priority`, `id`)."""
        return ranked


def ranked(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield `VERTEX` rows with ranks from 0."""
    rank = 0
    for batch in batches:
        rows = batch.num_rows
        ranks = pa.array(np.arange(rank, rank + rows, dtype=np.int64))
        rank += rows
        kept = pc.if_else(pc.equal(batch["is_kept"], 1), ranks, pa.scalar(None, pa.int64()))
        columns = [ranks, batch[PLACE], kept, pa.nulls(rows, pa.float64()), pa.array(np.zeros(rows, np.int64))]
        nothing = [pa.nulls(rows, VERTEX.field(name).type) for name in ("near", "near_similarity")]
        yield pa.RecordBatch.from_arrays([*columns, *nothing], schema=VERTEX)


def placed_step(name: str, *, vertices: str, of: str, columns: Mapping[str, str]) -> Exchange:
    """Return the step that writes *columns* of vertices onto the documents.

    Args:
        vertices: A step with the columns of `VERTEX`.
        columns: The new name of each column.
    """
    placed = pa.schema([PLACE_FIELD, *(pa.field(new, VERTEX.field(old).type) for old, new in columns.items())])
    return Exchange(
        name=name,
        inputs=(Input(vertices, through=Place(columns=tuple(columns.items()))),),
        by=PLACE,
        order=(),
        function=Pass(),
        moved=placed,
        schema=placed,
        onto=of,
    )


class Pass(Function):
    """Returns rows as they are."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: batches


class Place(Function):
    """Selects *columns* of vertices, each under a new name, to write them onto the documents."""

    columns: tuple[tuple[str, str], ...]

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `VERTEX` rows."""
        return lambda batches: (
            pa.record_batch({PLACE: batch[PLACE], **{new: batch[old] for old, new in self.columns}})
            for batch in batches
        )
