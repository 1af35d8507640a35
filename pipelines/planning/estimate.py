"""Estimate the disk space of a run from its plan and a small sample of its raw files.

Each step is counted by its declared output: a scan or a map writes its columns, a fold writes files of the columns it
reads, and an exchange also keeps its moved rows on disk until it is finished. Duplicates are not predicted, so the
space that their removal saves is not subtracted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from corpusmill.pipelines.dataset.shards import WriteShard, WriteSide
from corpusmill.pipelines.engines.addresses import fingerprints, work_of
from corpusmill.pipelines.engines.base import PLACE, Counters, Exchange, Fold, Input, Map, Repeat, Scan, Step
from corpusmill.pipelines.engines.driver import PARTITION_BYTES
from corpusmill.pipelines.engines.plan import Plan
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.engines.work import SLICE_BYTES
from corpusmill.pipelines.planning.plan import CorpusPlan
from corpusmill.pipelines.planning.scans import SourceInput
from corpusmill.pipelines.planning.shard_files import files_bytes
from corpusmill.pipelines.planning.sizes import WORD_BYTES, Documents, documents_of, empty_bytes, width
from corpusmill.pipelines.stages.assemble import Census, census_counters
from corpusmill.schemas.hashing import fingerprint

_DECIDED: Final = 0.1
"""Share of the documents on which a comparing stage decides, and of the rows that a map changes."""
_BLOCK_BYTES: Final = 4096
"""Files and folders occupy whole disk blocks."""
_STEP_BYTES: Final = 2 * _BLOCK_BYTES
"""The folder of a step and the manifest in it."""
_TASK_FOLDERS: Final = 256
"""Tasks are spread over this many folders, by the first digits of their addresses."""
_TASK_BYTES: Final = 7168
"""A task's JSON, its line in the manifest of its step, and half a block lost at the end of its data file."""
_VERSION_BYTES: Final = 260_000
"""Manifest, report and catalog of a version."""
_INPUT_BYTES: Final = 200
"""The entry of a raw file in the manifest of a version."""
_VERSION_FILE_BYTES: Final = 800 + _BLOCK_BYTES // 2
"""The entries of a version's file in its manifest and in `croissant.json`, and half a block lost at its end."""


@dataclass(frozen=True)
class DiskEstimate:
    """Bytes that a run adds to the disk.

    Args:
        kept_bytes: Tasks, steps and the version after the run. Shards are hard links to task outputs, so they take no
            extra space.
        spill_bytes: The moved rows of the largest exchange; they are removed when it is finished.
        peak_bytes: The most disk space used at any time.
        read: Documents to read.
        compared: The documents that pass the stages that process one document at a time.
    """

    kept_bytes: int = 0
    spill_bytes: int = 0
    peak_bytes: int = 0
    read: int | None = None
    compared: int | None = None


def estimate_disk(
    corpus: CorpusPlan,
    inputs: Sequence[SourceInput],
    store: TaskStore,
    *,
    limit: int | None = None,
    fresh: bool = False,
) -> DiskEstimate:
    """Estimate the disk space for running *corpus*, without the results that *store* already has.

    Reads a sample of the raw files and runs the stages that look at one document at a time on it.

    Args:
        fresh: Every step runs again. Stored results are replaced, so only exchanges need additional space.
    """
    plan = corpus.plan
    there = {name for name, known in fingerprints(plan).items() if store.read_step(known) is not None}
    if not fresh and all(step.name in there for step in plan.steps):
        return DiskEstimate()
    documents = documents_of(plan, inputs)
    model = _Model(plan, documents, documents.limited(limit))
    kept = spilled = peak = 0.0
    for step in plan.steps:
        output, spill = model.cost(step)
        if step.name in there:
            output, spill = 0.0, spill if fresh else 0.0
        elif isinstance(step, Scan):
            output *= _missing_share(plan, step, store)
        kept += output
        spilled = max(spilled, spill)
        peak = max(peak, kept + spill)
    kept += _VERSION_BYTES + _INPUT_BYTES * sum(len(source.manifest.files) for source in inputs)
    return DiskEstimate(
        round(kept),
        round(spilled),
        round(max(peak, kept)),
        read=round(model.documents.rows),
        compared=round(model.documents.living),
    )


def _missing_share(plan: Plan, scan: Scan, store: TaskStore) -> float:
    """Return the share of tasks of *scan* that are not in *store*. An interrupted run leaves some of them there."""
    tasks = plan.scans[scan.name]
    if scan.function.asks() or not tasks:
        return 1.0
    work = fingerprint({"work": work_of(scan), "asked": {}})
    missing = sum(store.done(fingerprint([work, task.identity])) is None for task in tasks)
    return missing / len(tasks)


