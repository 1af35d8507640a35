"""The slices of the tables of a run: where the columns of each lie, and under which addresses.

A table is the file of its layout and the layers that later steps wrote onto it. The view of a column names the steps to
read it from: the newest layer that has it, then older ones for the rows that this one did not change.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from corpusmill.pipelines.engines.base import PLACE, Exchange, Input, Map
from corpusmill.pipelines.engines.layers import CHANGED, Layer, SliceFile
from corpusmill.pipelines.engines.plan import Plan
from corpusmill.pipelines.engines.store import StepDone, TaskStore
from corpusmill.pipelines.engines.tasks import Done

_ROW_BYTES: Final = 32
"""What a row of an exchange takes beside its columns, in estimates."""


@dataclass(frozen=True)
class Slice:
    """A slice of a layout: where its rows lie, and the address of its columns."""

    number: int
    partition: int
    piece: SliceFile
    address: str
    batch_rows: tuple[int, ...]


@dataclass
class Slices:
    """The slices of the layouts that were made.

    Args:
        plan: What runs; a repeat extends it, round by round.
        finished: The steps that are finished, by name; it grows while this is in use.
    """

    plan: Plan
    store: TaskStore
    finished: Mapping[str, StepDone]
    _slices: dict[str, list[Slice]] = field(default_factory=dict)
    _writers_of: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def of(self, layout: str) -> list[Slice]:
        """Return the slices of the table that the step *layout* made, in order."""
        if layout not in self._slices:
            self._slices[layout] = list(self._list(self.finished[layout].tasks))
        return self._slices[layout]

    def _list(self, tasks: Iterable[Done]) -> Iterator[Slice]:
        number = 0
        for done in tasks:
            key = f"{self.store.out(done.fingerprint)}.arrow"
            for index, (start, stop) in enumerate(done.slices):
                piece = SliceFile(key, start, stop, (), number=number)
                rows = done.batch_rows[start:stop]
                yield Slice(number, done.partition, piece, f"{done.fingerprint}/{index}", rows)
                number += 1

    def views(self, state: str, columns: Sequence[str], computed: Container[str] = ()) -> dict[str, tuple[str, ...]]:
        """Return, for each of *columns* of the table after *state*, the steps to read it from, the newest first.

        The last one wrote it whole, or is one of *computed*; none means that the layout's file has it.
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
            computed: Steps whose output is there, or is computed in the same task, by name: the address; empty for the
                latter.
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
        """Return the columns that *views* need of the layout's file, and of each step's layer, with the masks."""
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
        """Return the address of each of *columns* of a slice, and that of the slice itself.

        Args:
            here: Addresses of the steps of the same unit.
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
        """Return the address of a column of a slice after *state*; empty when the layout's file alone has it.

        What an exchange put back is known by its content. Where it replaced a column, the rows that it left alone are
        those of the step before, so the address of these belongs to it.
        """
        parts: list[str] = []
        for writer in self._writers(state, column):
            if writer in here:
                return ":".join([*parts, here[writer]])
            done = self.finished[writer].tasks[slice_.number]
            if done.content is None:
                return ":".join([*parts, done.fingerprint])
            parts.append(done.content)
        return ":".join(parts)

    def _writers(self, state: str, column: str) -> tuple[str, ...]:
        """Return the steps that wrote *column*, as it stands after *state*, the newest first, down to a whole one."""
        key = (state, column)
        if key not in self._writers_of:
            self._writers_of[key] = self.views(state, (column,))[column]
        return self._writers_of[key]

    def of_side(self, given: Input, side: str) -> Iterator[tuple[list[str], SliceFile]]:
        """Yield the slices of the side table *side* that *given* reads, each with its address."""
        step = self.plan.step(given.step)
        assert isinstance(step, Map)
        columns = tuple(step.sides[side].names) if given.columns is None else given.columns
        for done in self.finished[given.step].tasks:
            key = f"{self.store.out(done.fingerprint)}.{side}.arrow"
            for start, stop in done.sides[side].slices:
                yield [done.fingerprint, side, str(start)], SliceFile(key, start, stop, columns)

    def input_bytes(self, given: Input) -> int:
        """Estimate the memory of the rows that *given* moves: what its columns take."""
        if given.side is not None:
            sides = [done.sides[given.side] for done in self.finished[given.step].tasks]
            return sum(sum(side.column_bytes.values()) + _ROW_BYTES * side.rows for side in sides)
        layout = self.plan.layout(given.step)
        base, by_writer = self._files_of(layout, (self.views(given.step, self.plan.input_columns(given)),))
        total = _ROW_BYTES * self.finished[layout].rows
        for writer, columns in {layout: base, **by_writer}.items():
            for done in self.finished[writer].tasks:
                total += sum(done.column_bytes.get(name, 0) for name in columns)
        return total
