"""Carry the decisions of the parent version over, so that a run compares new documents only.

The parent publishes a row of `INDEX` for each document that the stage compared. A document of this run is *carried* if
the parent has a row with the same id and the same set of shingles, and

- the parent kept it, or
- the parent removed it, and this run has the kept document that it was similar to.

All other documents are new, among them those whose kept document has been taken down. A carried decision stays, unless
a new document may change it (`unsettled`); its document then counts as new, too. New documents, and carried ones that
were kept and have a band key of a new one, are copied to a table of their own, the *pool*, so that the steps that
compare and decide read nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Counters, Exchange, Function, Input, Map
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import first_of_runs, with_first_of_run
from corpusmill.pipelines.stages.base import SideTable
from corpusmill.pipelines.stages.dedup.buckets import BAND, exploded
from corpusmill.pipelines.stages.dedup.keys import KeySet
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST, list_column, list_values
from corpusmill.pipelines.stages.dedup.stars import RAY
from corpusmill.pipelines.stages.dedup.vertices import Pass
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD
from corpusmill.schemas.identity import first_64_bits_column
from corpusmill.schemas.splitmix import splitmix64_column

INDEX: Final = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        *(pa.field(name, pa.int64()) for name in ("size", "set_a", "set_b")),
        pa.field("bands", INT64_LIST),
        pa.field("duplicate_of", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("parameters", pa.string()),
    ]
)
"""A compared document: its set of shingles (`size` and 128 bits of hash), its band keys, and its kept document with the
similarity to it, if it was removed. `parameters` is the JSON object of what keys and decisions depend on."""
INDEX_TABLE: Final = SideTable(
    INDEX,
    may_be_null=("duplicate_of", "similarity"),
    is_published=True,
)
NEW_KEYS: Final = "new_keys"
"""Counter of the distinct band keys of new documents."""
MAX_KEYS: Final = 8_000_000
"""Keys of new documents that a task holds (64 MB). If there are more, all kept documents are compared."""
_SET: Final = ("size", "set_a", "set_b")

PARENT: Final = pa.schema([field for field in INDEX if field.name != "bands"])
"""What is read of the parent's index."""
KNOWN: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("key", "set", "place", "keeper")),
        pa.field("similarity", pa.float64()),
    ]
)
"""A document of the parent (`place` is -1) or of this run. `key` and `keeper` are 64 bits of the id of the document and
of its kept one, which is itself if it was kept. `set` is 64 bits of hash of the set of shingles."""
MATCHED: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("keeper", "is_removed", "place")),
        pa.field("similarity", pa.float64()),
    ]
)
"""A document of this run that the parent has with the same set of shingles, and the parent's decision."""
CARRIED: Final = pa.schema(
    [
        PLACE_FIELD,
        *(pa.field(name, pa.int64(), nullable=False) for name in ("keeper", "is_alone")),
        pa.field("similarity", pa.float64()),
    ]
)
"""A carried document and the place of its kept one. `is_alone`: it is kept and stands for no carried document."""


def carry_steps(name: str, *, of: str, parent: str, signs: str) -> tuple[Exchange, ...]:
    """Return the steps that write the decisions of the parent onto the documents, in the columns `carried_columns`.

    Args:
        name: Name of the last step; the others are ``name.<suffix>``.
        of: The state of the documents, with the columns of `buckets.Sign`.
        parent: A step with the columns of `PARENT`.
        signs: Prefix of the columns of `buckets.Sign`.
    """
    known, upheld = f"{name}.known", f"{name}.upheld"
    columns = ("id", *(f"{signs}.{column}" for column in ("set_a", "set_b", "size")), PLACE)
    added = carried_columns(name)
    return (
        Exchange(
            name=known,
            inputs=(
                Input(parent, through=Earlier(), columns=PARENT.names),
                Input(of, through=Current(signs=signs), columns=columns),
            ),
            by="key",
            order=("set", "place"),
            function=Recognize(),
            moved=KNOWN,
            schema=MATCHED,
        ),
        Exchange(
            name=upheld,
            inputs=(Input(known),),
            by="keeper",
            order=("is_removed", "place"),
            function=Uphold(),
            moved=MATCHED,
            schema=CARRIED,
        ),
        Exchange(
            name=name,
            inputs=(Input(upheld),),
            by=PLACE,
            order=("is_alone",),
            function=Write(into=name),
            moved=CARRIED,
            schema=pa.schema([PLACE_FIELD, *added]),
            onto=of,
        ),
    )


