"""The contract between a plan and the engines: steps over tables, as plain values.

A *table* has columns and a *layout*: numbered slices, each with its rows in a fixed order. There are five kinds of
steps:

- `Scan` makes a layout from external inputs, such as raw files: one task per entry of `Plan.scans`.
- `Map` runs once per slice. It receives the columns that it reads and returns those that it adds or replaces, row by
  row. Consecutive maps over one layout run as one task per slice.
- `Exchange` brings all rows with the same key to one call, sorted. It makes a new layout or, with `onto`, writes its
  rows back to the slices that they came from, as columns of an older table.
- `Fold` passes whole partitions of an exchange's table to one call, in order.
- `Repeat` runs a group of steps again while a counter is above zero.

Every engine guarantees that the output does not depend on where batches are cut or on the number of workers. Keys are
never null, and columns have the types that `check_column_type` allows. The output of a step is stored at an address:
the hash of its function and of the addresses of its inputs (`engines.addresses`).
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, Self, TypeAlias

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

Batches: TypeAlias = Iterator[pa.RecordBatch]
Counters: TypeAlias = Mapping[str, int]

PLACE: Final = ":place"
"""A column of every table: the position of a row in its layout, ``slice << 32 | row`` (int64).

A table whose schema names this column stores it. The value is then the position in another table to which the row is
written back (`Exchange.onto`). It routes rows and breaks ties, and is never published.
"""
MAX_ROUNDS: Final = 64
"""Rounds after which a `Repeat` fails."""


class Value(BaseModel, ABC):
    """A function as a value: its fields are its parameters, and a worker builds it from its name and parameters.

    `version` rises when the output changes for the same parameters. `depends` names the distributions whose versions
    affect the output. Both are part of the address of the output.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()

    def asks(self) -> tuple[str, ...]:
        """Return the steps whose counters the function needs. The counters are part of its address."""
        return ()

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        """Return the function with the parameters that follow from *counters*, by step."""
        return self

    def identity(self) -> dict[str, Any]:
        """Return everything that decides the output, as JSON: name, version, parameters."""
        return {"function": name_of(self), "version": self.version, "params": self.model_dump(mode="json")}

    def distributions(self) -> tuple[str, ...]:
        """Return the distributions whose versions are part of the address."""
        return self.depends

    @abstractmethod
    def build(self) -> Callable[[Any], Any]:
        """Return the function. Called once per worker, so models are loaded here."""


class Function(Value):
    """A function over a stream of batches. It may return other rows than it receives."""

    @abstractmethod
    def build(self) -> Callable[[Batches], Batches]:
        """Return the function. Called once per worker, so models are loaded here."""


class ColumnFunction(Value):
    """The function of a `Map`: turns a batch of the columns it reads into a batch of those it writes, row by row."""

    @abstractmethod
    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function. Called once per worker, so models are loaded here."""


def name_of(function: Value) -> str:
    """Return the name by which a worker imports *function*: ``module:Class``."""
    return f"{type(function).__module__}:{type(function).__qualname__}"


def resolve(name: str) -> Any:
    """Import the object *name* (``module:attribute``)."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Chain(Function):
    """Several functions in sequence, without intermediate files. A `ColumnFunction` changes columns in place."""

    calls: tuple[tuple[str, str], ...]
    """Name and JSON parameters of each function."""

    @classmethod
    def of(cls, *functions: Value) -> Chain:
        """Return the chain of *functions*."""
        return cls(calls=tuple((name_of(function), function.model_dump_json()) for function in functions))

    def functions(self) -> list[Value]:
        """Return the functions."""
        return [resolve(name).model_validate_json(params) for name, params in self.calls]

    def asks(self) -> tuple[str, ...]:
        return tuple(sorted({step for function in self.functions() for step in function.asks()}))

    def identity(self) -> dict[str, Any]:
        return {"chain": [function.identity() for function in self.functions()]}

    def bound(self, counters: Mapping[str, Counters]) -> Chain:
        return Chain.of(*(function.bound(counters) for function in self.functions()))

    def distributions(self) -> tuple[str, ...]:
        return tuple(sorted({name for function in self.functions() for name in function.distributions()}))

    def build(self) -> Callable[[Batches], Batches]:
        built = [_over_stream(function) for function in self.functions()]

        def run(batches: Batches) -> Batches:
            for function in built:
                batches = function(batches)
            return batches

        return run


def _over_stream(function: Value) -> Callable[[Batches], Batches]:
    if isinstance(function, Function):
        return function.build()
    change = function.build()
    return lambda batches: (with_columns_of(batch, change(batch)) for batch in batches)


def with_columns_of(batch: pa.RecordBatch, changed: pa.RecordBatch) -> pa.RecordBatch:
    """Return *batch* with the columns of *changed*: existing names are replaced, new ones are appended."""
    for column in changed.schema:
        index = batch.schema.get_field_index(column.name)
        values = changed[column.name]
        batch = batch.append_column(column, values) if index < 0 else batch.set_column(index, column, values)
    return batch


@dataclass(frozen=True)
class Input:
    """A table as input: its state after *step*, optionally transformed as it is read.

    Args:
        step: A step that made a layout, or a map over one.
        through: Applied as batches are read, so that a narrow projection of a wide table moves no text.
        columns: The columns to read, including `PLACE` if needed; None: all columns except `PLACE`.
        side: Read this side table of the step (a `Map`) instead.
        where: One of *columns*. Batches in which it is null in all rows need not be read, so *through* must ignore rows
            in which it is null.
        at: Read only the rows at the places in this step's table, which has each `PLACE` at most once, and append its
            other columns to them. Batches and slices without such a row are not read.
    """

    step: str
    through: Function | None = None
    columns: tuple[str, ...] | None = None
    side: str | None = None
    where: str | None = None
    at: str | None = None


