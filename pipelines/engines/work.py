"""How a worker runs a task: the same code on every engine."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.engines.batches import IpcWriter, bounded, conform, joined
from corpusmill.pipelines.engines.budget import share_bytes
from corpusmill.pipelines.engines.context import TaskContext, WholeTable, final_key, running
from corpusmill.pipelines.engines.layers import CHANGED, Frame, frames, layer_batch, layer_schema
from corpusmill.pipelines.engines.memory import PeakMemory
from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.engines.places import by_slice
from corpusmill.pipelines.engines.spills import write_spills
from corpusmill.pipelines.engines.tasks import (
    NO_ROWS,
    SLICE,
    MapCall,
    Side,
    Source,
    Task,
    TaskResult,
    arrow_schema,
    built,
    read_result,
)
from corpusmill.schemas.errors import UnfinishedError, WorkError
from corpusmill.schemas.hashing import column_digest, fingerprint
from corpusmill.schemas.storage import Store, open_store
from corpusmill.schemas.storage.attempts import sweep

SLICE_BYTES: Final = 32 * 2**20
"""Approximate memory of a slice of a table."""
_ROW_MASK: Final = 0xFFFFFFFF


def run_task(task: Task, *, partition: int | None = None) -> tuple[TaskResult, ...]:
    """Run *task* and store its files at its address.

    Args:
        partition: The partition number of the result, if it differs from that of the spills.
    """
    if task.kind == "maps":
        return _run_maps(task)
    return (_run_one(task, task.partition if partition is None else partition),)


def _run_one(task: Task, number: int) -> TaskResult:
    store = open_store(task.store)
    if task.kind != "scatter":
        if (done := read_result(store, task.out)) is not None:
            return replace(done, partition=number, slice=task.slice)
        _sweep(store, task.out)
    meter = _Meter()
    context = _context(task, store, number)
    with meter.peak, running(context):
        try:
            result = _scatter(task, store) if task.kind == "scatter" else _write(task, store)
            files = context.adopt_files()
        except BaseException:
            context.drop_files()
            raise
    done = TaskResult(
        step=task.step,
        kind=task.kind,
        fingerprint=task.fingerprint,
        partition=number,
        slice=task.slice,
        counters=dict(context.counters),
        files=files,
        **meter.read(),
        **result,
    )
    if task.kind != "scatter":
        _appear(store, task.out, done)
    return done


def _context(task: Task, store: Store, number: int) -> TaskContext:
    context = TaskContext(store, task.out, partition=number, contents=task.contents)
    for name, sources in task.tables.items():
        context.tables[name] = WholeTable((task.store, sources), partial(_whole_table, sources, store))
    return context


def _whole_table(sources: Sequence[Source], store: Store) -> Iterator[pa.RecordBatch]:
    return itertools.chain.from_iterable(source.batches(store) for source in sources)


def _sweep(store: Store, out: str) -> None:
    """Remove files of dead attempts at the task. Remote stores have no drafts."""
    path = store.path(out)
    if path is not None:
        sweep(path)


class _Meter:
    """CPU and wall time since creation, and peak memory in the block `peak`."""

    def __init__(self) -> None:
        self.peak = PeakMemory()
        self._started, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, Any]:
        return {
            "cpu_s": round(time.process_time() - self._cpu, 4),
            "wall_s": round(time.perf_counter() - self._started, 4),
            "peak_mb": round(self.peak.bytes / 1e6, 1),
        }


def _appear(store: Store, out: str, done: TaskResult) -> None:
    store.write(f"{out}.json", done.as_json())


# -- maps over one slice


def _run_maps(task: Task) -> tuple[TaskResult, ...]:
    """Apply the maps of *task* in order to each batch of its slice."""
    (source,) = task.sources
    assert source.piece is not None
    store = open_store(task.store)
    runners = [_MapRunner(call, task, store) for call in task.maps]
    try:
        with PeakMemory() as peak:
            for frame in frames(source.piece, store):
                for runner in runners:
                    runner.apply(frame)
        return tuple(runner.finish(peak.bytes) for runner in runners)
    except BaseException:
        for runner in runners:
            runner.abort()
        raise


class _MapRunner:
    """One map on one slice: its function, output file, side tables and costs."""

    def __init__(self, call: MapCall, task: Task, store: Store) -> None:
        self._call = call
        self._task = task
        self._store = store
        _sweep(store, call.out)
        self._context = TaskContext(store, call.out, partition=task.partition, contents=call.contents)
        self._schema = arrow_schema(call.schema)
        self._writer = IpcWriter(
            store,
            f"{call.out}.arrow",
            layer_schema(self._schema, call.replaced),
            is_compressed=task.is_compressed,
        )
        self._sides = {
            name: _SideWriter(f"{call.step}, side table {name}", store, _side_key(call.out, name), arrow_schema(kind))
            for name, kind in call.sides.items()
        }
        self._context.sides = {name: side.write for name, side in self._sides.items()}
        self._cpu = self._wall = 0.0
        self._column_bytes: Counter[str] = Counter()

    def apply(self, frame: Frame) -> None:
        """Apply the function to the columns that it reads, write its output and add it to *frame*."""
        started, cpu = time.perf_counter(), time.process_time()
        with running(self._context):
            batch = frame.select(self._call.reads)
            written = self._checked(self._applied(batch), batch)
        before = {name: batch[name] for name in self._call.replaced}
        layer = layer_batch(written, self._schema, before)
        self._writer.write(layer)
        for column, values in zip(layer.schema, layer.columns, strict=True):
            self._column_bytes[column.name] += values.nbytes
        for name in self._schema.names:
            frame.put(self._call.step, name, written[name])
        self._cpu += time.process_time() - cpu
        self._wall += time.perf_counter() - started

    def _applied(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        function = built(self._call.call)
        rows = self._task.batch_rows
        if rows is None or batch.num_rows <= rows:
            return function(batch)
        pieces = [function(piece) for piece in bounded([batch], max_rows=rows)]
        return pa.Table.from_batches(pieces).combine_chunks().to_batches()[0]

    def _checked(self, written: pa.RecordBatch, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return *written* with the columns that the step declares.

        Raises:
            WorkError: The rows or columns differ from what the step declares.
        """
        step = self._call.step
        if written.num_rows != batch.num_rows:
            raise WorkError(f"step {step} returned {written.num_rows} rows for {batch.num_rows}")
        names = set(written.schema.names)
        if undeclared := sorted(names - set(self._schema.names)):
            raise WorkError(f"step {step} returned the column {undeclared[0]!r}, which it does not declare")
        if missing := sorted(set(self._schema.names) - names):
            raise WorkError(f"step {step} did not return the column {missing[0]!r}, which it declares")
        try:
            return _without_nulls(step, conform(written, self._schema), ())
        except pa.ArrowException as error:
            raise WorkError(f"step {step}: a column does not have the type that it declares: {error}") from error

    def finish(self, peak_bytes: int) -> TaskResult:
        """Close the files and store them at the address. *peak_bytes* is the peak of the whole task."""
        if (done := read_result(self._store, self._call.out)) is not None:
            self.abort()
            return replace(done, step=self._call.step, partition=self._task.partition, slice=self._task.slice)
        cpu = time.process_time()
        size = self._writer.close()
        sides = {name: side.close() for name, side in self._sides.items()}
        files = {**self._context.adopt_files(), **{f"{name}.arrow": size for name, (size, _) in sides.items()}}
        done = TaskResult(
            step=self._call.step,
            kind="map",
            fingerprint=self._call.fingerprint,
            partition=self._task.partition,
            slice=self._task.slice,
            rows=self._writer.rows,
            bytes=size,
            slices=(),
            batch_rows=(),
            column_bytes=dict(self._column_bytes),
            counters=dict(self._context.counters),
            files=files,
            cpu_s=round(self._cpu + time.process_time() - cpu, 4),
            wall_s=round(self._wall, 4),
            peak_mb=round(peak_bytes / 1e6, 1),
            sides={name: side for name, (_, side) in sides.items()},
        )
        _appear(self._store, self._call.out, done)
        return done

    def abort(self) -> None:
        """Discard all files."""
        self._writer.abort()
        for side in self._sides.values():
            side.abort()
        self._context.drop_files()