def carried_columns(prefix: str) -> pa.Schema:
    """Return the columns of carried documents; they are null for new ones."""
    numbers = (pa.field(f"{prefix}.{name}", pa.int64()) for name in ("keeper", "is_alone"))
    return pa.schema([*numbers, pa.field(f"{prefix}.similarity", pa.float64())])


class Earlier(Function):
    """Turns rows of the parent's index into `KNOWN` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(earlier, batches)


def earlier(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the documents of the parent."""
    keepers = _keys(pc.coalesce(batch["duplicate_of"], batch["id"]))
    columns = [
        _keys(batch["id"]),
        _set_hashes(*(batch[name] for name in _SET)),
        _repeated(-1, batch),
        keepers,
        batch["similarity"],
    ]
    return pa.RecordBatch.from_arrays(columns, schema=KNOWN)


class Current(Function):
    """Turns documents with signatures into `KNOWN` rows."""

    signs: str

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (current(batch, self.signs) for batch in batches)


def current(batch: pa.RecordBatch, signs: str) -> pa.RecordBatch:
    """Return the documents of this run."""
    batch = batch.filter(pc.is_valid(batch[f"{signs}.size"]))
    sets = _set_hashes(*(batch[f"{signs}.{name}"] for name in _SET))
    nothing = pa.nulls(batch.num_rows, pa.float64())
    return pa.RecordBatch.from_arrays(
        [_keys(batch["id"]), sets, batch[PLACE], _repeated(-1, batch), nothing], schema=KNOWN
    )


def _keys(ids: pa.StringArray) -> pa.Int64Array:
    return pa.array(first_64_bits_column(ids).view(np.int64))


def _set_hashes(size: pa.Int64Array, set_a: pa.Int64Array, set_b: pa.Int64Array) -> pa.Int64Array:
    hashes = splitmix64_column(np.asarray(set_a).view(np.uint64) ^ np.asarray(size).view(np.uint64))
    return pa.array((hashes ^ np.asarray(set_b).view(np.uint64)).view(np.int64))


def _repeated(value: int, batch: pa.RecordBatch) -> pa.Int64Array:
    return pa.repeat(pa.scalar(value, pa.int64()), batch.num_rows)


class Recognize(Function):
    """Turns `KNOWN` rows into the `MATCHED` documents of this run."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`key`, `set`, `place`): first the row of the parent."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=("key", "set"), of=("place", "keeper", "similarity")):
                yield matched(rows.batch, rows.first)

        return run


def matched(batch: pa.RecordBatch, first: pa.RecordBatch) -> pa.RecordBatch:
    """Return the documents of *batch* that belong to this run and whose *first* row belongs to the parent."""
    is_matched = pc.and_(pc.less(first["place"], 0), pc.greater_equal(batch["place"], 0))
    is_removed = pc.not_equal(first["keeper"], batch["key"]).cast(pa.int64())
    columns = [first["keeper"], is_removed, batch["place"], first["similarity"]]
    return pa.RecordBatch.from_arrays(columns, schema=MATCHED).filter(is_matched)


class Uphold(Function):
    """Turns `MATCHED` rows into `CARRIED` rows. Removed documents without their kept one are left out."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`keeper`, `is_removed`, …): first the kept document."""
        return upheld


