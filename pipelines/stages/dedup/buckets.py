"""Sign documents, and collect the buckets that each of them shares with others.

`Sign` computes the band keys of each living document. Documents with an equal key are in one bucket. Only buckets of at
least two documents are written back to the documents, and only documents that are in one are compared. Buckets with
the same members, as when two documents share many bands, become one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Function
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD
from corpusmill.schemas.splitmix import splitmix64_column

Int64: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

BAND: Final = pa.schema([pa.field("band", pa.int64(), nullable=False), PLACE_FIELD])
"""A document with a band key."""
MEMBERSHIP: Final = pa.schema([PLACE_FIELD, pa.field("number", pa.int64(), nullable=False)])
"""A document in the bucket *number*."""

MAX_MEMBERS: Final = 4_096
"""Buckets with more documents are crowded: see `crowds`. Comparing the bitmaps of as many takes about 0.1 seconds."""
CROWDED: Final = "crowded"
"""Counter of the documents in crowded buckets."""
_CROWD: Final = -1
"""Number that stands for all crowded buckets."""


class Sign(ColumnFunction):
    """Computes columns about living documents with words; null for others.

    Args:
        into: Prefix of the columns `columns_of`.
    """

    ngram: int
    bands: int
    rows: int
    into: str

    version = 4

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides which characters are letters and how they are lower-cased."""
        return {**super().identity(), "unicode": unicodedata.unidata_version}

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `text`, `rule`."""
        return lambda batch: signed_columns(batch, self)


def columns_of(prefix: str) -> pa.Schema:
    """Return the columns that `Sign` writes: keys of the bands, size and hash of the set of shingles, its bitmap."""
    numbers = (pa.field(f"{prefix}.{name}", pa.int64()) for name in ("size", "set_a", "set_b"))
    return pa.schema([pa.field(f"{prefix}.bands", INT64_LIST), *numbers, pa.field(f"{prefix}.bitmap", pa.binary())])


def signed_columns(batch: pa.RecordBatch, options: Sign) -> pa.RecordBatch:
    """Return the columns of *batch* that `columns_of` describes."""
    from corpusmill.pipelines.stages.dedup.signatures import signed

    is_living = pc.and_(pc.is_null(batch["rule"]), pc.is_valid(batch["text"]))
    texts = batch["text"] if is_living.true_count == batch.num_rows else batch["text"].filter(is_living)
    signs = signed(texts, ngram=options.ngram, bands=options.bands, rows=options.rows)
    some = signs.sizes_D > 0
    is_signed = np.zeros(batch.num_rows, np.bool_)
    is_signed[np.flatnonzero(np.asarray(is_living))] = some
    words = signs.bitmaps.counts_D
    columns = [
        _lists(signs.bands_DK[some].reshape(-1), is_signed, signs.bands_DK.shape[1]),
        *(_spread(column[some], is_signed) for column in (signs.sizes_D, signs.sets_D2[:, 0], signs.sets_D2[:, 1])),
        _bitmaps(signs.bitmaps.values[np.repeat(some, words)], words[some], is_signed),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=columns_of(options.into))


def _lists(keys: Int64, mask: Bools, bands: int) -> pa.ListArray:
    """Return *bands* keys at each row of *mask*, null elsewhere."""
    offsets = np.concatenate([[0], np.cumsum(mask * bands)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(~mask, False)), pa.array(keys))


def _spread(values: Int64, mask: Bools) -> pa.Int64Array:
    """Return *values* at the rows of *mask*, null elsewhere."""
    spread = np.zeros(len(mask), np.int64)
    spread[mask] = values
    return pa.array(spread, mask=~mask)


def _bitmaps(words: npt.NDArray[np.uint64], counts: Int64, mask: Bools) -> pa.BinaryArray:
    """Return bitmaps of *counts* words at the rows of *mask*, null elsewhere."""
    sizes = np.zeros(len(mask), np.int64)
    sizes[mask] = counts * 8
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    valid = pa.array(mask).buffers()[1]
    return pa.BinaryArray.from_buffers(pa.binary(), len(mask), [valid, pa.py_buffer(offsets), pa.py_buffer(words)])


class Explode(Function):
    """Turns the band keys of documents, in the column *bands*, into one `BAND` row per key."""

    bands: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `PLACE` and *bands*."""
        return lambda batches: (
            piece for batch in batches for piece in bounded([exploded(batch[self.bands], batch[PLACE])])
        )


def exploded(bands: pa.ListArray, places: pa.Int64Array) -> pa.RecordBatch:
    """Return one `BAND` row per band key."""
    parents = pc.list_parent_indices(bands)
    return pa.RecordBatch.from_arrays([pc.list_flatten(bands), places.take(parents)], schema=BAND)


