"""Collect the documents that an incremental run compares in a table of their own, the *pool*.

These are open documents, for which there is no decision of the parent version, and kept ones that have a band key of an
open one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Counters, Exchange, Function, Input
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.runs import first_of_runs, with_first_of_run
from corpusmill.pipelines.stages.dedup.buckets import BAND
from corpusmill.pipelines.stages.dedup.keys import KeySet
from corpusmill.pipelines.stages.dedup.lists import list_column, list_values
from corpusmill.pipelines.stages.dedup.vertices import Pass
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

HOME: Final = "home"
"""Column of the pool with the `PLACE` of a document among all documents."""
NEW_KEYS: Final = "new_keys"
"""Counter of the distinct band keys of new documents."""
MAX_KEYS: Final = 8_000_000
"""Keys of new documents that a task holds (64 MB). If there are more, all kept documents are compared."""
_KEYS_PER_PARTITION: Final = 1 << 17
"""Keys of new documents per partition of the pool: 6,554 documents with 20 bands, 26 MB of text if each has 4 kB."""
KEYS: Final = pa.schema([BAND.field("band")])
KEEPER: Final = "keeper"
"""Column of the pool with the place of a kept document; null for open ones."""
_OPEN, _SHARES, _KEPT = range(3)
ABOUT: Final = pa.schema([PLACE_FIELD, pa.field("kind", pa.int64(), nullable=False)])
"""Says that a document is open, shares a key with an open one, or was kept."""
MEMBER: Final = pa.schema([PLACE_FIELD, pa.field(KEEPER, pa.int64())])
"""A document of the pool."""


def pool_steps(
    name: str, *, of: str, new: str, opened: str, carried: str, columns: pa.Schema, bands: str
) -> tuple[Exchange, ...]:
    """Return the steps that copy *columns* of open documents, and of kept ones with a key of one, to a table.

    Args:
        name: Name of the last step. Its table also has the columns `HOME` and `KEEPER`.
        of: The state of the documents.
        new: A step with the band keys of open documents, in the column ``band``.
        opened: A step with the places of open documents.
        carried: A step with `carried.CARRIED` rows.
        bands: The column with the band keys. Kept documents retain only those that an open document has too.
    """
    keys, members = f"{name}.keys", f"{name}.members"
    pooled = pa.schema([pa.field(HOME, pa.int64(), nullable=False), *columns, MEMBER.field(KEEPER)])
    select = Select(bands=bands, keys=keys, columns=(*columns.names, KEEPER))
    return (
        Exchange(
            name=keys,
            inputs=(Input(new, columns=tuple(KEYS.names)),),
            by="band",
            order=(),
            function=Distinct(),
            moved=KEYS,
            schema=KEYS,
        ),
        Exchange(
            name=members,
            inputs=(
                Input(opened, through=Opened()),
                Input(of, through=Sharing(bands=bands, keys=keys), columns=(bands, PLACE)),
                Input(carried, through=Kept(), columns=(PLACE, "keeper", "is_alone")),
            ),
            by=PLACE,
            order=("kind",),
            function=Gathered(),
            moved=ABOUT,
            schema=MEMBER,
            tables={"keys": keys},
        ),
        Exchange(
            name=name,
            inputs=(Input(of, through=select, columns=(*columns.names, PLACE), at=members),),
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


class Distinct(Function):
    """Returns each band key once, and counts them."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over sorted `KEYS` rows."""

        def run(batches: Batches) -> Batches:
            for batch in first_of_runs(batches, by=("band",)):
                task().count(NEW_KEYS, batch.num_rows)
                yield batch

        return run


class _WithKeys(Function):
    """A function over documents that reads the table ``keys``, the output of the step *keys*.

    *bands* is the column with the band keys of a document.
    """

    bands: str
    keys: str
    count: int = 0

    def asks(self) -> tuple[str, ...]:
        """Ask how many keys open documents have."""
        return (self.keys,)

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        """Return the function with their number."""
        return self.model_copy(update={"count": counters[self.keys].get(NEW_KEYS, 0)})

    def identity(self) -> dict[str, Any]:
        """Leave out what follows from the counter."""
        identity = super().identity()
        identity["params"].pop("count")
        return identity

    def read_keys(self) -> KeySet | None:
        """Return the keys; None if there are too many to hold."""
        return None if self.count > MAX_KEYS else task().table("keys", KeySet.of)


