"""Find decisions of the parent version that this run may change.

The kept documents are to be those of a run from nothing. A document that the parent kept can be removed only if a
document before it, in the order of priority, is kept now that was not kept then: a new one, or one whose kept document
has been taken down. The documents that it had removed may then be kept, and so on. Rounds follow these chains: a kept
document that shares a band key with such an earlier document is *unsettled*, with all documents that it had removed.

With `keep: oldest` and later documents, nothing is unsettled. No document is read to find that out: all of their
priorities are greater than the greatest one of a kept document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Function, Input, Repeat, Step
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import first_of_runs, with_first_of_run
from corpusmill.pipelines.stages.dedup.carried import places_of
from corpusmill.pipelines.stages.dedup.keys import KeySet
from corpusmill.pipelines.stages.dedup.lists import list_values
from corpusmill.pipelines.stages.dedup.priority import Keep, Order, priorities, priority_columns
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
LATEST: Final = pa.schema([pa.field("all", pa.int64(), nullable=False), UNSETTLED.field("priority")])
"""The greatest priority of a document that was kept: documents after it make none unsettled."""
RISKY: Final = pa.schema([PLACE_FIELD])
"""The place of a document."""
DEPENDENT: Final = pa.schema([PLACE_FIELD, pa.field("is_kept", pa.int64(), nullable=False)])
"""A document that becomes unsettled, and whether it was kept."""
NO_TABLES: Final[Mapping[str, str]] = MappingProxyType({})


def unsettled_steps(name: str, *, of: str, carried: str, bands: str, order: Order) -> tuple[Step, ...]:
    """Return the steps that find all documents whose decision is open.

    Args:
        name: Name of the last step, with the place of each open document; the others are ``name.<suffix>``. The table
            of `open_keys` has their band keys.
        of: The state of the documents with the column *bands*, their band keys.
        carried: A step with `carried.CARRIED` rows.
    """
    start, chain = f"{name}.start", open_keys(name)
    new, latest = f"{name}.new", f"{name}.latest"
    fronts, risky, dependent, freed = (f"{chain}.{step}" for step in ("fronts", "risky", "dependent", "freed"))
    described: dict[str, Any] = {"bands": bands, "keep": order.keep, "sources": order.sources}
    wanted = (bands, PLACE, *priority_columns(order.keep))
    decided = (PLACE, "keeper")
    return (
        _places_step(new, carried, through=Undecided(), columns=decided),
        Exchange(
            name=latest,
            inputs=(Input(carried, through=Latest(), columns=(*decided, "priority")),),
            by="all",
            order=("priority",),
            function=Last(),
            moved=LATEST,
            schema=LATEST,
            partitions=1,
        ),
        Exchange(
            name=start,
            inputs=(Input(of, through=New(**described), columns=wanted, at=new),),
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
                    inputs=(Input(chain, through=NewBeforeLatest()),),
                    by="band",
                    order=("priority", PLACE),
                    function=Least(),
                    moved=UNSETTLED,
                    schema=FRONT,
                    tables={"latest": latest},
                ),
                _places_step(risky, of, through=Risky(**described), columns=wanted, tables={"fronts": fronts}),
                Exchange(
                    name=dependent,
                    inputs=(Input(carried, through=Dependent(), columns=decided),),
                    by=PLACE,
                    order=(),
                    function=Once(),
                    moved=DEPENDENT,
                    schema=DEPENDENT,
                    tables={"risky": risky},
                ),
                Exchange(
                    name=freed,
                    inputs=(
                        Input(chain, through=Earlier()),
                        Input(of, through=New(**described), columns=wanted, at=dependent),
                    ),
                    by=PLACE,
                    order=("is_new", "band"),
                    function=Added(),
                    moved=UNSETTLED,
                    schema=UNSETTLED,
                ),
            ),
        ),
        _places_step(name, chain, through=Places(), columns=(PLACE,)),
    )


def _places_step(
    name: str, step: str, *, through: Function, columns: tuple[str, ...], tables: Mapping[str, str] = NO_TABLES
) -> Exchange:
    """Return the step that collects the places that *through* selects, each once."""
    return Exchange(
        name=name,
        inputs=(Input(step, through=through, columns=columns),),
        by=PLACE,
        order=(),
        function=Once(),
        moved=RISKY,
        schema=RISKY,
        tables=tables,
    )


def open_keys(name: str) -> str:
    """Return the step of `unsettled_steps` with the `UNSETTLED` rows of all documents without a decision."""
    return f"{name}.chain"


class Undecided(Function):
    """Returns the places of documents for which the parent has no decision."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `PLACE`, `keeper`."""
        return lambda batches: (batch.filter(pc.is_null(batch["keeper"])).select([PLACE]) for batch in batches)


