"""Read the rows of files in batches. The batches depend on the files alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.pipelines.file_dedup.inputs import JsonReader, Part, Piece, Row
from corpusmill.schemas.errors import DamagedFileError

_BATCH_BYTES: Final = 4_000_000
"""Decoded bytes of a batch of Parquet rows: the allocator reuses buffers of this size, which saves page faults."""
_MAX_ROWS: Final = 8_192
_MAX_JSON_ROWS: Final = 1_024
_JSON_CHARACTERS: Final = 4_000_000
"""Characters of texts after which a batch of JSON records ends."""


def parquet_batches(pieces: Sequence[Piece], columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of *pieces* in order. Of *columns*, those that the file has; all columns by default.

    Raises:
        DamagedFileError: A file has changed, or cannot be read.
    """
    for piece in pieces:
        piece.refuse_changed()
        try:
            with pq.ParquetFile(piece.path, memory_map=True) as file:
                yield from _batches(file, piece, columns)
        except (pa.ArrowException, OSError) as error:
            message = (
                f"row groups {piece.start} to {piece.end - 1} cannot be read: {' '.join(str(error).split())[:200]}"
            )
            raise DamagedFileError(message, file=piece.path, hint="remove the file, or write it again") from error


def _batches(file: pq.ParquetFile, piece: Piece, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    names = file.schema_arrow.names
    wanted = None if columns is None else [name for name in columns if name in names]
    for number in range(piece.start, piece.end):
        group = file.metadata.row_group(number)
        rows = max(1, min(_MAX_ROWS, _BATCH_BYTES * group.num_rows // max(1, group.total_byte_size)))
        yield from file.iter_batches(batch_size=rows, row_groups=[number], columns=wanted, use_threads=False)


def json_batches(pieces: Sequence[Piece], reader: JsonReader) -> Iterator[tuple[Piece, list[Row]]]:
    """Yield the records of *pieces* in order, each batch with its piece; records that are set aside are among them.

    Raises:
        DamagedFileError: A file has changed.
    """
    for piece in pieces:
        piece.refuse_changed()
        rows: list[Row] = []
        characters = 0
        for row in reader.rows(piece.path, start=piece.start, end=piece.end):
            rows.append(row)
            characters += sum(len(value) for value in (row.value or {}).values() if isinstance(value, str))
            if len(rows) == _MAX_JSON_ROWS or characters >= _JSON_CHARACTERS:
                yield piece, rows
                rows, characters = [], 0
        if rows:
            yield piece, rows


def place_of(part: Part, row: int, reader: JsonReader) -> str:
    """Return file and position of the record number *row* of *part*, counted from 0: a byte of JSON, a row of Parquet.

    Raises:
        DamagedFileError: A file has changed.
    """
    if part.kind == "jsonl":
        records = ((piece, record) for piece, rows in json_batches(part.pieces, reader) for record in rows)
        piece, record = next(itertools.islice(records, row, None))
        return f"{piece.path}, byte {record.offset:,}"
    for piece in part.pieces:
        before, rows = rows_of(piece)
        if row < rows:
            return f"{piece.path}, row {before + row:,}"
        row -= rows
    raise IndexError(f"the part has no row {row}")


def rows_of(piece: Piece) -> tuple[int, int]:
    """Return the number of rows of a Parquet file before *piece*, and in it."""
    metadata = pq.read_metadata(piece.path)
    counts = [metadata.row_group(number).num_rows for number in range(piece.end)]
    return sum(counts[: piece.start]), sum(counts[piece.start :])
