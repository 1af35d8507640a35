"""Write a partition of joined documents as a shard, with its share of the ledger, signals and origins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from corpusmill.pipelines.engines.base import Batches, resolve
from corpusmill.pipelines.engines.batches import conform
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.groups import run_starts, whole_groups
from corpusmill.pipelines.stages.assemble import FACTS, Routed, schema_from_hex
from corpusmill.pipelines.stages.identity import NO_TIME
from corpusmill.schemas.document import DOCUMENT, LEDGER, ORIGIN, SPLITS, is_signal
from corpusmill.schemas.hashing import LogicalHash, file_sha256
from corpusmill.schemas.metadata import normalized

ROW_GROUP_TEXT_BYTES: Final = 8_000_000
"""A row group ends with the row that brings its text to this size. The trainer shuffles row groups."""
_SIDE_ROW_BYTES: Final = 256
"""Bytes that a row of a side table counts towards `ROW_GROUP_TEXT_BYTES`."""
_COMPRESSION_LEVEL: Final = 3
WRITTEN: Final = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("index", pa.int64(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("logical_hash", pa.string(), nullable=False),
        pa.field("first_id", pa.string()),
        pa.field("last_id", pa.string()),
    ]
)
"""One row for each file that a task wrote; `kind` is shard, ledger, signals or origin."""


DERIVED: Final = ("split", "content_hash", "cluster_id", "cluster_size", *FACTS.names)
"""Columns of `DOCUMENT` that stages compute, rather than read from a source."""


def document_schema(joined: pa.Schema, views: Sequence[str]) -> pa.Schema:
    """Return the schema of a shard: `DOCUMENT`, then *views* with their types in *joined*."""
    return pa.schema([*DOCUMENT, *(joined.field(name) for name in views)])


def signals_schema(joined: pa.Schema) -> pa.Schema:
    """Return the schema of the signals in *joined*: `id` and one column per signal."""
    return pa.schema([pa.field("id", pa.string(), nullable=False), *(f for f in joined if is_signal(f.name))])


class WriteShard(Routed):
    """Writes the files of one shard; returns a row (`WRITTEN`) for each.

    Args:
        shard: Columns of a shard, serialized, as hexadecimal digits.
        signals: Columns of the table of signals, in the same form.
        masks: Import path and JSON parameters of the recipe's stages that mask personal data; samples pass them all.
    """

    version = 6
    depends = ("pyarrow",)

    shard: str
    signals: str
    masks: tuple[tuple[str, str], ...] = ()

    def schemas(self) -> dict[str, pa.Schema]:
        """Return the columns of the files of a shard, by kind."""
        return {
            "shard": schema_from_hex(self.shard),
            "ledger": LEDGER,
            "signals": schema_from_hex(self.signals),
            "origin": ORIGIN,
        }

    def build(self) -> Callable[[Batches], Batches]:
        schemas = self.schemas()
        signals = schemas["signals"].names[1:]
        mask = _masker(self.masks)

        def run(batches: Batches) -> Batches:
            files = {kind: ParquetFile(task().file(f"{kind}.parquet"), schema) for kind, schema in schemas.items()}
            try:
                for batch in whole_groups(batches, by="id"):
                    _write(batch, files, signals, mask)
                yield self._written(files)
            finally:
                for file in files.values():
                    file.close()

        return run

    def _written(self, files: Mapping[str, ParquetFile]) -> pa.RecordBatch:
        split, index, count = self._place(task().partition)
        total = sum((self.shards or {}).values())
        rows = []
        for kind, file in files.items():
            file.close()
            place = (split, index, count) if kind == "shard" else (None, task().partition, total)
            rows.append(
                {"kind": kind, "file": f"{kind}.parquet", **file.facts(), **dict(zip(_PLACE, place, strict=True))}
            )
        return pa.RecordBatch.from_pylist(rows, schema=WRITTEN)

    def _place(self, number: int) -> tuple[str, int, int]:
        """Return split, index and count of the shard *number*."""
        for name in SPLITS:
            count = (self.shards or {}).get(name, 0)
            if number < count:
                return name, number, count
            number -= count
        raise IndexError(f"no split has a shard for partition {number}")


class WriteSide(Routed):
    """Writes one partition of a published side table.

    Args:
        kind: Name of the table, with which its file names begin.
        columns: Its columns, serialized, as hexadecimal digits.
        samples: Columns with text of documents, which the stages in *masks* mask.
        masks: Stages that mask personal data, as ``(module:Class, parameters as JSON)``.
    """

    version = 2
    depends = ("pyarrow",)

    kind: str
    columns: str
    samples: tuple[str, ...] = ()
    masks: tuple[tuple[str, str], ...] = ()

    def schemas(self) -> dict[str, pa.Schema]:
        """Return the columns of the file, by its kind."""
        return {self.kind: schema_from_hex(self.columns)}

    def build(self) -> Callable[[Batches], Batches]:
        (schema,) = self.schemas().values()
        mask = _masker(self.masks)

        def run(batches: Batches) -> Batches:
            file = ParquetFile(task().file(f"{self.kind}.parquet"), schema)
            try:
                for batch in batches:
                    file.write(_with_masked(batch, self.samples, mask))
                file.close()
                place = {"split": None, "index": task().partition, "count": self.files}
                row = {"kind": self.kind, "file": f"{self.kind}.parquet", **file.facts(), **place}
                yield pa.RecordBatch.from_pylist([row], schema=WRITTEN)
            finally:
                file.close()

        return run


def _write(
    batch: pa.RecordBatch,
    files: Mapping[str, ParquetFile],
    signals: Sequence[str],
    mask: Callable[[pa.Array], pa.Array],
) -> None:
    alive = pc.is_null(batch["rule"])
    living, dead = batch.filter(alive), batch.filter(pc.invert(alive))
    _count_sources(living, "published")
    was_read = pc.is_valid(dead["file"])
    _count_sources(dead.filter(was_read), "ledger")
    _count_sources(dead.filter(pc.invert(was_read)), "created")
    files["shard"].write(_documents(living))
    if dead.num_rows:
        files["ledger"].write(_with_masked(dead, ("sample_text",), mask))
    files["origin"].write(batch.filter(pc.is_valid(batch["file"])))
    if signals:
        files["signals"].write(_measured(batch, signals))


_PLACE: Final = ("split", "index", "count")


def _masker(masks: Sequence[tuple[str, str]]) -> Callable[[pa.Array], pa.Array]:
    stages = [resolve(place).model_validate_json(params) for place, params in masks]

    def masked(texts: pa.Array) -> pa.Array:
        for stage in stages:
            texts = stage.mask_column(texts)
        return texts

    return masked


def _with_masked(batch: pa.RecordBatch, names: Sequence[str], mask: Callable[[pa.Array], pa.Array]) -> pa.RecordBatch:
    """Return *batch* with the columns *names* masked."""
    for name in names:
        index = batch.schema.get_field_index(name)
        batch = batch.set_column(index, batch.schema.field(index), mask(batch[name]))
    return batch


def _count_sources(batch: pa.RecordBatch, counter: str) -> None:
    for item in pc.value_counts(batch["source"]).to_pylist():
        task().count(f"{counter}/{item['values']}", item["counts"])


def _documents(living: pa.RecordBatch) -> pa.RecordBatch:
    """Return the documents of a shard."""
    index = living.schema.get_field_index("metadata")
    return living.set_column(index, DOCUMENT.field("metadata"), normalized(living["metadata"]))


def _measured(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """Return one row for each document that has a signal: that of the published capture, or else of the latest.

    *batch* holds all captures of each of its documents.
    """
    any_valid = np.zeros(batch.num_rows, np.bool_)
    for name in names:
        any_valid |= np.asarray(pc.is_valid(batch[name]))
    measured = batch.filter(pa.array(any_valid))
    rank = pa.table(
        {
            "id": measured["id"],
            "published": pc.is_null(measured["rule"]).cast(pa.int8()),
            "captured": pc.fill_null(measured["fetched_at"].cast(pa.int64()), NO_TIME),
            "record_sha256": measured["record_sha256"],
        }
    )
    order = pc.sort_indices(rank, sort_keys=[(name, "ascending") for name in rank.column_names])
    ordered = measured.take(order)
    starts = run_starts(ordered["id"])
    return ordered.take(pa.array(np.append(starts[1:], ordered.num_rows) - 1 if len(starts) else starts))


class ParquetFile:
    """Writes and hashes documents, in row groups of about `ROW_GROUP_TEXT_BYTES` of text."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            write_page_index=True,
            store_schema=True,
        )
        self._hash = LogicalHash(schema)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._rows = self._text_bytes = 0
        self._ids: tuple[str | None, str | None] = (None, None)
        self._open = True

    def write(self, batch: pa.RecordBatch) -> None:
        """Append the columns of the schema from *batch*."""
        if not batch.num_rows:
            return
        batch = conform(batch, self._schema)
        self._hash.update(batch)
        self._rows += batch.num_rows
        self._ids = (self._ids[0] or batch["id"][0].as_py(), batch["id"][-1].as_py())
        sizes = self._sizes(batch)
        self._text_bytes += int(sizes.sum())
        start = 0
        for stop in _cuts(sizes, self._waiting_bytes):
            self._waiting.append(batch.slice(start, stop - start))
            self._flush()
            start = stop
        if start < batch.num_rows:
            self._waiting.append(batch.slice(start))
            self._waiting_bytes += int(sizes[start:].sum())

    def _sizes(self, batch: pa.RecordBatch) -> Any:
        if "text" not in self._schema.names:
            return np.full(batch.num_rows, _SIDE_ROW_BYTES)
        return np.asarray(pc.fill_null(pc.binary_length(batch["text"]), 0)).astype(np.int64)

    def _flush(self) -> None:
        if self._waiting:
            # Combined, because Parquet pages may end where a batch ends, and engines cut batches differently.
            table = pa.Table.from_batches(self._waiting, self._schema).combine_chunks()
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
            self._waiting, self._waiting_bytes = [], 0

    def close(self) -> None:
        """Flush and close the file."""
        if self._open:
            self._flush()
            self._writer.close()
            self._open = False

    def facts(self) -> dict[str, Any]:
        """Return the sizes, hashes and ids that the manifest records about the finished file."""
        return {
            "rows": self._rows,
            "bytes": self._path.stat().st_size,
            "text_bytes": self._text_bytes if "text" in self._schema.names else 0,
            "sha256": file_sha256(self._path),
            "logical_hash": self._hash.hexdigest(),
            "first_id": self._ids[0],
            "last_id": self._ids[1],
        }


def _cuts(sizes: Any, waiting: int) -> list[int]:
    """Return the row counts after which a row group ends, if *waiting* bytes are buffered.

    >>> _cuts(np.array([5_000_000, 4_000_000, 1, 9_000_000, 2]), 0)
    [2, 4]
    """
    cuts = []
    for row, size in enumerate(sizes.tolist(), start=1):
        waiting += size
        if waiting >= ROW_GROUP_TEXT_BYTES:
            cuts.append(row)
            waiting = 0
    return cuts
