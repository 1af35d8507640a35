"""Find decisions of the parent version that this run may change.

The kept documents are to be those of a run from nothing. A document that the parent kept can be removed only if a
document before it, in the order of priority, is kept now that was not kept then: a new one, or one whose kept document
has been taken down. The documents that it had removed may then be kept, and so on. Rounds follow these chains: a kept
document that shares a band key with such an earlier document is *unsettled*, with all documents that it had removed.

With `keep: oldest` and later documents, nothing is unsettled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Repeat, Step
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import first_of_runs, with_first_of_run
from corpusmill.pipelines.stages.dedup.keys import KeySet
from corpusmill.pipelines.stages.dedup.lists import list_values
from corpusmill.pipelines.stages.dedup.priority import Keep, Order, priorities, priority_columns
from corpusmill.pipelines.stages.dedup.vertices import Pass
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

Int64: TypeAlias = npt.NDArray[np.int64]

FREED: Final = "freed"
"""Counter of the keys of documents that a round adds."""
MAX_FRONTS: Final = 4_000_000
"""Keys that a task holds (64 MB). If there are more, every kept document is unsettled."""
UNSETTLED: Final = pa.schema(
    [PLACE_FIELD, *(pa.field(name, pa.int64(), nullable=False) for name in ("is_new", "band", "priority"))]
)
"""A band key of a document whose decision is open. `is_new`: the last round added the document, and it may be kept now,
but was not. The rows of a document that was kept are never new, because it makes no other one unsettled."""
FRONT: Final = pa.schema([UNSETTLED.field("band"), UNSETTLED.field("priority")])
"""The least priority of the documents of a round with a band key."""
RISKY: Final = pa.schema([PLACE_FIELD])
"""The place of a kept document that becomes unsettled."""


def unsettled_steps(name: str, *, of: str, bands: str, columns: pa.Schema, order: Order) -> tuple[Step, ...]:
    """Return the steps that take back the decisions that may change.

    Args:
        name: Name of the last step, a state of the documents; the others are ``name.<suffix>``. The table of
            `open_keys` has the band keys of all documents without a decision.
        of: The state of the documents with the columns `parent.carried_columns`.
        bands: The column with the band keys.
        columns: The columns to set to null. The first one has the place of the kept document.
    """
    keeper = columns.names[0]
    start, chain = f"{name}.start", open_keys(name)
    fronts, risky, freed = (f"{chain}.{step}" for step in ("fronts", "risky", "freed"))
    described: dict[str, Any] = {"bands": bands, "keeper": keeper, "keep": order.keep, "sources": order.sources}
    wanted = (bands, keeper, PLACE, *priority_columns(order.keep))
    return (
        Exchange(
            name=start,
            inputs=(Input(of, through=New(**described), columns=wanted),),
            by=PLACE,
            order=("is_new", "band"),
            function=Added(),
            moved=UNSETTLED,
            schema=UNSETTLED,
        ),
        Repeat(
            name=chain,
            start=start,
            until=FREED,
            steps=(
                Exchange(
                    name=fronts,
                    inputs=(Input(chain, through=OnlyNew()),),
                    by="band",
                    order=("priority", PLACE),
                    function=Least(),
                    moved=UNSETTLED,
                    schema=FRONT,
                ),
                Exchange(
                    name=risky,
                    inputs=(Input(of, through=Risky(**described), columns=wanted),),
                    by=PLACE,
                    order=(),
                    function=Pass(),
                    moved=RISKY,
                    schema=RISKY,
                    tables={"fronts": fronts},
                ),
                Exchange(
                    name=freed,
                    inputs=(
                        Input(chain, through=Earlier()),
                        Input(of, through=Dependent(**described), columns=wanted),
                    ),
                    by=PLACE,
                    order=("is_new", "band"),
                    function=Added(),
                    moved=UNSETTLED,
                    schema=UNSETTLED,
                    tables={"risky": risky},
                ),
            ),
        ),
        Exchange(
            name=name,
            inputs=(Input(chain, through=Places()),),
            by=PLACE,
            order=(),
            function=Cleared(columns=tuple(columns.names)),
            moved=RISKY,
            schema=pa.schema([PLACE_FIELD, *columns]),
            onto=of,
        ),
    )


def open_keys(name: str) -> str:
    """Return the step of `unsettled_steps` with the `UNSETTLED` rows of all documents without a decision."""
    return f"{name}.chain"


class _Documents(Function):
    """A function over documents. *bands* and *keeper* are names of columns."""

    bands: str
    keeper: str
    keep: Keep
    sources: tuple[str, ...]

    def rows(self, batch: pa.RecordBatch, mask: npt.NDArray[np.bool_], *, is_new: bool = True) -> pa.RecordBatch:
        """Return `UNSETTLED` rows for the documents of *batch* at *mask*."""
        batch = batch.filter(pa.array(mask))
        bands, counts = list_values(batch[self.bands])
        rows = pa.array(np.repeat(np.arange(len(counts)), counts))
        priority = priorities(batch, keep=self.keep, sources=self.sources).take(rows)
        flags = pa.array(np.full(len(bands), int(is_new)))
        return pa.RecordBatch.from_arrays([batch[PLACE].take(rows), flags, pa.array(bands), priority], schema=UNSETTLED)


def _places(batch: pa.RecordBatch, keeper: str) -> tuple[Int64, Int64]:
    """Return the places of documents, and of their kept ones or -1."""
    return np.asarray(batch[PLACE]), np.asarray(pc.fill_null(batch[keeper], -1))


class New(_Documents):
    """Returns the keys of documents for which the parent has no decision."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: bounded(self.rows(batch, _places(batch, self.keeper)[1] < 0) for batch in batches)


