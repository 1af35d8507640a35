"""Choose pairs of documents whose comparison may link two components, and compare them exactly.

A bucket of n similar documents has n²/2 pairs, of which n - 1 are enough to link all. The pairs are therefore chosen
twice. First, each member of a bucket is compared with the nearest of the members before it, by their bitmaps. When the
components of these pairs are known, all pairs of members of different components are compared, so that no similar pair
is left between two components.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.stages.dedup import _kernel
from corpusmill.pipelines.stages.dedup.buckets import MEMBERSHIP, Listed
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.rounds import EDGE, PAIR, SHINGLED, Compare, Ends, Shingled
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

MEMBER: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("bucket", "component", "place", "size")),
        pa.field("bitmap", pa.binary(), nullable=False),
    ]
)
"""A vertex in a bucket. Its component is named by one of its vertices."""
_ROWS: Final = 64
"""Members per call. Each of them may make as many pairs as its bucket has members."""


def link_steps(
    name: str,
    *,
    of: str,
    signs: str,
    vertex: str,
    component: str | None,
    buckets: tuple[str, ...],
    ngram: int,
    similarity: float,
) -> tuple[Exchange, ...]:
    """Return the steps that compare pairs of vertices.

    Args:
        name: Name of the last step, whose rows are `rounds.EDGE`. The other steps are ``name.<suffix>``.
        of: The state of the documents, with the columns of `buckets.Sign` under the prefix *signs*, *vertex* and
            *buckets*.
        component: The column with the components, null for a vertex alone in its own. None: all are, and each member
            is only compared with the nearest one before it.
    """
    pairs, listed = f"{name}.pairs", f"{name}.listed"
    others = f"{name}.others"
    described = {"vertex": vertex, "size": f"{signs}.size", "bitmap": f"{signs}.bitmap"}
    members = Members(**described, component=component, buckets=buckets)
    columns = (*described.values(), *buckets, *(() if component is None else (component,)))
    return (
        Exchange(
            name=pairs,
            inputs=(Input(of, through=members, columns=columns, where=vertex),),
            by="bucket",
            order=("component", "place"),
            function=ChooseLinks(similarity=similarity, is_thorough=component is not None),
            moved=MEMBER,
            schema=PAIR,
        ),
        Exchange(
            name=listed,
            inputs=(Input(pairs, through=Ends()),),
            by=PLACE,
            order=("number",),
            function=Listed(into=others),
            moved=MEMBERSHIP,
            schema=pa.schema([PLACE_FIELD, pa.field(others, INT64_LIST)]),
            onto=of,
        ),
        Exchange(
            name=name,
            inputs=(
                Input(
                    listed,
                    through=Shingled(ngram=ngram, rank=vertex, leaders=others),
                    columns=("text", vertex, others),
                    where=others,
                ),
            ),
            by="leader",
            order=("role", "rank"),
            function=Compare(threshold=similarity),
            moved=SHINGLED,
            schema=EDGE,
        ),
    )


class Members(Function):
    """Turns documents into one `MEMBER` row per bucket. Only vertices have some. The fields are names of columns."""

    vertex: str
    size: str
    bitmap: str
    component: str | None
    buckets: tuple[str, ...]

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (
            piece for batch in batches for column in self.buckets for piece in bounded([members(batch, self, column)])
        )


def members(batch: pa.RecordBatch, columns: Members, buckets: str) -> pa.RecordBatch:
    """Return the membership of the vertices of *batch* in the buckets of one column."""
    batch = batch.filter(pc.is_valid(batch[columns.vertex]))
    places = batch[columns.vertex]
    components = places if columns.component is None else pc.coalesce(batch[columns.component], places)
    rows = pc.list_parent_indices(batch[buckets])
    described = [components, places, batch[columns.size], batch[columns.bitmap]]
    return pa.RecordBatch.from_arrays(
        [pc.list_flatten(batch[buckets]), *(column.take(rows) for column in described)], schema=MEMBER
    )


class ChooseLinks(Function):
    """Turns `MEMBER` rows into the pairs of each bucket that have to be compared, as `rounds.PAIR` rows.

    It holds the members of one bucket: 40 bytes and a bitmap of two to four bits per shingle for each.
    """

    similarity: float
    is_thorough: bool

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`bucket`, `component`, `place`)."""

        def run(batches: Batches) -> Batches:
            buckets = _kernel.Buckets(self.similarity, 0)
            for part in bounded(batches, max_rows=_ROWS):
                yield from bounded([chosen_links(buckets, part, is_thorough=self.is_thorough)])

        return run


def chosen_links(buckets: _kernel.Buckets, batch: pa.RecordBatch, *, is_thorough: bool) -> pa.RecordBatch:
    """Return the `rounds.PAIR` rows of the next `MEMBER` rows."""
    bucket, component, place, size = (np.asarray(batch[name]).data for name in ("bucket", "component", "place", "size"))
    bitmaps = batch["bitmap"]
    _, offsets, data = bitmaps.buffers()
    starts = np.frombuffer(offsets, np.int32)[bitmaps.offset : bitmaps.offset + len(bitmaps) + 1].data
    pairs = buckets.links(bucket, component, place, size, data, starts, is_thorough)
    pairs_P2 = np.frombuffer(pairs, np.int64).reshape(-1, 2)  # noqa: N806 - P pairs
    return pa.RecordBatch.from_arrays([pa.array(pairs_P2[:, column]) for column in (0, 0, 1, 1)], schema=PAIR)
