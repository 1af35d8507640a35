"""Tasks as plain data, and how a worker does one: the same code on every engine.

A finished task is two files at its address in the store: ``<fingerprint>.arrow`` with its rows, and, last,
``<fingerprint>.json`` that tells counts and costs. A task whose JSON stands is never done again.
"""

from __future__ import annotations

import functools
import itertools
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from corpusmill.pipelines.engines.attempts import attempt_name, sweep
from corpusmill.pipelines.engines.base import Batches, Function, name_of, resolve
from corpusmill.pipelines.engines.batches import IpcFile, IpcWriter, bounded, conform, joined
from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.engines.spills import MEMORY_BYTES, Order, write_spills
from corpusmill.schemas import errors
from corpusmill.schemas.errors import CorpusmillError, WorkError

TASK_FORMAT: Final = 1
"""Part of every fingerprint: rises when the form of a task's output changes."""
SLICE_BYTES: Final = 64 * 2**20
"""A task of a map reads about this much of a step's output."""


@dataclass(frozen=True)
class Call:
    """A function by name and parameters, as it travels to a worker."""

    name: str
    params: str

    @classmethod
    def of(cls, function: Function) -> Call:
        """Give the call of *function*."""
        return cls(name_of(function), function.model_dump_json())


@functools.lru_cache(maxsize=64)
def built(call: Call) -> Callable[[Batches], Batches]:
    """Build the function that *call* names; once in each worker."""
    function: Function = resolve(call.name).model_validate_json(call.params)
    return function.build()


