"""Divide crowded buckets, in which a template has brought thousands of documents together.

Documents of one template share bands although few of them are similar: at a similarity of 0.7, a bucket has a third of
them. Comparing them all takes quadratic time. Documents of crowded buckets are therefore brought together by their rare
shingles instead, which loses no similar pair. If the shingles of all documents are put in one order, and two sets have
a Jaccard similarity of at least t, then one of the first ``a - ceil(2 t a / (1 + t)) + 1`` shingles of the smaller set,
which has a of them, is also one of the first ``b - ceil(t b) + 1`` shingles of the larger one (Chaudhuri, Ganti,
Kaushik 2006, doi:10.1109/ICDE.2006.9; Xiao, Wang, Lin, Yu 2008, doi:10.1145/1367497.1367516). Here shingles that are
frequent in a sample come last, so that the first ones are shared by few documents.

A document with few shingles of its own has some of the template among its first ones. All others of the template may
share them, as later ones: they are compared with this document, but not with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.dedup.buckets import MEMBERSHIP, Listed, bucket_numbers
from corpusmill.pipelines.stages.dedup.chunks import SAMPLED, KnowsCrowd, chunked, parts_of_chunks
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST, list_column, list_values
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

Int64: TypeAlias = npt.NDArray[np.int64]

SAMPLE: Final = 1_000
"""Expected number of documents by which frequent shingles are recognized."""
_TEXT_BYTES: Final = 4_000_000
_MAX_FREQUENCY: Final = 1 << 12

CROWD: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("chunk", "role", "rank", "place")),
        pa.field("shingles", INT64_LIST, nullable=False),
    ]
)
"""The shingles of a vertex in a crowded bucket: as part of the sample of each chunk, or of its own chunk."""
PREFIX: Final = pa.schema(
    [
        pa.field("shingle", pa.int64(), nullable=False),
        pa.field("is_late", pa.int64(), nullable=False),
        PLACE_FIELD,
    ]
)
"""One of the first shingles of a vertex. `is_late`: it counts only if the vertex is the larger one of a pair."""


def crowd_steps(
    name: str,
    *,
    of: str,
    shared: str,
    rank: str,
    crowded: str,
    into: str,
    ngram: int,
    threshold: float,
    marks_late: bool = False,
) -> tuple[Exchange, ...]:
    """Return the steps that list the buckets of documents in crowded buckets, in the column *into*.

    Args:
        name: Name of the last step, which is a state of the documents; the others are ``name.<suffix>``.
        of: The state of the documents, with the columns *rank* and *crowded*.
        shared: The step that counts documents in crowded buckets.
        marks_late: Whether the buckets in *into* say which members are late.
    """
    prefixes, buckets = f"{name}.prefixes", f"{name}.buckets"
    through = Crowd(shared=shared, ngram=ngram, rank=rank, crowded=crowded)
    return (
        Exchange(
            name=prefixes,
            inputs=(Input(of, through=through, columns=("text", rank, crowded, PLACE), where=crowded),),
            by="chunk",
            order=("role", "rank"),
            function=Prefixes(threshold=threshold),
            moved=CROWD,
            schema=PREFIX,
        ),
        Exchange(
            name=buckets,
            inputs=(Input(prefixes),),
            by="shingle",
            order=("is_late", PLACE),
            function=SharePrefixes(marks_late=marks_late),
            moved=PREFIX,
            schema=MEMBERSHIP,
        ),
        Exchange(
            name=name,
            inputs=(Input(buckets),),
            by=PLACE,
            order=("number",),
            function=Listed(into=into),
            moved=MEMBERSHIP,
            schema=pa.schema([PLACE_FIELD, pa.field(into, INT64_LIST)]),
            onto=of,
        ),
    )


class Crowd(KnowsCrowd, Function):
    """Turns vertices in crowded buckets into `CROWD` rows."""

    ngram: int
    rank: str
    crowded: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `text`, *rank*, *crowded*, `PLACE`."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                chosen = batch.filter(pc.and_(pc.is_valid(batch[self.crowded]), pc.is_valid(batch[self.rank])))
                for part in bounded([chosen], max_bytes=_TEXT_BYTES):
                    yield from bounded(self._rows(part))

        return run

    def _rows(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        from corpusmill.pipelines.stages.dedup.shingles import shingle_sets

        sets = shingle_sets(batch["text"], ngram=self.ngram)
        shingles = list_column(sets.values.view(np.int64), sets.counts_D)
        sent = chunked(np.asarray(batch[self.rank]), count=self.count, sample=SAMPLE)
        rows = pa.array(sent.rows)
        columns = [column.take(rows) for column in (batch[self.rank], batch[PLACE], shingles)]
        yield pa.RecordBatch.from_arrays([pa.array(sent.chunks), pa.array(sent.roles), *columns], schema=CROWD)


class Frequencies(NamedTuple):
    """Shingles that are in several documents of a sample, sorted, and in how many."""

    shingles: Int64
    counts: Int64

    @classmethod
    def of(cls, sample: list[Int64]) -> Frequencies:
        """Count the shingles of the documents of *sample*."""
        values, counts = np.unique(np.concatenate([np.empty(0, np.int64), *sample]), return_counts=True)
        is_frequent = counts > 1
        return cls(values[is_frequent], np.minimum(counts[is_frequent], _MAX_FREQUENCY - 1))

    def frequency(self, shingles: Int64) -> Int64:
        """Return the frequency of each of *shingles*, 0 for rare ones."""
        if not len(self.shingles):
            return np.zeros(len(shingles), np.int64)
        places = np.minimum(np.searchsorted(self.shingles, shingles), len(self.shingles) - 1)
        return np.where(self.shingles[places] == shingles, self.counts[places], 0)


class Prefixes(Function):
    """Turns `CROWD` rows into `PREFIX` rows."""

    threshold: float

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`chunk`, `role`, `rank`). It holds the sample of a chunk."""
        return self._prefixes

    def _prefixes(self, batches: Batches) -> Iterator[pa.RecordBatch]:
        sample: list[Int64] = []
        frequencies = Frequencies.of([])
        for part in parts_of_chunks(batches):
            if part["role"][0].as_py() == SAMPLED:
                sample.append(list_values(part["shingles"]).values.copy())
                continue
            if sample:
                frequencies, sample = Frequencies.of(sample), []
            yield from bounded([prefixes(part, frequencies, threshold=self.threshold)])


