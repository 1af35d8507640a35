"""Tasks as plain data, and how a worker does one: the same code on every engine.

What a task finished lies at its address in the store: ``<address>.arrow`` with its rows, and, last, ``<address>.json``
with counts and costs. A result whose JSON is there is never computed again.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.pipelines.engines.base import PLACE, ColumnFunction, Function, Value, name_of, resolve
from corpusmill.pipelines.engines.batches import IpcWriter, bounded, conform, joined
from corpusmill.pipelines.engines.budget import share_bytes
from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.engines.layers import Frame, Layer, SliceFile, frames, layer_batch, layer_schema
from corpusmill.pipelines.engines.memory import PeakMemory
from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.engines.spills import Order, write_spills
from corpusmill.schemas import errors
from corpusmill.schemas.errors import CorpusmillError, UnfinishedError, WorkError
from corpusmill.schemas.hashing import LogicalHash
from corpusmill.schemas.storage.attempts import attempt_name, sweep

SLICE_BYTES: Final = 32 * 2**20
"""A slice of a table takes about this much memory."""
SLICE: Final = ":slice"
"""The column by which rows go back to the slice that they came from."""
_ROW_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True)
class Call:
    """A function by name and parameters, as it travels to a worker."""

    name: str
    params: str

    @classmethod
    def of(cls, function: Value) -> Call:
        """Return the call of *function*."""
        return cls(name_of(function), function.model_dump_json())


@functools.lru_cache(maxsize=64)
def built(call: Call) -> Callable[[Any], Any]:
    """Build the function that *call* names; once per worker."""
    function: Value = resolve(call.name).model_validate_json(call.params)
    assert isinstance(function, Function | ColumnFunction)
    return function.build()


@dataclass(frozen=True)
class Source:
    """A piece of input: a slice of a table, or rows that stand in the task itself.

    Args:
        columns: That are handed over, in this order, each with the steps that wrote it, the newest first.
        rows: Plain rows when there is no slice (the tasks of a scan).
        through: Applied to the batches as they are read.
    """

    piece: SliceFile | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    through: Call | None = None

    def batches(self, *, batch_rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Read the piece; *batch_rows* cuts it into batches of that many rows (for tests of the promise)."""
        stream: Iterator[pa.RecordBatch]
        if self.piece is None:
            stream = iter([pa.RecordBatch.from_pylist([dict(row) for row in self.rows])])
        else:
            stream = (frame.select(self.columns) for frame in frames(self.piece))
        if batch_rows is not None:
            stream = bounded(stream, max_rows=batch_rows)
        return stream if self.through is None else built(self.through)(stream)


@dataclass(frozen=True)
class MapCall:
    """One map in a task that runs several over one slice.

    Args:
        out: Prefix of its output: the address in the store.
        reads: The columns that it reads, each with the steps that wrote it, the newest first.
        schema: Of the columns that it writes.
        replaced: Those of them that the table had before.
        sides: Schemas of its side tables.
    """

    step: str
    fingerprint: str
    out: str
    call: Call
    reads: Mapping[str, tuple[str, ...]]
    schema: bytes
    replaced: tuple[str, ...]
    sides: Mapping[str, bytes]
    contents: Mapping[str, str]


