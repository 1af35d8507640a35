"""Carry the decisions of the parent version over, so that a run compares new documents only.

The parent publishes a row of `INDEX` for each document that the stage compared. A document of this run is *carried* if
the parent has a row with the same id and the same set of shingles, and

- the parent kept it, or
- the parent removed it, and this run has the kept document that it was similar to.

All other documents are new, among them those whose kept document has been taken down. A carried decision stays, unless
a new document may change it (`unsettled`); its document then counts as new, too. The steps that compare and decide
read the `pool` alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Exchange, Function, Input, Map
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import first_of_runs, with_first_of_run
from corpusmill.pipelines.stages.base import SideTable
from corpusmill.pipelines.stages.dedup.lists import INT64_LIST
from corpusmill.pipelines.stages.dedup.stars import RAY
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
