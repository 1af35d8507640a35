"""Collect the documents that an incremental run compares in a table of their own, the *pool*.

These are new documents, for which the parent version has no decision, and kept ones that have a band key of a new one.
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
from corpusmill.pipelines.engines.runs import first_of_runs
from corpusmill.pipelines.stages.dedup.buckets import BAND
from corpusmill.pipelines.stages.dedup.keys import KeySet
from corpusmill.pipelines.stages.dedup.lists import list_column, list_values
from corpusmill.pipelines.stages.dedup.vertices import Pass

HOME: Final = "home"
"""Column of the pool with the `PLACE` of a document among all documents."""
NEW_KEYS: Final = "new_keys"
"""Counter of the distinct band keys of new documents."""
MAX_KEYS: Final = 8_000_000
"""Keys of new documents that a task holds (64 MB). If there are more, all kept documents are compared."""
_KEYS_PER_PARTITION: Final = 1 << 17
"""Keys of new documents per partition of the pool: 6,554 documents with 20 bands, 26 MB of text if each has 4 kB."""
KEYS: Final = pa.schema([BAND.field("band")])


def pool_steps(
    name: str, *, of: str, new: str, columns: pa.Schema, bands: str, keeper: str
) -> tuple[Exchange, Exchange]:
    """Return the steps that copy *columns* of new documents, and of kept ones with a key of a new one, to a table.

    Args:
        name: Name of the last step. Its table also has the column `HOME`.
        of: The state of the documents, with the columns `parent.carried_columns`.
        new: A step with the band keys of new documents, in the column ``band``.
        bands: The column with the band keys. Kept documents retain only those that a new document has too.
        keeper: The column that is null for new documents.
    """
    keys = f"{name}.keys"
    through = Select(bands=bands, keeper=keeper, keys=keys, columns=tuple(columns.names))
    pooled = pa.schema([pa.field(HOME, pa.int64(), nullable=False), *columns])
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


class Distinct(Function):
    """Returns each band key once, and counts them."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over sorted `KEYS` rows."""

        def run(batches: Batches) -> Batches:
            for batch in first_of_runs(batches, by=("band",)):
                task().count(NEW_KEYS, batch.num_rows)
                yield batch

        return run


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
