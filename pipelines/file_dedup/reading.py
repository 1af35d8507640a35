"""Read texts and ids of a part of the files, in the form in which the stage compares documents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import Batches, Function, resolve
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.file_dedup import json_types
from corpusmill.pipelines.file_dedup.files import json_batches, parquet_batches, rows_of
from corpusmill.pipelines.file_dedup.ids import (
    OWN,
    REFERENCE,
    as_text,
    grouped,
    ids_of_column,
    ids_of_texts,
    ids_of_values,
)
from corpusmill.pipelines.file_dedup.inputs import JsonReader, Part, Piece
from corpusmill.pipelines.file_dedup.ranks import Keep, ranks, times_of_column, times_of_values
from corpusmill.pipelines.stages.apply import Law, text_bytes
from corpusmill.pipelines.stages.read import STAGE
from corpusmill.schemas.document import TIMESTAMP, VERDICT

SHAPES: Final = "shapes.json"
"""The file of a task with the part's number and the shapes of its JSON fields."""
OWN_RECORDS: Final = "read/own"
REFERENCE_RECORDS: Final = "read/reference"
"""Count the records of either side."""
BROKEN_REFERENCE: Final = "read/broken_reference"
"""Counts the records of the reference that could not be read. No ledger lists them."""
NO_ID: Final = "ids/missing"
"""Counts records without an id, although their files have a column of ids."""
NO_TEXT: Final = "read/no_text"
"""Counts the records to deduplicate whose text is missing or is none. They are kept."""
NO_TIME: Final = "read/no_time"
"""Counts the records to deduplicate whose time is there, but cannot be read. They come last."""
CHANGED: Final = "read/changed"
"""Counts the records to deduplicate with values that no column can hold: they are written in another form."""
_NOT_UTF8: Final = "the text or the id is not UTF-8"

