"""Writing a partition of joined documents as a shard, with its part of ledger, signals and origins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import tldextract

from corpusmill.pipelines.engines.base import Batches, Counters, Function, resolve
from corpusmill.pipelines.engines.batches import conform
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.groups import run_starts, whole_groups
from corpusmill.pipelines.stages.assemble import shards_by_split
from corpusmill.pipelines.stages.fates import NO_TIME
from corpusmill.schemas.document import DOCUMENT, LEDGER, ORIGIN, SPLITS, is_signal
from corpusmill.schemas.hashing import LogicalHash, file_sha256

ROW_GROUP_TEXT_BYTES: Final = 8_000_000
"""A row group ends with the first row that brings its text to this: the trainer's unit of shuffling."""
_SIDE_ROW_BYTES: Final = 256
"""What a row of a side table counts towards a row group."""
_COMPRESSION_LEVEL: Final = 3
_WORD: Final = r"[\p{L}\p{N}_]+"
"""``\\w+`` of Python's `re` on text, in the syntax of Arrow's RE2."""

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


def document_schema(joined: pa.Schema, *, columns: set[str]) -> pa.Schema:
    """Give the schema of a shard: `DOCUMENT`, then the views, which are the columns of *joined* beyond *columns*."""
    return pa.schema([*DOCUMENT, *(f for f in joined if f.name not in columns and not is_signal(f.name))])


class WriteShard(Function):
    """Writes the files of one partition; gives a row (`WRITTEN`) for each.

    Args:
        views: Names of the string columns that follow those of `DOCUMENT`.
        signals: Name and Arrow type of each signal.
        mask: Place and JSON parameters of the recipe's `pii` stage, which the ledger's samples have to pass.
        paths: The path of each raw file by its SHA-256, and by ``source/name/SHA-256``, as the name of a file may be
            that of its document; for the origin table. Not part of the fingerprint, because
            where a file lies does not change what is published.
    """

    version = 3
    depends = ("pyarrow", "tldextract")

    census: str
    shares: dict[str, float]
    target_bytes: int
    views: tuple[str, ...] = ()
    signals: tuple[tuple[str, str], ...] = ()
    mask: tuple[str, str] | None = None
    paths: dict[str, str] = {}
    shards: dict[str, int] | None = None

    def identity(self) -> dict[str, Any]:
        identity = super().identity()
        identity["params"] = {k: v for k, v in identity["params"].items() if k not in ("paths", "shards")}
        return identity

    def bound(self, counters: Mapping[str, Counters]) -> WriteShard:
        shards = shards_by_split(counters[self.census], shares=self.shares, target_bytes=self.target_bytes)
        return self.model_copy(update={"shards": shards})

    def build(self) -> Callable[[Batches], Batches]:
        views = [pa.field(name, pa.string()) for name in self.views]
        types = {"int64": pa.int64(), "int32": pa.int32(), "float": pa.float32(), "double": pa.float64()}
        signals = [pa.field(name, types[kind]) for name, kind in self.signals]
        schemas = {
            "shard": pa.schema([*DOCUMENT, *views]),
            "ledger": LEDGER,
            "signals": pa.schema([pa.field("id", pa.string(), nullable=False), *signals]),
            "origin": ORIGIN,
        }
        domains = Domains()
        mask = _masker(self.mask)

        def run(batches: Batches) -> Batches:
            files = {kind: ParquetFile(task().file(f"{kind}.parquet"), schema) for kind, schema in schemas.items()}
            try:
                for batch in whole_groups(batches, by="id"):
                    self._write(batch, files, domains, mask)
                yield self._written(files)
            finally:
                for file in files.values():
                    file.close()

        return run

    def _write(
        self,
        batch: pa.RecordBatch,
        files: Mapping[str, ParquetFile],
        domains: Domains,
        mask: Callable[[pa.Array], pa.Array],
    ) -> None:
        alive = pc.is_null(batch["rule"])
        living, dead = batch.filter(alive), batch.filter(pc.invert(alive))
        _count_sources(living, "published")
        was_read = pc.is_valid(dead["file"])
        _count_sources(dead.filter(was_read), "ledger")
        _count_sources(dead.filter(pc.invert(was_read)), "created")
        files["shard"].write(_documents(living, domains))
        if dead.num_rows:
            index = dead.schema.get_field_index("sample_text")
            files["ledger"].write(dead.set_column(index, "sample_text", mask(dead["sample_text"])))
        files["origin"].write(_with_paths(batch.filter(pc.is_valid(batch["file"])), self.paths))
        if self.signals:
            files["signals"].write(_measured(batch, [name for name, _ in self.signals]))

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

    def _place(self, partition: int) -> tuple[str, int, int]:
        """Give split, index and count of the shard that is *partition*."""
        for name in SPLITS:
            count = (self.shards or {}).get(name, 0)
            if partition < count:
                return name, partition, count
            partition -= count
        raise IndexError(f"no split has a shard for partition {partition}")