def _side_key(out: str, name: str) -> str:
    return final_key(out, f"{name}.arrow")


class _SideWriter:
    """Writes one side table of one map on one slice."""

    def __init__(self, place: str, store: Store, key: str, schema: pa.Schema) -> None:
        self._place = place
        self._schema = schema
        self._writer = IpcWriter(store, key, schema)
        self._column_bytes: Counter[str] = Counter()

    def write(self, batch: pa.RecordBatch) -> None:
        if undeclared := sorted(set(batch.schema.names) - set(self._schema.names)):
            raise WorkError(f"step {self._place}: the column {undeclared[0]!r} is not declared")
        try:
            rows = conform(batch, self._schema)
        except pa.ArrowException as error:
            raise WorkError(f"step {self._place}: a column does not have the type that it declares: {error}") from error
        for piece in bounded([rows]):
            self._writer.write(piece)
            for column, values in zip(piece.schema, piece.columns, strict=True):
                self._column_bytes[column.name] += values.nbytes

    def close(self) -> tuple[int, Side]:
        size = self._writer.close()
        slices = tuple(slices_of(self._writer.batch_bytes))
        return size, Side(self._writer.rows, slices, dict(self._column_bytes))

    def abort(self) -> None:
        self._writer.abort()


# -- streams


def _input(task: Task, store: Store) -> Iterator[pa.RecordBatch]:
    if task.kind == "gather":
        assert task.order is not None
        if task.spilled is None:
            return iter(())
        folder, scatters = Path(task.spilled[0]), task.spilled[1]
        if (there := len(list(folder.glob("*.index")))) != scatters:
            raise UnfinishedError(
                f"step {task.step}: {folder} has {there} of {scatters} parts of an exchange",
                hint="another process may have removed them: run the same command again",
            )
        stream = merged(folder, task.partition, task.order, memory_bytes=share_bytes())
        if task.order.by == SLICE:
            stream = (batch.drop_columns([SLICE]) for batch in stream)
        return stream if task.batch_rows is None else bounded(stream, max_rows=task.batch_rows)
    listed = {name: by_slice(_whole_table(task.tables[name], store), slices) for name, slices in _listing(task).items()}
    return itertools.chain.from_iterable(
        source.batches(store, batch_rows=task.batch_rows, listed=listed.get(source.at or "", NO_ROWS))
        for source in task.sources
    )


