"""What every engine runs: two verbs, `Map` and `Exchange`, over streams of record batches.

A plan is a list of steps in an order in which they can run. A step's function is a frozen value; a worker gets its
name and parameters as JSON, builds it there and hands it an iterator of batches. The promises:

- `Map` gives each task one slice of one input file; `Exchange` brings all rows with one `by` value to one call, sorted
  by ``(by, *order)``, which must be a total order, or the function gives the same for any order of ties.
- The output never depends on where batches are cut, nor on how many tasks or partitions there are.
- Keys (`by`, `order`) are never null. Columns are bool, int32/64, float32/64, string, binary, date, timestamp[us, UTC],
  list, struct or map: what every engine can carry.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeAlias

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

Batches: TypeAlias = Iterator[pa.RecordBatch]
Counters: TypeAlias = Mapping[str, int]


class Function(BaseModel, ABC):
    """A function over batches as a value: its fields are its parameters.

    `version` rises when the output changes for the same parameters; `depends` names the distributions whose version
    changes the output. Both are part of the fingerprint.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: ClassVar[int] = 1
    depends: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def build(self) -> Callable[[Batches], Batches]:
        """Give the function; called once in each worker, so models are loaded here."""

    def bound(self, counters: Mapping[str, Counters]) -> Self:
        """Give the function with what the *counters* of finished steps decide, by step name; the driver calls it.

        It adds nothing to the fingerprint: counters are a function of the inputs.
        """
        return self

    def identity(self) -> dict[str, Any]:
        """Give what the output depends on, for the fingerprint: name, version, parameters."""
        return {"function": name_of(self), "version": self.version, "params": self.model_dump(mode="json")}

    def distributions(self) -> tuple[str, ...]:
        """Give the distributions whose versions belong to the fingerprint."""
        return self.depends


def name_of(function: Function) -> str:
    """Give the name by which a worker finds *function*: ``module:Class``."""
    return f"{type(function).__module__}:{type(function).__qualname__}"


def resolve(name: str) -> Any:
    """Import what *name* (``module:attribute``) names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


class Chain(Function):
    """Several functions, one behind the other, without writing what passes between them."""

    calls: tuple[tuple[str, str], ...]
    """Name and JSON parameters of each function."""

    @classmethod
    def of(cls, *functions: Function) -> Chain:
        """Give the chain of *functions*."""
        return cls(calls=tuple((name_of(function), function.model_dump_json()) for function in functions))

    def functions(self) -> list[Function]:
        """Give the functions."""
        return [resolve(name).model_validate_json(params) for name, params in self.calls]

    def identity(self) -> dict[str, Any]:
        return {"chain": [function.identity() for function in self.functions()]}

    def bound(self, counters: Mapping[str, Counters]) -> Chain:
        return Chain.of(*(function.bound(counters) for function in self.functions()))

    def distributions(self) -> tuple[str, ...]:
        return tuple(sorted({name for function in self.functions() for name in function.distributions()}))

    def build(self) -> Callable[[Batches], Batches]:
        built = [function.build() for function in self.functions()]

        def run(batches: Batches) -> Batches:
            for function in built:
                batches = function(batches)
            return batches

        return run


@dataclass(frozen=True)
class Input:
    """A finished step as input, seen through a function.

    *through* runs where the batch is read, so a narrow projection of a wide step moves no text; *columns* are all that
    is read from the files.
    """

    step: str
    through: Function | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Map:
    """Apply *function* to each slice of each input file.

    Args:
        name: Unique in the plan.
        inputs: Steps read as one stream; empty for a step that reads raw files, whose tasks the plan lists.
        schema: Of the output.
        whole: Hand over each partition of the (single) input as one task, not slices: the output keeps partition and
            order either way.
        stage: The recipe's stage that this step belongs to.
    """

    name: str
    inputs: tuple[Input, ...]
    function: Function
    schema: pa.Schema
    whole: bool = False
    stage: str | None = None


@dataclass(frozen=True)
class Exchange:
    """Bring rows with one *by* value together, sorted by ``(by, *order)``, and apply *function* to each partition.

    Args:
        moved: Schema of the exchanged rows: of each input after its `through`.
        schema: Of the output.
        parts: Number of partitions; None lets the driver choose it from the size of the input; a function of the
            finished steps' counters where the layout matters.
        placement: ``hash`` puts a row by splitmix64 of `by`; ``value`` puts it into the partition whose number `by` is
            (an integer from 0).
    """

    name: str
    inputs: tuple[Input, ...]
    by: str
    order: tuple[str, ...]
    function: Function
    moved: pa.Schema
    schema: pa.Schema
    parts: int | Callable[[Mapping[str, Counters]], int] | None = None
    placement: Literal["hash", "value"] = "hash"
    stage: str | None = None


Step: TypeAlias = Map | Exchange
