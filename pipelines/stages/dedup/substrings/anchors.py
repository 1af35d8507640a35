"""Select blocks whose anchor occurs in more than one place: only their windows can occur in more than one place.

`FindBlocks` computes the blocks of each document, `Shared` selects the anchors of several blocks, and these are written
back to the documents. Sixteen bytes are exchanged for each anchor, of which a text has about one in 190 bytes if
`min_bytes` is 500.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Function
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups
from corpusmill.pipelines.stages.dedup.substrings.blocks import BLOCK, block_array
from corpusmill.pipelines.stages.dedup.substrings.columns import list_of, text_bytes_of
from corpusmill.pipelines.stages.dedup.substrings.periods import Periodic, without_periodic
from corpusmill.pipelines.stages.dedup.substrings.winnowing import Anchored, anchored, joined
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

ANCHOR: Final = pa.schema([pa.field("anchor", pa.int64(), nullable=False), PLACE_FIELD])
"""The hash of the anchor of a block, and the document."""
PERIODIC: Final = pa.struct([("start", pa.int64()), ("windows", pa.int64()), ("period", pa.int64())])
"""Windows that equal the one *period* bytes earlier in their document: the first, and their number."""
ANCHORS, BLOCKS, PERIODS = "anchors", "blocks", "periods"
"""Columns added by `FindBlocks`, prefixed with the stage's name and a dot: the blocks that must be compared, the hash
of the anchor of each, and the windows that need not be compared. All are null without any."""
SHARED: Final = "shared"
"""Column, prefixed like these: the hashes in `ANCHORS` that other blocks have, too."""


def block_columns(stage: str) -> pa.Schema:
    """Return the columns that `FindBlocks` adds for the stage *stage*."""
    kinds = {ANCHORS: pa.int64(), BLOCKS: BLOCK, PERIODS: PERIODIC}
    return pa.schema([(f"{stage}.{name}", pa.list_(kind)) for name, kind in kinds.items()])


def shared_column(stage: str) -> pa.Schema:
    """Return the column that `Listed` writes for the stage *stage*."""
    return pa.schema([PLACE_FIELD, (f"{stage}.{SHARED}", pa.list_(pa.int64()))])


class FindBlocks(ColumnFunction):
    """Computes the blocks of each living document.

    Args:
        stage: The stage's name.
        min_bytes: Length of a window.
    """

    version = 1

    stage: str
    min_bytes: int

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `text`, `rule`."""
        return self._columns

    def _columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        rows = np.flatnonzero(
            np.asarray(pc.is_null(batch["rule"]))
            & np.asarray(pc.fill_null(pc.greater_equal(pc.binary_length(batch["text"]), self.min_bytes), False))
        )
        texts = batch["text"] if len(rows) == batch.num_rows else batch["text"].take(pa.array(rows))
        blocks, periodic = _blocks(texts, self.min_bytes)
        listed = {
            ANCHORS: (blocks.row, pa.array(blocks.anchor, pa.int64())),
            BLOCKS: (blocks.row, block_array(blocks.start, blocks.windows, blocks.owner)),
            PERIODS: (periodic.row, pa.StructArray.from_arrays(periodic[1:], fields=list(PERIODIC))),
        }
        columns = [list_of(values, rows[row], rows=batch.num_rows) for row, values in listed.values()]
        return pa.RecordBatch.from_arrays(columns, schema=block_columns(self.stage))


def _blocks(texts: pa.StringArray, min_bytes: int) -> tuple[Anchored, Periodic]:
    data, offsets = text_bytes_of(texts)
    pieces = [
        without_periodic(data, offsets, piece, min_bytes=min_bytes)
        for piece in anchored(data, offsets, min_bytes=min_bytes)
    ]
    empty = np.empty(0, np.int64)
    blocks = [Anchored(*[empty] * 5), *(block for block, _ in pieces)]
    periodic = [Periodic(*[empty] * 4), *(runs for _, runs in pieces)]
    return (
        joined(Anchored(*(np.concatenate(columns) for columns in zip(*blocks, strict=True)))),
        Periodic(*(np.concatenate(columns) for columns in zip(*periodic, strict=True))),
    )


class Anchors(Function):
    """Turns documents into one `ANCHOR` row for each of their blocks.

    Args:
        stage: The stage's name.
    """

    version = 1

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `PLACE` and `ANCHORS`."""
        return lambda batches: bounded(_anchors(batch[f"{self.stage}.{ANCHORS}"], batch[PLACE]) for batch in batches)


def _anchors(anchors: pa.ListArray, places: pa.Int64Array) -> pa.RecordBatch:
    parents = pc.list_parent_indices(anchors)
    return pa.RecordBatch.from_arrays([pc.list_flatten(anchors), places.take(parents)], schema=ANCHOR)


class Shared(Function):
    """Keeps the anchors of at least two blocks: one row for each document that has the anchor.

    Holds one batch and one row, however many blocks have the same anchor.
    """

    version: ClassVar[int] = 1

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `ANCHOR` rows sorted by (`anchor`, `PLACE`)."""
        return _shared


def _shared(batches: Batches) -> Batches:
    waiting = pa.RecordBatch.from_pylist([], schema=ANCHOR)
    follows = is_known = False
    for batch in (batch for batch in batches if batch.num_rows):
        rows = pa.concat_batches([waiting, batch])
        anchor, place = np.asarray(rows["anchor"]), np.asarray(rows[PLACE])
        same_anchor = np.concatenate([[follows], anchor[1:] == anchor[:-1]])
        same_place = np.concatenate([[is_known], (place[1:] == place[:-1]) & same_anchor[1:]])
        is_shared = same_anchor[:-1] | same_anchor[1:]
        yield rows.slice(0, rows.num_rows - 1).filter(pa.array(is_shared & ~same_place[:-1]))
        waiting, follows, is_known = rows.slice(rows.num_rows - 1), bool(same_anchor[-1]), bool(same_place[-1])
    if follows and not is_known:
        yield waiting


class Listed(Function):
    """Turns `ANCHOR` rows into one row for each document, with its shared anchors as a list.

    Args:
        stage: The stage's name.
    """

    version = 1

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `anchor`)."""
        return lambda batches: (self._listed(group) for group in whole_groups(batches, by=PLACE))

    def _listed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        starts = run_starts(batch[PLACE])
        anchors = list_of(batch["anchor"], group_numbers(starts, rows=batch.num_rows), rows=len(starts))
        return pa.RecordBatch.from_arrays(
            [batch[PLACE].take(pa.array(starts)), anchors], schema=shared_column(self.stage)
        )


def shared_blocks(batch: pa.RecordBatch, stage: str) -> pa.ListArray:
    """Return the blocks of each document of *batch* whose anchor is shared, from the stage's columns."""
    anchors, blocks = batch[f"{stage}.{ANCHORS}"], batch[f"{stage}.{BLOCKS}"]
    is_shared = pc.is_in(pc.list_flatten(anchors), value_set=pc.list_flatten(batch[f"{stage}.{SHARED}"]))
    row = np.asarray(pc.list_parent_indices(blocks))[np.asarray(is_shared)]
    return list_of(pc.list_flatten(blocks).filter(is_shared), row, rows=batch.num_rows)