@dataclass(frozen=True)
class Source:
    """A piece of input: batches ``[start, stop)`` of a task's output, or rows that stand in the task itself.

    Args:
        path: An Arrow IPC file, or None.
        rows: Plain rows when there is no file (the slices of raw files).
        through: Applied to the batches as they are read.
    """

    path: str | None = None
    start: int = 0
    stop: int | None = None
    columns: tuple[str, ...] | None = None
    rows: tuple[dict[str, Any], ...] = ()
    through: Call | None = None

    def batches(self, *, batch_rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Read the piece; *batch_rows* cuts it into batches of that many rows (for tests of the promise)."""
        stream: Iterator[pa.RecordBatch]
        if self.path is None:
            stream = iter([pa.RecordBatch.from_pylist(list(self.rows))])
        else:
            stream = IpcFile(Path(self.path), columns=self.columns).batches(self.start, self.stop)
        if batch_rows is not None:
            stream = bounded(stream, max_rows=batch_rows)
        return stream if self.through is None else built(self.through)(stream)


@dataclass(frozen=True)
class Task:
    """What a worker needs to compute one piece of a step.

    Args:
        kind: ``map`` reads *sources*; ``scatter`` sorts them into spills for an exchange; ``gather`` merges one
            *partition* of them.
        out: Prefix of the output: the address in the store.
        schema: Of the output, or of the exchanged rows for ``scatter``.
        spills: The folder of the spills, for ``gather``; None when no rows were moved.
    """

    step: str
    kind: str
    fingerprint: str
    out: str
    schema: bytes
    call: Call | None = None
    sources: tuple[Source, ...] = ()
    order: Order | None = None
    partition: int = 0
    slice: int = 0
    spills: str | None = None
    batch_rows: int | None = None

    def as_json(self) -> str:
        """Give the task as text that any engine can carry."""
        return json.dumps({**asdict(self), "schema": self.schema.hex()})

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Read what `as_json` gave."""
        data = json.loads(text)
        data["schema"] = bytes.fromhex(data["schema"])
        data["call"] = Call(**data["call"]) if data["call"] else None
        data["sources"] = tuple(_source_from_json(source) for source in data["sources"])
        data["order"] = _order_from_json(data["order"]) if data["order"] else None
        return cls(**data)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of the output."""
        return pa.ipc.read_schema(pa.py_buffer(self.schema))


def _source_from_json(data: dict[str, Any]) -> Source:
    data["columns"] = tuple(data["columns"]) if data["columns"] is not None else None
    data["rows"] = tuple(data["rows"])
    data["through"] = Call(**data["through"]) if data["through"] else None
    return Source(**data)


def _order_from_json(data: dict[str, Any]) -> Order:
    return Order(**{**data, "order": tuple(data["order"])})


@dataclass(frozen=True)
class Done:
    """What a finished task tells: the content of its JSON file."""

    step: str
    kind: str
    fingerprint: str
    partition: int
    slice: int
    rows: int
    bytes: int
    memory_bytes: int
    slices: tuple[tuple[int, int], ...]
    counters: dict[str, int]
    files: dict[str, int]
    cpu_s: float
    wall_s: float
    peak_mb: float

    def as_json(self) -> str:
        """Give it as text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Done:
        """Read what `as_json` gave."""
        data = json.loads(text)
        data["slices"] = tuple((start, stop) for start, stop in data["slices"])
        return cls(**data)


def address(store: Path, fingerprint: str) -> Path:
    """Give the prefix of a task's files in *store*."""
    return store / fingerprint[:2] / fingerprint


def finished(out: Path) -> Done | None:
    """Give what the task at *out* told when it finished, or None when its files are not whole."""
    try:
        done = Done.from_json(out.with_name(f"{out.name}.json").read_text())
        sizes = {"arrow": done.bytes, **done.files}
        whole = all(out.with_name(f"{out.name}.{name}").stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return done if whole else None


def do(task: Task, *, partition: int | None = None) -> Done:
    """Do *task* and leave its files at its address.

    Args:
        partition: The number that the result bears, when it is not that of the spills.
    """
    number = task.partition if partition is None else partition
    if (done := finished(Path(task.out))) is not None and task.kind != "scatter":
        return done
    started, cpu = time.perf_counter(), time.process_time()
    out = Path(task.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep(out)
    context = TaskContext(out, partition=number, attempt=attempt_name())
    with running(context):
        try:
            result = _scatter(task, out) if task.kind == "scatter" else _write(task, out, _output(task))
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
        cpu_s=round(time.process_time() - cpu, 4),
        wall_s=round(time.perf_counter() - started, 4),
        peak_mb=_peak_mb(),
        **result,
    )
    if task.kind != "scatter":
        _appear(out.with_name(f"{out.name}.json"), done.as_json())
    return done


def _appear(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{attempt_name()}.tmp")
    temporary.write_text(text)
    temporary.replace(path)


def _peak_mb() -> float:
    """Give the peak of this process. On Linux `ru_maxrss` starts with that of the parent, so the kernel is asked."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return round(int(status.partition("VmHWM:")[2].split()[0]) / 2**10, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 1)


def _input(task: Task) -> Iterator[pa.RecordBatch]:
    if task.kind == "gather":
        assert task.order is not None
        if task.spills is None:
            return iter(())
        stream = merged(Path(task.spills), task.partition, task.order, memory_bytes=MEMORY_BYTES)
        return stream if task.batch_rows is None else bounded(stream, max_rows=task.batch_rows)
    return itertools.chain.from_iterable(source.batches(batch_rows=task.batch_rows) for source in task.sources)


def _output(task: Task) -> Iterator[pa.RecordBatch]:
    assert task.call is not None
    return built(task.call)(_input(task))


def _scatter(task: Task, out: Path) -> dict[str, Any]:
    assert task.order is not None
    schema = task.arrow_schema
    moved = (_checked(task, conform(batch, schema)) for batch in _input(task))
    spilled = write_spills(moved, schema, task.order, prefix=out, memory_bytes=MEMORY_BYTES)
    return {"rows": spilled.rows, "bytes": spilled.bytes, "memory_bytes": spilled.memory_bytes, "slices": ()}


def moved_rows(task: Task) -> Iterator[tuple[pa.RecordBatch, npt.NDArray[np.int32]]]:
    """Give the rows that a ``scatter`` *task* moves, and their partitions, for engines with a shuffle of their own."""
    assert task.order is not None
    schema = task.arrow_schema
    for batch in bounded(_checked(task, conform(batch, schema)) for batch in _input(task)):
        yield batch, partition_numbers(batch[task.order.by], task.order.parts, by_value=task.order.by_value)


def gather(task: Task, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Done:
    """Do a ``gather`` *task* on the rows of its partition, in any order, that another engine's shuffle brought."""
    assert task.order is not None
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as folder:
        alone = replace(task.order, parts=1, by_value=False)
        moved = (conform(batch, schema) for batch in batches)
        write_spills(moved, schema, alone, prefix=Path(folder) / "moved", memory_bytes=MEMORY_BYTES)
        return do(replace(task, partition=0, order=alone, spills=folder), partition=task.partition)


def told(work: Callable[[], Done]) -> str:
    """Do *work* and tell how it ended, as JSON that `heard` reads: how errors cross the border of another engine."""
    try:
        return json.dumps({"done": work().as_json()})
    except CorpusmillError as error:
        state = {name: value if isinstance(value, int | None) else str(value) for name, value in vars(error).items()}
        return json.dumps({"error": type(error).__name__, "state": state})
    except OSError as error:
        return json.dumps({"errno": error.errno, "text": str(error)})


def heard(text: str) -> Done:
    """Give what `told` told, or raise what it met."""
    told_ = json.loads(text)
    if "done" in told_:
        return Done.from_json(told_["done"])
    if "error" in told_:
        error: CorpusmillError = getattr(errors, told_["error"])(told_["state"]["message"])
        error.__dict__.update(told_["state"])
        raise error
    raise OSError(told_["errno"], told_["text"])


def _checked(task: Task, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give *batch* if its required columns, and the keys of the exchange, are all there.

    Raises:
        WorkError: A null where none may be: a mistake in the step.
    """
    keys = task.order.keys if task.order else ()
    for index, column in enumerate(batch.schema):
        if batch.column(index).null_count and (column.name in keys or not column.nullable):
            raise WorkError(f"step {task.step}: column {column.name} has nulls", hint="this is a bug of the stage")
    return batch


def _write(task: Task, out: Path, batches: Iterable[pa.RecordBatch]) -> dict[str, Any]:
    schema = task.arrow_schema
    writer = IpcWriter(out.with_name(f"{out.name}.arrow"), schema)
    try:
        for batch in joined(_checked(task, conform(batch, schema)) for batch in batches):
            writer.write(batch)
        size = writer.close()
    except BaseException:
        writer.abort()
        raise
    sizes = writer.batch_bytes
    return {"rows": writer.rows, "bytes": size, "memory_bytes": sum(sizes), "slices": tuple(slices_of(sizes))}


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
