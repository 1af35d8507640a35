"""Decide vertices in rounds: keep each one that is not similar to a vertex kept before it.

The kept vertices are the lexicographically first maximal independent set of the graph of verified pairs, in the order
of ranks. A round has three parts:

1. `ChoosePairs` goes through each bucket in order of rank, and chooses which members to compare (`native/buckets.c`). A
   member that is certainly a duplicate of an earlier one by their bitmaps is not compared with other such members, so
   that n duplicates of one document are n comparisons.
2. `Compare` brings the shingles of the chosen vertices together and compares them exactly.
3. `Decide` goes through all vertices in order of rank. A vertex that is similar to a kept one is removed. A vertex
   whose similar predecessors were all removed is kept, provided that it was compared with all predecessors in its
   buckets that are not removed. Other vertices wait for the next round, which leaves out those that are removed by now.

Two filters choose pairs without changing a decision. The first compares sizes: J >= t requires sizes within a factor t.
The second compares bitmaps: each set becomes a row of parities, and two rows differ in no more bits than the sets have
different members (Sandes, Teodoro, Melo 2017, arXiv:1711.07295), while J >= t allows at most
``(a + b) (1 - t) / (1 + t)`` of these. A bitmap has two to four bits per shingle, up to 65,536, and the larger one of a
pair is folded.

The table of vertices has 40 bytes per candidate, and `Decide` one byte per candidate in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Repeat
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.groups import run_starts, whole_groups
from corpusmill.pipelines.stages.dedup import _kernel
from corpusmill.pipelines.stages.dedup.below import BELOW, nearest_kept
from corpusmill.pipelines.stages.dedup.buckets import MEMBERSHIP, Listed
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST, list_column, list_values
from corpusmill.pipelines.stages.dedup.vertices import VERTEX, placed_step
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

UNDECIDED: Final = "undecided"
"""Counter of the vertices that wait for the next round."""
_KEPT: Final = -1
_VERTEX, _INCOMPLETE, _EDGE, _NEAR = range(4)
_BLOCKED_BYTES: Final = 48_000_000
"""Memory for members of a bucket that are certainly duplicates. It is the same for every `--memory`, because it decides
which documents wait for the next round, and thereby which pairs `below` samples."""
LEADS: Final = -1
"""In the list of the vertices to compare with: the vertex itself is one of them."""

MEMBER: Final = pa.schema(
    [
        *(
            pa.field(name, pa.int64(), nullable=False)
            for name in ("bucket", "rank", "place", "size", "state", "is_late")
        ),
        pa.field("bitmap", pa.binary(), nullable=False),
    ]
)
"""A vertex in a bucket. Two that are late are not compared: if they are similar, they share another bucket."""
PAIR: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("rank", "place")),
        *(pa.field(name, pa.int64()) for name in ("leader", "leader_place")),
    ]
)
"""Two vertices to compare. Without a `leader`: the vertex was not compared with all its predecessors."""
SHINGLED: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("leader", "role", "rank")),
        pa.field("shingles", INT64_LIST, nullable=False),
    ]
)
"""The shingles of a vertex: of the leader itself (role 0), or of one to compare with it (role 1)."""
EDGE: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("rank", "leader")),
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)
"""A verified pair, at or above the threshold or less than `BELOW` below it."""
STATEMENT: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("rank", "kind", "other")),
        pa.field("value", pa.float64(), nullable=False),
        *(pa.field(name, pa.int64(), nullable=False) for name in ("place", "rounds")),
    ]
)
"""What `Decide` reads about a vertex: its row of the last round, that its comparisons are incomplete, an edge, or a
pair below the threshold."""


def rounds(
    name: str, *, start: str, of: str, signs: str, rank: str, buckets: str, divided: str, ngram: int, threshold: float
) -> Repeat:
    """Return the rounds that decide the vertices of the step *start* by their shingles.

    Args:
        name: The step's name; the steps of a round are ``name.<suffix>``.
        of: The state of the documents, with the columns of `buckets.Sign`, *rank*, *buckets* and *divided*.
        signs: Prefix of the columns of `buckets.Sign`.
        buckets: Column with lists of buckets.
        divided: Column with lists of the buckets of `crowds.crowd_steps`.
    """

    def compare(compared: str, listed: str, leaders: str) -> Exchange:
        through = Shingled(ngram=ngram, rank=rank, leaders=leaders)
        return Exchange(
            name=compared,
            inputs=(Input(listed, through=through, columns=("text", rank, leaders), where=leaders),),
            by="leader",
            order=("role", "rank"),
            function=Compare(threshold=threshold - BELOW),
            moved=SHINGLED,
            schema=EDGE,
        )

    choose = ChoosePairs(threshold=threshold)
    return rounds_with(
        name,
        start=start,
        of=of,
        signs=signs,
        rank=rank,
        buckets=(buckets,),
        divided=divided,
        choose=choose,
        compare=compare,
        threshold=threshold,
    )


def rounds_with(
    name: str,
    *,
    start: str,
    of: str,
    signs: str,
    rank: str,
    buckets: tuple[str, ...],
    choose: ChoosePairs,
    compare: Callable[[str, str, str], Exchange],
    threshold: float,
    divided: str | None = None,
) -> Repeat:
    """Return the rounds that decide the vertices of the step *start* by any similarity.

    Args:
        name: The step's name; the steps of a round are ``name.<suffix>``.
        of: The state of the documents, with the columns *signs*, *rank* and *buckets*.
        signs: Prefix of the columns ``size`` and ``bitmap``, by which pairs are chosen.
        buckets: Columns with lists of buckets.
        compare: Returns the exchange that compares a vertex with its leaders exactly and makes `EDGE` rows, from its
            name, the step whose table lists the leaders of each document, and the column that has them. In this column
            `LEADS` stands for the document itself.
        threshold: The similarity of two duplicates. Pairs below it may be near (`below`).
        divided: Column with lists of buckets that say which members are late (`crowds.SharePrefixes`).
    """
    state, pairs, listed, compared, decided = (
        f"{name}.{step}" for step in ("state", "pairs", "listed", "compared", "decided")
    )
    kept, tried, leaders = (f"{name}.{column}" for column in ("kept", "rounds", "leaders"))
    columns = {"kept": kept, "rounds": tried}
    described = {"rank": rank, "kept": kept, "rounds": tried, "size": f"{signs}.size", "bitmap": f"{signs}.bitmap"}
    members = Members(**described, buckets=buckets, divided=divided)
    listed_in = buckets if divided is None else (*buckets, divided)
    return Repeat(
        name=name,
        start=start,
        until=UNDECIDED,
        steps=(
            placed_step(state, vertices=name, of=of, columns=columns),
            Exchange(
                name=pairs,
                inputs=(Input(state, through=members, columns=(*described.values(), *listed_in, PLACE), where=rank),),
                by="bucket",
                order=("rank",),
                function=choose,
                moved=MEMBER,
                schema=PAIR,
            ),
            Exchange(
                name=listed,
                inputs=(Input(pairs, through=Ends()),),
                by=PLACE,
                order=("number",),
                function=Listed(into=leaders),
                moved=MEMBERSHIP,
                schema=pa.schema([PLACE_FIELD, pa.field(leaders, INT64_LIST)]),
                onto=state,
            ),
            compare(compared, listed, leaders),
            Exchange(
                name=decided,
                inputs=(
                    Input(name, through=VertexStatements()),
                    Input(pairs, through=IncompleteStatements()),
                    Input(compared, through=EdgeStatements(threshold=threshold)),
                ),
                by="rank",
                order=("kind", "other", "value", "place", "rounds"),
                function=Decide(),
                moved=STATEMENT,
                schema=VERTEX,
                partitions=1,
            ),
        ),
    )


# -- pairs


class Members(Function):
    """Turns documents into one `MEMBER` row per bucket. Removed vertices have none.

    The fields are the names of columns.
    """

    version: ClassVar[int] = 2

    rank: str
    kept: str
    rounds: str
    size: str
    bitmap: str
    buckets: tuple[str, ...]
    divided: str | None

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        columns = self.buckets if self.divided is None else (*self.buckets, self.divided)
        return lambda batches: (
            piece for batch in batches for column in columns for piece in bounded([members(batch, self, column)])
        )


def members(batch: pa.RecordBatch, columns: Members, buckets: str) -> pa.RecordBatch:
    """Return the membership of the vertices of *batch* that are not removed, in the buckets of one column."""
    is_kept = pc.equal(batch[columns.kept], batch[columns.rank])
    batch = batch.filter(pc.and_(pc.is_valid(batch[columns.rank]), pc.fill_null(is_kept, True)))
    states = pc.if_else(pc.is_valid(batch[columns.kept]), _KEPT, batch[columns.rounds])
    rows = pc.list_parent_indices(batch[buckets])
    numbers = np.asarray(pc.list_flatten(batch[buckets]))
    is_late = numbers & 1 if buckets == columns.divided else np.zeros_like(numbers)
    described = [column.take(rows) for column in (batch[columns.rank], batch[PLACE], batch[columns.size], states)]
    return pa.RecordBatch.from_arrays(
        [pa.array(numbers - is_late), *described, pa.array(is_late), batch[columns.bitmap].take(rows)], schema=MEMBER
    )


class ChoosePairs(Function):
    """Turns `MEMBER` rows into the pairs of each bucket that have to be compared, as `PAIR` rows."""

    version: ClassVar[int] = 3

    threshold: float

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`bucket`, `rank`)."""

        def run(batches: Batches) -> Batches:
            buckets = _kernel.Buckets(self.threshold, _BLOCKED_BYTES)
            for batch in batches:
                yield from bounded([chosen_pairs(buckets, batch)])

        return run


