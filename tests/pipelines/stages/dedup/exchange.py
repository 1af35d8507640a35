"""Run the steps of a plan in memory, in the most adverse way that the contract of engines allows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from corpusmill.pipelines.engines.base import (
    MAX_ROUNDS,
    PLACE,
    Batches,
    Exchange,
    Input,
    Map,
    Repeat,
    Step,
    with_columns_of,
)
from corpusmill.pipelines.engines.context import TaskContext, WholeTable, running, task
from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.stages.base import Documents, Stage
from corpusmill.pipelines.stages.identity import hash_step, identity_steps
from corpusmill.schemas.document import CAPTURE
from corpusmill.schemas.storage import LocalStore

NO_TIME = -(2**63)


class Contrary:
    """How to run a step: number of partitions, rows per batch, and a seed for everything with an arbitrary order."""

    def __init__(self, *, parts: int = 3, rows: int = 7, seed: int = 0) -> None:
        self.parts = parts
        self.rows = rows
        self.chance = random.Random(seed)
        self.counters: dict[str, int] = {}
        self.counters_of: dict[str, dict[str, int]] = {}
        self.sides: dict[tuple[str, str], pa.Table] = {}
        self.rounds = 0

    def run(self, steps: Sequence[Step], tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Return the tables after each of *steps*, together with *tables* (those of finished steps)."""
        done = dict(tables)
        context = TaskContext(LocalStore("/nowhere"), "task", partition=0)
        with running(context):
            for step in steps:
                before = dict(context.counters)
                done[step.name] = self._step(step, done, context)
                changes = {name: count - before.get(name, 0) for name, count in context.counters.items()}
                self.counters_of[step.name] = {name: change for name, change in changes.items() if change}
        self.counters = dict(context.counters)
        return done

    def _step(self, step: Step, done: Mapping[str, pa.Table], context: TaskContext) -> pa.Table:
        match step:
            case Map():
                return self._map(step, done[step.of], context)
            case Exchange():
                made = self._exchange(step, done)
                return made if step.onto is None else _put_back(made, done[step.onto], keeps=step.keeps)
            case Repeat():
                return self._repeat(step, done, context)
        raise NotImplementedError(step)

    def _repeat(self, step: Repeat, done: Mapping[str, pa.Table], context: TaskContext) -> pa.Table:
        tables = dict(done) | {step.name: done[step.start]}
        for number in range(1, MAX_ROUNDS + 1):
            context.counters[step.until] = 0
            for one in step.steps:
                tables[one.name] = self._step(one, tables, context)
            tables[step.name] = tables[step.last.name]
            if not context.counters[step.until]:
                self.rounds = number
                return tables[step.name]
        raise AssertionError(f"{step.name}: {step.until} is still above zero")

    def _bound(self, function: Any) -> Any:
        """Return *function* with the counters of the steps that it asks for. A step inside a repeat has none."""
        return function.bound({name: self.counters_of.get(name, {}) for name in function.asks()})

    def _map(self, step: Map, table: pa.Table, context: TaskContext) -> pa.Table:
        sides: dict[str, list[pa.RecordBatch]] = {name: [] for name in step.sides}
        context.sides = {name: batches.append for name, batches in sides.items()}
        function = self._bound(step.function).build()
        changed = []
        for batch in self._cut(_with_places(table, step.reads)):
            written = function(batch.select(list(step.reads)))
            assert set(written.schema.names) == set(step.writes.names), step.name
            assert [written.schema.field(f.name).type for f in step.writes] == step.writes.types, step.name
            changed.append(with_columns_of(batch, written))
        for name, batches in sides.items():
            schema = step.sides[name]
            columns = [[b[f.name].cast(f.type) for f in schema] for b in batches]
            self.sides[step.name, name] = pa.Table.from_batches(
                [pa.RecordBatch.from_arrays(one, schema=schema) for one in columns], schema
            )
        if not changed:
            new = [f for f in step.writes if f.name not in table.schema.names]
            return pa.schema([*table.schema, *new]).empty_table()
        return pa.Table.from_batches(changed).drop_columns([PLACE] if PLACE in step.reads else [])

    def _exchange(self, step: Exchange, done: Mapping[str, pa.Table]) -> pa.Table:
        task().tables = {name: _whole(done[table]) for name, table in step.tables.items()}
        function = self._bound(step.function).build()
        batches = [batch for part in self._partitions(step, done) for batch in function(part)]
        for batch in batches:
            assert batch.schema.equals(step.schema) or set(batch.schema.names) == set(step.schema.names), step.name
        rows = [
            pa.RecordBatch.from_arrays([batch[f.name] for f in step.schema], schema=step.schema) for batch in batches
        ]
        return pa.Table.from_batches(rows, schema=step.schema)

    def _read(self, source: Input, done: Mapping[str, pa.Table]) -> Batches:
        table = done[source.step]
        names = tuple(table.schema.names) if source.columns is None else source.columns
        if source.at is not None:
            table = _rows_at(table, done[source.at], names)
        else:
            table = _with_places(table, names).select(list(names))
        batches = self._cut(self._shuffled(table))
        return batches if source.through is None else self._bound(source.through).build()(batches)

    def _partitions(self, step: Exchange, done: Mapping[str, pa.Table]) -> list[Batches]:
        batches = [batch for source in step.inputs for batch in self._read(source, done)]
        table = pa.Table.from_batches(
            [pa.RecordBatch.from_arrays([b[f.name] for f in step.moved], schema=step.moved) for b in batches],
            schema=step.moved,
        )
        table = self._shuffled(table)
        keys = (step.by, *step.order)
        for key in keys:
            assert not table[key].null_count, f"{step.name}: the key {key} has nulls"
        table = table.sort_by([(key, "ascending") for key in dict.fromkeys(keys)])
        parts = step.partitions if isinstance(step.partitions, int) else self.parts
        if step.onto is not None:
            parts = 1  # one slice holds the documents
        numbers = pa.array(partition_numbers(table[step.by].combine_chunks(), parts))
        return [self._cut(table.filter(pa.compute.equal(numbers, part))) for part in range(parts)]

    def _shuffled(self, table: pa.Table) -> pa.Table:
        places = list(range(table.num_rows))
        self.chance.shuffle(places)
        return table.take(pa.array(places, pa.int64()))

    def _cut(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        return iter(table.combine_chunks().to_batches(max_chunksize=self.rows))


def _with_places(table: pa.Table, names: Sequence[str]) -> pa.Table:
    if PLACE not in names or PLACE in table.schema.names:
        return table
    places = pa.array(range(table.num_rows), pa.int64())
    return table.append_column(pa.field(PLACE, pa.int64(), nullable=False), places)


def _rows_at(table: pa.Table, listed: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the columns *names* at the places in *listed*, and its other columns."""
    places = listed[PLACE].to_pylist()
    assert len(set(places)) == len(places), "two rows for one place"
    rows = _with_places(table, [PLACE])
    position = {place: row for row, place in enumerate(rows[PLACE].to_pylist())}
    rows = rows.select(list(names)).take(pa.array([position[place] for place in places], pa.int64()))
    for field in (field for field in listed.schema if field.name != PLACE):
        rows = rows.append_column(field, listed[field.name])
    return rows


def _put_back(made: pa.Table, table: pa.Table, *, keeps: Sequence[str] = ()) -> pa.Table:
    """Write the rows of *made* onto *table* by position, as defined in the contract of `Exchange.onto`."""
    rows = {row[PLACE]: row for row in made.to_pylist()}
    assert len(rows) == made.num_rows, "two rows for one place"
    for field in (field for field in made.schema if field.name != PLACE):
        is_there = field.name in table.schema.names
        old = table[field.name].to_pylist() if is_there else [None] * table.num_rows
        values = [rows[place][field.name] if place in rows else value for place, value in enumerate(old)]
        if field.name in keeps and is_there:
            values = [value if new is None else new for new, value in zip(values, old, strict=True)]
        column = pa.array(values, field.type)
        if is_there:
            table = table.set_column(table.schema.get_field_index(field.name), field, column)
        else:
            table = table.append_column(field, column)
    return table


def _whole(table: pa.Table) -> WholeTable:
    return WholeTable(table, lambda: iter(table.to_batches()))


Parents = Mapping[str, Mapping[str, pa.Table]]
"""The input tables of stages, by the name of the stage and of the input."""


def compared(
    captures: pa.Table,
    stages: Sequence[tuple[str, Stage]],
    how: Contrary,
    *,
    sources: tuple[str, ...] = (),
    parents: Parents | None = None,
) -> tuple[pa.Table, pa.Table]:
    """Return the living captures before, and the documents after, identity and *stages* (name, stage), in one order."""
    start = captures if captures.num_rows else CAPTURE.empty_table()
    steps: list[Step] = [hash_step(":hash", of="documents", is_first=True), *identity_steps(":identity", of=":hash")]
    tables = how.run(steps, {"documents": start})
    table, state = tables[":identity"], ":identity"
    for name, stage in stages:
        inputs = {f"{name}:{key}": parent for key, parent in (parents or {}).get(name, {}).items()}
        names = {key.partition(":")[2]: key for key in inputs}
        added = stage.steps(name, Documents(state, table.schema, tables=names, sources=sources))
        tables = how.run(added, {**tables, **inputs})
        table, state = tables[name], name
    return tables[":hash"], table


def fates(
    captures: pa.Table,
    stages: Sequence[tuple[str, Stage]],
    how: Contrary,
    *,
    sources: tuple[str, ...] = (),
    parents: Parents | None = None,
) -> list[dict[str, Any]]:
    """Return the result for each living capture: verdict, cluster, time of capture, and time first seen."""
    before, after = compared(captures, stages, how, sources=sources, parents=parents)
    rows = []
    for one, other in zip(before.to_pylist(), after.to_pylist(), strict=True):
        if one["rule"] is not None:
            continue
        cluster = {"cluster_id": other.get("cluster_id"), "cluster_size": other.get("cluster_size")}
        if other["rule"] is None and stages:
            cluster = {"cluster_id": cluster["cluster_id"] or one["id"], "cluster_size": cluster["cluster_size"] or 1}
        rows.append(
            {
                **{name: one[name] for name in ("id", "record_sha256", "content_hash")},
                "captured": microseconds(one["fetched_at"]),
                "first_seen": microseconds(other["fetched_at"]),
                **{name: other[name] for name in ("stage", "rule", "value", "threshold", "duplicate_of")},
                **cluster,
            }
        )
    return sorted(rows, key=lambda row: (row["id"], row["captured"], row["record_sha256"], repr(row)))


def microseconds(time: Any) -> int:
    return NO_TIME if time is None else round(time.timestamp() * 1_000_000)


def sorted_rows(table: pa.Table, *by: str) -> list[dict[str, object]]:
    """Return the rows of *table* in the order of the columns *by*, then of all others."""
    rows: list[dict[str, object]] = table.to_pylist()
    return sorted(rows, key=lambda row: (*(row[name] for name in by), repr(row)))
