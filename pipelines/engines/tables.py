"""Read the tables of a finished plan outside of a task, for publication and tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from corpusmill.pipelines.engines.base import Exchange, Map
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.layers import Frame
from corpusmill.pipelines.engines.plan import Plan
from corpusmill.pipelines.engines.store import StepResult, TaskStore


def read_table(
    plan: Plan, finished: Mapping[str, StepResult], store: TaskStore, state: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of the table after the step *state*, in the order of its layout."""
    layout, *writers = plan.chain(state)
    names = tuple(plan.columns(state)) if columns is None else tuple(columns)
    views = {name: _views(plan, writers, name) for name in names}
    schema = plan.schema(state)
    number = 0
    for task in finished[layout].tasks:
        base = IpcFile(store.store, f"{store.out(task.fingerprint)}.arrow")
        for start, stop in task.slices:
            outs = {name: store.out(finished[name].tasks[number].fingerprint) for name in writers}
            layers = {name: IpcFile(store.store, f"{out}.arrow") for name, out in outs.items()}
            for index in range(start, stop):
                there = {name: layer.batch(index - start) for name, layer in layers.items()}
                batch = Frame(base.batch(index), there, 0).select(views)
                yield pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema([schema.field(n) for n in names]))
            number += 1


def _views(plan: Plan, writers: Sequence[str], column: str) -> tuple[str, ...]:
    """Return the steps that wrote *column*, newest first, down to one that wrote it whole."""
    found = []
    for name in reversed(writers):
        step = plan.step(name)
        assert isinstance(step, Map | Exchange)
        schema = step.writes if isinstance(step, Map) else step.schema
        if column in schema.names:
            found.append(name)
            if column not in plan.replaced(step):
                break
    return tuple(found)
