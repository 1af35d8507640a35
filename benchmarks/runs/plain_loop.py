"""Run a recipe without an engine: the functions of its plan on the same batches, in one process and in memory.

    python -m benchmarks.runs.plain_loop RECIPE --folder DIR

The script reads records, applies all maps batch by batch, sorts rows by key with the engine's own sort, writes the
decisions back to the documents, and writes the Parquet files of the version to DIR. It does none of what an engine
adds: files between steps, addresses, a second process, publication, a report. All versions of all columns stay in
memory, and an exchange can move less than 2 GB: about 400,000 generated documents.

The script prints JSON: CPU seconds by step, and the logical hashes of the Parquet files, which equal those of a run.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import corpusmill
from corpusmill.pipelines.engines.base import PLACE, Batches, Exchange, Fold, Input, Map, Repeat, Scan, Step
from corpusmill.pipelines.engines.batches import conform, joined
from corpusmill.pipelines.engines.context import TaskContext, WholeTable, running
from corpusmill.pipelines.engines.driver import renamed
from corpusmill.pipelines.engines.plan import Plan, units
from corpusmill.pipelines.engines.sorting import sorted_positions
from corpusmill.pipelines.planning.loaded import planned
from corpusmill.pipelines.planning.plan import CorpusPlan
from corpusmill.pipelines.planning.reading import read_recipe
from corpusmill.pipelines.planning.sources import source_input
from corpusmill.pipelines.running.sources import acquire
from corpusmill.pipelines.workspace import Workspace
from corpusmill.schemas.storage import LocalStore

_BATCH_ROWS = 8_192


def plan_of(recipe: Path, folder: Path) -> CorpusPlan:
    """Return the plan of *recipe*, whose sources are registered in the workspace *folder*."""
    workspace, acquisition = Workspace(folder.absolute()), corpusmill.acquisition()
    workspace.make()
    loaded = read_recipe(recipe, workspace, acquisition)
    inputs = [
        source_input(loaded, source, acquire(loaded, source, workspace, acquisition), workspace, acquisition.loaders)
        for source in loaded.recipe.sources
    ]
    return planned(loaded, inputs, workspace, limit=None)


@dataclass
class Piece:
    """A batch of a table with all columns that steps wrote for it, by step and name."""

    partition: int
    place: int
    rows: int
    columns: dict[tuple[str, str], pa.Array]


@dataclass
class PlainLoop:
    """Runs a plan and writes its files to *folder*.

    Args:
        tables: The pieces of each layout, by the step that made it.
        parts: The partitions of each layout.
        sides: The batches of side tables, by step and name.
        own: Distinguishes the tables of this loop from those of others in the process.
    """

    plan: Plan
    folder: Path
    tables: dict[str, list[Piece]] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    sides: dict[tuple[str, str], list[pa.RecordBatch]] = field(default_factory=dict)
    counters: dict[str, Counter[str]] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    own: object = field(default_factory=object)

    def run(self) -> None:
        """Run all steps."""
        self._steps(self.plan.steps)

    def _steps(self, steps: Sequence[Step]) -> None:
        for unit in units(self.plan, steps):
            match unit.steps:
                case [Scan() as step]:
                    with self._counted(step):
                        self._scan(step)
                case [Exchange() as step]:
                    with self._counted(step):
                        self._exchange(step)
                case [Fold() as step]:
                    with self._counted(step):
                        self._fold(step)
                case [Repeat() as step]:
                    self._repeat(step)
                case maps:
                    self._maps([step for step in maps if isinstance(step, Map)])

    def _repeat(self, step: Repeat) -> None:
        """Run rounds until the counter is zero. The table of the last one becomes that of the step."""
        carried, number, spent = step.start, 0, 0.0
        while not number or self.counters[carried].get(step.until):
            number += 1
            names = {one.name: f"{one.name}@{number}" for one in step.steps} | {step.name: carried}
            steps = [renamed(one, names) for one in step.steps]
            self.plan = self.plan.extended(steps)
            self._steps(steps)
            spent += sum(self.cpu_s.pop(one.name) for one in steps)
            carried = steps[-1].name
        self.cpu_s[step.name] = spent
        names_of = self.plan.schema(carried).names
        self.parts[step.name] = self.parts[carried]
        self.counters[step.name] = self.counters[carried]
        self.tables[step.name] = [
            replace(piece, columns={(step.name, name): piece.columns[carried, name] for name in names_of})
            for piece in self.tables[carried]
        ]

    @contextmanager
    def _counted(self, step: Step) -> Iterator[None]:
        started = time.process_time()
        yield
        self.cpu_s[step.name] = self.cpu_s.get(step.name, 0.0) + time.process_time() - started

    def _context(self, step: Step, partition: int = 0) -> TaskContext:
        out = f"{step.name.replace('/', '_')}-{partition:05d}"
        context = TaskContext(LocalStore(self.folder), out, partition=partition, contents=step.contents)
        context.counters = self.counters.setdefault(step.name, Counter())
        if isinstance(step, Exchange):
            context.tables = {
                name: WholeTable((self.own, table), partial(self._input, Input(table)))
                for name, table in step.tables.items()
            }
        return context

    def _built(self, function: Any) -> Any:
        return function.bound(self._asked(function.asks())).build()

    def _asked(self, steps: Iterable[str]) -> dict[str, Mapping[str, int]]:
        return {name: self.counters[name] for name in steps}

    # -- tables

    def _column(self, state: str, name: str, piece: Piece) -> pa.Array:
        """Return the column *name* of *piece* after the step *state*."""
        columns = self.plan.columns(state)
        if name == PLACE and name not in columns:
            return pa.array(np.arange(piece.place, piece.place + piece.rows))
        return piece.columns[columns[name].writer, name]

    def _select(self, state: str, names: Iterable[str], piece: Piece) -> pa.RecordBatch:
        names = list(names)
        return pa.RecordBatch.from_arrays([self._column(state, name, piece) for name in names], names=names)

    def _add(self, step: Step, partition: int, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """Append *batches* to the output table of *step*."""
        pieces = self.tables.setdefault(step.name, [])
        for batch in joined(conform(batch, schema) for batch in batches):
            place = pieces[-1].place + pieces[-1].rows if pieces else 0
            columns = {(step.name, name): batch[name] for name in schema.names}
            pieces.append(Piece(partition, place, batch.num_rows, columns))

    def _input(self, source: Input) -> Batches:
        if source.side is not None:
            batches = iter(self.sides[source.step, source.side])
            if source.columns is not None:
                batches = (batch.select(list(source.columns)) for batch in batches)
        else:
            names = self.plan.input_columns(source)
            pieces = self.tables[self.plan.layout(source.step)]
            batches = (self._select(source.step, names, piece) for piece in pieces)
        through: Batches = batches if source.through is None else self._built(source.through)(batches)
        return through

    # -- steps

    def _scan(self, step: Scan) -> None:
        function = self._built(step.function)
        self.parts[step.name] = 1
        with running(self._context(step)):
            for task in self.plan.scans[step.name]:
                rows = pa.RecordBatch.from_pylist([dict(row) for row in task.rows])
                self._add(step, 0, function(iter([rows])), step.schema)

    def _maps(self, steps: list[Map]) -> None:
        functions = [self._built(step.function) for step in steps]
        contexts = [self._context(step) for step in steps]
        for step, context in zip(steps, contexts, strict=True):
            for name in step.sides:
                context.sides[name] = self.sides.setdefault((step.name, name), []).append
        for piece in self.tables[self.plan.layout(steps[0].of)]:
            for step, function, context in zip(steps, functions, contexts, strict=True):
                with self._counted(step), running(context):
                    written = conform(function(self._select(step.of, step.reads, piece)), step.writes)
                    piece.columns |= {(step.name, name): written[name] for name in step.writes.names}

    def _exchange(self, step: Exchange) -> None:
        with running(self._context(step)):
            moved = [conform(batch, step.moved) for source in step.inputs for batch in self._input(source)]
        rows = sort(pa.Table.from_batches(moved, step.moved), dict.fromkeys((step.by, *step.order)))
        parts = step.partitions(self._asked(step.asks)) if callable(step.partitions) else step.partitions
        self.parts[step.name] = parts if parts is not None and step.placement == "value" else 1
        function = self._built(step.function)
        for partition, table in self._partitions(step, rows):
            with running(self._context(step, partition)):
                output = function(joined(table.to_batches(max_chunksize=_BATCH_ROWS)))
                if step.onto is None:
                    self._add(step, partition, output, step.schema)
                else:
                    batches = [conform(batch, step.schema) for batch in output]
                    self._put_back(step, step.onto, pa.Table.from_batches(batches, step.schema))
        self.tables.setdefault(step.name, [])

    def _partitions(self, step: Exchange, rows: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Yield the partitions of sorted *rows*; only one if their number does not affect the result."""
        if step.placement != "value":
            yield 0, rows
            return
        parts = self.parts[step.name]
        edges = np.searchsorted(np.asarray(rows[step.by]), np.arange(parts + 1))
        for partition in range(parts):
            low, high = int(edges[partition]), int(edges[partition + 1])
            yield partition, rows.slice(low, high - low)

    def _put_back(self, step: Exchange, onto: str, output: pa.Table) -> None:
        """Write *output* as columns to its rows. Other rows keep their values, and get null in new columns."""
        output = output.combine_chunks()
        places, replaced = np.asarray(output[PLACE]), self.plan.replaced(step)
        for piece in self.tables[self.plan.layout(onto)]:
            low, high = np.searchsorted(places, [piece.place, piece.place + piece.rows])
            rows = np.full(piece.rows, -1)
            rows[places[low:high] - piece.place] = np.arange(low, high)
            has_output = rows >= 0
            taken = output.take(pa.array(rows, mask=~has_output))
            for name in step.schema.names:
                if name == PLACE:
                    continue
                values = taken[name].combine_chunks()
                if name in replaced:
                    values = pc.if_else(pa.array(has_output), values, self._column(onto, name, piece))
                piece.columns[step.name, name] = values

    def _fold(self, step: Fold) -> None:
        function, layout = self._built(step.function), self.plan.layout(step.of)
        names = list(self.plan.columns(step.of)) if step.reads is None else list(step.reads)
        per_call = step.partitions
        if callable(per_call):
            per_call = per_call(self._asked(step.function.asks()))
        for number in range(-(-self.parts[layout] // per_call)):
            context = self._context(step, number)
            own = [piece for piece in self.tables[layout] if piece.partition // per_call == number]
            with running(context):
                self._add(step, number, function(self._select(step.of, names, piece) for piece in own), step.schema)
            context.adopt_files()

    def column(self, step: str, name: str) -> list[Any]:
        """Return the values of the column *name* of the output table of *step*."""
        return [value for piece in self.tables[step] for value in self._column(step, name, piece).to_pylist()]


def sort(table: pa.Table, by: Iterable[str]) -> pa.Table:
    """Return *table* sorted by the columns *by*."""
    if table.num_rows < 2:
        return table
    whole = table.combine_chunks()
    return whole.take(pa.array(sorted_positions([whole[name].chunk(0) for name in by])))


def logical_hashes(plan: CorpusPlan, loop: PlainLoop) -> list[str]:
    """Return the logical hashes of the files that *loop* wrote, except origin files, which name raw files."""
    kinds = [kind for step in plan.written for kind in loop.column(step, "kind")]
    hashes = [value for step in plan.written for value in loop.column(step, "logical_hash")]
    return sorted(value for kind, value in zip(kinds, hashes, strict=True) if kind != "origin")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    pa.set_cpu_count(1)
    plan = plan_of(options.recipe, options.folder)
    loop = PlainLoop(plan.plan, options.folder)
    loop.run()
    print(json.dumps({"cpu_s": loop.cpu_s, "logical_hashes": logical_hashes(plan, loop)}))


if __name__ == "__main__":
    main()
