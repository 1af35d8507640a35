"""Write the decisions about blocks back to their documents, as lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Function
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.dedup.substrings.blocks import BLOCK, block_array
from corpusmill.pipelines.stages.dedup.substrings.columns import list_of
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

PLACED: Final = pa.schema([PLACE_FIELD, *(pa.field(name, pa.int64(), nullable=False) for name in BLOCK.names)])
"""A block of a document."""
REPEATED: Final = pa.schema(
    [
        PLACE_FIELD,
        pa.field("start", pa.int64(), nullable=False),
        pa.field("windows", pa.int64(), nullable=False),
        pa.field("first_id", pa.string(), nullable=False),
        pa.field("first_start", pa.int64(), nullable=False),
    ]
)
"""Windows of a document that occur earlier: the first, their number, and where the first of them first occurs."""
REPEAT: Final = pa.struct([REPEATED.field(name) for name in REPEATED.names[1:]])
REPEATS: Final = "repeats"
"""Column added to documents, prefixed with the stage's name and a dot."""


def blocks_column(name: str) -> pa.Schema:
    """Return the schema of the output of `BlockLists`."""
    return pa.schema([PLACE_FIELD, (name, pa.list_(BLOCK))])


def repeats_column(stage: str) -> pa.Schema:
    """Return the schema of the output of `RepeatLists`."""
    return pa.schema([PLACE_FIELD, (f"{stage}.{REPEATS}", pa.list_(REPEAT))])


class Undecided(Function):
    """Keeps the `DECIDED` rows of blocks that must be divided."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        names = ["first_id", "first_start"]
        return lambda batches: (batch.filter(pc.is_null(batch["first_id"])).drop_columns(names) for batch in batches)


class Repeated(Function):
    """Turns the `DECIDED` rows of windows that occur earlier into `REPEATED` rows."""

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (
            batch.filter(pc.is_valid(batch["first_id"])).select(REPEATED.names).cast(REPEATED) for batch in batches
        )


class BlockLists(Function):
    """Turns blocks into one row for each document, with its blocks as a list of `BLOCK`.

    Args:
        into: Name of the column.
    """

    version = 1

    into: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `start`)."""
        return lambda batches: (self._listed(group) for group in whole_groups(batches, by=PLACE))

    def _listed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        blocks = block_array(*(np.asarray(batch[name]) for name in BLOCK.names))
        return _lists(batch, blocks, blocks_column(self.into))


class RepeatLists(Function):
    """Turns `REPEATED` rows into one row for each document, with its windows that occur earlier as a list of `REPEAT`.

    Args:
        stage: The stage's name.
    """

    version = 1

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `start`)."""
        return lambda batches: (self._listed(joined(group)) for group in whole_groups(map(joined, batches), by=PLACE))

    def _listed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        repeats = pa.StructArray.from_arrays([batch[field.name] for field in REPEAT], fields=list(REPEAT))
        return _lists(batch, repeats, repeats_column(self.stage))


def joined(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Join neighboring `REPEATED` rows of a document that go on in the same document: a stretch becomes one row."""
    if not batch.num_rows:
        return batch
    place, start, count, first = (np.asarray(batch[name]) for name in (PLACE, "start", "windows", "first_start"))
    ids = batch["first_id"]
    is_new = np.ones(len(place), np.bool_)
    is_new[1:] = (
        (place[1:] != place[:-1])
        | (start[1:] != start[:-1] + count[:-1])
        | (first[1:] != first[:-1] + count[:-1])
        | np.asarray(pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)))
    )
    counts = pa.array(np.add.reduceat(count, np.flatnonzero(is_new)))
    index = batch.schema.get_field_index("windows")
    return batch.filter(pa.array(is_new)).set_column(index, REPEATED.field("windows"), counts)


def _lists(batch: pa.RecordBatch, values: pa.Array, schema: pa.Schema) -> pa.RecordBatch:
    """Return one row for each document of *batch*, which has whole groups sorted by `PLACE`, with its *values*."""
    starts = run_starts(batch[PLACE])
    lists = list_of(values, group_numbers(starts, rows=batch.num_rows), rows=len(starts))
    return pa.RecordBatch.from_arrays([batch[PLACE].take(pa.array(starts)), lists], schema=schema)
