"""Find pieces that several documents have, and decide which document keeps each: hashes and places, never texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Function
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.groups import run_starts, whole_groups
from corpusmill.pipelines.engines.runs import RunRows, with_first_of_run, with_is_above
from corpusmill.pipelines.stages.dedup.pieces.keys import pieces
from corpusmill.pipelines.stages.dedup.pieces.spans import Unit
from corpusmill.pipelines.stages.dedup.priority import Keep, priorities
from corpusmill.pipelines.stages.verdicts import PLACE_FIELD, for_all_rows

NUMBERS, KEYS, SHARES = "numbers", "keys", "shared"
"""Columns added to documents, prefixed with the stage's name and a dot: the number of each piece among the different
ones (-1: not compared), the keys of these, and those that are cut."""
_KEY: Final = pa.struct([("high", pa.int64()), ("low", pa.int64())])
_SHARED: Final = pa.struct([("number", pa.int64()), ("first_id", pa.string())])
STANDING: Final = pa.schema(
    [
        pa.field("high", pa.int64(), nullable=False),
        pa.field("low", pa.int64(), nullable=False),
        pa.field("priority", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        PLACE_FIELD,
        pa.field("number", pa.int64(), nullable=False),
    ]
)
"""A different piece of a living document: its key (128 bits as two numbers), its document, its number in it."""
SHARED: Final = pa.schema(
    [PLACE_FIELD, pa.field("number", pa.int64(), nullable=False), pa.field("first_id", pa.string())]
)
"""A piece to cut from a document. `first_id` is the document that keeps it; null if the piece is boilerplate."""
_BY: Final = ("high", "low")
_HASHED_BYTES: Final = 1_000_000
"""UTF-8 bytes of text to divide at a time: large enough for numpy, small enough for the cache."""
_KEYS_BYTES: Final = 4_000_000
"""Bytes of documents' keys to turn into rows at a time. A row is about five times as large as a key."""


def columns_schema(stage: str) -> pa.Schema:
    """Return the columns that `PieceColumns` adds."""
    return pa.schema([(f"{stage}.{NUMBERS}", pa.list_(pa.int64())), (f"{stage}.{KEYS}", pa.list_(_KEY))])


def shares_schema(stage: str) -> pa.Schema:
    """Return the schema of the output of `Listed`."""
    return pa.schema([PLACE_FIELD, (f"{stage}.{SHARES}", pa.list_(_SHARED))])


class PieceColumns(ColumnFunction):
    """Adds the numbers and keys of the pieces of living documents; null for rejected documents.

    Args:
        stage: The stage's name.
        unit: What a piece is.
        min_characters: Shorter pieces are not compared.
    """

    stage: str
    unit: Unit
    min_characters: int

    def identity(self) -> dict[str, Any]:
        """Add the version of Unicode, which decides how characters are folded."""
        return {**super().identity(), "unicode": unicodedata.unidata_version}

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function over the columns `text`, `rule`."""

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            parts = [self._columns(part) for part in bounded([batch], max_bytes=_HASHED_BYTES)]
            return pa.concat_batches(parts) if parts else pa.RecordBatch.from_pylist([], columns_schema(self.stage))

        return run

    def _columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        alive = pc.is_null(batch["rule"])
        texts = pc.fill_null(batch["text"].filter(alive), "")
        all_pieces = pieces(texts, self.unit, min_characters=self.min_characters)
        counts = np.bincount(all_pieces.spans.rows, minlength=len(texts))
        halves = [pa.array(numbers) for numbers in all_pieces.keys_K2.T.copy()]
        keys = pa.StructArray.from_arrays(halves, fields=list(_KEY))
        columns = [
            for_all_rows(pa.ListArray.from_arrays(_offsets(lengths), values), alive)
            for lengths, values in ((counts, pa.array(all_pieces.numbers_P)), (all_pieces.counts_D, keys))
        ]
        return pa.RecordBatch.from_arrays(columns, schema=columns_schema(self.stage))


def _offsets(lengths: Any) -> pa.Int32Array:
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


class Standings(Function):
    """Turns documents with the columns of `PieceColumns` into `STANDING` rows, one for each different piece."""

    stage: str
    keep: Keep
    sources: tuple[str, ...] = ()

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: map(self._standings, bounded(batches, max_bytes=_KEYS_BYTES))

    def _standings(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        keys = batch[f"{self.stage}.{KEYS}"]
        document = pc.list_parent_indices(keys)
        high, low = pc.list_flatten(keys).flatten()
        counts = np.asarray(pc.fill_null(pc.list_value_length(keys), 0))
        numbers = np.arange(len(high)) - np.repeat(np.cumsum(counts) - counts, counts)
        priority = priorities(batch, keep=self.keep, sources=self.sources)
        of_document = [column.take(document) for column in (priority, batch["id"], batch[PLACE])]
        return pa.RecordBatch.from_arrays([high, low, *of_document, pa.array(numbers, pa.int64())], schema=STANDING)


class Share(Function):
    """Decides which pieces are cut: all but the first with a key, or all that are in too many documents.

    Holds one batch, and at most *max_documents* rows.
    """

    max_documents: int | None = None

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over `STANDING` rows sorted by (`high`, `low`, `priority`, `id`)."""
        return lambda batches: map(_shared, with_first_of_run(self._marked(batches), by=_BY, of=("id",)))

    def _marked(self, batches: Batches) -> Batches:
        """Yield *batches* with the column `is_boilerplate`."""
        for batch, is_above in self._counted(batches):
            yield batch.append_column("is_boilerplate", pa.array(is_above))

    def _counted(self, batches: Batches) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.bool_]]]:
        if self.max_documents is not None:
            return with_is_above(batches, by=_BY, limit=self.max_documents)
        return ((batch, np.zeros(batch.num_rows, np.bool_)) for batch in batches)


def _shared(rows: RunRows) -> pa.RecordBatch:
    is_boilerplate = rows.batch["is_boilerplate"]
    first = pc.if_else(is_boilerplate, pa.scalar(None, pa.string()), rows.first["id"])
    columns = [rows.batch[PLACE], rows.batch["number"], first]
    is_cut = pc.or_(is_boilerplate, pa.array(~rows.is_first))
    return pa.RecordBatch.from_arrays(columns, schema=SHARED).filter(is_cut)


class Listed(Function):
    """Turns `SHARED` rows into one row for each document, with its pieces to cut as a list."""

    stage: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows sorted by (`PLACE`, `number`)."""
        return lambda batches: (self._listed(group) for group in whole_groups(batches, by=PLACE))

    def _listed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        starts = run_starts(batch[PLACE])
        shared = pa.StructArray.from_arrays([batch["number"], batch["first_id"]], fields=list(_SHARED))
        lists = pa.ListArray.from_arrays(pa.array(np.append(starts, batch.num_rows), pa.int32()), shared)
        return pa.RecordBatch.from_arrays(
            [batch[PLACE].take(pa.array(starts)), lists], schema=shares_schema(self.stage)
        )
