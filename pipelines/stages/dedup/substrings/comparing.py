"""Compare blocks by hash, and decide for each window whether an equal one occurs earlier.

Documents are read three times, each time with fewer blocks: first whole blocks, then parts of those that differ from a
block with the same core, then single windows of the parts that differ. So a long repeated stretch moves a row for each
of its blocks, and only where it begins and ends, a row for each window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, Function
from corpusmill.pipelines.stages.dedup.priority import priorities
from corpusmill.pipelines.stages.dedup.substrings.anchors import ANCHORS, BLOCKS, SHARED, shared_blocks
from corpusmill.pipelines.stages.dedup.substrings.blocks import (
    CORE_BYTES,
    HULL_BYTES,
    Blocks,
    blocks_of,
    cores,
    digests,
    hulls,
    in_pieces,
    parts,
)
from corpusmill.pipelines.stages.dedup.substrings.columns import text_bytes_of
from corpusmill.pipelines.stages.dedup.substrings.winnowing import Int64, anchors_of_window
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD

_INT64: Final = ("start", "windows", "owner")
COMPARED: Final = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("core", "hull_1", "hull_2", "priority")),
        pa.field("id", pa.string(), nullable=False),
        PLACE_FIELD,
        *(pa.field(name, pa.int64(), nullable=False) for name in _INT64),
    ]
)
"""A block of a document, with the hashes of its core and its hull."""
ORDER: Final = ("hull_1", "hull_2", "priority", "id", PLACE, "start")
"""Within a core, equal hulls together, and of these the first in the order of documents first."""
DECIDED: Final = pa.schema(
    [
        PLACE_FIELD,
        *(pa.field(name, pa.int64(), nullable=False) for name in _INT64),
        pa.field("first_id", pa.string()),
        pa.field("first_start", pa.int64()),
    ]
)
"""A block whose windows all occur earlier, in the document `first_id` from byte `first_start` on. If these are null,
the block must be compared in smaller parts."""
_ROWS: Final = 1 << 16
"""Rows to hash at a time."""


def sizes(min_bytes: int) -> tuple[int, int, int]:
    """Return the maximum number of windows in a block, in a part, and in the smallest part.

    >>> sizes(500)
    (376, 19, 1)
    """
    whole = anchors_of_window(min_bytes)
    return whole, math.isqrt(whole), 1


class Hashed(Function):
    """Turns documents with blocks, all of them living, into `COMPARED` rows, one for each part of a block.

    Args:
        stage: The stage's name.
        min_bytes: Length of a window.
        size: Maximum number of windows in a part.
        blocks: The column with blocks; None: those whose anchor is shared.
    """

    version = 1

    stage: str
    min_bytes: int
    size: int
    blocks: str | None = None

    def reads(self) -> tuple[str, ...]:
        """Return the columns that the function receives."""
        blocks = (self.blocks,) if self.blocks else tuple(f"{self.stage}.{name}" for name in (SHARED, ANCHORS, BLOCKS))
        return (*blocks, "id", "fetched_at", "text", PLACE)

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the columns `reads`."""
        column = self.reads()[0]

        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield from self._hashed(batch.filter(pc.is_valid(batch[column])))

        return run

    def _hashed(self, batch: pa.RecordBatch) -> Batches:
        column = shared_blocks(batch, self.stage) if self.blocks is None else batch[self.blocks]
        documents = pa.RecordBatch.from_arrays(
            [priorities(batch, keep="oldest"), batch["id"], batch[PLACE]], names=["priority", "id", PLACE]
        )
        data, offsets = text_bytes_of(batch["text"])
        blocks = blocks_of(column)
        most_parts = int(blocks.windows.max(initial=1)) // self.size + 2
        for piece in in_pieces(blocks, max_blocks=max(1, _ROWS // most_parts)):
            yield self._rows(data.data, offsets, piece, documents)

    def _rows(self, data: memoryview, offsets: Int64, blocks: Blocks, documents: pa.RecordBatch) -> pa.RecordBatch:
        pieces, part = parts(blocks, size=self.size)
        begin = offsets[pieces.row]
        hull = digests(data, *_moved(hulls(pieces, min_bytes=self.min_bytes), begin), size=HULL_BYTES)
        core = hull[:, 0]
        if self.size > 1:
            bounds = cores(pieces, part, size=self.size, min_bytes=self.min_bytes)
            core = digests(data, *_moved(bounds, begin), size=CORE_BYTES)[:, 0]
        owned = documents.take(pa.array(pieces.row))
        columns = {
            **dict(zip(owned.schema.names, owned.columns, strict=True)),
            **{"core": core, "hull_1": hull[:, 0], "hull_2": hull[:, 1]},
            **{"start": pieces.start, "windows": pieces.windows, "owner": pieces.owner},
        }
        return pa.RecordBatch.from_arrays([pa.array(columns[name]) for name in COMPARED.names], schema=COMPARED)


def _moved(bounds: tuple[Int64, Int64], by: Int64) -> tuple[Int64, Int64]:
    start, end = bounds
    return start + by, end + by


@dataclass(slots=True)
class _Open:
    """The core and the hull that may go on in the next batch."""

    key: tuple[int, int, int]
    first_id: str
    first_start: int
    alone: pa.RecordBatch | None
    """The first row of the core, if no other hull with this core has come yet."""


class Compare(Function):
    """Decides about blocks: of equal ones, all but the first occur earlier; different ones with one core are divided.

    Holds one batch and one row, however many blocks have the same core.

    Args:
        is_last: The blocks are single windows, which cannot be divided.
    """

    version: ClassVar[int] = 1

    is_last: bool

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `COMPARED` rows sorted by `core` and `ORDER`."""
        return self._decided

    def _decided(self, batches: Batches) -> Batches:
        opened: _Open | None = None
        for batch in (batch for batch in batches if batch.num_rows):
            is_core, is_hull = _changes(batch, opened)
            yield _repeated(batch, is_hull, opened)
            if not self.is_last:
                yield from _divided(batch, is_core, is_hull, opened)
            opened = _last(batch, is_core, is_hull, opened)


Mask = npt.NDArray[np.bool_]


def _changes(batch: pa.RecordBatch, opened: _Open | None) -> tuple[Mask, Mask]:
    """Return for each row whether it is the first of its core, and whether it is the first of its hull."""
    is_core = is_hull = np.zeros(batch.num_rows, np.bool_)
    for number, name in enumerate(("core", "hull_1", "hull_2")):
        values = np.asarray(batch[name])
        is_new = np.empty(len(values), np.bool_)
        is_new[0] = opened is None or values[0] != opened.key[number]
        is_new[1:] = values[1:] != values[:-1]
        is_hull = is_hull | is_new
        is_core = is_hull if number == 0 else is_core
    return is_core, is_hull


def _repeated(batch: pa.RecordBatch, is_hull: Mask, opened: _Open | None) -> pa.RecordBatch:
    """Return the rows that are not the first of their hull, with the place of the first."""
    at = np.maximum.accumulate(np.where(is_hull, np.arange(len(is_hull)), -1))
    goes_on, at = pa.array(at[~is_hull] < 0), pa.array(np.maximum(at[~is_hull], 0))
    ids, starts = batch["id"].take(at), batch["start"].take(at)
    if opened is not None:
        ids = pc.if_else(goes_on, opened.first_id, ids)
        starts = pc.if_else(goes_on, opened.first_start, starts)
    rows = batch.filter(pa.array(~is_hull))
    columns = [*(rows[name] for name in (PLACE, *_INT64)), ids, starts]
    return pa.RecordBatch.from_arrays(columns, schema=DECIDED)


def _divided(batch: pa.RecordBatch, is_core: Mask, is_hull: Mask, opened: _Open | None) -> Batches:
    """Yield the first row of each hull whose core has another hull, as far as *batch* shows it."""
    is_other = is_hull & ~is_core
    starts = np.flatnonzero(is_core)
    first = int(starts[0]) if len(starts) else len(is_core)
    if opened is not None and opened.alone is not None and is_other[:first].any():
        yield _undecided(opened.alone)
    has_other = np.logical_or.reduceat(is_other, starts) if len(starts) else np.empty(0, np.bool_)
    is_other[starts[has_other]] = True
    yield _undecided(batch.filter(pa.array(is_other)))


def _undecided(rows: pa.RecordBatch) -> pa.RecordBatch:
    columns = [rows[name] for name in (PLACE, *_INT64)]
    nulls = [pa.nulls(rows.num_rows, DECIDED.field(name).type) for name in ("first_id", "first_start")]
    return pa.RecordBatch.from_arrays([*columns, *nulls], schema=DECIDED)


def _last(batch: pa.RecordBatch, is_core: Mask, is_hull: Mask, opened: _Open | None) -> _Open:
    """Return the core and the hull of the last row of *batch*."""
    hulls, starts = np.flatnonzero(is_hull), np.flatnonzero(is_core)
    key = (batch["core"][-1].as_py(), batch["hull_1"][-1].as_py(), batch["hull_2"][-1].as_py())
    if not len(hulls):
        assert opened is not None, "the first row of all is the first of its hull"
        return opened
    first_id, first_start = batch["id"][int(hulls[-1])].as_py(), batch["start"][int(hulls[-1])].as_py()
    if len(starts):
        is_alone = hulls[-1] == starts[-1]
        return _Open(key, first_id, first_start, batch.slice(int(starts[-1]), 1) if is_alone else None)
    return _Open(key, first_id, first_start, None)