class Sharing(_WithKeys):
    """Returns documents with a key of an open document, as `ABOUT` rows; all documents if there are too many keys."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns *bands* and `PLACE`."""

        def run(batches: Batches) -> Batches:
            keys = self.read_keys()
            return (about(sharing(batch, self.bands, keys), _SHARES) for batch in batches)

        return run


def sharing(batch: pa.RecordBatch, column: str, keys: KeySet | None) -> pa.RecordBatch:
    """Return the documents of *batch* that have one of the *keys*; all without *keys*."""
    if keys is None:
        return batch
    bands, counts = list_values(batch[column])
    does_share = np.zeros(len(counts), np.bool_)
    does_share[np.repeat(np.arange(len(counts)), counts)[keys.places_of(bands)]] = True
    return batch.filter(pa.array(does_share))


def about(batch: pa.RecordBatch, kind: int) -> pa.RecordBatch:
    """Return an `ABOUT` row of a *kind* for each row of *batch*."""
    kinds = pa.repeat(pa.scalar(kind, pa.int64()), batch.num_rows)
    return pa.RecordBatch.from_arrays([batch[PLACE], kinds], schema=ABOUT)


class Opened(Function):
    """Turns the places of open documents into `ABOUT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the column `PLACE`."""
        return lambda batches: (about(batch, _OPEN) for batch in batches)


class Kept(Function):
    """Turns kept documents into `ABOUT` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `PLACE`, `keeper`, `is_alone`."""
        return lambda batches: (about(batch.filter(is_kept(batch)), _KEPT) for batch in batches)


def is_kept(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rows of *batch* are the only ones with `is_alone` 1 of a kept document."""
    return pc.and_(pc.equal(batch["is_alone"], 1), pc.fill_null(pc.equal(batch["keeper"], batch[PLACE]), False))


class Gathered(Function):
    """Returns the documents of the pool, as `MEMBER` rows."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `ABOUT` rows sorted by (`PLACE`, `kind`), which has at most one row of each kind."""

        def run(batches: Batches) -> Batches:
            for rows in with_first_of_run(batches, by=(PLACE,), of=("kind",)):
                yield members(rows.batch, rows.first["kind"])

        return run


def members(batch: pa.RecordBatch, first: pa.Int64Array) -> pa.RecordBatch:
    """Return the rows of open documents, and those of kept ones that share a key. *first* is the first kind."""
    is_open = pc.equal(batch["kind"], _OPEN)
    is_near = pc.and_(pc.equal(first, _SHARES), pc.equal(batch["kind"], _KEPT))
    keepers = pc.if_else(is_open, pa.scalar(None, pa.int64()), batch[PLACE])
    rows = pa.RecordBatch.from_arrays([batch[PLACE], keepers], schema=MEMBER)
    return rows.filter(pc.or_(is_open, is_near))


class Select(_WithKeys):
    """Turns documents of the pool into its rows. *columns* are those of the pool."""

    columns: tuple[str, ...]

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over *columns* and `PLACE`."""

        def run(batches: Batches) -> Batches:
            keys = self.read_keys()
            return bounded(selected(batch, self, keys) for batch in batches)

        return run


def selected(batch: pa.RecordBatch, options: Select, keys: KeySet | None) -> pa.RecordBatch:
    """Return *batch* as rows of the pool. Kept documents retain those of their bands that are among *keys*."""
    bands, counts = list_values(batch[options.bands])
    rows_of = np.repeat(np.arange(len(counts)), counts)
    is_chosen = np.asarray(pc.is_null(batch[KEEPER]))[rows_of]
    if keys is None:
        is_chosen[:] = True
    else:
        is_chosen[keys.places_of(bands)] = True
    sizes = np.bincount(rows_of[is_chosen], minlength=len(counts))
    pooled = batch.select(options.columns)
    at = pooled.schema.get_field_index(options.bands)
    pooled = pooled.set_column(at, pooled.schema.field(at), list_column(bands[is_chosen], sizes))
    return pooled.add_column(0, pa.field(HOME, pa.int64(), nullable=False), batch[PLACE])
