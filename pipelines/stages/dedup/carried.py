"""Carry the decisions of the parent version over, so that a run compares new documents only.

A document of this run is *carried* if the parent's index has it with the same set of shingles, and

- the parent kept it, or
- the parent removed it, and this run has the kept document that it was similar to.

All other documents are *open*, among them those whose kept document has been taken down. A carried decision stays,
unless an open document may change it (`unsettled`); its document is then open, too. The steps that compare and decide
read the `pool` alone.

Decisions are rows of a narrow table and are not written onto the documents: a column for each of them would be written
and read for all documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import with_first_of_run
from corpusmill.pipelines.stages.dedup.priority import Keep, Order, priorities, priority_columns
from corpusmill.pipelines.stages.dedup.stars import RAY
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD
from corpusmill.schemas.identity import first_64_bits_column
from corpusmill.schemas.splitmix import splitmix64_column

_SET: Final = ("size", "set_a", "set_b")
_KEPT, _REMOVED, _UNKNOWN = range(3)

_DOCUMENT: Final = (
    pa.field("similarity", pa.float64()),
    pa.field("id", pa.string()),
    *(pa.field(name, pa.int64()) for name in ("text_bytes", "members", "priority")),
)
"""The similarity of a document to its kept one, and its own columns. `members` are the documents that it stands for."""
KNOWN: Final = pa.schema(
    [*(pa.field(name, pa.int64(), nullable=False) for name in ("key", "set", "place", "keeper")), *_DOCUMENT]
)
"""A document of the parent (`place` is -1) or of this run. `key` and `keeper` are 64 bits of the id of the document and
of its kept one, which is itself if it was kept. `set` is 64 bits of hash of the set of shingles."""
MATCHED: Final = pa.schema(
    [*(pa.field(name, pa.int64(), nullable=False) for name in ("keeper", "decision", "place")), *_DOCUMENT]
)
"""A document of this run, and the parent's decision about the same set of shingles."""
CARRIED: Final = pa.schema(
    [
        PLACE_FIELD,
        pa.field("keeper", pa.int64()),
        pa.field("is_alone", pa.int64(), nullable=False),
        *_DOCUMENT,
    ]
)
"""A document of this run and the place of its kept one, null if the document is open. A kept document has one row with
`is_alone` 1, and another one with 0 for each carried document that it stands for."""


def carry_steps(
    name: str, *, of: str, parent: str, signs: str, order: Order, sizes: str | None
) -> tuple[Exchange, ...]:
    """Return the steps that find the decisions of the parent. The last one makes `CARRIED` rows.

    Args:
        name: Name of the last step; the other is ``name.known``.
        of: The state of the documents, with the columns of `buckets.Sign`.
        parent: A step with the columns of `parent.PARENT`.
        signs: Prefix of the columns of `buckets.Sign`.
        sizes: The column with the number of documents that a document stands for; None: each stands for itself.
    """
    known = f"{name}.known"
    own = (*(f"{signs}.{column}" for column in _SET), "id", "text_bytes", *((sizes,) if sizes else ()), PLACE)
    current = Current(signs=signs, sizes=sizes, keep=order.keep, sources=order.sources)
    columns = tuple(dict.fromkeys((*own, *priority_columns(order.keep))))
    return (
        Exchange(
            name=known,
            inputs=(Input(parent, through=Earlier()), Input(of, through=current, columns=columns)),
            by="key",
            order=("set", "place"),
            function=Recognize(),
            moved=KNOWN,
            schema=MATCHED,
        ),
        Exchange(
            name=name,
            inputs=(Input(known),),
            by="keeper",
            order=("decision", "place"),
            function=Uphold(),
            moved=MATCHED,
            schema=CARRIED,
        ),
    )


class Earlier(Function):
    """Turns rows of the parent's index into `KNOWN` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: map(earlier, batches)


def earlier(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the documents of the parent."""
    keys = _keys(batch["id"])
    removed = np.flatnonzero(np.asarray(pc.is_valid(batch["duplicate_of"])))
    keepers = keys.copy()
    keepers[removed] = _keys(batch["duplicate_of"].take(pa.array(removed)))
    columns = [pa.array(keys), _set_hashes(*(batch[name] for name in _SET)), _repeated(-1, batch), pa.array(keepers)]
    nothing = [pa.nulls(batch.num_rows, field.type) for field in _DOCUMENT[1:]]
    return pa.RecordBatch.from_arrays([*columns, batch["similarity"], *nothing], schema=KNOWN)


class Current(Function):
    """Turns documents with signatures into `KNOWN` rows."""

    signs: str
    sizes: str | None
    keep: Keep
    sources: tuple[str, ...]

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (current(batch, self) for batch in batches)


