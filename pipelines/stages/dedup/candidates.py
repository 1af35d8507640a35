"""From texts to candidates: the documents that share a band key with another one, with what comparing them needs.

`Sign` reads texts, `Flag` finds the shared band keys, `Gather` brings them together with the living fates. Until then a
document is known by its *place*, the first 64 bits of its id: narrow rows are most of the work of an exchange, and two
documents in one place do no harm, because `Gather` tells them apart by id.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Function
from corpusmill.pipelines.engines.batches import bounded, conform
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.dedup.lists import list_column, list_rows
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities
from corpusmill.pipelines.stages.identity import content_hashes
from corpusmill.pipelines.stages.verdicts import is_living
from corpusmill.schemas.identity import first_64_bits_column

_INT64_LIST: Final = pa.list_(pa.int64())


def _key(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


SIGNED: Final = pa.schema(
    [
        _key("id", pa.string()),
        _key("content_hash", pa.string()),
        pa.field("bands", _INT64_LIST),
        pa.field("shingles", _INT64_LIST),
    ]
)
"""A living capture with words: its band keys, and the hashes of its shingles in text order."""

BAND: Final = pa.schema([_key("band", pa.int64()), _key("place", pa.int64())])
"""A document in a bucket."""

FLAG, FATE_ROW, SIGNATURE = 0, 1, 2
GATHERED: Final = pa.schema(
    [
        _key("place", pa.int64()),
        _key("role", pa.int32()),
        _key("id", pa.string()),
        _key("content_hash", pa.string()),
        _key("band", pa.int64()),
        pa.field("priority", pa.int64()),
        pa.field("members", pa.int64()),
        pa.field("bands", _INT64_LIST),
        pa.field("shingles", _INT64_LIST),
    ]
)
"""What `Gather` joins, by `role`: a shared band key, a living fate, a signature."""

CANDIDATE: Final = pa.schema(
    [
        _key("priority", pa.int64()),
        _key("id", pa.string()),
        pa.field("members", pa.int64()),
        pa.field("bands", _INT64_LIST),
        pa.field("shingles", _INT64_LIST),
    ]
)
"""A living document that shares the band keys `bands`; `shingles` are sorted and distinct; `members` is the number of
documents that it stands for already."""

_SIGN_BYTES: Final = 1_000_000
"""Text signed at a time: large enough for numpy, small enough for the cache."""


class Sign(Function):
    """Texts to `SIGNED` rows; captures that are rejected or have no words give none."""

    ngram: int
    bands: int
    rows: int

    depends: ClassVar[tuple[str, ...]] = ("datasketch",)

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides what a letter and its lower case are."""
        return {**super().identity(), "unicode": unicodedata.unidata_version}

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over the columns `id`, `text`, `rule`."""
        return lambda batches: (
            signed
            for batch in bounded(batches, max_bytes=_SIGN_BYTES)
            for signed in bounded([sign(batch, ngram=self.ngram, bands=self.bands, rows=self.rows)])
        )


class Explode(Function):
    """`SIGNED` rows to one `BAND` row for each band."""

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: (bands for batch in batches for bands in bounded([explode(batch)]))


class Flag(Function):
    """Keep the `BAND` rows of buckets in which at least two documents lie."""

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over rows sorted by (`band`, `place`)."""
        return lambda batches: map(shared_bands, whole_groups(batches, by="band"))


class FlagRows(Function):
    """Flagged bands as `GATHERED` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: (_gathered(batch, role=FLAG) for batch in batches)


class FateRows(Function):
    """Living fates as `GATHERED` rows."""

    keep: Keep

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: (living_fates(batch, keep=self.keep) for batch in batches)


class SignatureRows(Function):
    """Signatures as `GATHERED` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function."""
        return lambda batches: (_gathered(_placed(batch), role=SIGNATURE) for batch in batches)


class Gather(Function):
    """Join flags, living fates and signatures to candidates."""

    def build(self) -> Callable[[Batches], Batches]:
        """Give the function over rows sorted by (`place`, `role`, `id`, `content_hash`, `band`)."""
        return lambda batches: map(candidates, whole_groups(batches, by="place", target_rows=1024))


def sign(batch: pa.RecordBatch, *, ngram: int, bands: int, rows: int) -> pa.RecordBatch:
    """Give the `SIGNED` rows of the living captures of *batch* that have words."""
    from corpusmill.pipelines.stages.dedup.shingles import shingles
    from corpusmill.pipelines.stages.dedup.signatures import band_keys, signatures

    living = _filtered(batch, is_living(batch) & np.asarray(pc.is_valid(batch["text"])))
    found = shingles(living["text"].to_pylist(), ngram=ngram)
    keys = band_keys(signatures(found, count=bands * rows), bands=bands, rows=rows)
    signed = pa.RecordBatch.from_arrays(
        [
            living["id"],
            content_hashes(living["text"]),
            list_column(keys.reshape(-1), np.full(living.num_rows, bands)),
            list_column(found.values.view(np.int64), found.counts_D),
        ],
        schema=SIGNED,
    )
    return _filtered(signed, found.counts_D > 0)


def distinct(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Give the distinct *values*, sorted; several times faster than `numpy.unique`, which hashes them."""
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]


