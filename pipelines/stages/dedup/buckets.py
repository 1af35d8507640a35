"""Sign documents, and collect the buckets that each of them shares with others.

`Sign` computes the band keys of each living document. Documents with an equal key are in one bucket. Only buckets of at
least two documents are written back to the documents, and only documents that are in one are compared. Buckets with
the same members, as when two documents share many bands, become one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Function
from corpusmill.pipelines.engines.batches import bounded
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
        return lambda batches: map(shared_buckets, whole_groups(batches, by="band"))


def shared_buckets(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the membership of shared buckets. *batch* has whole buckets, sorted by `PLACE`.

    The number of a bucket is a hash of its members.
    """
    places = np.asarray(batch[PLACE])
    starts = run_starts(batch["band"])
    ends = np.append(starts[1:], len(places))
    is_shared = places[starts] != places[ends - 1]
    numbers = np.add.reduceat(splitmix64_column(places.view(np.uint64)), starts) if len(starts) else np.empty(0)
    groups = group_numbers(starts, rows=len(places))
    chosen = is_shared[groups]
    members = splitmix64_column(numbers[groups[chosen]].astype(np.uint64)).view(np.int64)
    return pa.RecordBatch.from_arrays([pa.array(places[chosen]), pa.array(members)], schema=MEMBERSHIP)


class Listed(Function):
    """Turns `MEMBERSHIP` rows into one row per document, with its distinct numbers, sorted, in the column *into*."""

    into: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `number`)."""
        return lambda batches: (listed(group, self.into) for group in whole_groups(batches, by=PLACE))


def listed(batch: pa.RecordBatch, into: str) -> pa.RecordBatch:
    """Return one row per document of *batch*, with its distinct numbers as a list in the column *into*."""
    places, numbers = np.asarray(batch[PLACE]), np.asarray(batch["number"])
    is_new = np.ones(len(places), np.bool_)
    is_new[1:] = (places[1:] != places[:-1]) | (numbers[1:] != numbers[:-1])
    places, numbers = places[is_new], numbers[is_new]
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1])) if len(places) else np.empty(0, np.int64)
    offsets = np.append(starts, len(places)).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers))
    return pa.record_batch({PLACE: pa.array(places[starts]), into: lists})