@dataclass(frozen=True)
class Task:
    """What a worker needs to compute one piece of a step.

    Args:
        kind: ``scan`` and ``fold`` apply *call* to *sources*; ``maps`` applies *maps* to a slice; ``scatter`` sorts
            *sources* into spills; ``gather`` merges one *partition* of them.
        spilled: The folder of the spills, and how many scatters wrote them; None: there was nothing to move.
        out: Prefix of the output: the address in the store.
        schema: Of the output, or of the exchanged rows for ``scatter``.
        onto: For a ``gather`` whose rows go back onto a slice: the rows of each batch of that slice.
        replaced: The columns of the output that the table had before.
    """

    step: str
    kind: str
    fingerprint: str
    out: str
    schema: bytes
    call: Call | None = None
    sources: tuple[Source, ...] = ()
    maps: tuple[MapCall, ...] = ()
    order: Order | None = None
    partition: int = 0
    slice: int = 0
    spilled: tuple[str, int] | None = None
    onto: tuple[int, ...] | None = None
    replaced: tuple[str, ...] = ()
    contents: Mapping[str, str] = field(default_factory=dict)
    batch_rows: int | None = None

    def as_json(self) -> str:
        """Return the task as text that any engine can carry."""
        return json.dumps(asdict(self), default=bytes.hex)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Read what `as_json` returned."""
        data = json.loads(text)
        data["schema"] = bytes.fromhex(data["schema"])
        data["call"] = _call(data["call"])
        data["sources"] = tuple(map(_source, data["sources"]))
        data["maps"] = tuple(map(_map_call, data["maps"]))
        data["order"] = data["order"] and Order(**{**data["order"], "order": tuple(data["order"]["order"])})
        data["spilled"] = data["spilled"] and tuple(data["spilled"])
        data["onto"] = None if data["onto"] is None else tuple(data["onto"])
        data["replaced"] = tuple(data["replaced"])
        return cls(**data)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of the output."""
        return arrow_schema(self.schema)


def arrow_schema(serialized: bytes) -> pa.Schema:
    """Return the schema that *serialized* holds."""
    return pa.ipc.read_schema(pa.py_buffer(serialized))


def _call(data: dict[str, Any] | None) -> Call | None:
    return None if data is None else Call(**data)


def _source(data: dict[str, Any]) -> Source:
    piece = data["piece"]
    if piece is not None:
        layers = tuple(Layer(one["step"], one["path"], tuple(one["columns"])) for one in piece["layers"])
        piece = SliceFile(**{**piece, "columns": tuple(piece["columns"]), "layers": layers})
    return Source(piece, _views(data["columns"]), tuple(data["rows"]), _call(data["through"]))


def _views(data: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(writers) for name, writers in data.items()}


def _map_call(data: dict[str, Any]) -> MapCall:
    return MapCall(
        **{
            **data,
            "call": Call(**data["call"]),
            "reads": _views(data["reads"]),
            "schema": bytes.fromhex(data["schema"]),
            "replaced": tuple(data["replaced"]),
            "sides": {name: bytes.fromhex(schema) for name, schema in data["sides"].items()},
        }
    )


@dataclass(frozen=True)
class Side:
    """What a task wrote to a side table."""

    rows: int
    slices: tuple[tuple[int, int], ...]
    column_bytes: dict[str, int]


@dataclass(frozen=True)
class Done:
    """The result of a finished task: the content of its JSON file.

    Args:
        slices: Ranges of batches of the output's file, each a slice of the table.
        batch_rows: Rows of each of these batches.
        column_bytes: Memory that each column takes.
        files: Sizes of the further files, by name.
        content: Hash of what it holds, where readers may rely on it instead of the address: equal content, though
            computed anew, leaves what was computed from it valid.
    """

    step: str
    kind: str
    fingerprint: str
    partition: int
    slice: int
    rows: int
    bytes: int
    slices: tuple[tuple[int, int], ...]
    batch_rows: tuple[int, ...]
    column_bytes: dict[str, int]
    counters: dict[str, int]
    files: dict[str, int]
    cpu_s: float
    wall_s: float
    peak_mb: float
    sides: dict[str, Side] = field(default_factory=dict)
    content: str | None = None

    def as_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Done:
        """Read what `as_json` returned."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Done:
        """Read plain data."""
        data["slices"] = _ranges(data["slices"])
        data["batch_rows"] = tuple(data["batch_rows"])
        data["sides"] = {
            name: Side(side["rows"], _ranges(side["slices"]), side["column_bytes"])
            for name, side in data["sides"].items()
        }
        return cls(**data)


def _ranges(pairs: Iterable[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, stop) for start, stop in pairs)


def address(store: Path, fingerprint: str) -> Path:
    """Return the prefix of a task's files in *store*."""
    return store / fingerprint[:2] / fingerprint