class Share(Function):
    """Turns `BAND` rows into the `MEMBERSHIP` of buckets that contain at least two documents."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`band`, `PLACE`)."""
        return lambda batches: map(shared_buckets, parts_of_groups(batches))


class Part(NamedTuple):
    """Rows of a sorted stream: whole groups, or a part of a group of more than `MAX_MEMBERS` rows."""

    rows: pa.RecordBatch
    is_crowded: bool


def parts_of_groups(batches: Batches, *, max_members: int | None = None) -> Iterator[Part]:
    """Cut a stream sorted by `band` into whole groups and parts of crowded ones. No crowded group is held whole.

    Args:
        max_members: Rows of a group that is not crowded; None: `MAX_MEMBERS`.
    """
    limit = MAX_MEMBERS if max_members is None else max_members
    opened: pa.RecordBatch | None = None
    crowded: int | None = None
    for batch in batches:
        joined = batch if opened is None else pa.concat_batches([opened, batch])
        if not joined.num_rows:
            continue
        bands = np.asarray(joined["band"])
        starts = run_starts(joined["band"])
        ends = np.append(starts[1:], len(bands))
        is_crowded = (ends - starts > limit) | (bands[starts] == crowded if crowded is not None else False)
        last = int(starts[-1]) if not is_crowded[-1] else len(bands)
        crowded = int(bands[-1]) if is_crowded[-1] else None
        in_crowd = is_crowded[group_numbers(starts, rows=len(bands))][:last]
        ready = joined.slice(0, last)
        for chosen, in_one in ((~in_crowd, False), (in_crowd, True)):
            if chosen.any():
                yield Part(ready.filter(pa.array(chosen)), in_one)
        opened = None if last == len(bands) else joined.slice(last)
    if opened is not None:
        yield Part(opened, False)


def shared_buckets(part: Part) -> pa.RecordBatch:
    """Return the membership of shared buckets. *part* has at least one row and is sorted by (`band`, `PLACE`)."""
    batch = part.rows
    places = np.asarray(batch[PLACE])
    if part.is_crowded:
        return pa.RecordBatch.from_arrays([batch[PLACE], pa.array(np.full(len(places), _CROWD))], schema=MEMBERSHIP)
    starts = run_starts(batch["band"])
    ends = np.append(starts[1:], len(places))
    is_shared = places[starts] != places[ends - 1]
    groups = group_numbers(starts, rows=len(places))
    chosen = is_shared[groups]
    numbers = bucket_numbers(places, starts)[groups[chosen]]
    return pa.RecordBatch.from_arrays([pa.array(places[chosen]), pa.array(numbers)], schema=MEMBERSHIP)


def bucket_numbers(places: Int64, starts: Int64) -> Int64:
    """Return a hash of the *places* of each group: groups with the same members have the same number."""
    if not len(starts):
        return np.empty(0, np.int64)
    return splitmix64_column(np.add.reduceat(splitmix64_column(places.view(np.uint64)), starts)).view(np.int64)


class Listed(Function):
    """Turns `MEMBERSHIP` rows into one row per document.

    Args:
        into: Column for the distinct numbers, sorted.
        crowded: Column that is true for documents in a crowded bucket, null for others. None: there are none.
    """

    into: str
    crowded: str | None = None

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `number`)."""
        return lambda batches: (listed(group, self) for group in whole_groups(batches, by=PLACE))


def listed(batch: pa.RecordBatch, columns: Listed) -> pa.RecordBatch:
    """Return one row per document of *batch*, which has whole groups, and count documents in crowded buckets."""
    places, numbers = np.asarray(batch[PLACE]), np.asarray(batch["number"])
    starts = run_starts(batch[PLACE])
    is_crowd = numbers == _CROWD if columns.crowded is not None else np.zeros(len(numbers), np.bool_)
    is_new = ~is_crowd
    is_new[1:] &= (places[1:] != places[:-1]) | (numbers[1:] != numbers[:-1])
    ends = np.append(0, np.cumsum(is_new))[np.append(starts, len(places))].astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers[is_new]))
    made = {PLACE: pa.array(places[starts]), columns.into: lists}
    if columns.crowded is not None:
        in_crowd = np.logical_or.reduceat(is_crowd, starts) if len(starts) else is_crowd
        task().count(CROWDED, int(in_crowd.sum()))
        made[columns.crowded] = pa.array(in_crowd, mask=~in_crowd)
    return pa.record_batch(made)