@dataclass
class _Model:
    """Costs of the steps of a plan.

    Args:
        everything: All records of the raw files, which are read to find the smallest ids.
        documents: The records that the run keeps.
    """

    plan: Plan
    everything: Documents
    documents: Documents
    tasks: dict[str, float] = field(default_factory=dict)
    """Number of slices of each layout, or of partitions for a layout made by an exchange."""
    folders: float = _TASK_FOLDERS
    """Number of those slices that have no stored task."""

    def cost(self, step: Step) -> tuple[float, float]:
        """Return the bytes of the output of *step*, and those of its spills."""
        output, spill, tasks = self._cost(step)
        schema = pa.schema([]) if isinstance(step, Repeat) else step.writes if isinstance(step, Map) else step.schema
        folders = min(tasks, self.folders)
        self.folders -= folders
        return output + tasks * (empty_bytes(schema) + _TASK_BYTES) + folders * _BLOCK_BYTES + _STEP_BYTES, spill

    def _cost(self, step: Step) -> tuple[float, float, float]:
        match step:
            case Scan():
                return self._scan(step)
            case Map():
                return self._map(step), 0.0, self._slices(step.of)
            case Exchange():
                return self._exchange(step)
            case Fold():
                return self._fold(step)
            case Repeat():
                size = self.documents.packed(self.plan.schema(step.name))
                self.tasks[step.name] = self._slices(step.start)
                return 2 * size, size, self.tasks[step.name]

    def _fold(self, step: Fold) -> tuple[float, float, float]:
        tasks = max(1.0, self._slices(step.of) / self._partitions(step, step.function.asks(), default=1.0))
        if isinstance(step.function, WriteShard | WriteSide):
            schemas = step.function.schemas()
            size = files_bytes(self.documents, schemas, files=tasks)
            return size + len(schemas) * tasks * _VERSION_FILE_BYTES, 0.0, tasks
        columns = self.plan.schema(step.of) if step.reads is None else self._fields(step.of, step.reads)
        return sum(self.documents.size(column).in_shards for column in columns), 0.0, tasks

    def _partitions(self, step: Exchange | Fold, asks: Iterable[str], *, default: float) -> float:
        """Return the number of partitions of *step*, which may depend on the sizes of the splits; else *default*."""
        if not callable(step.partitions):
            return default if step.partitions is None else float(step.partitions)
        counters = {name: self._census(name) for name in asks}
        known = {name: counts for name, counts in counters.items() if counts is not None}
        return float(step.partitions(known)) if known and known == counters else default

    def _census(self, name: str) -> Counters | None:
        """Return the expected counters of the step *name*, if it counts the text of each split."""
        step = self.plan.step(name)
        if isinstance(step, Map) and isinstance(step.function, Census):
            return census_counters(self.documents.text_bytes, step.function.shares)
        return None

    def _fields(self, state: str, names: Iterable[str]) -> list[pa.Field]:
        return [self.plan.columns(state)[name].field for name in names if name != PLACE]

    def _slices(self, state: str) -> float:
        return self.tasks[self.plan.layout(state)]

    def _scan(self, step: Scan) -> tuple[float, float, float]:
        tasks = max(float(len(self.plan.scans[step.name])), self.documents.memory_bytes / SLICE_BYTES)
        self.tasks[step.name] = tasks
        size = self.documents.written.get(step.name)
        return self.everything.packed(step.schema) if size is None else size, 0.0, tasks

    def _map(self, step: Map) -> float:
        if step.name in self.documents.written:
            return self.documents.written[step.name]
        size = self._layer(step.writes, self.plan.replaced(step))
        sides = sum(width(column.type) for schema in step.sides.values() for column in schema)
        return size + _DECIDED * self.documents.rows * sides

    def _layer(self, columns: Iterable[pa.Field], replaced: frozenset[str]) -> float:
        """Return the bytes of *columns* as a layer. The *replaced* ones contain only changed rows."""
        return sum(
            self.documents.rows / 8 + self._decided(column)
            if column.name in replaced
            else self.documents.size(column).packed
            for column in columns
        )

    def _decided(self, column: pa.Field) -> float:
        """Return the bytes of *column* in the rows on which a stage decides."""
        return _DECIDED * self.documents.living * min(WORD_BYTES, width(column.type))

    def _exchange(self, step: Exchange) -> tuple[float, float, float]:
        moved = sum(self._moved(step, input_) for input_ in step.inputs)
        if step.onto is not None:
            columns = [column for column in step.schema if column.name != PLACE]
            masks = self.documents.rows / 8 * len(self.plan.replaced(step))
            return masks + sum(map(self._decided, columns)), moved, self._slices(step.onto)
        output = self.documents.packed(step.schema)
        if PLACE in step.schema.names:  # decisions that are written back to documents
            output *= _DECIDED
        partitions = self._partitions(step, step.asks, default=max(1.0, output / PARTITION_BYTES))
        self.tasks[step.name] = partitions
        return output, moved, partitions

    def _moved(self, step: Exchange, input_: Input) -> float:
        """Return the bytes of the rows that *step* moves from an input: all, or only rows with decisions."""
        layout = self.plan.step(self.plan.layout(input_.step))
        if isinstance(layout, Scan) and layout.name not in self.documents.written:
            size = self.everything.packed(step.moved)
        else:
            is_verdict = "rule" in step.moved.names  # without a verdict column, only living documents are moved
            size = self.documents.packed(step.moved, rows=None if is_verdict else self.documents.living)
        is_part = input_.side is not None or PLACE in self.plan.schema(layout.name).names
        return _DECIDED * size if is_part else size