def chosen_pairs(buckets: _kernel.Buckets, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the `PAIR` rows of the next `MEMBER` rows."""
    bucket, rank, place, size, state, is_late = (np.asarray(batch[name]) for name in MEMBER.names[:6])
    bitmaps = batch["bitmap"]
    _, offsets, data = bitmaps.buffers()
    starts = np.frombuffer(offsets, np.int32)[bitmaps.offset : bitmaps.offset + len(bitmaps) + 1]
    pairs, incomplete = buckets.pairs(bucket, rank, place, size, state, is_late, data, starts)
    pairs_P4 = np.frombuffer(pairs, np.int64).reshape(-1, 4)  # noqa: N806 - P pairs
    incomplete_I2 = np.frombuffer(incomplete, np.int64).reshape(-1, 2)  # noqa: N806 - I vertices
    own = np.concatenate([pairs_P4[:, :2], incomplete_I2])
    nobody = pa.nulls(len(incomplete_I2), pa.int64())
    leaders = (pa.concat_arrays([pa.array(pairs_P4[:, column]), nobody]) for column in (2, 3))
    return pa.RecordBatch.from_arrays([pa.array(own[:, 0]), pa.array(own[:, 1]), *leaders], schema=PAIR)


class Ends(Function):
    """Turns pairs into `MEMBERSHIP` rows: the leader of a vertex, and `LEADS` for the leader itself."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `PAIR` rows."""
        return lambda batches: map(ends, batches)


def ends(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return two rows for each pair of *batch*."""
    pairs = batch.filter(pc.is_valid(batch["leader"]))
    places = pa.concat_arrays([pairs["place"], pairs["leader_place"]])
    numbers = pa.concat_arrays([pairs["leader"], pa.repeat(pa.scalar(LEADS, pa.int64()), pairs.num_rows)])
    return pa.RecordBatch.from_arrays([places, numbers], schema=MEMBERSHIP)


# -- comparisons

_TEXT_BYTES: Final = 4_000_000
"""UTF-8 bytes of text to hash at a time: their shingles take twice as much."""
_SHINGLES: Final = 1_000_000
"""Shingles per batch. A document with many leaders is copied for each of them."""


class Shingled(Function):
    """Turns documents that have to be compared into `SHINGLED` rows."""

    ngram: int
    rank: str
    leaders: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `text`, *rank*, *leaders*."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.is_valid(batch[self.leaders]))
                for part in bounded([chosen], max_bytes=_TEXT_BYTES):
                    yield from bounded(shingled(part, self))

        return run


def shingled(batch: pa.RecordBatch, options: Shingled) -> Iterator[pa.RecordBatch]:
    """Yield the shingles of each document of *batch* for each leader that it is compared with, and for itself."""
    from corpusmill.pipelines.stages.dedup.shingles import shingle_sets

    sets = shingle_sets(batch["text"], ngram=options.ngram)
    shingles = list_column(sets.values.view(np.int64), sets.counts_D)
    rows = pc.list_parent_indices(batch[options.leaders])
    leaders = pc.list_flatten(batch[options.leaders])
    ranks = batch[options.rank].take(rows)
    leads = pc.equal(leaders, LEADS)
    numbers = [
        pc.if_else(leads, ranks, leaders),
        pc.if_else(leads, pa.scalar(0, pa.int64()), pa.scalar(1, pa.int64())),
        ranks,
    ]
    values = np.cumsum(sets.counts_D[np.asarray(rows)])
    bounds = [0, *(np.flatnonzero(np.diff(values // _SHINGLES)) + 1).tolist(), len(rows)]
    for start, stop in itertools.pairwise(bounds):
        taken = shingles.take(rows[start:stop])
        columns = [*(column[start:stop] for column in numbers), taken]
        yield pa.RecordBatch.from_arrays(columns, schema=SHINGLED)


class Compare(Function):
    """Compares vertices with their leaders and returns the pairs at or above the threshold, as `EDGE` rows."""

    threshold: float

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `SHINGLED` rows sorted by (`leader`, `role`, `rank`)."""
        return self._edges

    def _edges(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        leader: npt.NDArray[np.int64] = np.empty(0, np.int64)
        for batch in batches:
            similarities = np.zeros(batch.num_rows)
            starts = run_starts(batch["leader"])
            values, counts = list_values(batch["shingles"])
            offsets = np.concatenate([[0], np.cumsum(counts)])
            for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), batch.num_rows], strict=True):
                if batch["role"][start].as_py() == 0:
                    leader = values[offsets[start] : offsets[start + 1]].copy()
                    start += 1
                others = values[offsets[start] : offsets[stop]]
                result = _kernel.similarities(leader, others, counts[start:stop])
                similarities[start:stop] = np.frombuffer(result, np.float64)
            is_edge = pa.array(similarities >= self.threshold)
            columns = [batch["rank"], batch["leader"], pa.array(similarities)]
            yield pa.RecordBatch.from_arrays([column.filter(is_edge) for column in columns], schema=EDGE)


