"""Write the kept rows of each part, with all columns of the files, and the ledger of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input, Scan
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.plan import ScanTask
from corpusmill.pipelines.file_dedup.files import json_batches, parquet_batches
from corpusmill.pipelines.file_dedup.ids import original_ids
from corpusmill.pipelines.file_dedup.inputs import Part
from corpusmill.pipelines.file_dedup.json_types import Shapes, batch_of
from corpusmill.pipelines.file_dedup.reading import json_reader
from corpusmill.schemas.document import VERDICT

KEPT_FILE: Final = "kept.parquet"
LEDGER_FILE: Final = "ledger.parquet"
KEPT: Final = "published/kept"
"""Counts the kept records. The progress of a run reads counters with this prefix."""
REMOVED: Final = "removed"
SET_ASIDE: Final = "set_aside"
_GROUP_BYTES: Final = 16_000_000
"""Arrow memory of the rows that are collected for one row group of a kept file."""
_GROUP_ROWS: Final = 65_536
"""Rows of a row group of the ledger."""
_LEVEL: Final = 1
"""Level of zstd: higher ones take several times as long for a tenth less."""
_HEAD: Final = -1
"""The row number of the row that describes a part, which comes before the rows of its records."""

_PLACED: Final = [pa.field("part", pa.int64(), nullable=False), pa.field("row", pa.int64(), nullable=False)]
PARTS: Final = pa.schema([*_PLACED, pa.field("kind", pa.string()), pa.field("pieces", pa.string())])
NOT_KEPT: Final = pa.schema(
    [
        *PARTS,
        pa.field("id", pa.string()),
        *(VERDICT.field(name) for name in ("duplicate_of", "value", "rule", "message")),
    ]
)
"""A record that is not kept, or the row that describes its part."""
_COUNTED: Final = pa.schema(
    [pa.field("part", pa.int64(), nullable=False), pa.field("kept", pa.int64(), nullable=False)]
)


def parts_scan(name: str, parts: Sequence[Part]) -> tuple[Scan, tuple[ScanTask, ...]]:
    """Return the step *name* that lists *parts*, and its task."""
    rows = tuple({"row": _HEAD, **part.as_row()} for part in parts)
    return Scan(name=name, function=ListParts(), schema=PARTS), (ScanTask(rows, rows),)


def write_step(name: str, *, parts: str, records: str, count: int, function: WriteKept) -> Exchange:
    """Return the step *name* that writes two files for each part: a join of the step *parts* with *records*."""
    columns = ("part", "row", "id", "duplicate_of", "value", "rule", "message")
    return Exchange(
        name=name,
        inputs=(Input(parts), Input(records, through=NotKept(), columns=columns)),
        by="part",
        order=("row",),
        function=function,
        moved=NOT_KEPT,
        schema=_COUNTED,
        partitions=count,
        placement="value",
    )


class ListParts(Function):
    """Passes the rows of parts on."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function."""
        return lambda batches: (batch.select(PARTS.names) for batch in batches)


