"""The slices of the tables of a run: the files and addresses of their columns.

A table consists of the file of its layout and the layers that later steps wrote onto it. The view of a column lists the
steps to read it from: the newest layer that has it, then older ones for the rows that the newest did not change.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map
from corpusmill.pipelines.engines.layers import CHANGED, Layer, SliceFile
from corpusmill.pipelines.engines.plan import Plan
from corpusmill.pipelines.engines.store import StepResult, TaskStore
from corpusmill.pipelines.engines.tasks import TaskResult

_ROW_BYTES: Final = 32
"""Estimated bytes per row of an exchange besides its columns."""


@dataclass(frozen=True)
class Slice:
    """A slice of a layout: the location of its rows, and the address of its columns."""

    number: int
    partition: int
    piece: SliceFile
    address: str
    batch_rows: tuple[int, ...]


@dataclass
class Slices:
    """The slices of the finished layouts.

    Args:
        plan: The plan that runs; a repeat extends it, round by round.
        finished: The finished steps by name; it grows during the run.
    """

    plan: Plan
    store: TaskStore
    finished: Mapping[str, StepResult]
    _slices: dict[str, list[Slice]] = field(default_factory=dict)
    _writers_of: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def of(self, layout: str) -> list[Slice]:
        """Return the slices of the table that the step *layout* made, in order."""
        if layout not in self._slices:
            self._slices[layout] = list(self._list(self.finished[layout].tasks))
        return self._slices[layout]

    def _list(self, tasks: Iterable[TaskResult]) -> Iterator[Slice]:
        number = 0
        for done in tasks:
            key = f"{self.store.out(done.fingerprint)}.arrow"
            for index, (start, stop) in enumerate(done.slices):
                rows = done.batch_rows[start:stop]
                piece = SliceFile(key, start, stop, (), number=number, batch_rows=rows)
                yield Slice(number, done.partition, piece, f"{done.fingerprint}/{index}", rows)
                number += 1

    def views(self, state: str, columns: Sequence[str], computed: Container[str] = ()) -> dict[str, tuple[str, ...]]:
        """Return, for each of *columns* of the table after *state*, the steps to read it from, newest first.

        The last one wrote the whole column, or is in *computed*. An empty tuple means that the layout's file has the
        column.
        """
        views: dict[str, tuple[str, ...]] = {}
        for column in columns:
            writers: list[str] = []
            for name in reversed(self.plan.chain(state)[1:]):
                step = self.plan.step(name)
                assert isinstance(step, Map | Exchange)
                if column in (step.writes if isinstance(step, Map) else step.schema).names and column != PLACE:
                    writers.append(name)
                    if name in computed or column not in self.plan.replaced(step):
                        break
            views[column] = tuple(writers)
        return views

    def piece(
        self,
        layout: str,
        slice_: Slice,
        views: Sequence[Mapping[str, tuple[str, ...]]],
        computed: Mapping[str, str] = MappingProxyType({}),
    ) -> SliceFile:
        """Return the slice with the files from which *views* are read.

        Args:
            computed: Addresses of steps whose output is stored or is computed in the same task; empty for the latter.
        """
        base, by_writer = self._files_of(layout, views)
        layers = []
        for name, columns in by_writer.items():
            at = computed[name] if name in computed else self.finished[name].tasks[slice_.number].fingerprint
            if at:
                layers.append(Layer(name, f"{self.store.out(at)}.arrow", columns))
        return replace(slice_.piece, columns=base, layers=tuple(layers))

    def _files_of(
        self, layout: str, views: Sequence[Mapping[str, tuple[str, ...]]]
    ) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
        """Return the columns that *views* need from the layout's file and from each step's layer, including masks."""
        base: dict[str, None] = {}
        by_writer: dict[str, dict[str, None]] = {}
        names = self.plan.columns(layout)
        for view in views:
            for column, writers in view.items():
                for writer in writers:
                    step = self.plan.step(writer)
                    assert isinstance(step, Map | Exchange)
                    of_layer = by_writer.setdefault(writer, {})
                    of_layer[column] = None
                    if column in self.plan.replaced(step):
                        of_layer[CHANGED + column] = None
                if column in names and not (writers and self._wrote_whole(writers[-1], column)):
                    base[column] = None
        return tuple(base) or tuple(names)[:1], {name: tuple(of_layer) for name, of_layer in by_writer.items()}

    def _wrote_whole(self, writer: str, column: str) -> bool:
        step = self.plan.step(writer)
        assert isinstance(step, Map | Exchange)
        return column not in self.plan.replaced(step)

    def addresses(
        self, state: str, slice_: Slice, columns: Iterable[str], here: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, str]:
        """Return the address of each of *columns* of a slice, and that of the slice itself under the empty name.

        Args:
            here: Addresses of the steps in the same unit.
        """
        has_place = PLACE in self.plan.columns(state)
        addresses = {"": slice_.address}
        for name in columns:
            if name == PLACE and not has_place:
                addresses[name] = str(slice_.number)
            elif address := self._column_address(state, slice_, name, here):
                addresses[name] = address
        return addresses

    def _column_address(self, state: str, slice_: Slice, column: str, here: Mapping[str, str]) -> str:
        """Return the address of a column of a slice after *state*; empty if only the layout's file has it.

        The output that an exchange writes back is identified by its content. If it replaced the column, its unchanged
        rows are those of the step before, so the address includes that of the step before.
        """
        parts: list[str] = []
        for writer in self._writers(state, column):
            if writer in here:
                return ":".join([*parts, here[writer]])
            done = self.finished[writer].tasks[slice_.number]
            if column not in done.contents:
                return ":".join([*parts, done.fingerprint])
            parts.append(done.contents[column])
        return ":".join(parts)

    def _writers(self, state: str, column: str) -> tuple[str, ...]:
        """Return the steps that wrote *column*, as of *state*, newest first, down to one that wrote it whole."""
        key = (state, column)
        if key not in self._writers_of:
            self._writers_of[key] = self.views(state, (column,))[column]
        return self._writers_of[key]

    def of_side(self, input_: Input, side: str) -> Iterator[tuple[list[str], SliceFile]]:
        """Yield the slices of the side table *side* that *input_* reads, each with its address."""
        step = self.plan.step(input_.step)
        assert isinstance(step, Map)
        columns = tuple(step.sides[side].names) if input_.columns is None else input_.columns
        for done in self.finished[input_.step].tasks:
            key = f"{self.store.out(done.fingerprint)}.{side}.arrow"
            for start, stop in done.sides[side].slices:
                yield [done.fingerprint, side, str(start)], SliceFile(key, start, stop, columns)

    def input_bytes(self, input_: Input) -> int:
        """Estimate the memory of the rows that *input_* moves."""
        if input_.side is not None:
            sides = [done.sides[input_.side] for done in self.finished[input_.step].tasks]
            return sum(sum(side.column_bytes.values()) + _ROW_BYTES * side.rows for side in sides)
        layout = self.plan.layout(input_.step)
        base, by_writer = self._files_of(layout, (self.views(input_.step, self.plan.input_columns(input_)),))
        total = _ROW_BYTES * self.finished[layout].rows
        for writer, columns in {layout: base, **by_writer}.items():
            for done in self.finished[writer].tasks:
                total += sum(done.column_bytes.get(name, 0) for name in columns)
        if input_.at is not None:
            return total * self.finished[self.plan.layout(input_.at)].rows // max(1, self.finished[layout].rows)
        return total
