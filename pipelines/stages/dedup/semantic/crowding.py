"""Divide crowded buckets, in which a topic or a model has brought thousands of vectors together.

Vectors of one topic share bands although few of them are similar. The documents of crowded buckets are therefore
compared in smaller buckets, of two kinds:

- **Cells** (`cells`) bring together the documents that have a nearest center in common. A pair just above the threshold
  may be lost: see the table in `docs/concepts/deduplication.md`.
- **Groups** compare the first `HEADS` documents in the order of priority with all others, `GROUP` at a time. The cells
  of a document have only a few thousand others, so that in a cluster of more near copies, some would never meet the
  first one, and would stay. A cluster that large has its first document among the first ones of the crowd, by far.

Both take time in proportion to the number of documents, as long as the cells do not grow: up to `MAX_CENTERS` centers
a run. Bits tell vectors apart before they are compared, and in a crowd they must tell vectors apart that differ little.
If there is a crowd, all candidates therefore get `CROWD_BITS` bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Exchange, Function, Input, Map
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.stages.dedup.buckets import MEMBERSHIP, Listed, parts_of_groups, shared_buckets
from corpusmill.pipelines.stages.dedup.chunks import SAMPLED, KnowsCrowd, chunked, parts_of_chunks
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.semantic.cells import RUNS, cells, centers_of
from corpusmill.pipelines.stages.dedup.semantic.planes import max_different_bits, signed_words
from corpusmill.pipelines.stages.dedup.semantic.signing import HasVectors, hashes_of, rows_as_binary
from corpusmill.pipelines.stages.dedup.semantic.vectors import Int64, from_binary
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD
from corpusmill.schemas.splitmix import splitmix64_column

MAX_MEMBERS: Final = 1_024
"""Buckets with more documents are crowded. A document is in one bucket for each band, so smaller ones save much."""
CELL: Final = 128
"""Documents for each center."""
MAX_CENTERS: Final = 1_024
"""Centers of a run. More of them make smaller cells, and take longer to compare with."""
HEADS: Final = 512
GROUP: Final = 512
CROWD_BITS: Final = 2_048
"""At a threshold of 0.95, they leave out 99.8 % of the pairs with a cosine of 0.9, and 920 bits leave out 85 %."""

CROWD: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("chunk", "role", "rank", PLACE)),
        pa.field("vector", pa.binary(), nullable=False),
    ]
)
"""The vector of a vertex in a crowded bucket: as part of the sample of each chunk, or of its own chunk."""
RANKED: Final = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("all", "rank", PLACE)])
"""A vertex in a crowded bucket."""


def crowd_steps(
    name: str, *, of: str, shared: str, signs: str, crowded: str, into: str, vectors: dict[str, Any], threshold: float
) -> tuple[Map | Exchange, ...]:
    """Return the steps that list the smaller buckets of documents in crowded ones, in the column *into*.

    Args:
        name: Name of the last step, which is a state of the documents; the others are ``name.<suffix>``. It is also the
            prefix of the columns ``size`` and ``bitmap`` by which pairs are chosen.
        of: The state of the documents, with the column ``signs.rank``, *crowded*, and those of `signing.Sign`.
        shared: The step that counts documents in crowded buckets.
        vectors: Fields of `HasVectors`.
    """
    signatures, in_cells, groups, rank = f"{name}.signatures", f"{name}.cells", f"{name}.groups", f"{signs}.rank"
    longer = SignLonger(**vectors, shared=shared, signs=signs, rank=rank, into=name, threshold=threshold)
    crowd = Crowd(**vectors, shared=shared, rank=rank, crowded=crowded)
    ranked = RankedCrowd(rank=rank, crowded=crowded)
    columns = tuple(dict.fromkeys((longer.source, rank, f"{signs}.size", f"{signs}.bitmap")))
    return (
        Map(
            name=signatures,
            of=of,
            function=longer,
            reads=columns,
            writes=_columns_of(name),
        ),
        Exchange(
            name=in_cells,
            inputs=(Input(of, through=crowd, columns=(crowd.source, rank, crowded, PLACE), where=crowded),),
            by="chunk",
            order=("role", "rank"),
            function=InCells(),
            moved=CROWD,
            schema=MEMBERSHIP,
        ),
        Exchange(
            name=groups,
            inputs=(Input(of, through=ranked, columns=(rank, crowded, PLACE), where=crowded),),
            by="all",
            order=("rank",),
            function=InGroups(),
            moved=RANKED,
            schema=MEMBERSHIP,
            partitions=1,
        ),
        Exchange(
            name=name,
            inputs=(Input(in_cells), Input(groups)),
            by=PLACE,
            order=("number",),
            function=Listed(into=into),
            moved=MEMBERSHIP,
            schema=pa.schema([PLACE_FIELD, pa.field(into, INT64_LIST)]),
            onto=signatures,
        ),
    )


class ShareBuckets(Function):
    """Turns `BAND` rows into the `MEMBERSHIP` of buckets that contain at least two documents, as `buckets.Share`."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`band`, `PLACE`)."""
        return lambda batches: map(shared_buckets, parts_of_groups(batches, max_members=MAX_MEMBERS))


