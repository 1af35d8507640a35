"""Runs the steps of a plan in memory, in the most contrary way that the contract of engines allows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from corpusmill.pipelines.engines.base import Batches, Exchange, Input, Step
from corpusmill.pipelines.engines.partition import partition_numbers


class Contrary:
    """How a step is run: number of partitions, rows of a batch, and a seed for everything that may be in any order."""

    def __init__(self, *, parts: int = 3, rows: int = 7, seed: int = 0) -> None:
        self.parts = parts
        self.rows = rows
        self.chance = random.Random(seed)

    def run(self, steps: Sequence[Step], tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Give the outputs of *steps*, and *tables* (finished steps) with them."""
        done = dict(tables)
        for step in steps:
            done[step.name] = self._step(step, done)
        return done

    def _step(self, step: Step, done: Mapping[str, pa.Table]) -> pa.Table:
        function = step.function.build()
        if not isinstance(step, Exchange):
            parts = [self._read(source, done) for source in step.inputs]
        else:
            parts = self._partitions(step, done)
        given = [batch for part in parts for batch in function(part)]
        for batch in given:
            assert batch.schema.equals(step.schema), f"{step.name} gives {batch.schema}"
        return pa.Table.from_batches(given, schema=step.schema)

    def _read(self, source: Input, done: Mapping[str, pa.Table]) -> Batches:
        table = done[source.step]
        table = table.select(list(source.columns)) if source.columns is not None else table
        batches = self._cut(self._shuffled(table))
        return batches if source.through is None else source.through.build()(batches)

    def _partitions(self, step: Exchange, done: Mapping[str, pa.Table]) -> list[Batches]:
        batches = [batch for source in step.inputs for batch in self._read(source, done)]
        for batch in batches:
            assert batch.schema.equals(step.moved), f"{step.name} is given {batch.schema}"
        table = self._shuffled(pa.Table.from_batches(batches, schema=step.moved))
        for key in (step.by, *step.order):
            assert not table[key].null_count, f"{step.name}: the key {key} has nulls"
        table = table.sort_by([(key, "ascending") for key in (step.by, *step.order)])
        parts = step.parts if isinstance(step.parts, int) else self.parts
        numbers = pa.array(partition_numbers(table[step.by].combine_chunks(), parts))
        return [self._cut(table.filter(pa.compute.equal(numbers, part))) for part in range(parts)]

    def _shuffled(self, table: pa.Table) -> pa.Table:
        places = list(range(table.num_rows))
        self.chance.shuffle(places)
        return table.take(pa.array(places, pa.int64()))

    def _cut(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        return iter(table.combine_chunks().to_batches(max_chunksize=self.rows))


def sorted_rows(table: pa.Table, *by: str) -> list[dict[str, object]]:
    """Give the rows of *table* in the order of the columns *by*, then of all others."""
    rows: list[dict[str, object]] = table.to_pylist()
    return sorted(rows, key=lambda row: (*(row[name] for name in by), repr(row)))
