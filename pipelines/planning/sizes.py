"""Estimate the size of the documents of a run (rows, columns and stage output) before anything runs.

A sample of the raw files shows how large records are and how well they compress. Stages that look at one document at a
time run on it, because the share that they reject decides how much is moved and published.
"""

from __future__ import annotations

import contextlib
import logging
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE, Map, Scan, resolve, with_columns_of
from corpusmill.pipelines.engines.batches import only_where
from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.engines.layers import layer_batch
from corpusmill.pipelines.engines.plan import Plan
from corpusmill.pipelines.planning.plan import DELETIONS
from corpusmill.pipelines.planning.sample import Sample, read_sample
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.stages.apply import Apply
from corpusmill.pipelines.stages.assemble import SAMPLE, sample_texts
from corpusmill.schemas.document import CAPTURE, VERDICT
from corpusmill.schemas.errors import CorpusmillError
from corpusmill.schemas.storage import LocalStore

SMALL_BYTES: Final = 4 * 2**20
"""Raw files below this total are not sampled: importing their readers costs more than the disk space is worth."""
_RECORD_BYTES: Final = 3_000
"""Assumed size of a record in files that are not sampled."""
_MADE_BYTES: Final = {"id": 32, "source_id": 32, "record_sha256": 64, "text_bytes": 8, "offset": 8, "length": 8}
"""Bytes computed for each such record besides its text."""
_PACKED: Final = 0.65
"""Compression ratio of unsampled text with lz4, as in tasks and spills."""
_SHARD_PACKED: Final = 0.4
"""Compression ratio of unsampled text with zstd, as in shards."""
WORD_BYTES: Final = 32
"""Assumed bytes of an unsampled string: most are hashes."""
_HASH_PACKED: Final = 0.5
"""Compression ratio of a hash with zstd: hexadecimal digits use 16 of the 256 values of a byte."""
_OF_ONE_KIND: Final = ("text", SAMPLE.name)
"""Columns that are moved only for living documents, or only for rejected ones; all others are moved for both."""
_LIST_BYTES: Final = 128
"""Assumed bytes of an unsampled list, struct or map."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Size:
    """Bytes of a column over all documents: as stored in tasks and spills, and as stored in shards."""

    packed: float
    in_shards: float

    def __mul__(self, factor: float) -> Size:
        return Size(self.packed * factor, self.in_shards * factor)


@dataclass
class Documents:
    """Estimates about the documents before they are read.

    Args:
        rows: Number of records in the raw files.
        living: Number of records that no stage rejects.
        text_bytes: UTF-8 bytes of the texts.
        columns: Sizes of the columns as they are moved.
        written: Output bytes of the steps that ran on the sample.
        memory_bytes: Memory of the columns of the scan.
        sample: Records after those steps; empty if no file was read.
    """

    rows: float
    living: float
    text_bytes: float
    columns: dict[str, Size]
    written: dict[str, float] = field(default_factory=dict)
    memory_bytes: float = 0.0
    sample: pa.RecordBatch | None = None

    def limited(self, limit: int | None) -> Documents:
        """Return the estimates for *limit* of the documents."""
        return self if limit is None or limit >= self.rows else self * (limit / self.rows)

    def __mul__(self, share: float) -> Documents:
        """Return the estimates for a *share* of the documents."""
        return replace(
            self,
            rows=self.rows * share,
            living=self.living * share,
            text_bytes=self.text_bytes * share,
            columns={name: size * share for name, size in self.columns.items()},
            written={name: size * share for name, size in self.written.items()},
            memory_bytes=self.memory_bytes * share,
        )

    def size(self, column: pa.Field, *, rows: float | None = None) -> Size:
        """Return the size of *column*, measured on the sample or estimated from its type.

        Args:
            rows: Number of documents; None: all. A column estimated from its type is counted for living documents only.
        """
        count = self.rows if rows is None else rows
        if column.name not in self.columns:
            total = min(count, self.living) * width(column.type)
            return Size(total, total * _HASH_PACKED if pa.types.is_string(column.type) else total)
        size = self.columns[column.name]
        return size if column.name in _OF_ONE_KIND else size * (count / max(1.0, self.rows))

    def packed(self, columns: Iterable[pa.Field], *, rows: float | None = None) -> float:
        """Return the bytes of *columns* in tasks, for all documents or for *rows* of them."""
        return sum(self.size(column, rows=rows).packed for column in columns)


def documents_of(plan: Plan, inputs: Sequence[SourceInput]) -> Documents:
    """Estimate the documents of *inputs*. No stage is run on files below `SMALL_BYTES`; their records are counted."""
    return _with_views(_documents(plan, inputs), plan)


def _documents(plan: Plan, inputs: Sequence[SourceInput]) -> Documents:
    sizes = {source.path(file): file.size for source in inputs for file in source.manifest.files}
    scans = [step for step in plan.steps if isinstance(step, Scan) and step.stage is None]
    scan = [step for step in scans if step.name != DELETIONS][-1]  # which reads no documents
    assumed = _assumed(scan, inputs)
    try:
        with _task(scan):
            sample = read_sample(scan, plan.scans[scan.name], sizes)
    except CorpusmillError as error:
        _log.info("no sample could be read", extra={"error": str(error)})
        return assumed
    if not sample.strata:
        return assumed * sample.unread
    if sum(sizes.values()) < SMALL_BYTES and assumed.text_bytes < SMALL_BYTES:
        return replace(assumed, rows=_rows(sample), living=_rows(sample))
    return _measured(plan, scan, sample) or assumed


def _with_views(documents: Documents, plan: Plan) -> Documents:
    """Return *documents* with the string columns that views add. A view is assumed to be as long as its text."""
    text = documents.columns.get("text")
    views = [step for step in plan.steps if isinstance(step, Map) and _is_view(step)]
    added = {column.name for step in views for column in step.writes if pa.types.is_string(column.type)}
    missing = added - documents.columns.keys() - set(VERDICT.names)
    return (
        documents if text is None else replace(documents, columns={**documents.columns, **dict.fromkeys(missing, text)})
    )


def _is_view(step: Map) -> bool:
    return isinstance(step.function, Apply) and step.function.value().is_view


def _assumed(scan: Scan, inputs: Sequence[SourceInput]) -> Documents:
    """Return estimates from file sizes alone: everything in the files is text, and nothing is rejected."""
    rows = content = 0.0
    for source in inputs:
        loader = resolve(source.loader).model_validate_json(source.params)
        files = source.manifest.files
        sizes = [loader.content_bytes(source.path(file)) if file.rule is None else 0 for file in files]
        rows += len(sizes) if loader.uses_name else sum(math.ceil(size / _RECORD_BYTES) for size in sizes)
        content += sum(sizes)
    columns = {name: Size(0.0, 0.0) for name in CAPTURE.names}  # these columns are part of the file's size
    columns |= {name: Size(size, size * _HASH_PACKED) * rows for name, size in _MADE_BYTES.items()}
    columns["text"] = Size(content * _PACKED, content * _SHARD_PACKED)
    documents = Documents(rows, rows, content, columns, memory_bytes=content)
    documents.written[scan.name] = documents.packed(scan.schema)
    return documents


def _measured(plan: Plan, scan: Scan, sample: Sample) -> Documents | None:
    """Return estimates from *sample*, and from the stages that reject its records one at a time.

    None if no text can be extracted from the sample, for example because a stage before needs all records.
    """
    rows = _rows(sample)
    written = {scan.name: _bytes_of(sample, sample.batch)}
    memory = sum(s.weight * sample.batch.slice(s.start, s.stop - s.start).nbytes for s in sample.strata)
    batch = sample.batch
    for step in _judging(plan, scan):
        try:
            batch, written[step.name] = _applied(step, batch, sample, replaced=plan.replaced(step))
        except Exception as error:  # noqa: BLE001 - the run itself reports errors of a step
            _log.info("a step failed on the sample", extra={"step": step.name, "error": repr(error)})
            break
    if "text" not in batch.schema.names:
        return None
    alive = pc.is_null(batch["rule"])
    texts = only_where(alive, batch["text"])
    excerpts = sample_texts(batch["id"], batch["text"], pc.invert(alive))
    batch = with_columns_of(batch, pa.record_batch({"text": texts, SAMPLE.name: excerpts}))
    return Documents(
        rows=rows,
        living=_total(sample, alive),
        text_bytes=_total(sample, pc.binary_length(texts)),
        columns=_sizes(sample, batch),
        written=written,
        memory_bytes=memory,
        sample=batch,
    )


def _rows(sample: Sample) -> float:
    """Return the number of records that *sample* represents."""
    return sum((stratum.stop - stratum.start) * stratum.weight for stratum in sample.strata)


def _total(sample: Sample, values: pa.Array) -> float:
    """Return the sum of *values*, one for each row of *sample*, over all documents."""
    return sum(s.weight * float(pc.sum(values.slice(s.start, s.stop - s.start)).as_py() or 0) for s in sample.strata)


def _judging(plan: Plan, scan: Scan) -> list[Map]:
    """Return the maps over the scan's rows that decide verdicts, in order, without those that need counters."""
    needed = {"rule"}
    maps: list[Map] = []
    for step in reversed(plan.steps):
        if isinstance(step, Map) and plan.layout(step.of) == scan.name and needed & set(step.writes.names):
            needed |= set(step.reads)
            maps.insert(0, step)
    there = set(scan.schema.names)
    chosen: list[Map] = []
    for step in maps:
        if not step.function.asks() and there >= set(step.reads) - {PLACE}:
            there |= set(step.writes.names)
            chosen.append(step)
    return chosen