class NotKept(Function):
    """Selects the records that are not kept. Those of the reference are neither kept nor removed."""

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over records with verdicts."""
        return lambda batches: map(_not_kept, batches)


def _not_kept(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.filter(pc.and_(pc.is_valid(batch["rule"]), pc.greater_equal(batch["part"], 0)))


class WriteKept(Function):
    """Reads the files of a part again and writes the rows that are not among its input.

    Args:
        columns: Schema of the kept files, as `as_hex` returns it.
        shapes: For JSON, the shapes of its fields as JSON; else None.
        ledger: Schema of the ledger, as `as_hex` returns it.
        duplicate: The rule of near duplicates; every other rule sets a record aside.
        text, id, reader: As in `ReadPart`.
    """

    columns: str
    shapes: str | None
    ledger: str
    duplicate: str
    text: str
    id: str | None
    reader: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over the `NOT_KEPT` rows of one part, sorted by `row`."""
        return self._write

    def _write(self, batches: Batches) -> Batches:
        lines = _Lines(batches)
        head = next(lines.before(0)).to_pylist()[0]
        part = Part.from_row(head)
        kept = row = 0
        with ExitStack() as stack:
            writer = stack.enter_context(_KeptFile(task().file(KEPT_FILE), _schema(self.columns)))
            ledger = stack.enter_context(_LedgerFile(task().file(LEDGER_FILE), _schema(self.ledger)))
            for rows in self._rows(part):
                mask = np.ones(rows.num_rows, np.bool_)
                for entries in lines.before(row + rows.num_rows):
                    mask[np.asarray(entries["row"]) - row] = False
                    ledger.write(self._entries(entries))
                row += rows.num_rows
                writer.write(rows if mask.all() else rows.filter(pa.array(mask)))
                kept += int(mask.sum())
        task().count(KEPT, kept)
        yield pa.RecordBatch.from_pylist([{"part": part.number, "kept": kept}], schema=_COUNTED)

    def _rows(self, part: Part) -> Iterator[pa.RecordBatch]:
        if self.shapes is None:
            schema = _schema(self.columns)
            yield from (_completed(batch, schema) for batch in parquet_batches(part.pieces))
            return
        shapes: Shapes = dict(json.loads(self.shapes))
        for _, rows in json_batches(part.pieces, json_reader(self.reader, text=self.text, id_column=self.id)):
            yield batch_of([row.value or {} for row in rows], shapes)

    def _entries(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        removed = pc.equal(rows["rule"], self.duplicate).true_count
        task().count(REMOVED, removed)
        task().count(SET_ASIDE, rows.num_rows - removed)
        schema = _schema(self.ledger)
        kind = schema.field("id").type
        others = original_ids(pc.fill_null(rows["duplicate_of"], ""), kind)
        ids = original_ids(rows["id"], kind)
        return pa.RecordBatch.from_arrays([ids, others, rows["value"], rows["rule"], rows["message"]], schema=schema)


def ledger_schema(kind: pa.DataType) -> pa.Schema:
    """Return the columns of the ledger for ids of type *kind*."""
    return pa.schema(
        [
            ("id", kind),
            ("duplicate_of", kind),
            ("similarity", pa.float64()),
            ("rule", pa.string()),
            ("message", pa.string()),
        ]
    )


def as_hex(schema: pa.Schema) -> str:
    """Serialize *schema* for `WriteKept`."""
    return str(schema.serialize().to_pybytes().hex())


def _schema(serialized: str) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(serialized)))


def _completed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return *batch* with the columns and types of *schema*; columns that the file does not have are null."""
    names = set(batch.schema.names)
    columns = [
        batch[field.name].cast(field.type) if field.name in names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class _Lines:
    """Rows sorted by `row`, taken from a stream as far as a reader of the files has come."""

    def __init__(self, batches: Batches) -> None:
        self._batches = iter(batches)
        self._rest: pa.RecordBatch | None = None

    def before(self, row: int) -> Iterator[pa.RecordBatch]:
        """Yield the next rows with a number below *row*."""
        while (batch := self._rest or next(self._batches, None)) is not None:
            rows: npt.NDArray[np.int64] = np.asarray(batch["row"])
            count = int(np.searchsorted(rows, row))
            self._rest = batch.slice(count) if count < batch.num_rows else None
            if count:
                yield batch.slice(0, count)
            if self._rest is not None:
                return


class _File:
    """A Parquet file. A block that fails leaves an incomplete file, which the task discards."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=_LEVEL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *details: Any) -> None:
        if kind is None and self._waiting:
            self._end_group()
        self._writer.close()

    def _end_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
        self._waiting = []


class _KeptFile(_File):
    """A file whose row groups hold about `_GROUP_BYTES`; its batches depend on the files that are read alone."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append *batch*."""
        if batch.num_rows:
            self._waiting.append(batch)
        if sum(waiting.nbytes for waiting in self._waiting) >= _GROUP_BYTES:
            self._end_group()


class _LedgerFile(_File):
    """A file with row groups of `_GROUP_ROWS`, each written as one batch: the engine decides where its batches end."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Append *batch*."""
        while batch.num_rows:
            left = _GROUP_ROWS - sum(waiting.num_rows for waiting in self._waiting)
            self._waiting.append(batch.slice(0, left))
            batch = batch.slice(left)
            if sum(waiting.num_rows for waiting in self._waiting) == _GROUP_ROWS:
                self._end_group()

    def _end_group(self) -> None:
        self._waiting = [pa.concat_batches(self._waiting)]
        super()._end_group()