def _filtered(batch: pa.RecordBatch, mask: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    """Give the rows of *mask*; *batch* itself when they are all, because texts and shingles are dear to copy."""
    return batch if mask.all() else batch.filter(pa.array(mask))


def explode(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give one `BAND` row for each band key of the `SIGNED` rows of *batch*."""
    places = _placed(batch)["place"].take(pc.list_parent_indices(batch["bands"]))
    return pa.RecordBatch.from_arrays([pc.list_flatten(batch["bands"]), places], schema=BAND)


def shared_bands(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give the distinct rows of *batch*, whole buckets sorted by `place`, whose bucket has two places or more."""
    place = np.asarray(batch["place"])
    starts = run_starts(batch["band"])
    ends = np.append(starts[1:], len(place))
    is_shared = place[starts] != place[ends - 1]
    is_first = np.ones(len(place), np.bool_)
    is_first[1:] = place[1:] != place[:-1]
    is_first[starts] = True
    return batch.filter(pa.array(is_first & is_shared[group_numbers(starts, rows=len(place))]))


def living_fates(batch: pa.RecordBatch, *, keep: Keep) -> pa.RecordBatch:
    """Give the living fates of *batch* as `GATHERED` rows."""
    living = _filtered(batch, is_living(batch))
    rows = _placed(living.select(["id", "content_hash"]))
    rows = rows.append_column("priority", priorities(living, keep=keep))
    return _gathered(rows.append_column("members", pc.fill_null(living["cluster_size"], 1)), role=FATE_ROW)


def candidates(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give the `CANDIDATE` rows of *batch*: whole places, sorted by (`place`, `role`).

    A candidate keeps those of its own band keys that are shared; a living document that has none is no candidate. The
    signature of another text of the same document does not count.
    """
    shared = _shared_keys(batch)
    fates: dict[tuple[str, str], tuple[int, int]] = {}
    found: list[tuple[int, str, int, list[int]]] = []
    shingles: list[npt.NDArray[np.int64]] = []
    bands_of, shingles_of = list_rows(batch["bands"]), list_rows(batch["shingles"])
    for index, (place, role, *names, priority, members) in _rows_of(batch, shared):
        key = (names[0], names[1])
        if role == FATE_ROW:
            fates[key] = priority, members
        elif key in fates:
            fate = fates.pop(key)
            bands = [band for band in bands_of[index].tolist() if band in shared[place]]
            if bands:
                found.append((fate[0], key[0], fate[1], bands))
                shingles.append(distinct(shingles_of[index]))
    columns = [[row[column] for row in found] for column in range(4)]
    lists = list_column(np.concatenate([np.empty(0, np.int64), *shingles]), [len(one) for one in shingles])
    arrays = [pa.array(values, field.type) for values, field in zip(columns, CANDIDATE, strict=False)]
    return pa.RecordBatch.from_arrays([*arrays, lists], schema=CANDIDATE)


def _shared_keys(batch: pa.RecordBatch) -> dict[int, set[int]]:
    """Give the shared band keys of each flagged place."""
    is_flag = np.asarray(batch["role"]) == FLAG
    keys: dict[int, set[int]] = defaultdict(set)
    for name, band in zip(*(np.asarray(batch[name])[is_flag].tolist() for name in ("place", "band")), strict=True):
        keys[name].add(band)
    return keys


def _rows_of(batch: pa.RecordBatch, places: dict[int, set[int]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Give the number and the plain columns of each fate and signature in *places*."""
    flagged = np.isin(np.asarray(batch["place"]), np.fromiter(places, np.int64, len(places)))
    rows = np.flatnonzero((np.asarray(batch["role"]) != FLAG) & flagged)
    names = ["place", "role", "id", "content_hash", "priority", "members"]
    plain = batch.select(names).take(pa.array(rows))
    return zip(rows.tolist(), zip(*(column.to_pylist() for column in plain), strict=True), strict=True)


def _placed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give *batch* with the column `place` made from `id`."""
    return batch.append_column("place", pa.array(first_64_bits_column(batch["id"]).view(np.int64)))


def _gathered(batch: pa.RecordBatch, *, role: int) -> pa.RecordBatch:
    """Give *batch* the columns of `GATHERED`; those of other roles are empty in the keys, null elsewhere."""
    empty: Iterable[tuple[str, pa.Scalar]] = (
        ("role", pa.scalar(role, pa.int32())),
        ("id", pa.scalar("")),
        ("content_hash", pa.scalar("")),
        ("band", pa.scalar(0, pa.int64())),
    )
    for name, value in empty:
        if name not in batch.schema.names:
            batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
    return conform(batch, GATHERED)
