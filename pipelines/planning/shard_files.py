"""Estimate the size of the Parquet files of a version: their rows and the overhead of each file.

A file with few rows is mostly footer: each column has a page index and statistics that repeat values. The estimate
therefore writes files with the expected number of rows from the sample and compares them with the size of their
columns.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.dataset.shards import ParquetFile
from corpusmill.pipelines.engines.batches import conform
from corpusmill.pipelines.planning.sizes import WORD_BYTES, Documents, values_bytes

_WRITTEN: Final = 3
"""Files to write of each kind."""
_ROWS: Final = 64
"""Rows that represent documents which were not read."""
_BYTES: Final = 2**20
"""Rows above which the overhead of a file is negligible."""


def files_bytes(documents: Documents, schemas: Mapping[str, pa.Schema], *, files: float) -> float:
    """Return the bytes of *files* files of each kind, which together contain the rows of *documents*.

    Args:
        schemas: Columns by kind, as `WriteShard` and `WriteSide` name them.
    """
    return sum(_kind_bytes(documents, kind, schema, files=files) for kind, schema in schemas.items())


def _kind_bytes(documents: Documents, kind: str, schema: pa.Schema, *, files: float) -> float:
    rows = {"shard": documents.living, "ledger": documents.rows - documents.living}.get(kind, documents.rows)
    data = sum(documents.size(column, rows=rows).in_shards for column in schema)
    filled = files * -math.expm1(-rows / files)  # ids are random: with many files, some stay empty
    empty = (files - filled) * _parquet_bytes(pa.RecordBatch.from_pylist([], schema))
    return data + empty + filled * _excess(_examples(documents, kind, schema), rows=math.ceil(rows / max(filled, 1.0)))


def _examples(documents: Documents, kind: str, schema: pa.Schema) -> pa.RecordBatch:
    """Return at least one row as in files of *kind*."""
    sample = documents.sample
    if sample is None:
        return _filled(_made_texts(documents), schema)
    alive = pc.is_null(sample["rule"])
    masks = {"shard": alive, "ledger": pc.invert(alive)}
    chosen = sample.filter(masks[kind]) if kind in masks else sample
    rows = _filled(chosen if chosen.num_rows else sample.slice(0, 1), schema)
    return rows.slice(0, max(1, rows.num_rows * _BYTES // max(_BYTES, rows.nbytes)))


def _made_texts(documents: Documents) -> pa.RecordBatch:
    """Return generated texts of the mean size of those of *documents*. They compress about as well as prose."""
    size = int(documents.text_bytes / max(1.0, documents.living))
    rows = max(1, min(_ROWS, _BYTES // max(1, size)))
    return pa.record_batch({"text": [_digits(row, min(size, 2 * _BYTES)) for row in range(rows)]})


def _filled(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return *rows* with the columns of *schema*. Missing strings are filled with hashes, other columns with nulls."""
    there = set(rows.schema.names)
    hashes = pa.array([_digits(row, WORD_BYTES) for row in range(rows.num_rows)], pa.string())
    for column in schema:
        if pa.types.is_string(column.type) and column.name not in there:
            rows = rows.append_column(column.name, hashes)
    return conform(rows, pa.schema([column.with_nullable(True) for column in schema]))


def _digits(row: int, count: int) -> str:
    """Return *count* hexadecimal digits that differ for each *row*."""
    return hashlib.shake_128(str(row).encode()).hexdigest(count // 2 + 1)[:count]


def _excess(examples: pa.RecordBatch, *, rows: int) -> float:
    """Return the bytes of a file with *rows* of *examples* beyond its rows' share of the size of their columns."""
    if examples[:1].nbytes > _BYTES:
        return 0.0
    rows = max(1, min(rows, examples.num_rows))
    packed = sum(values_bytes(examples.select([name]), in_shards=True) for name in examples.schema.names)
    last = examples.num_rows - rows
    starts = {last * number // (_WRITTEN - 1) for number in range(_WRITTEN)}
    pieces = [examples.slice(start, rows) for start in starts]
    share = sum(piece.nbytes for piece in pieces) / max(1, examples.nbytes)
    return float(max(0.0, (sum(map(_parquet_bytes, pieces)) - share * packed) / len(pieces)))


def _parquet_bytes(rows: pa.RecordBatch) -> int:
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        path = Path(folder) / "rows.parquet"
        file = ParquetFile(path, rows.schema)
        file.write(rows)
        file.close()
        return int(path.stat().st_size)