def upheld(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield a row for each carried document, and another one for a kept document of a removed one."""
    for rows in with_first_of_run(batches, by=("keeper",), of=("place", "is_removed")):
        batch, first = rows.batch, rows.first
        is_upheld, is_alone = pc.equal(first["is_removed"], 0), pc.subtract(1, batch["is_removed"])
        yield _carried(batch["place"], first["place"], is_alone, batch["similarity"], is_upheld)
        is_removed = pc.and_(is_upheld, pc.equal(batch["is_removed"], 1))
        nothing = pa.nulls(batch.num_rows, pa.float64())
        yield _carried(first["place"], first["place"], _repeated(0, batch), nothing, is_removed)


def _carried(
    places: pa.Array, keepers: pa.Array, is_alone: pa.Array, similarity: pa.Array, mask: pa.BooleanArray
) -> pa.RecordBatch:
    columns = [places, keepers, is_alone.cast(pa.int64()), similarity]
    return pa.RecordBatch.from_arrays(columns, schema=CARRIED).filter(mask)


class Write(Function):
    """Turns `CARRIED` rows into one row per document, with the columns `carried_columns`."""

    into: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `is_alone`)."""

        def run(batches: Batches) -> Batches:
            schema = pa.schema([PLACE_FIELD, *carried_columns(self.into)])
            for batch in first_of_runs(batches, by=(PLACE,)):
                yield batch.rename_columns(schema.names).cast(schema)

        return run


# -- the pool: new documents, and kept ones that may be similar to them

HOME: Final = "home"
"""Column of the pool with the `PLACE` of a document among all documents."""
_KEYS_PER_PARTITION: Final = 1 << 17
"""Keys of new documents per partition of the pool: 6,554 documents with 20 bands, 26 MB of text if each has 4 kB."""


def pool_steps(name: str, *, of: str, columns: pa.Schema, bands: str, keeper: str) -> tuple[Exchange, Exchange]:
    """Return the steps that copy *columns* of new documents, and of kept ones with a key of a new one, to a table.

    Args:
        name: Name of the last step. Its table also has the column `HOME`.
        of: The state of the documents, with the columns `carried_columns`.
        bands: The column with the band keys. Kept documents retain only those that a new document has too.
        keeper: The column that is null for new documents.
    """
    keys = f"{name}.keys"
    through = Select(bands=bands, keeper=keeper, keys=keys, columns=tuple(columns.names))
    pooled = pa.schema([pa.field(HOME, pa.int64(), nullable=False), *columns])
    return (
        Exchange(
            name=keys,
            inputs=(Input(of, through=NewKeys(bands=bands, keeper=keeper), columns=(bands, keeper, PLACE)),),
            by="band",
            order=(PLACE,),
            function=Distinct(),
            moved=BAND,
            schema=KEYS,
        ),
        Exchange(
            name=name,
            inputs=(Input(of, through=through, columns=(*columns.names, PLACE)),),
            by=HOME,
            order=(),
            function=Pass(),
            moved=pooled,
            schema=pooled,
            partitions=lambda counters: 1 + counters[keys].get(NEW_KEYS, 0) // _KEYS_PER_PARTITION,
            asks=(keys,),
            tables={"keys": keys},
        ),
    )


class NewKeys(Function):
    """Returns the band keys of new documents. The fields are names of columns."""

    bands: str
    keeper: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns *bands*, *keeper*, `PLACE`."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                new = batch.filter(pc.is_null(batch[self.keeper]))
                yield from bounded([exploded(new[self.bands], new[PLACE])])

        return run


class Distinct(Function):
    """Returns each band key once, and counts them."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `BAND` rows sorted by `band`."""

        def run(batches: Batches) -> Batches:
            for batch in first_of_runs(batches, by=("band",)):
                task().count(NEW_KEYS, batch.num_rows)
                yield batch.select(["band"])

        return run


KEYS: Final = pa.schema([BAND.field("band")])


class Select(Function):
    """Turns documents into rows of the pool. Apart from *keys*, a step, the fields are names of columns."""

    bands: str
    keeper: str
    keys: str
    columns: tuple[str, ...]
    count: int = 0

    def asks(self) -> tuple[str, ...]:
        """Ask how many keys new documents have."""
        return (self.keys,)

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        """Return the function with their number."""
        return self.model_copy(update={"count": counters[self.keys].get(NEW_KEYS, 0)})

    def identity(self) -> dict[str, Any]:
        """Leave out what follows from the counter."""
        identity = super().identity()
        identity["params"].pop("count")
        return identity

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over *columns* and `PLACE`. It reads the table ``keys``."""

        def run(batches: Batches) -> Batches:
            keys = None if self.count > MAX_KEYS else task().table("keys", KeySet.of)
            return bounded(selected(batch, self, keys) for batch in batches)

        return run


def selected(batch: pa.RecordBatch, options: Select, keys: KeySet | None) -> pa.RecordBatch:
    """Return the rows of *batch* that belong to the pool. Without *keys*, all kept documents do."""
    places = np.asarray(batch[PLACE])
    keepers = np.asarray(pc.fill_null(batch[options.keeper], -1))
    is_new = keepers < 0
    bands, counts = list_values(batch[options.bands])
    rows_of = np.repeat(np.arange(len(counts)), counts)
    is_chosen = is_new[rows_of]
    kept = np.flatnonzero((keepers == places)[rows_of])
    is_chosen[kept if keys is None else kept[keys.places_of(bands[kept])]] = True
    sizes = np.bincount(rows_of[is_chosen], minlength=len(counts))
    is_pooled = pa.array(sizes > 0)
    pooled = batch.select(options.columns).filter(is_pooled)
    at = pooled.schema.get_field_index(options.bands)
    pooled = pooled.set_column(at, pooled.schema.field(at), list_column(bands[is_chosen], sizes[sizes > 0]))
    return pooled.add_column(0, pa.field(HOME, pa.int64(), nullable=False), batch[PLACE].filter(is_pooled))


# -- stars


class CarriedRays(Function):
    """Turns carried documents that were removed, and their kept ones, into `RAY` rows by the place of the kept one."""

    prefix: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `id`, `text_bytes`, `PLACE`, `carried_columns`, maybe `cluster_size`."""
        return lambda batches: (carried_rays(batch, self.prefix) for batch in batches)


def carried_rays(batch: pa.RecordBatch, prefix: str) -> pa.RecordBatch:
    """Return the carried documents of stars."""
    batch = batch.filter(pc.fill_null(pc.equal(batch[f"{prefix}.is_alone"], 0), False))
    has_sizes = "cluster_size" in batch.schema.names
    columns = {
        "kept": batch[f"{prefix}.keeper"],
        "is_removed": pc.not_equal(batch[f"{prefix}.keeper"], batch[PLACE]).cast(pa.int64()),
        "members": pc.fill_null(batch["cluster_size"], 1) if has_sizes else _repeated(1, batch),
        "similarity": batch[f"{prefix}.similarity"],
        **{name: batch[name] for name in (PLACE, "id", "text_bytes")},
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in RAY.names], schema=RAY)