def _applied(
    step: Map, batch: pa.RecordBatch, sample: Sample, *, replaced: frozenset[str]
) -> tuple[pa.RecordBatch, float]:
    """Return *batch* with the columns that *step* writes, and the bytes of its output over all documents."""
    sides: dict[str, list[pa.RecordBatch]] = {name: [] for name in step.sides}
    if PLACE in step.reads:
        batch = with_columns_of(batch, pa.record_batch({PLACE: pa.array(np.arange(batch.num_rows))}))
    with _task(step) as context:
        context.sides = {name: batches.append for name, batches in sides.items()}
        written = step.function.build()(batch.select(list(step.reads)))
    before = {name: batch[name] for name in replaced}
    size = _bytes_of(sample, layer_batch(written, step.writes, before))
    weight = float(np.mean([stratum.weight for stratum in sample.strata]))
    size += weight * sum(ipc_bytes(side.schema, side) for batches in sides.values() for side in batches)
    return with_columns_of(batch, written), size


@contextlib.contextmanager
def _task(step: Scan | Map) -> Iterator[TaskContext]:
    """Run the block as a task of *step* whose counters and files are discarded."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        context = TaskContext(LocalStore(folder), "sample", partition=0, contents=step.contents)
        with running(context):
            yield context


def _sizes(sample: Sample, batch: pa.RecordBatch) -> dict[str, Size]:
    """Return the sizes of the columns of *batch*, the rows of *sample*."""
    sizes = {}
    for name in batch.schema.names:
        alone = batch.select([name])
        sizes[name] = Size(_bytes_of(sample, alone), _bytes_of(sample, alone, in_shards=True))
    return sizes


def _bytes_of(sample: Sample, batch: pa.RecordBatch, *, in_shards: bool = False) -> float:
    """Return the disk bytes that the rows of *batch*, which are those of *sample*, represent."""
    return sum(
        stratum.weight * values_bytes(batch.slice(stratum.start, stratum.stop - stratum.start), in_shards=in_shards)
        for stratum in sample.strata
    )


def values_bytes(rows: pa.RecordBatch, *, in_shards: bool = False) -> int:
    """Return the bytes that *rows* add to a file."""
    none = pa.RecordBatch.from_pylist([], rows.schema)  # Arrow writes all offsets of an empty slice
    return max(0, ipc_bytes(rows.schema, rows, in_shards) - ipc_bytes(rows.schema, none, in_shards))


def ipc_bytes(schema: pa.Schema, rows: pa.RecordBatch | None = None, in_shards: bool = False) -> int:
    """Return the size of an Arrow file of *rows*, compressed as in tasks or, if *in_shards*, as in shards."""
    packing = pa.Codec("zstd", 3) if in_shards else "lz4"
    sink = pa.MockOutputStream()
    with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression=packing)) as writer:
        if rows is not None:
            writer.write_batch(rows)
    return int(sink.size())


def empty_bytes(schema: pa.Schema) -> int:
    """Return the size of an Arrow file with the columns of *schema* and one batch, without its values."""
    return ipc_bytes(schema, pa.RecordBatch.from_pylist([], schema))


def width(kind: pa.DataType) -> float:
    """Return the assumed bytes of a value of a column that was not sampled."""
    if pa.types.is_boolean(kind):
        return 1 / 8
    if pa.types.is_primitive(kind):
        return float(kind.bit_width) / 8
    return WORD_BYTES if pa.types.is_string(kind) or pa.types.is_binary(kind) else _LIST_BYTES