class Risky(_Documents):
    """Returns the places of kept documents with a key of a document before them."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function. It reads the table ``fronts``."""

        def run(batches: Batches) -> Batches:
            fronts = task().table("fronts", Fronts.of)
            for batch in batches:
                places, keepers = _places(batch, self.keeper)
                kept = batch.filter(pa.array(places == keepers))
                yield from bounded([risky(kept, self, fronts)])

        return run


class Fronts(NamedTuple):
    """Band keys, and the least priority of a document with each of them."""

    keys: KeySet
    priorities: Int64

    @classmethod
    def of(cls, batches: Batches) -> Fronts | None:
        """Collect `FRONT` rows; None if there are more than `MAX_FRONTS`."""
        parts = [np.empty((2, 0), np.int64)]
        count = 0
        for batch in batches:
            parts.append(np.stack([np.asarray(column) for column in batch.columns]))
            count += batch.num_rows
            if count > MAX_FRONTS:
                return None
        bands, least = np.concatenate(parts, axis=1)
        order = np.argsort(bands)
        return cls(KeySet.of_sorted(bands[order]), least[order])


def risky(batch: pa.RecordBatch, options: Risky, fronts: Fronts | None) -> pa.RecordBatch:
    """Return the kept documents of *batch* with a key of a document that may come before them; all without *fronts*.

    Documents of equal priority may come before each other.
    """
    if fronts is None:
        return batch.select([PLACE])
    bands, counts = list_values(batch[options.bands])
    rows = np.repeat(np.arange(len(counts)), counts)
    hits = fronts.keys.places_of(bands)
    own = np.asarray(priorities(batch, keep=options.keep, sources=options.sources))[rows[hits]]
    least = fronts.priorities[fronts.keys.positions(bands[hits])]
    is_risky = np.zeros(len(counts), np.bool_)
    is_risky[rows[hits[least <= own]]] = True
    return batch.select([PLACE]).filter(pa.array(is_risky))


class Dependent(_Documents):
    """Returns the keys of risky documents, and of those that they had removed."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function. It reads the table ``risky``."""

        def run(batches: Batches) -> Batches:
            risky_places = task().table("risky", _sorted_places)
            for batch in batches if len(risky_places) else ():
                places, keepers = _places(batch, self.keeper)
                is_freed = np.isin(keepers, risky_places)
                is_kept = is_freed & (keepers == places)
                yield from bounded(
                    [self.rows(batch, is_freed & ~is_kept), self.rows(batch, is_freed & is_kept, is_new=False)]
                )

        return run


def _sorted_places(batches: Batches) -> Int64:
    return np.sort(np.concatenate([np.empty(0, np.int64), *(np.asarray(batch[PLACE]) for batch in batches)]))


class Added(Function):
    """Returns each row once, and of documents of earlier rounds no new ones. Counts new rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `UNSETTLED` rows sorted by (`PLACE`, `is_new`, `band`)."""

        def run(batches: Batches) -> Batches:
            once = first_of_runs(batches, by=(PLACE, "is_new", "band"))
            for rows in with_first_of_run(once, by=(PLACE,), of=("is_new",)):
                is_added = pc.equal(rows.batch["is_new"], rows.first["is_new"])
                added = rows.batch.filter(is_added)
                task().count(FREED, pc.sum(added["is_new"]).as_py() or 0)
                yield added

        return run


class OnlyNew(Function):
    """Returns the new rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `UNSETTLED` rows."""
        return lambda batches: (batch.filter(pc.equal(batch["is_new"], 1)) for batch in batches)


class Earlier(Function):
    """Returns all rows as those of an earlier round."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `UNSETTLED` rows."""
        zero = pa.scalar(0, pa.int64())
        return lambda batches: (
            batch.set_column(1, UNSETTLED.field("is_new"), pa.repeat(zero, batch.num_rows)) for batch in batches
        )


class Least(Function):
    """Returns the least priority of each key."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `UNSETTLED` rows sorted by (`band`, `priority`)."""

        return lambda batches: (batch.select(FRONT.names) for batch in first_of_runs(batches, by=("band",)))


class Places(Function):
    """Returns the places of all documents."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `UNSETTLED` rows."""
        return lambda batches: (batch.select([PLACE]) for batch in batches)


class Cleared(Function):
    """Returns one row per document, with null in *columns*."""

    columns: tuple[str, ...]

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by `PLACE`."""

        def run(batches: Batches) -> Batches:
            for batch in first_of_runs(batches, by=(PLACE,)):
                nothing = {name: pa.nulls(batch.num_rows, pa.int64()) for name in self.columns}
                yield pa.record_batch({PLACE: batch[PLACE], **nothing})

        return run