class SignLonger(KnowsCrowd, HasVectors, ColumnFunction):
    """Computes the size and bitmap of vertices, with more bits if there is a crowd.

    Args:
        signs: Prefix of the columns ``size`` and ``bitmap`` that are copied if there is no crowd.
        rank: The column with the rank of a vertex.
        into: Prefix of the new columns.
    """

    signs: str
    rank: str
    into: str
    threshold: float

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `source`, *rank*, ``signs.size``, ``signs.bitmap``."""
        return self._columns

    def _columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        size, bitmap = batch[f"{self.signs}.size"], batch[f"{self.signs}.bitmap"]
        is_vertex = np.asarray(pc.is_valid(batch[self.rank]))
        if self.count and is_vertex.any():
            bits = pc.max(size).as_py()
            longer = max(bits, CROWD_BITS)
            words = signed_words(from_binary(self.vectors(batch[self.source].filter(pa.array(is_vertex)))), bits=longer)
            places = pa.array(np.cumsum(is_vertex) - 1, mask=~is_vertex)
            bitmap = rows_as_binary(words).take(places)
            scaled = scaled_size(bits, longer, threshold=self.threshold)
            size = pa.array(np.full(len(is_vertex), scaled), mask=~is_vertex)
        return pa.RecordBatch.from_arrays([size, bitmap], schema=_columns_of(self.into))


def _columns_of(prefix: str) -> pa.Schema:
    return pa.schema([(f"{prefix}.size", pa.int64()), (f"{prefix}.bitmap", pa.binary())])


def scaled_size(bits: int, longer: int, *, threshold: float) -> int:
    """Return the size for which `rounds.ChoosePairs`, made for *bits*, allows the different ones of *longer* bits.

    It allows a share of the size. With more bits, the share at the threshold varies less, so it allows fewer of them.

    >>> max_different_bits(0.95, bits=920), max_different_bits(0.95, bits=2048), scaled_size(920, 2048, threshold=0.95)
    (121, 248, 1886)
    """
    allowed = max_different_bits(threshold, bits=bits)
    return math.ceil(max_different_bits(threshold, bits=longer) * bits / allowed) if allowed else longer


class Crowd(KnowsCrowd, HasVectors, Function):
    """Turns vertices in crowded buckets into `CROWD` rows.

    Args:
        rank: The column with the rank of a vertex.
        crowded: The column that is not null for documents in crowded buckets.
    """

    rank: str
    crowded: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `source`, *rank*, *crowded*, `PLACE`."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.and_(pc.is_valid(batch[self.crowded]), pc.is_valid(batch[self.rank])))
                yield from bounded([self._rows(chosen)])

        return run

    def _rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        vectors = self.vectors(batch[self.source])
        centers = RUNS * min(MAX_CENTERS, math.ceil(self.count / CELL))
        rows, chunks, roles = chunked(hashes_of(vectors)[:, 0], count=self.count, sample=centers)
        batch = batch.take(pa.array(rows))
        columns = [pa.array(chunks), pa.array(roles), batch[self.rank], batch[PLACE], vectors.take(pa.array(rows))]
        return pa.RecordBatch.from_arrays(columns, schema=CROWD)


class InCells(Function):
    """Turns `CROWD` rows into the `MEMBERSHIP` of cells."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`chunk`, `role`, `rank`). It holds the centers of a chunk."""
        return _in_cells


def _in_cells(batches: Batches) -> Iterator[pa.RecordBatch]:
    sample: list[pa.BinaryArray] = []
    chunk, centers = None, centers_of(from_binary(pa.array([], pa.binary())))
    for part in parts_of_chunks(batches):
        if part["role"][0].as_py() == SAMPLED:
            sample.append(part["vector"])
            continue
        if sample or chunk != part["chunk"][0]:
            centers, sample = centers_of(from_binary(pa.concat_arrays([*sample, pa.array([], pa.binary())]))), []
        chunk = part["chunk"][0]
        for rows, numbers in cells(from_binary(part["vector"]), centers):
            columns = [part[PLACE].take(pa.array(rows)), pa.array(numbers)]
            yield from bounded([pa.RecordBatch.from_arrays(columns, schema=MEMBERSHIP)])


class RankedCrowd(Function):
    """Turns vertices in crowded buckets into `RANKED` rows. The fields are those of `Crowd`."""

    rank: str
    crowded: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns *rank*, *crowded*, `PLACE`."""
        return lambda batches: map(self._rows, batches)

    def _rows(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        chosen = batch.filter(pc.and_(pc.is_valid(batch[self.crowded]), pc.is_valid(batch[self.rank])))
        every = pa.array(np.zeros(chosen.num_rows, np.int64))
        return pa.RecordBatch.from_arrays([every, chosen[self.rank], chosen[PLACE]], schema=RANKED)


class InGroups(Function):
    """Turns `RANKED` rows into the `MEMBERSHIP` of groups: the first rows are in all of them, each other in one."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all rows, sorted by `rank`."""
        return _in_groups


def _in_groups(batches: Batches) -> Iterator[pa.RecordBatch]:
    heads: list[Int64] = []
    seen = 0
    for batch in batches:
        places = np.asarray(batch[PLACE])
        positions = np.arange(seen, seen + len(places)) - HEADS
        seen += len(places)
        heads.append(places[positions < 0])
        yield _grouped(places[positions >= 0], positions[positions >= 0] // GROUP)
    first = np.concatenate([np.empty(0, np.int64), *heads])
    for group in range(max(1, math.ceil((seen - HEADS) / GROUP))):
        yield _grouped(first, np.full(len(first), group))


def _grouped(places: Int64, groups: Int64) -> pa.RecordBatch:
    numbers = splitmix64_column(~groups.astype(np.int64).view(np.uint64)).view(np.int64)
    return pa.RecordBatch.from_arrays([pa.array(places), pa.array(numbers)], schema=MEMBERSHIP)