def read_done(out: Path) -> Done | None:
    """Return the result of the task at *out*, or None when it is not finished or its files are not whole."""
    try:
        done = Done.from_json(out.with_name(f"{out.name}.json").read_text())
        return done if is_whole(out, done) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_whole(out: Path, done: Done) -> bool:
    """Tell whether the files of a finished task are there, with the sizes that it says."""
    try:
        return out.with_name(f"{out.name}.json").exists() and all(
            out.with_name(f"{out.name}.{name}").stat().st_size == size
            for name, size in {"arrow": done.bytes, **done.files}.items()
        )
    except OSError:
        return False


def do(task: Task, *, partition: int | None = None) -> tuple[Done, ...]:
    """Do *task* and leave its files at its address.

    Args:
        partition: The number of the result, when it is not that of the spills.
    """
    if task.kind == "maps":
        return _do_maps(task)
    return (_do_one(task, task.partition if partition is None else partition),)


def _do_one(task: Task, number: int) -> Done:
    out = Path(task.out)
    if task.kind != "scatter" and (done := read_done(out)) is not None:
        return replace(done, partition=number, slice=task.slice)
    meter = _Meter()
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep(out)
    context = TaskContext(out, partition=number, attempt=attempt_name(), contents=task.contents)
    with meter.peak, running(context):
        try:
            result = _scatter(task, out) if task.kind == "scatter" else _write(task, out)
            files = context.adopt_files()
        except BaseException:
            context.drop_files()
            raise
    done = Done(
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
        _appear(out, done)
    return done


class _Meter:
    """CPU and wall time since it was made, and the peak of memory in the block `peak`."""

    def __init__(self) -> None:
        self.peak = PeakMemory()
        self._started, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, Any]:
        return {
            "cpu_s": round(time.process_time() - self._cpu, 4),
            "wall_s": round(time.perf_counter() - self._started, 4),
            "peak_mb": round(self.peak.bytes / 1e6, 1),
        }


def _appear(out: Path, done: Done) -> None:
    path = out.with_name(f"{out.name}.json")
    temporary = path.with_name(f"{path.name}.{attempt_name()}.tmp")
    temporary.write_text(done.as_json())
    temporary.replace(path)


# -- maps over one slice


def _do_maps(task: Task) -> tuple[Done, ...]:
    """Apply the maps of *task*, one after the other, to each batch of its slice."""
    (source,) = task.sources
    assert source.piece is not None
    runners = [_MapRunner(call, task) for call in task.maps]
    try:
        with PeakMemory() as peak:
            for frame in frames(source.piece):
                for runner in runners:
                    runner.apply(frame)
        return tuple(runner.finish(peak.bytes) for runner in runners)
    except BaseException:
        for runner in runners:
            runner.abort()
        raise