def _listing(task: Task) -> dict[str, set[int]]:
    """Return the tables that list rows of the sources of *task*, each with the slices of these sources."""
    slices: dict[str, set[int]] = {}
    for source in task.sources:
        if source.at is not None and source.piece is not None:
            slices.setdefault(source.at, set()).add(source.piece.number)
    return slices


def _moved(task: Task, store: Store, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a ``scatter`` *task* moves, with the target slice of each if rows are written back."""
    assert task.order is not None
    for batch in _input(task, store):
        if task.order.by == SLICE:
            slices = pa.array(np.asarray(batch[PLACE]) >> 32, pa.int64())
            batch = batch.append_column(pa.field(SLICE, pa.int64(), nullable=False), slices)
        yield _without_nulls(task.step, conform(batch, schema), task.order.keys)


def _scatter(task: Task, store: Store) -> dict[str, Any]:
    assert task.order is not None
    schema = task.arrow_schema
    moved = _moved(task, store, schema)
    written = write_spills(moved, schema, task.order, prefix=Path(task.out), memory_bytes=share_bytes())
    return {
        "rows": written.rows,
        "bytes": written.bytes,
        "slices": (),
        "batch_rows": (),
        "column_bytes": {},
    }


def moved_rows(task: Task) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int32]]]:
    """Yield the rows that a ``scatter`` *task* moves, and their partitions, for engines with their own shuffle."""
    assert task.order is not None
    store = open_store(task.store)
    with running(_context(task, store, task.partition)):
        for batch in bounded(_moved(task, store, task.arrow_schema)):
            yield batch, partition_numbers(batch[task.order.by], task.order.parts, by_value=task.order.by_value)


def gather(task: Task, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[TaskResult, ...]:
    """Run a ``gather`` *task* on the rows of its partition, in any order, as delivered by another engine's shuffle."""
    assert task.order is not None
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        alone = replace(task.order, parts=1, by_value=False)
        moved = (conform(batch, schema) for batch in batches)
        write_spills(moved, schema, alone, prefix=Path(folder) / "0", memory_bytes=share_bytes())
        return run_task(replace(task, partition=0, order=alone, spilled=(folder, 1)), partition=task.partition)


def _write(task: Task, store: Store) -> dict[str, Any]:
    assert task.call is not None
    schema = task.arrow_schema
    batches: Iterable[pa.RecordBatch] = built(task.call)(_input(task, store))
    if task.onto is not None:
        return _write_layer(task, store, batches, schema)
    column_bytes: Counter[str] = Counter()
    batch_rows: list[int] = []
    with _whole_file(IpcWriter(store, f"{task.out}.arrow", schema, is_compressed=task.is_compressed)) as writer:
        for batch in joined(_declared(task, batch, schema) for batch in batches):
            writer.write(batch)
            batch_rows.append(batch.num_rows)
            for name, values in zip(schema.names, batch.columns, strict=True):
                column_bytes[name] += values.nbytes
        size = writer.close()
    slices = tuple(slices_of(writer.batch_bytes))
    return {
        "rows": writer.rows,
        "bytes": size,
        "slices": slices,
        "batch_rows": tuple(batch_rows),
        "column_bytes": dict(column_bytes),
    }


@contextlib.contextmanager
def _whole_file(writer: IpcWriter) -> Iterator[IpcWriter]:
    try:
        yield writer
    except BaseException:
        writer.abort()
        raise


def _write_layer(task: Task, store: Store, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> dict[str, Any]:
    """Write the rows of *batches*, which have a column `PLACE`, back to the slice that they came from."""
    assert task.onto is not None
    rows = [_declared(task, batch, schema) for batch in batches]
    table = pa.Table.from_batches(rows, schema).combine_chunks()
    at = np.asarray(table[PLACE]) & _ROW_MASK
    if len(at) and (np.diff(at) <= 0).any():
        raise WorkError(f"step {task.step}: rows are out of order, or two are written back to one place")
    columns = pa.schema([column for column in schema if column.name != PLACE])
    form = layer_schema(columns, task.replaced)
    column_bytes: Counter[str] = Counter()
    with _whole_file(IpcWriter(store, f"{task.out}.arrow", form, is_compressed=task.is_compressed)) as writer:
        start = 0
        for count in task.onto:
            layer = _placed(table, at, start, count, columns, form, task.keeps)
            writer.write(layer)
            for name, values in zip(form.names, layer.columns, strict=True):
                column_bytes[name] += values.nbytes
            start += count
        size = writer.close()
    return {
        "rows": writer.rows,
        "bytes": size,
        "slices": (),
        "batch_rows": (),
        "column_bytes": dict(column_bytes),
        "contents": _contents_of(table, at, task),
    }


def _contents_of(table: pa.Table, at: npt.NDArray[np.int64], task: Task) -> dict[str, str]:
    """Return a hash of each column of *table*, whose rows are at the rows *at* of a slice.

    Rows that leave the column as it is are not hashed: if the column is new, or keeps its values, those with null.
    """
    contents = {}
    form = [list(task.onto or ()), list(task.keeps), list(task.replaced)]
    shape = fingerprint([*form, table.schema.serialize().to_pybytes().hex()]).encode()
    for field in (field for field in table.schema if field.name != PLACE):
        values, rows = table[field.name].combine_chunks(), at
        if values.null_count and (field.name in task.keeps or field.name not in task.replaced):
            rows = at[np.asarray(values.is_valid())]
            values = values.drop_null()
        parts = (shape, rows.tobytes(), column_digest(values))
        contents[field.name] = hashlib.sha256(b"".join(parts)).hexdigest()[:40]
    return contents


def _placed(
    table: pa.Table,
    at: npt.NDArray[np.int64],
    start: int,
    count: int,
    columns: pa.Schema,
    form: pa.Schema,
    keeps: Container[str],
) -> pa.RecordBatch:
    """Return the rows ``[start, start + count)`` of a slice as a layer. *at* has the row numbers of *table*."""
    low, high = np.searchsorted(at, [start, start + count])
    here = np.full(count, -1, np.int64)
    here[at[low:high] - start] = np.arange(low, high)
    is_here = here >= 0
    indices = pa.array(here, mask=~is_here)
    taken = table.select(columns.names).take(indices).combine_chunks()
    arrays = []
    for column in form:
        if column.name in columns.names:
            values = taken[column.name]
            arrays.append(values.chunk(0) if values.num_chunks else pa.nulls(count, column.type))
            if column.name in keeps:
                is_changed = pc.is_valid(arrays[-1])
        else:
            arrays.append(is_changed if column.name.removeprefix(CHANGED) in keeps else pa.array(is_here))
    return pa.RecordBatch.from_arrays(arrays, schema=form)


def _declared(task: Task, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of *schema* from *batch*.

    Raises:
        WorkError: The batch has undeclared columns, or columns of other types.
    """
    if undeclared := sorted(set(batch.schema.names) - set(schema.names)):
        raise WorkError(f"step {task.step} returned the column {undeclared[0]!r}, which it does not declare")
    try:
        return _without_nulls(task.step, conform(batch, schema), ())
    except pa.ArrowException as error:
        raise WorkError(f"step {task.step}: a column does not have the type that it declares: {error}") from error


def _without_nulls(step: str, batch: pa.RecordBatch, keys: Sequence[str]) -> pa.RecordBatch:
    """Return *batch* if its required columns, and the *keys* of an exchange, have no nulls.

    Raises:
        WorkError: A required column or a key has nulls, which is a bug of the step.
    """
    for index, column in enumerate(batch.schema):
        if batch.column(index).null_count and (column.name in keys or not column.nullable):
            raise WorkError(f"step {step}: column {column.name} has nulls", hint="this is a bug of the stage")
    return batch


def slices_of(batch_bytes: Sequence[int], *, target: int = SLICE_BYTES) -> Iterator[tuple[int, int]]:
    """Cut batches of the given sizes into ranges of about *target* bytes. There is at least one range.

    >>> list(slices_of([40, 40, 40], target=80)), list(slices_of([]))
    ([(0, 2), (2, 3)], [(0, 0)])
    """
    start = size = 0
    for index, bytes_ in enumerate(batch_bytes):
        if size and size + bytes_ > target:
            yield start, index
            start, size = index, 0
        size += bytes_
    yield start, len(batch_bytes)