def current(batch: pa.RecordBatch, options: Current) -> pa.RecordBatch:
    """Return the documents of this run."""
    batch = batch.filter(pc.is_valid(batch[f"{options.signs}.size"]))
    sets = _set_hashes(*(batch[f"{options.signs}.{name}"] for name in _SET))
    members = _repeated(1, batch) if options.sizes is None else pc.fill_null(batch[options.sizes], 1)
    priority = priorities(batch, keep=options.keep, sources=options.sources)
    columns = [pa.array(_keys(batch["id"])), sets, batch[PLACE], _repeated(-1, batch)]
    own = [pa.nulls(batch.num_rows, pa.float64()), batch["id"], batch["text_bytes"], members, priority]
    return pa.RecordBatch.from_arrays([*columns, *own], schema=KNOWN)


def _keys(ids: pa.StringArray) -> npt.NDArray[np.int64]:
    return first_64_bits_column(ids).view(np.int64)


def _set_hashes(size: pa.Int64Array, set_a: pa.Int64Array, set_b: pa.Int64Array) -> pa.Int64Array:
    hashes = splitmix64_column(np.asarray(set_a).view(np.uint64) ^ np.asarray(size).view(np.uint64))
    return pa.array((hashes ^ np.asarray(set_b).view(np.uint64)).view(np.int64))


def _repeated(value: int, batch: pa.RecordBatch) -> pa.Int64Array:
    return pa.repeat(pa.scalar(value, pa.int64()), batch.num_rows)


class Recognize(Function):
    """Turns `KNOWN` rows into the `MATCHED` rows of this run."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`key`, `set`, `place`): first the row of the parent."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=("key", "set"), of=("place", "keeper", "similarity")):
                yield matched(rows.batch, rows.first)

        return run


def matched(batch: pa.RecordBatch, first: pa.RecordBatch) -> pa.RecordBatch:
    """Return the documents of *batch* that belong to this run. The parent has those whose *first* row belongs to it."""
    is_known = pc.less(first["place"], 0)
    keeper = pc.if_else(is_known, first["keeper"], batch["key"])
    decision = pc.if_else(is_known, pc.not_equal(keeper, batch["key"]).cast(pa.int64()), _UNKNOWN)
    own = [batch[field.name] for field in _DOCUMENT[1:]]
    columns = [keeper, decision, batch["place"], first["similarity"], *own]
    rows = pa.RecordBatch.from_arrays(columns, schema=MATCHED)
    return rows.filter(pc.greater_equal(batch["place"], 0))


class Uphold(Function):
    """Turns `MATCHED` rows into `CARRIED` rows. Removed documents without their kept one are open."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`keeper`, `decision`, …): first the kept document."""
        return upheld


def upheld(batches: Batches) -> Iterator[pa.RecordBatch]:
    """Yield a row for each document, and for each carried one that was removed another one for its kept document."""
    shared = ("place", "decision", "id", "text_bytes", "members", "priority")
    for rows in with_first_of_run(batches, by=("keeper",), of=shared):
        batch, first = rows.batch, rows.first
        is_carried = pc.and_(pc.equal(first["decision"], _KEPT), pc.less(batch["decision"], _UNKNOWN))
        keepers = pc.if_else(is_carried, first["place"], pa.scalar(None, pa.int64()))
        is_alone = pc.equal(batch["decision"], _KEPT).cast(pa.int64())
        own = [batch[field.name] for field in _DOCUMENT]
        yield pa.RecordBatch.from_arrays([batch["place"], keepers, is_alone, *own], schema=CARRIED)
        is_removed = pc.and_(is_carried, pc.equal(batch["decision"], _REMOVED))
        nothing = pa.nulls(batch.num_rows, pa.float64())
        of_kept = [first["place"], first["place"], _repeated(0, batch), nothing, *(first[name] for name in shared[2:])]
        yield pa.RecordBatch.from_arrays(of_kept, schema=CARRIED).filter(is_removed)


# -- stars


class CarriedRays(Function):
    """Turns carried documents of stars into `RAY` rows by the place of the kept one, unless they are open by now."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `CARRIED` rows. It reads the table ``open``."""

        def run(batches: Batches) -> Batches:
            places = task().table("open", places_of)
            return (carried_rays(batch, places) for batch in batches)

        return run


def places_of(batches: Batches) -> npt.NDArray[np.int64]:
    """Return the places in *batches*, sorted."""
    return np.sort(np.concatenate([np.empty(0, np.int64), *(np.asarray(batch[PLACE]) for batch in batches)]))


def carried_rays(batch: pa.RecordBatch, opened: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Return the documents of stars in *batch* that are not *opened*."""
    batch = batch.filter(pc.and_(pc.equal(batch["is_alone"], 0), pc.is_valid(batch["keeper"])))
    batch = batch.filter(pa.array(~np.isin(np.asarray(batch[PLACE]), opened)))
    columns = {
        "kept": batch["keeper"],
        "is_removed": pc.not_equal(batch["keeper"], batch[PLACE]).cast(pa.int64()),
        **{name: batch[name] for name in (PLACE, "id", "text_bytes", "members", "similarity")},
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
