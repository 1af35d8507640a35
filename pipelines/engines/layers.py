"""Read a slice of a table: the columns of its layout's file and the layers that maps wrote onto it.

A *layer* is the output of a map: an Arrow file with one batch for each batch of the slice, row by row. A replaced
column contains only the changed rows, and a boolean column ``?<name>`` marks them. A stage that masks one e-mail
address in a thousand documents therefore writes one text.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.engines.batches import IpcFile, only_where
from corpusmill.schemas.storage import Store

CHANGED: Final = "?"
"""Prefix of the column that marks the changed rows of a replaced column."""
_ROW_BITS: Final = 32


@dataclass(frozen=True)
class Layer:
    """An Arrow file that *step* wrote for one slice, its *key* in the store, and the columns to read."""

    step: str
    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SliceFile:
    """A slice: batches ``[start, stop)`` of a layout's file, and the layers on it, oldest first.

    Args:
        key: Key of the layout's file in the store.
        number: Number of the slice in its layout, for `PLACE`.
        columns: Columns to read from the layout's file; at least one.
        batch_rows: Rows of each batch.
    """

    key: str
    start: int
    stop: int
    columns: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    number: int = 0
    batch_rows: tuple[int, ...] = ()


class Frame:
    """One batch of a slice. Columns are assembled on demand."""

    def __init__(self, base: pa.RecordBatch, layers: Mapping[str, pa.RecordBatch], place: int) -> None:
        self.num_rows: int = base.num_rows
        self._base = base
        self._layers = layers
        self._place = place
        self._written: dict[tuple[str, str], pa.Array] = {}
        self._read: dict[tuple[str, tuple[str, ...]], pa.Array] = {}

    def put(self, step: str, name: str, values: pa.Array) -> None:
        """Set the column *name* as written by *step*."""
        self._written[step, name] = values

    def select(self, views: Mapping[str, tuple[str, ...]]) -> pa.RecordBatch:
        """Return the columns in *views*.

        Each maps to the steps that wrote it, newest first; none: the layout's column.
        """
        columns = [self.column(name, writers) for name, writers in views.items()]
        return pa.RecordBatch.from_arrays(columns, names=list(views))

    def column(self, name: str, writers: tuple[str, ...]) -> pa.Array:
        """Return the column *name* as written by *writers*, newest first."""
        key = (name, writers)
        if key not in self._read:
            is_stored = name != PLACE or PLACE in self._base.schema.names
            self._read[key] = self._newest(name, writers) if is_stored else self._places()
        return self._read[key]

    def _places(self) -> pa.Array:
        return pa.array(np.arange(self._place, self._place + self.num_rows, dtype=np.int64))

    def _newest(self, name: str, writers: tuple[str, ...]) -> pa.Array:
        changes: list[tuple[pa.Array, pa.Array]] = []
        for step in writers:
            if (step, name) in self._written:
                return _with_changes(self._written[step, name], changes)
            layer = self._layers[step]
            mask = CHANGED + name
            if mask not in layer.schema.names:
                return _with_changes(layer[name], changes)
            changes.append((layer[mask], layer[name]))
        return _with_changes(self._base[name], changes)


def _with_changes(values: pa.Array, changes: Sequence[tuple[pa.Array, pa.Array]]) -> pa.Array:
    """Return *values* with *changes* applied: pairs of (mask of rows, new values), newest first."""
    for mask, changed in reversed(changes):
        if mask.true_count == len(mask):
            values = changed
        elif mask.true_count:
            values = pc.if_else(mask, changed, values)
    return values


def frames(
    piece: SliceFile, store: Store, *, where: tuple[str, str] | None = None, only: Container[int] | None = None
) -> Iterator[Frame]:
    """Read the batches of *piece* from *store*.

    Args:
        where: A column of the layer of a step (step, column): batches in which it is null in all rows are skipped.
        only: Numbers of the batches to read, counted from 0 in the slice; None: all.
    """
    base = IpcFile(store, piece.key, columns=piece.columns)
    layers = {layer.step: IpcFile(store, layer.key, columns=layer.columns) for layer in piece.layers}
    place = piece.number << _ROW_BITS
    for index in range(piece.start, piece.stop):
        there: dict[str, pa.RecordBatch] = {}
        if only is not None and index - piece.start not in only:
            place += piece.batch_rows[index - piece.start]
            continue
        if where is not None:
            step, column = where
            there[step] = layers[step].batch(index - piece.start)
            if there[step][column].null_count == there[step].num_rows:
                place += there[step].num_rows
                continue
        there |= {step: layer.batch(index - piece.start) for step, layer in layers.items() if step not in there}
        frame = Frame(base.batch(index), there, place)
        yield frame
        place += frame.num_rows


def changed_rows(before: pa.Array, after: pa.Array) -> pa.Array:
    """Return which rows of two arrays of one type differ (bool, no nulls); nulls are equal to each other.

    >>> changed_rows(pa.array(["a", None, "c"]), pa.array(["a", "b", None])).to_pylist()
    [False, True, True]
    """
    if after is before:
        return pa.repeat(pa.scalar(False), len(before))
    if pa.types.is_nested(after.type):
        one, other = before.to_pylist(), after.to_pylist()
        return pa.array([a != b for a, b in zip(one, other, strict=True)], pa.bool_())
    differs = pc.fill_null(pc.not_equal(before, after), False)
    return pc.or_(differs, pc.xor(pc.is_null(before), pc.is_null(after)))


def layer_batch(written: pa.RecordBatch, schema: pa.Schema, before: dict[str, pa.Array]) -> pa.RecordBatch:
    """Return *written* (columns of *schema*) as a layer. *before* has the previous values of replaced columns."""
    columns: list[pa.Array] = []
    for field in schema:
        values = written[field.name]
        if field.name not in before:
            columns.append(values)
            continue
        mask = changed_rows(before[field.name], values)
        columns += [only_where(mask, values), mask]
    return pa.RecordBatch.from_arrays(columns, schema=layer_schema(schema, before))


def layer_schema(schema: pa.Schema, replaced: Container[str]) -> pa.Schema:
    """Return the schema of a layer for *schema*. Columns in *replaced* are stored sparsely."""
    fields: list[pa.Field] = []
    for field in schema:
        if field.name in replaced:
            fields += [field.with_nullable(True), pa.field(CHANGED + field.name, pa.bool_(), nullable=False)]
        else:
            fields.append(field)
    return pa.schema(fields)