RECORDS: Final = pa.schema(
    [
        pa.field("part", pa.int64(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("fetched_at", TIMESTAMP),
        *VERDICT,
    ]
)
"""A record: `row` counts from 0 in its part. `id` is that of `file_dedup.ids`, `fetched_at` the rank of
`file_dedup.ranks`. A record that cannot be read has a verdict and an empty id."""


class ReadPart(Function):
    """Reads the parts in its input rows, one batch of `RECORDS` for each batch of a file.

    Args:
        text: Column of the texts.
        id: Column of the ids; None: the id of a document is the hash of its text.
        time: Column that orders the documents, where a file has it.
        reader: The loader of JSON files as ``module:Class``.
    """

    text: str
    id: str | None
    time: str | None
    keep: Keep
    reader: str

    def build(self) -> Callable[[Batches], Batches]:
        """Return the function over rows of parts."""

        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    yield from self._records_of(Part.from_row(row))

        return run

    def _records_of(self, part: Part) -> Batches:
        first_row = 0
        for columns in self._parquet(part) if part.kind == "parquet" else self._json(part):
            records = _records(columns, part, first_row=first_row, keep=self.keep)
            _count(records, part)
            yield records
            first_row += records.num_rows

    def _parquet(self, part: Part) -> Iterator[_Columns]:
        names = [name for name in (self.text, self.id, self.time) if name is not None]
        for piece in part.pieces:
            row = 0
            for batch in parquet_batches((piece,), names):
                texts = as_text(batch[self.text])
                ids = None if self.id is None else ids_of_column(batch[self.id])
                times = times_of_column(batch[self.time]) if self.time in batch.schema.names else None
                if times is not None:
                    _count_of_own(part, NO_TIME, times.null_count - batch[self.time].null_count)
                yield _without_invalid(_Columns(texts, ids, times), piece, row=row)
                row += batch.num_rows

    def _json(self, part: Part) -> Iterator[_Columns]:
        shapes: json_types.Shapes = {}
        for piece, rows in json_batches(part.pieces, json_reader(self.reader, text=self.text, id_column=self.id)):
            values = [row.value or {} for row in rows]
            shapes = json_types.unified_fields([shapes, json_types.shapes_of(values)])
            texts = [text if isinstance(text := value.get(self.text), str) else None for value in values]
            times = None if self.time is None else [value.get(self.time) for value in values]
            _count_of_own(part, CHANGED, sum(row.is_changed for row in rows))
            messages = [row.message and f"{piece.name}, byte {row.offset:,}: {row.message}" for row in rows]
            yield _Columns(
                texts=pa.array(texts, pa.string()),
                ids=None if self.id is None else ids_of_values([value.get(self.id) for value in values]),
                times=None if times is None else _times(times, part),
                rules=pa.array([row.rule for row in rows], pa.string()),
                messages=pa.array(messages, pa.string()),
            )
        task().file(SHAPES).write_text(json.dumps({"part": part.number, "shapes": list(shapes.items())}))


def _times(values: Sequence[Any], part: Part) -> pa.Int64Array:
    times = times_of_values(values)
    _count_of_own(part, NO_TIME, times.null_count - sum(value is None for value in values))
    return times


class _Columns(NamedTuple):
    """Columns of a batch of a file. `ids` has tag and body; None: the file has no ids."""

    texts: pa.StringArray
    ids: pa.StringArray | None
    times: pa.Int64Array | None
    rules: pa.StringArray | None = None
    messages: pa.StringArray | None = None


def json_reader(place: str, *, text: str, id_column: str | None) -> JsonReader:
    """Return the loader of JSON Lines at *place* (``module:Class``) for these fields."""
    reader: JsonReader = resolve(place)(text_field=text, id_field=id_column)
    return reader


def _without_invalid(columns: _Columns, piece: Piece, *, row: int) -> _Columns:
    """Set aside the rows whose text or id is not UTF-8: Parquet does not check that. The first is *row* of *piece*."""
    try:
        columns.texts.validate(full=True)
        if columns.ids is not None:
            columns.ids.validate(full=True)
        return columns
    except pa.ArrowInvalid:
        broken = _invalid(columns.texts)
        if columns.ids is not None:
            broken = pc.or_(broken, _invalid(columns.ids))
    first = rows_of(piece)[0] + row
    flags = enumerate(broken.to_pylist(), first)
    messages = [f"{piece.name}, row {number:,}: {_NOT_UTF8}" if is_broken else None for number, is_broken in flags]
    return columns._replace(
        texts=pc.if_else(broken, None, columns.texts),
        ids=None if columns.ids is None else pc.if_else(broken, None, columns.ids),
        rules=pc.if_else(broken, "error.encoding", pa.scalar(None, pa.string())),
        messages=pa.array(messages, pa.string()),
    )


def _invalid(texts: pa.StringArray) -> pa.BooleanArray:
    return pa.array([value is not None and not _is_utf8(value) for value in texts.cast(pa.binary()).to_pylist()])


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _records(columns: _Columns, part: Part, *, first_row: int, keep: Keep) -> pa.RecordBatch:
    rows = len(columns.texts)
    sizes = text_bytes(columns.texts)
    ids = ids_of_texts(columns.texts) if columns.ids is None else columns.ids
    if columns.rules is not None:
        ids = pc.if_else(pc.is_valid(columns.rules), None, ids)
    group = REFERENCE if part.is_reference else OWN
    values = {
        "part": pa.array(np.full(rows, part.number)),
        "row": pa.array(np.arange(first_row, first_row + rows)),
        "id": grouped(ids, group=group, part=part.number, first_row=first_row),
        "text": columns.texts,
        "text_bytes": sizes,
        "fetched_at": ranks(keep, times=columns.times, text_bytes=sizes, is_reference=part.is_reference),
    }
    if columns.rules is not None and columns.messages is not None:
        stages = pc.if_else(pc.is_valid(columns.rules), STAGE, pa.scalar(None, pa.string()))
        values |= {"stage": stages, "rule": columns.rules, "message": columns.messages}
    arrays = [values.get(field.name, pa.nulls(rows, field.type)) for field in RECORDS]
    return pa.RecordBatch.from_arrays(arrays, schema=RECORDS)


def _count(records: pa.RecordBatch, part: Part) -> None:
    task().count(REFERENCE_RECORDS if part.is_reference else OWN_RECORDS, records.num_rows)
    law = Law(STAGE)
    is_broken = pc.is_valid(records["rule"])
    law.count("documents_in", records.num_rows)
    law.count("documents_out", records.num_rows - is_broken.true_count)
    law.count_rules(records["rule"])
    _count_of_own(part, NO_TEXT, pc.and_(pc.is_null(records["text"]), pc.invert(is_broken)).true_count)
    if part.is_reference and is_broken.true_count:
        task().count(BROKEN_REFERENCE, is_broken.true_count)
    missing = pc.and_(pc.equal(records["id"], ""), pc.invert(is_broken)).true_count
    if missing:
        task().count(NO_ID, missing)


def _count_of_own(part: Part, counter: str, number: int) -> None:
    if number and not part.is_reference:
        task().count(counter, number)