class Latest(Function):
    """Returns the greatest priority of the kept documents of a batch, as `LATEST` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `PLACE`, `keeper`, `priority`."""
        return lambda batches: map(latest_kept, batches)


def latest_kept(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return one row, or none if no document of *batch* was kept."""
    latest = pc.max(batch["priority"].filter(pc.equal(batch["keeper"], batch[PLACE])))
    values = pa.array([latest.as_py()] if latest.is_valid else [], pa.int64())
    return pa.RecordBatch.from_arrays([pa.array([0] * len(values), pa.int64()), values], schema=LATEST)


class Last(Function):
    """Returns the last row."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over all `LATEST` rows, sorted by `priority`."""

        def run(batches: Batches) -> Batches:
            last = None
            for batch in batches:
                last = batch.slice(batch.num_rows - 1)
            if last is not None:
                yield last

        return run


class _Documents(Function):
    """A function over documents. *bands* is the name of a column."""

    bands: str
    keep: Keep
    sources: tuple[str, ...]


class New(_Documents):
    """Returns the keys of documents as `UNSETTLED` rows. Those of kept documents, if marked so, are not new."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over documents, maybe with the columns of `DEPENDENT`."""
        return lambda batches: bounded(unsettled_rows(batch, self) for batch in batches)


def unsettled_rows(batch: pa.RecordBatch, options: New) -> pa.RecordBatch:
    """Return a row for each band key of each document of *batch*."""
    bands, counts = list_values(batch[options.bands])
    rows = pa.array(np.repeat(np.arange(len(counts)), counts))
    priority = priorities(batch, keep=options.keep, sources=options.sources).take(rows)
    marked = "is_kept" in batch.schema.names
    flags = pc.subtract(1, batch["is_kept"]).take(rows) if marked else pa.array(np.ones(len(rows), np.int64))
    return pa.RecordBatch.from_arrays([batch[PLACE].take(rows), flags, pa.array(bands), priority], schema=UNSETTLED)


class Risky(_Documents):
    """Returns the places of documents with a key of a document before them.

    Those that were not kept are among them, but no document was removed because of them.
    """

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function. It reads the table ``fronts``."""

        def run(batches: Batches) -> Batches:
            fronts = task().table("fronts", Fronts.of)
            if fronts is None or len(fronts.priorities):
                yield from bounded(risky(batch, self, fronts) for batch in batches)

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
    """Return the documents of *batch* with a key of a document that may come before them; all without *fronts*.

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


class Dependent(Function):
    """Returns the risky documents that were kept, and those that were removed because of them, as `DEPENDENT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `PLACE`, `keeper`. It reads the table ``risky``."""

        def run(batches: Batches) -> Batches:
            places = task().table("risky", places_of)
            for batch in batches if len(places) else ():
                freed = batch.filter(pa.array(np.isin(np.asarray(pc.fill_null(batch["keeper"], -1)), places)))
                is_kept = pc.equal(freed["keeper"], freed[PLACE]).cast(pa.int64())
                yield pa.RecordBatch.from_arrays([freed[PLACE], is_kept], schema=DEPENDENT)

        return run


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


class NewBeforeLatest(Function):
    """Returns the new rows that may come before a kept document."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `UNSETTLED` rows. It reads the table ``latest``, at most one row."""

        def run(batches: Batches) -> Batches:
            for latest in task().table("latest", _priorities):
                for batch in batches:
                    may_be_first = pc.less_equal(batch["priority"], latest)
                    yield batch.filter(pc.and_(pc.equal(batch["is_new"], 1), may_be_first))

        return run


def _priorities(batches: Batches) -> list[int]:
    return [value for batch in batches for value in batch["priority"].to_pylist()]


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


class Once(Function):
    """Returns one row per place."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by `PLACE`. Rows of one place are equal."""
        return lambda batches: first_of_runs(batches, by=(PLACE,))