_PLACE: Final = ("split", "index", "count")


def _masker(mask: tuple[str, str] | None) -> Callable[[pa.Array], pa.Array]:
    if mask is None:
        return lambda texts: texts
    place, params = mask
    masked: Callable[[pa.Array], pa.Array] = resolve(place).model_validate_json(params).mask_column
    return masked


def _count_sources(batch: pa.RecordBatch, what: str) -> None:
    for item in pc.value_counts(batch["source"]).to_pylist():
        task().count(f"{what}/{item['values']}", item["counts"])


def _documents(living: pa.RecordBatch, domains: Domains) -> pa.RecordBatch:
    """Give the documents of a shard, with the columns that are made from others."""
    for name, values in {
        "char_count": pc.utf8_length(living["text"]).cast(pa.int64()),
        "word_count": pc.count_substring_regex(living["text"], _WORD).cast(pa.int64()),
        "domain": domains.of(living["url"]),
    }.items():
        living = living.append_column(pa.field(name, values.type), values)
    index = living.schema.get_field_index("metadata")
    return living.set_column(index, living.schema.field(index), sorted_maps(living["metadata"]))


def sorted_maps(maps: pa.MapArray) -> pa.MapArray:
    """Give the maps with their keys in order."""
    keys = maps.keys
    if len(keys) < 2:
        return maps
    rows = [None if row is None else sorted(row) for row in maps.to_pylist()]
    return pa.array(rows, maps.type)


def _with_paths(batch: pa.RecordBatch, paths: Mapping[str, str]) -> pa.RecordBatch:
    """Give *batch* with the path of each raw file in place of its hash; equal files are told apart by their name."""
    rows = zip(*(batch[name].to_pylist() for name in ("source", "source_id", "file")), strict=True)
    found = [paths.get(f"{source}/{name}/{file}", paths.get(file, file)) for source, name, file in rows]
    index = batch.schema.get_field_index("file")
    return batch.set_column(index, batch.schema.field(index), pa.array(found, pa.string()))


def _measured(batch: pa.RecordBatch, names: list[str]) -> pa.RecordBatch:
    """Give one row for each document in which any signal was measured: that of the published capture, else the latest.

    *batch* holds whole documents: all captures of each.
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


class Domains:
    """Registered domains of URLs, by the list of public suffixes that tldextract ships; nothing is downloaded."""

    def __init__(self) -> None:
        self._extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def of(self, urls: pa.Array) -> pa.Array:
        """Give the registered domain of each URL; for an address or a bare host, the host itself."""
        encoded = urls.dictionary_encode()
        return pa.array([self._one(url) for url in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)

    def _one(self, url: str) -> str | None:
        found = self._extract.extract_str(url)
        return found.top_domain_under_public_suffix or found.domain or None


class ParquetFile:
    """Writes documents in row groups of about `ROW_GROUP_TEXT_BYTES` of text, and hashes them as they pass."""

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
            table = pa.Table.from_batches(self._waiting, self._schema)
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
            self._waiting, self._waiting_bytes = [], 0

    def close(self) -> None:
        """Finish the file."""
        if self._open:
            self._flush()
            self._writer.close()
            self._open = False

    def facts(self) -> dict[str, Any]:
        """Give what the manifest tells about the finished file."""
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
    """Give the rows behind which a row group ends, when *waiting* bytes are there already.

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
