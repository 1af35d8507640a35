"""The contract between a plan and the engines: steps over tables, as plain values.

A *table* has columns and a *layout*: numbered slices, each with its rows in a fixed order. Five kinds of steps:

- `Scan` makes a layout from inputs by content, such as raw files: one task per entry of `Plan.scans`.
- `Map` runs once per slice. It gets the columns that it reads and returns those that it adds or replaces, row by row.
  Consecutive maps over one layout are one task per slice.
- `Exchange` brings all rows with one key to one call, sorted. It makes a new layout, or, with `onto`, puts its rows
  back to where they came from, as columns of an older table.
- `Fold` hands whole partitions of an exchange's table to one call, in order.
- `Repeat` runs a group of steps again while a counter is above zero.

Promises that every engine keeps: output never depends on where batches are cut, nor on the number of workers; keys are
never null; columns are of the types that `check_column_type` allows. What a step writes lies at an address: the hash of
its function and of the addresses of what it reads (`engines.addresses`).
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
"""A column that every table has: where a row lies in its layout, ``slice << 32 | row`` (int64).

A table whose schema names it stores it instead: the place, in another table, to which a row goes back
(`Exchange.onto`). It routes rows and breaks ties; it never becomes part of what is published.
"""
MAX_ROUNDS: Final = 64
"""Rounds of a `Repeat` before the run fails."""


class Value(BaseModel, ABC):
    """A function as a value: its fields are its parameters, and a worker builds it from its name and these.

    `version` rises when the output changes for the same parameters; `depends` names the distributions whose version
    changes the output. Both are part of the address of what the function computes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()

    def asks(self) -> tuple[str, ...]:
        """Return the steps whose counters the function needs; their values are part of its address."""
        return ()

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        """Return the function with what *counters*, those of the steps that it asks, decide."""
        return self

    def identity(self) -> dict[str, Any]:
        """Return what the output depends on, as JSON: name, version, parameters."""
        return {"function": name_of(self), "version": self.version, "params": self.model_dump(mode="json")}

    def distributions(self) -> tuple[str, ...]:
        """Return the distributions whose versions belong to the address."""
        return self.depends

    @abstractmethod
    def build(self) -> Callable[[Any], Any]:
        """Return the function; called once per worker, so models are loaded here."""


class Function(Value):
    """A function over a stream of batches, which may return other rows than it gets."""

    @abstractmethod
    def build(self) -> Callable[[Batches], Batches]:
        """Return the function; called once per worker, so models are loaded here."""


class ColumnFunction(Value):
    """A function of a `Map`: from a batch of the columns that it reads to one, row by row, of those that it writes."""

    @abstractmethod
    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        """Return the function; called once per worker, so models are loaded here."""


def name_of(function: Value) -> str:
    """Return the name by which a worker finds *function*: ``module:Class``."""
    return f"{type(function).__module__}:{type(function).__qualname__}"


def resolve(name: str) -> Any:
    """Import what *name* (``module:attribute``) names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Chain(Function):
    """Several functions in sequence, with nothing written between them; a `ColumnFunction` changes columns in place."""

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
    """Return *batch* with the columns of *changed* in the place of equal names, new ones behind."""
    for column in changed.schema:
        index = batch.schema.get_field_index(column.name)
        values = changed[column.name]
        batch = batch.append_column(column, values) if index < 0 else batch.set_column(index, column, values)
    return batch


@dataclass(frozen=True)
class Input:
    """A table as input: the columns as they stand after the step *step*, seen through a function.

    Args:
        step: A step that made a layout, or a map over it.
        through: Runs where batches are read, so that a narrow projection of a wide table moves no text.
        columns: All that is read from the files, `PLACE` among them when it is wanted; None: all columns but that.
        side: Read this side table of the step (a `Map`) instead.
    """

    step: str
    through: Function | None = None
    columns: tuple[str, ...] | None = None
    side: str | None = None


@dataclass(frozen=True)
class Content:
    """An input by content: a file or folder that a function reads by name, known by its hash.

    Args:
        name: How the function asks for it: ``task().content(name)``.
        path: Where it lies on this machine or store; not part of any address.
        sha256: The hash of what it holds, or the id of a published version.
    """

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What all steps share.

    Args:
        name: Unique in the plan.
        stage: The recipe's stage that the step belongs to.
        basis: What of that stage decides the output beside the function: version, distributions, data files.
        contents: Inputs by content.
    """

    name: str
    stage: str | None = None
    basis: Any = None
    contents: tuple[Content, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scan(_Step):
    """Make a layout from inputs by content; the tasks stand in the plan (`Plan.scans`).

    Args:
        function: Gets the rows of a task as one batch.
        schema: Of the table.
    """

    function: Function
    schema: pa.Schema


@dataclass(frozen=True, kw_only=True)
class Map(_Step):
    """Add or replace columns of the table *of*, slice by slice.

    Args:
        of: The table as it stands after this step.
        reads: Columns that the function gets, `PLACE` among them when it is wanted.
        writes: Columns that it returns. A replaced column must be read too: only changed rows are stored.
        sides: Side tables by name, which the function fills with ``task().emit(name, batch)``.
    """

    of: str
    function: ColumnFunction
    reads: tuple[str, ...]
    writes: pa.Schema
    sides: Mapping[str, pa.Schema] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Exchange(_Step):
    """Bring rows with one *by* value together, sorted by ``(by, *order)``, and apply *function* to each partition.

    ``(by, *order)`` is a total order, or the function gives the same for any order of ties.

    Args:
        moved: Schema of the exchanged rows: of each input after its `through`.
        schema: Of the output.
        partitions: Their number; None lets the driver choose it by the size of the input; a function of the counters of
            the steps that *asks* names where the layout matters.
        placement: ``hash`` puts a row by splitmix64 of `by`; ``value`` puts it into the partition whose number `by` is.
        onto: Put the output, which has a column `PLACE`, as columns onto the table as it stands after this step: rows
            that are not in the output keep replaced columns and get null in added ones. `by` is `PLACE` then.
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


@dataclass(frozen=True, kw_only=True)
class Fold(_Step):
    """Apply *function* to the rows of whole partitions of the table *of*, made by an exchange, in their order.

    Args:
        partitions: So many consecutive partitions are one call; or a function of the counters of the steps that
            *function* asks.
        reads: Columns that are read; None: all.
    """

    of: str
    function: Function
    schema: pa.Schema
    partitions: int | Callable[[Mapping[str, Counters]], int] = 1
    reads: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Repeat(_Step):
    """Run *steps* again while the last of them counts *until* above zero, at most `MAX_ROUNDS` times.

    Inside, the repeat's own name stands for the table of the round before (*start* in the first round), and names of
    *steps* for those of this round; after it, its name stands for the table of the last round.

    Args:
        start: A step that made a layout, with the columns that the last of *steps* makes.
        steps: The last one makes a layout.
        until: Name of the counter.
    """

    start: str
    steps: tuple[Step, ...]
    until: str

    @property
    def last(self) -> Step:
        """The step whose table is carried from round to round."""
        return self.steps[-1]


Step: TypeAlias = Scan | Map | Exchange | Fold | Repeat


def check_column_type(kind: pa.DataType) -> str | None:
    """Return why a column of the type *kind* cannot travel between steps, None when it can.

    Spark knows no unsigned numbers, and dictionary and large types do not come back from it as they went.

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