class ByPlace(Function):
    """Replaces the rank of the kept document of `RAY` rows by its place."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`kept`, `is_removed`, `PLACE`)."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=("kept",), of=(PLACE,)):
                yield rows.batch.set_column(0, RAY.field("kept"), rows.first[PLACE])

        return run


# -- the index of this version


def index_step(name: str, *, of: str, signs: str, rule: str, parameters: Mapping[str, Any]) -> Map:
    """Return the step that emits the index.

    Args:
        of: The state of the documents after the verdicts.
        signs: Prefix of the columns of `buckets.Sign`.
        rule: The rule of documents that were removed.
    """
    signatures = (f"{signs}.{column}" for column in ("size", "set_a", "set_b", "bands"))
    written = f"{signs}.is_indexed"
    text = json.dumps(dict(parameters), sort_keys=True)
    return Map(
        name=name,
        of=of,
        function=EmitIndex(signs=signs, rule=rule, parameters=text, into=written),
        reads=("id", "rule", "value", "duplicate_of", *signatures),
        writes=pa.schema([pa.field(written, pa.bool_())]),
        sides={"index": INDEX},
    )


class EmitIndex(ColumnFunction):
    """Emits the `INDEX` rows of compared documents, and marks them."""

    signs: str
    rule: str
    parameters: str
    into: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            is_compared = pc.is_valid(batch[f"{self.signs}.size"])
            task().emit("index", index_rows(batch.filter(is_compared), self))
            return pa.record_batch({self.into: is_compared})

        return run


def index_rows(batch: pa.RecordBatch, options: EmitIndex) -> pa.RecordBatch:
    """Return the index of the documents of *batch*, all compared."""
    is_removed = pc.fill_null(pc.equal(batch["rule"], options.rule), False)
    bands = batch[f"{options.signs}.bands"]
    columns = {
        "id": batch["id"],
        **{name: batch[f"{options.signs}.{name}"] for name in ("size", "set_a", "set_b")},
        "bands": bands.take(pa.array(np.arange(len(bands)), mask=np.asarray(is_removed))),
        "duplicate_of": pc.if_else(is_removed, batch["duplicate_of"], pa.scalar(None, pa.string())),
        "similarity": pc.if_else(is_removed, batch["value"], pa.scalar(None, pa.float64())),
        "parameters": pa.repeat(options.parameters, batch.num_rows),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in INDEX.names], schema=INDEX)


def differences(made: str, wanted: Mapping[str, Any]) -> list[str]:
    """Return how the parameters of an index, as JSON, differ from those *wanted*.

    >>> differences('{"bands": 20, "rows": 6}', {"bands": 30, "rows": 6})
    ['`bands` was 20 and is 30']
    """
    before = json.loads(made)
    names = sorted({*before, *wanted})
    return [
        f"`{name}` was {before.get(name)} and is {wanted.get(name)}"
        for name in names
        if before.get(name) != wanted.get(name)
    ]
