"""Tasks and their results as plain data that any engine can transport.

The output of a task is stored at its address: ``<address>.arrow`` with its rows and, written last, ``<address>.json``
with counts and costs. A result whose JSON exists is never computed again.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa

from corpusmill.pipelines.engines.base import ColumnFunction, Content, Function, Value, name_of, resolve
from corpusmill.pipelines.engines.batches import bounded
from corpusmill.pipelines.engines.context import final_key
from corpusmill.pipelines.engines.layers import Layer, SliceFile, frames
from corpusmill.pipelines.engines.places import rows_at
from corpusmill.pipelines.engines.spills import Order
from corpusmill.schemas import errors
from corpusmill.schemas.errors import CorpusmillError
from corpusmill.schemas.storage import Store

SLICE: Final = ":slice"
"""The column with the slice that a row is written back to."""
NO_ROWS: Final[Mapping[int, pa.RecordBatch]] = MappingProxyType({})


@dataclass(frozen=True)
class Call:
    """A function by name and parameters, as sent to a worker."""

    name: str
    params: str

    @classmethod
    def of(cls, function: Value) -> Call:
        """Return the call of *function*."""
        return cls(name_of(function), function.model_dump_json())


@functools.lru_cache(maxsize=64)
def built(call: Call) -> Callable[[Any], Any]:
    """Build the function of *call*, once per worker."""
    function: Value = resolve(call.name).model_validate_json(call.params)
    assert isinstance(function, Function | ColumnFunction)
    return function.build()


@dataclass(frozen=True)
class Source:
    """A piece of input: a slice of a table, or rows stored in the task itself.

    Args:
        columns: The columns to read, in order, each with the steps that wrote it, newest first.
        rows: Plain rows, if there is no slice (the tasks of a scan).
        through: Applied to the batches as they are read.
        where: A column that a step wrote (step, column): batches in which it is null in all rows are skipped.
        at: Name of the table of the task that lists the rows to read.
    """

    piece: SliceFile | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()
    through: Call | None = None
    where: tuple[str, str] | None = None
    at: str | None = None

    def batches(
        self, store: Store, *, batch_rows: int | None = None, listed: Mapping[int, pa.RecordBatch] = NO_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """Read the piece from *store*.

        Args:
            batch_rows: Cut it into batches of that many rows, for tests.
            listed: The rows of the table *at*, by slice.
        """
        stream: Iterator[pa.RecordBatch]
        if self.piece is None:
            stream = iter([pa.RecordBatch.from_pylist([dict(row) for row in self.rows])])
        elif self.at is not None:
            stream = rows_at(self.piece, self.columns, store, listed.get(self.piece.number))
        else:
            stream = (frame.select(self.columns) for frame in frames(self.piece, store, where=self.where))
        if batch_rows is not None:
            stream = bounded(stream, max_rows=batch_rows)
        return stream if self.through is None else built(self.through)(stream)


@dataclass(frozen=True)
class MapCall:
    """One map of a task that runs several maps over one slice.

    Args:
        out: Prefix of the keys of its output: the address in the store.
        reads: The columns that it reads, each with the steps that wrote it, newest first.
        schema: Schema of the columns that it writes.
        replaced: The written columns that the table already had.
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
    contents: tuple[Content, ...]


@dataclass(frozen=True)
class Task:
    """Everything a worker needs to compute one piece of a step.

    Args:
        kind: ``scan`` and ``fold`` apply *call* to *sources*; ``maps`` applies *maps* to a slice; ``scatter`` sorts
            *sources* into spills; ``gather`` merges one *partition* of them.
        store: URL or folder of the store to which `out` and all keys in *sources* belong.
        out: Prefix of the keys of the output: the address in the store. For a ``scatter``, the local path prefix of its
            spills.
        spilled: The local folder of the spills and the number of scatters that wrote them; None if there was nothing to
            move.
        schema: Schema of the output, or of the exchanged rows for a ``scatter``.
        onto: For a ``gather`` that writes back to a slice: the rows of each batch of that slice.
        replaced: The columns of the output that the table already had.
        keeps: Those of them that keep their value where that of the output is null.
        is_compressed: Compress the output.
        tables: The slices of each table that the functions read whole.
    """

    step: str
    kind: str
    fingerprint: str
    store: str
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
    keeps: tuple[str, ...] = ()
    contents: tuple[Content, ...] = ()
    batch_rows: int | None = None
    is_compressed: bool = True
    tables: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)

    def as_json(self) -> str:
        """Serialize the task for any engine."""
        return json.dumps(asdict(self), default=bytes.hex)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Parse the output of `as_json`."""
        data = json.loads(text)
        data["schema"] = bytes.fromhex(data["schema"])
        data["call"] = _call(data["call"])
        data["sources"] = tuple(map(_source, data["sources"]))
        data["maps"] = tuple(map(_map_call, data["maps"]))
        data["order"] = data["order"] and Order(**{**data["order"], "order": tuple(data["order"]["order"])})
        data["spilled"] = data["spilled"] and tuple(data["spilled"])
        data["onto"] = None if data["onto"] is None else tuple(data["onto"])
        data["replaced"] = tuple(data["replaced"])
        data["keeps"] = tuple(data["keeps"])
        data["tables"] = {name: tuple(map(_source, sources)) for name, sources in data["tables"].items()}
        data["contents"] = _contents(data["contents"])
        return cls(**data)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema of the output."""
        return arrow_schema(self.schema)