# -- decisions


class VertexStatements(Function):
    """Turns `VERTEX` rows into `STATEMENT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (statement for batch in batches for statement in _about_vertices(batch))


def _about_vertices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield the decisions about the vertices of *batch*, and the pairs below the threshold chosen by earlier rounds."""
    yield _statements(
        batch,
        kind=_VERTEX,
        other=pc.fill_null(batch["kept"], -1),
        value=pc.fill_null(batch["similarity"], 0.0),
        place=batch[PLACE],
        rounds=batch["rounds"],
    )
    near = batch.filter(pc.is_valid(batch["near"]))
    yield _statements(near, kind=_NEAR, other=near["near"], value=near["near_similarity"])


class IncompleteStatements(Function):
    """Turns `PAIR` rows without a leader into `STATEMENT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (
            _statements(batch.filter(pc.is_null(batch["leader"])), kind=_INCOMPLETE) for batch in batches
        )


class EdgeStatements(Function):
    """Turns `EDGE` rows into `STATEMENT` rows."""

    threshold: float

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(self._statements, batches)

    def _statements(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        is_edge = pc.greater_equal(batch["similarity"], self.threshold)
        kinds = pc.if_else(is_edge, *(pa.scalar(kind, pa.int64()) for kind in (_EDGE, _NEAR)))
        return _statements(batch, kind=kinds, other=batch["leader"], value=batch["similarity"])


def _statements(batch: pa.RecordBatch, *, kind: int | pa.Array, **columns: pa.Array) -> pa.RecordBatch:
    rows = batch.num_rows
    absent = {
        **{name: pa.repeat(pa.scalar(-1, pa.int64()), rows) for name in ("other", "place", "rounds")},
        "value": pa.repeat(pa.scalar(0.0), rows),
    }
    kinds = pa.repeat(pa.scalar(kind, pa.int64()), rows) if isinstance(kind, int) else kind
    columns = {**absent, **columns, "rank": batch["rank"], "kind": kinds}
    return pa.RecordBatch.from_arrays([columns[name] for name in STATEMENT.names], schema=STATEMENT)


class Decide(Function):
    """Decides all vertices in order of rank, and counts those that remain `UNDECIDED`."""

    version: ClassVar[int] = 2

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `STATEMENT` rows, sorted by (`rank`, `kind`, `other`)."""

        def run(batches: Batches) -> Batches:
            fates = bytearray()
            for batch in whole_groups(batches, by="rank"):
                yield decided(fates, batch)

        return run


def decided(fates: bytearray, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the vertices of *batch*, which has whole groups. *fates* of earlier ranks are read, new ones appended."""
    is_near = pc.equal(batch["kind"], _NEAR)
    near, batch = batch.filter(is_near), batch.filter(pc.invert(is_near))
    vertices = batch.filter(pc.equal(batch["kind"], _VERTEX))
    fates.extend(bytes(vertices.num_rows))
    kept, similarity = np.empty(vertices.num_rows, np.int64), np.empty(vertices.num_rows, np.float64)
    rank, kind, other, value = (np.asarray(column) for column in batch.columns[:4])
    _kernel.decide(fates, rank, kind, other, value, kept, similarity)
    is_undecided = kept < 0
    task().count(UNDECIDED, int(is_undecided.sum()))
    is_removed = ~is_undecided & (kept != np.asarray(vertices["rank"]))
    columns = [
        vertices["rank"],
        vertices["place"],
        pa.array(kept, mask=is_undecided),
        pa.array(similarity, mask=~is_removed),
        pa.array(np.asarray(vertices["rounds"]) + is_undecided),
        *nearest_kept(fates, near, np.asarray(vertices["rank"])),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=VERTEX)