class _MapRunner:
    """One map on one slice: its function, its output file, its side tables, and what it costs."""

    def __init__(self, call: MapCall, task: Task) -> None:
        self._call = call
        self._task = task
        self._out = Path(call.out)
        self._out.parent.mkdir(parents=True, exist_ok=True)
        sweep(self._out)
        self._context = TaskContext(self._out, partition=task.partition, attempt=attempt_name(), contents=call.contents)
        self._schema = arrow_schema(call.schema)
        self._writer = IpcWriter(
            self._out.with_name(f"{self._out.name}.arrow"), layer_schema(self._schema, call.replaced)
        )
        self._sides = {name: _SideWriter(self._out, name, arrow_schema(kind)) for name, kind in call.sides.items()}
        self._context.sides = {name: side.write for name, side in self._sides.items()}
        self._cpu = self._wall = 0.0
        self._column_bytes: Counter[str] = Counter()

    def apply(self, frame: Frame) -> None:
        """Apply the function to the columns of *frame* that it reads, write and put in what it returns."""
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
            WorkError: Other rows or other columns came back than the step declares.
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
            raise WorkError(f"step {step}: a column has another type than it declares: {error}") from error

    def finish(self, peak_bytes: int) -> Done:
        """Close the files and leave them at the address; *peak_bytes* is the peak of the whole task."""
        if (done := read_done(self._out)) is not None:
            self.abort()
            return replace(done, step=self._call.step, partition=self._task.partition, slice=self._task.slice)
        cpu = time.process_time()
        size = self._writer.close()
        sides = {name: side.close() for name, side in self._sides.items()}
        files = {**self._context.adopt_files(), **{f"{name}.arrow": size for name, (size, _) in sides.items()}}
        done = Done(
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
        _appear(self._out, done)
        return done

    def abort(self) -> None:
        """Leave nothing behind."""
        self._writer.abort()
        for side in self._sides.values():
            side.abort()
        self._context.drop_files()


class _SideWriter:
    """Writes one side table of one map on one slice."""

    def __init__(self, out: Path, name: str, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = IpcWriter(out.with_name(f"{out.name}.{name}.arrow"), schema)
        self._column_bytes: Counter[str] = Counter()

    def write(self, batch: pa.RecordBatch) -> None:
        for piece in bounded([conform(batch, self._schema)]):
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


def _input(task: Task) -> Iterator[pa.RecordBatch]:
    if task.kind == "gather":
        assert task.order is not None
        if task.spilled is None:
            return iter(())
        folder, scatters = Path(task.spilled[0]), task.spilled[1]
        if (there := len(list(folder.glob("*.index")))) != scatters:
            raise UnfinishedError(
                f"step {task.step}: {there} of {scatters} parts of an exchange are in {folder}",
                hint="did something remove them? run the same command again",
            )
        stream = merged(folder, task.partition, task.order, memory_bytes=share_bytes())
        if task.order.by == SLICE:
            stream = (batch.drop_columns([SLICE]) for batch in stream)
        return stream if task.batch_rows is None else bounded(stream, max_rows=task.batch_rows)
    return itertools.chain.from_iterable(source.batches(batch_rows=task.batch_rows) for source in task.sources)


def _moved(task: Task, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Give the rows that a ``scatter`` *task* moves, with the slice that each goes back to where there is one."""
    assert task.order is not None
    for batch in _input(task):
        if task.order.by == SLICE:
            slices = pa.array(np.asarray(batch[PLACE]) >> 32, pa.int64())
            batch = batch.append_column(pa.field(SLICE, pa.int64(), nullable=False), slices)
        yield _without_nulls(task.step, conform(batch, schema), task.order.keys)


def _scatter(task: Task, out: Path) -> dict[str, Any]:
    assert task.order is not None
    schema = task.arrow_schema
    written = write_spills(_moved(task, schema), schema, task.order, prefix=out, memory_bytes=share_bytes())
    return {
        "rows": written.rows,
        "bytes": written.bytes,
        "slices": (),
        "batch_rows": (),
        "column_bytes": {},
    }


def moved_rows(task: Task) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int32]]]:
    """Yield the rows that a ``scatter`` *task* moves, and their partitions, for engines with a shuffle of their own."""
    assert task.order is not None
    for batch in bounded(_moved(task, task.arrow_schema)):
        yield batch, partition_numbers(batch[task.order.by], task.order.parts, by_value=task.order.by_value)


def gather(task: Task, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> tuple[Done, ...]:
    """Do a ``gather`` *task* on the rows of its partition, in any order, that another engine's shuffle brought."""
    assert task.order is not None
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        alone = replace(task.order, parts=1, by_value=False)
        moved = (conform(batch, schema) for batch in batches)
        write_spills(moved, schema, alone, prefix=Path(folder) / "0", memory_bytes=share_bytes())
        return do(replace(task, partition=0, order=alone, spilled=(folder, 1)), partition=task.partition)


def _write(task: Task, out: Path) -> dict[str, Any]:
    assert task.call is not None
    schema = task.arrow_schema
    batches: Iterable[pa.RecordBatch] = built(task.call)(_input(task))
    if task.onto is not None:
        return _write_layer(task, out, batches, schema)
    column_bytes: Counter[str] = Counter()
    batch_rows: list[int] = []
    with _whole_file(IpcWriter(out.with_name(f"{out.name}.arrow"), schema)) as writer:
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


def _write_layer(task: Task, out: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> dict[str, Any]:
    """Put the rows of *batches*, which have a column `PLACE`, back onto the slice they came from."""
    assert task.onto is not None
    rows = [_declared(task, batch, schema) for batch in batches]
    table = pa.Table.from_batches(rows, schema).combine_chunks()
    at = np.asarray(table[PLACE]) & _ROW_MASK
    if len(at) and (np.diff(at) <= 0).any():
        raise WorkError(f"step {task.step}: rows that go back to one place, or out of order")
    columns = pa.schema([column for column in schema if column.name != PLACE])
    form = layer_schema(columns, task.replaced)
    hashed = LogicalHash(form)
    column_bytes: Counter[str] = Counter()
    with _whole_file(IpcWriter(out.with_name(f"{out.name}.arrow"), form)) as writer:
        start = 0
        for count in task.onto:
            layer = _placed(table, at, start, count, columns, form)
            writer.write(layer)
            hashed.update(layer)
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
        "content": hashed.hexdigest(),
    }


def _placed(
    table: pa.Table, at: npt.NDArray[np.int64], start: int, count: int, columns: pa.Schema, form: pa.Schema
) -> pa.RecordBatch:
    """Return the rows ``[start, start + count)`` of a slice in the form of a layer; *at* has the rows of *table*."""
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
        else:
            arrays.append(pa.array(is_here))
    return pa.RecordBatch.from_arrays(arrays, schema=form)


def _declared(task: Task, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of *schema* from *batch*.

    Raises:
        WorkError: There are other columns, or columns of other types.
    """
    if undeclared := sorted(set(batch.schema.names) - set(schema.names)):
        raise WorkError(f"step {task.step} returned the column {undeclared[0]!r}, which it does not declare")
    try:
        return _without_nulls(task.step, conform(batch, schema), ())
    except pa.ArrowException as error:
        raise WorkError(f"step {task.step}: a column has another type than it declares: {error}") from error


def _without_nulls(step: str, batch: pa.RecordBatch, keys: Sequence[str]) -> pa.RecordBatch:
    """Return *batch* if its required columns, and the *keys* of an exchange, have no nulls.

    Raises:
        WorkError: A null where none may be: a mistake in the step.
    """
    for index, column in enumerate(batch.schema):
        if batch.column(index).null_count and (column.name in keys or not column.nullable):
            raise WorkError(f"step {step}: column {column.name} has nulls", hint="this is a bug of the stage")
    return batch


def slices_of(batch_bytes: Sequence[int], *, target: int = SLICE_BYTES) -> Iterator[tuple[int, int]]:
    """Cut batches of the given sizes into ranges of about *target* bytes; at least one range.

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


# -- between processes and engines


def result_as_json(work: Callable[[], tuple[Done, ...]]) -> str:
    """Do *work* and return how it ended, for `parse_result`: how results and errors leave another engine's worker."""
    try:
        return json.dumps({"done": [asdict(done) for done in work()]})
    except CorpusmillError as error:
        state = {name: value if isinstance(value, int | None) else str(value) for name, value in vars(error).items()}
        return json.dumps({"error": type(error).__name__, "state": state})
    except OSError as error:
        return json.dumps({"errno": error.errno, "text": str(error)})


def parse_result(text: str) -> tuple[Done, ...]:
    """Return the results in *text*, or raise the error in it."""
    result = json.loads(text)
    if "done" in result:
        return tuple(map(Done.from_dict, result["done"]))
    if "error" in result:
        error: CorpusmillError = getattr(errors, result["error"])(result["state"]["message"])
        error.__dict__.update(result["state"])
        raise error
    raise OSError(result["errno"], result["text"])