@dataclass(frozen=True)
class Content:
    """A file or folder as input, identified by its hash. A function opens it by name.

    Args:
        name: The name that the function passes to ``task().content(name)``.
        path: Location on this machine or store; not part of any address.
        sha256: The hash of the content, or the id of a published version.
    """

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class _Step:
    """Fields common to all steps.

    Args:
        name: Unique in the plan.
        stage: The recipe's stage that the step belongs to.
        basis: Properties of the stage, besides the function, that decide the output: version, distributions, data
            files.
        contents: The files that the step reads.
    """

    name: str
    stage: str | None = None
    basis: Any = None
    contents: tuple[Content, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scan(_Step):
    """Make a layout from external files. Its tasks are listed in `Plan.scans`.

    Args:
        function: Receives the rows of a task as one batch.
        schema: Schema of the table.
    """

    function: Function
    schema: pa.Schema


@dataclass(frozen=True, kw_only=True)
class Map(_Step):
    """Add or replace columns of the table *of*, slice by slice.

    Args:
        of: The step whose table is extended.
        reads: Columns that the function receives, including `PLACE` if needed.
        writes: Columns that the function returns. A replaced column must be read too, because only changed rows are
            stored.
        sides: Side tables by name. The function fills them with ``task().emit(name, batch)``.
    """

    of: str
    function: ColumnFunction
    reads: tuple[str, ...]
    writes: pa.Schema
    sides: Mapping[str, pa.Schema] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Exchange(_Step):
    """Bring rows with the same *by* value together, sorted by ``(by, *order)``, and apply *function* to partitions.

    ``(by, *order)`` must be a total order, unless the function returns the same result for any order of ties.

    Args:
        moved: Schema of the exchanged rows: the rows of each input after its `through`.
        schema: Schema of the output.
        partitions: Number of partitions. None: the driver chooses it by the size of the input. A function computes it
            from the counters of the steps in *asks*, for steps whose layout matters.
        placement: ``hash`` places a row by splitmix64 of `by`; ``value`` uses `by` as the number of the partition.
        onto: Write the output, which has a column `PLACE`, as columns onto the table after this step. Rows that are not
            in the output keep replaced columns and have null in added ones. `by` must be `PLACE`.
        keeps: Replaced columns that a row also keeps if its value in the output is null.
        tables: Steps whose whole tables the functions read with ``task().table(name, make)``, by name. Every worker
            reads them, so they must be small.
    """

    inputs: tuple[Input, ...]
    by: str
    order: tuple[str, ...]
    function: Function
    moved: pa.Schema
    schema: pa.Schema
    partitions: int | Callable[[Mapping[str, Counters]], int] | None = None
    placement: Literal["hash", "value"] = "hash"
    asks: tuple[str, ...] = ()
    onto: str | None = None
    keeps: tuple[str, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)

    def whole_tables(self) -> dict[str, str]:
        """Return the steps whose tables every task may read, by name: *tables*, and those of `Input.at`."""
        places = {at_name(index): input_.at for index, input_ in enumerate(self.inputs) if input_.at is not None}
        return {**self.tables, **places}


def at_name(index: int) -> str:
    """Return the name of the table of `Input.at` for the input *index* of an exchange."""
    return f"at:{index}"


@dataclass(frozen=True, kw_only=True)
class Fold(_Step):
    """Apply *function* to whole partitions of the table *of*, which an exchange made, in order.

    Args:
        partitions: Consecutive partitions per call, or a function that computes it from the counters of the steps that
            *function* asks for.
        reads: Columns to read; None: all.
    """

    of: str
    function: Function
    schema: pa.Schema
    partitions: int | Callable[[Mapping[str, Counters]], int] = 1
    reads: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Repeat(_Step):
    """Run *steps* again while the counter *until* of the last step is above zero, at most `MAX_ROUNDS` times.

    Inside, the repeat's own name stands for the table of the previous round (*start* in the first round), and the names
    in *steps* stand for the tables of the current round. Afterwards, the repeat's name stands for the table of the last
    round.

    Args:
        start: A step that made a layout with the same columns as the last of *steps*.
        steps: The steps of a round. The last one makes a layout.
        until: Name of the counter.
    """

    start: str
    steps: tuple[Step, ...]
    until: str

    @property
    def last(self) -> Step:
        """The step whose table is passed from round to round."""
        return self.steps[-1]


Step: TypeAlias = Scan | Map | Exchange | Fold | Repeat


def check_column_type(kind: pa.DataType) -> str | None:
    """Return why a column of the type *kind* cannot be passed between steps, or None if it can.

    Spark has no unsigned integers, and changes dictionary and large types on the way.

    >>> check_column_type(pa.list_(pa.struct([("a", pa.int64())]))), check_column_type(pa.uint8())
    (None, 'uint8')
    """
    if pa.types.is_struct(kind):
        return next((bad for child in kind if (bad := check_column_type(child.type))), None)
    if pa.types.is_map(kind):
        return check_column_type(kind.key_type) or check_column_type(kind.item_type)
    if pa.types.is_list(kind):
        return check_column_type(kind.value_type)
    return None if kind in _PLAIN_TYPES else str(kind)


_PLAIN_TYPES: Final = (
    pa.bool_(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.binary(),
    pa.date32(),
    pa.timestamp("us", tz="UTC"),
)
