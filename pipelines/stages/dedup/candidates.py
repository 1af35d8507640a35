"""Select candidates: documents that share a band key with another one, with the data for comparing them.

`Sign` computes the band keys of each living document, `Flag` selects the keys that several documents share, and these
are written back to the documents. Only documents with shared keys are candidates, so only their shingles are computed
and moved.
"""

# ruff: noqa: N806 - names of arrays end in their shape

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Counters, Function
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.dedup.lists import list_column, list_rows
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

_INT64_LIST: Final = pa.list_(pa.int64())

BAND: Final = pa.schema([pa.field("band", pa.int64(), nullable=False), PLACE_FIELD])
"""A document in the bucket of a band key."""
CANDIDATE: Final = pa.schema(
    [
        pa.field("priority", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("members", pa.int64()),
        pa.field("bands", _INT64_LIST),
        pa.field("shingles", _INT64_LIST),
    ]
)
"""A living document with shared band keys `bands`. `shingles` are sorted and distinct. `members` is the number of
documents that it already represents."""
_SIGN_BYTES: Final = 1_000_000
"""UTF-8 bytes of text to sign at a time: large enough for numpy, small enough for the cache."""


class Sign(ColumnFunction):
    """Computes band keys of living documents, in the column *into*; null without words and for rejected documents."""

    ngram: int
    bands: int
    rows: int
    into: str
    permutations: str | None = None
    """Hexadecimal digits computed by the driver, so that workers need not import datasketch."""

    version = 3
    depends: ClassVar[tuple[str, ...]] = ("datasketch",)

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides which characters are letters and how they are lower-cased."""
        identity = super().identity()
        identity["params"].pop("permutations")
        return {**identity, "unicode": unicodedata.unidata_version}

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        """Return the function with its permutations filled in."""
        from corpusmill.pipelines.stages.dedup.signatures import permutations

        return self.model_copy(update={"permutations": permutations(self.bands * self.rows).tobytes().hex()})

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `text`, `rule`."""
        known = None
        if self.permutations is not None:
            known = np.frombuffer(bytes.fromhex(self.permutations), np.uint32).reshape(2, -1)

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            pieces = bounded([batch], max_bytes=_SIGN_BYTES)
            shape = {"ngram": self.ngram, "bands": self.bands, "rows": self.rows}
            keys = [band_column(piece, **shape, known=known) for piece in pieces]
            return pa.record_batch({self.into: pa.concat_arrays(keys) if keys else pa.array([], _INT64_LIST)})

        return run


class Explode(Function):
    """Turns the band keys of documents, in the column *bands*, into one `BAND` row per key."""

    bands: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `PLACE` and *bands*."""
        return lambda batches: (
            piece for batch in batches for piece in bounded([exploded(batch[self.bands], batch[PLACE])])
        )


class Flag(Function):
    """Keeps the `BAND` rows of buckets that contain at least two documents."""

    version = 2

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`band`, `PLACE`)."""
        return lambda batches: map(shared_bands, whole_groups(batches, by="band"))


class Listed(Function):
    """Turns `BAND` rows sorted by `PLACE` into one row per document, with its keys in the column *into*."""

    into: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `band`)."""
        return lambda batches: (listed(group, self.into) for group in whole_groups(batches, by=PLACE))


class Candidates(Function):
    """Turns living documents with shared band keys, in the column *bands*, into `CANDIDATE` rows with shingles."""

    ngram: int
    keep: Keep
    bands: str

    version = 2

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, as `Sign` does."""
        return {**super().identity(), "unicode": unicodedata.unidata_version}

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                shared = np.asarray(pc.is_valid(batch[self.bands])) & np.asarray(pc.is_null(batch["rule"]))
                if shared.any():
                    yield from bounded([candidates(batch.filter(pa.array(shared)), self)])

        return run


def band_column(
    batch: pa.RecordBatch, *, ngram: int, bands: int, rows: int, known: npt.NDArray[np.uint32] | None = None
) -> pa.ListArray:
    """Return the band keys of each document of *batch*; null for rejected documents and those without words.

    *known* are the permutations, as in `signatures`.
    """
    from corpusmill.pipelines.stages.dedup.shingles import shingles
    from corpusmill.pipelines.stages.dedup.signatures import band_keys, signatures

    alive = np.asarray(pc.is_null(batch["rule"])) & np.asarray(pc.is_valid(batch["text"]))
    texts = batch["text"] if alive.all() else batch["text"].filter(pa.array(alive))
    hashed = shingles(texts.to_pylist(), ngram=ngram)
    keys_DB = band_keys(signatures(hashed, count=bands * rows, known=known), bands=bands, rows=rows)
    has_words = np.zeros(batch.num_rows, np.bool_)
    has_words[np.flatnonzero(alive)] = hashed.counts_D > 0
    offsets = np.concatenate([[0], np.cumsum(has_words * bands)]).astype(np.int32)
    values = pa.array(keys_DB[hashed.counts_D > 0].reshape(-1), pa.int64())
    return pa.ListArray.from_arrays(pa.array(offsets, mask=np.append(~has_words, False)), values)


def exploded(bands: pa.ListArray, places: pa.Int64Array) -> pa.RecordBatch:
    """Return one `BAND` row per band key."""
    parents = pc.list_parent_indices(bands)
    return pa.RecordBatch.from_arrays([pc.list_flatten(bands), places.take(parents)], schema=BAND)


def shared_bands(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows of *batch*, whole buckets sorted by `PLACE`, whose bucket contains at least two documents."""
    place = np.asarray(batch[PLACE])
    starts = run_starts(batch["band"])
    ends = np.append(starts[1:], len(place))
    is_shared = place[starts] != place[ends - 1]
    is_first = np.ones(len(place), np.bool_)
    is_first[1:] = place[1:] != place[:-1]
    is_first[starts] = True
    return batch.filter(pa.array(is_first & is_shared[group_numbers(starts, rows=len(place))]))


def listed(batch: pa.RecordBatch, into: str) -> pa.RecordBatch:
    """Return one row per document of *batch*, with its band keys as a list in the column *into*."""
    starts = run_starts(batch[PLACE])
    places = batch[PLACE].take(pa.array(starts))
    counts = np.diff(np.append(starts, batch.num_rows))
    return pa.record_batch({PLACE: places, into: list_column(np.asarray(batch["band"]), counts)})


def candidates(batch: pa.RecordBatch, options: Candidates) -> pa.RecordBatch:
    """Return the documents of *batch*, all living and with shared band keys, as `CANDIDATE` rows."""
    from corpusmill.pipelines.stages.dedup.shingles import shingles

    hashed = shingles(batch["text"].to_pylist(), ngram=options.ngram)
    rows = [distinct(values) for values in list_rows(list_column(hashed.values.view(np.int64), hashed.counts_D))]
    sets = list_column(np.concatenate([np.empty(0, np.int64), *rows]), [len(row) for row in rows])
    members = batch["cluster_size"] if "cluster_size" in batch.schema.names else pa.nulls(batch.num_rows, pa.int64())
    columns = [
        priorities(batch, keep=options.keep),
        batch["id"],
        batch[PLACE],
        batch["text_bytes"],
        pc.fill_null(members, 1),
        batch[options.bands],
        sets,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=CANDIDATE)


def distinct(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the distinct *values*, sorted. Several times faster than `numpy.unique`, which hashes them."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]