def prefixes(batch: pa.RecordBatch, frequencies: Frequencies, *, threshold: float) -> pa.RecordBatch:
    """Return the first shingles of each document of *batch*, in the order of frequency."""
    shingles, counts = list_values(batch["shingles"])
    rows = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((frequencies.frequency(shingles), rows))
    numbers = np.arange(len(shingles)) - np.repeat(np.cumsum(counts) - counts, counts)
    late, early = (_prefix_lengths(counts, share)[rows] for share in (threshold, 2 * threshold / (1 + threshold)))
    chosen = numbers < late
    return pa.RecordBatch.from_arrays(
        [
            pa.array(shingles[order][chosen]),
            pa.array((numbers >= early)[chosen].astype(np.int64)),
            batch["place"].take(pa.array(rows[chosen])),
        ],
        schema=PREFIX,
    )


def _prefix_lengths(counts: Int64, share: float) -> Int64:
    lengths: Int64 = counts - np.ceil(counts * share - 1e-6).astype(np.int64) + 1
    return lengths


class SharePrefixes(Function):
    """Turns `PREFIX` rows into the `MEMBERSHIP` of buckets in which there may be a similar pair.

    Args:
        marks_late: Make numbers of buckets even, and the number that a late member has greater by one.
    """

    marks_late: bool

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`shingle`, `is_late`, `PLACE`)."""
        return lambda batches: (
            shared_prefixes(group, marks_late=self.marks_late) for group in whole_groups(batches, by="shingle")
        )


def shared_prefixes(batch: pa.RecordBatch, *, marks_late: bool) -> pa.RecordBatch:
    """Return the membership of buckets with several members of which one is early."""
    starts = run_starts(batch["shingle"])
    places, is_late = np.asarray(batch[PLACE]), np.asarray(batch["is_late"])
    sizes = np.diff(np.append(starts, len(places)))
    is_shared = (sizes > 1) & (is_late[starts] == 0) if len(starts) else np.empty(0, np.bool_)
    groups = group_numbers(starts, rows=len(places))
    chosen = is_shared[groups]
    hashed = np.where(is_late == 1, ~places, places) if marks_late else places
    numbers = bucket_numbers(hashed, starts)[groups[chosen]]
    if marks_late:
        numbers = (numbers & ~1) | is_late[chosen]
    return pa.RecordBatch.from_arrays([pa.array(places[chosen]), pa.array(numbers)], schema=MEMBERSHIP)