def arrow_schema(serialized: bytes) -> pa.Schema:
    """Deserialize a schema."""
    return pa.ipc.read_schema(pa.py_buffer(serialized))


def _call(data: dict[str, Any] | None) -> Call | None:
    return None if data is None else Call(**data)


def _source(data: dict[str, Any]) -> Source:
    piece = data["piece"]
    if piece is not None:
        layers = tuple(Layer(one["step"], one["key"], tuple(one["columns"])) for one in piece["layers"])
        lists = {"columns": tuple(piece["columns"]), "batch_rows": tuple(piece["batch_rows"])}
        piece = SliceFile(**{**piece, **lists, "layers": layers})
    where = None if data["where"] is None else tuple(data["where"])
    through = _call(data["through"])
    return Source(piece, _views(data["columns"]), tuple(data["rows"]), through, where, data["at"])


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
            "contents": _contents(data["contents"]),
        }
    )


def _contents(data: Sequence[dict[str, str]]) -> tuple[Content, ...]:
    return tuple(Content(**one) for one in data)


@dataclass(frozen=True)
class Side:
    """The rows that a task wrote to a side table."""

    rows: int
    slices: tuple[tuple[int, int], ...]
    column_bytes: dict[str, int]


@dataclass(frozen=True)
class TaskResult:
    """The result of a finished task: the content of its JSON file.

    Args:
        slices: Ranges of batches of the output's file, each a slice of the table.
        batch_rows: Rows of each of these batches.
        column_bytes: Memory that each column takes.
        files: Sizes of the further files, by name.
        contents: Hash of the values of each column, where readers may rely on it instead of the address: what was
            computed from a column stays valid if the column is computed anew with equal values.
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
    contents: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        """Serialize the result."""
        return json.dumps(self.as_dict(), sort_keys=True)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values, without the copies that `dataclasses.asdict` makes of each."""
        return {**vars(self), "sides": {name: vars(side) for name, side in self.sides.items()}}

    @classmethod
    def from_json(cls, text: str) -> TaskResult:
        """Parse the output of `as_json`."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TaskResult:
        """Build a result from parsed JSON. Those of earlier releases have one hash, `content`, for all columns."""
        data.pop("content", None)
        data["slices"] = _ranges(data["slices"])
        data["batch_rows"] = tuple(data["batch_rows"])
        data["sides"] = {
            name: Side(side["rows"], _ranges(side["slices"]), side["column_bytes"])
            for name, side in data["sides"].items()
        }
        return cls(**data)


def _ranges(pairs: Iterable[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((start, stop) for start, stop in pairs)


def read_result(store: Store, out: str) -> TaskResult | None:
    """Return the result of the task at *out*, or None if it is not finished or its files are incomplete."""
    try:
        done = TaskResult.from_json(store.read_text(f"{out}.json"))
        return done if is_whole(store, out, done) else None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def is_whole(store: Store, out: str, done: TaskResult) -> bool:
    """Return whether all files of a finished task exist with the sizes in its result."""
    try:
        return all(store.size(key) == size for key, size in files_of(out, done).items()) and store.exists(f"{out}.json")
    except FileNotFoundError:
        return False


def files_of(out: str, done: TaskResult) -> dict[str, int]:
    """Return the sizes of the files of a finished task at *out*, by key, without its JSON file."""
    return {final_key(out, name): size for name, size in {"arrow": done.bytes, **done.files}.items()}


# -- results of workers of other engines


def result_as_json(work: Callable[[], tuple[TaskResult, ...]]) -> str:
    """Call *work* and serialize its results or error for `parse_result`, to send it from another engine's worker."""
    try:
        return json.dumps({"done": [done.as_dict() for done in work()]})
    except CorpusmillError as error:
        state = {name: value if isinstance(value, int | None) else str(value) for name, value in vars(error).items()}
        return json.dumps({"error": type(error).__name__, "state": state})
    except OSError as error:
        return json.dumps({"errno": error.errno, "text": str(error)})


def parse_result(text: str) -> tuple[TaskResult, ...]:
    """Return the results in *text*, or raise the error that it contains."""
    result = json.loads(text)
    if "done" in result:
        return tuple(map(TaskResult.from_dict, result["done"]))
    if "error" in result:
        error: CorpusmillError = getattr(errors, result["error"])(result["state"]["message"])
        error.__dict__.update(result["state"])
        raise error
    raise OSError(result["errno"], result["text"])
