"""The driver: runs the steps of a plan one after the other, and only what is missing.

It knows no engine and no stage. Between steps it reads counters only.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

from corpusmill.pipelines.engines.base import Counters, Exchange, Function, Input, Map, Step
from corpusmill.pipelines.engines.spills import Order
from corpusmill.pipelines.engines.tasks import TASK_FORMAT, Call, Done, Source, Task, address, finished
from corpusmill.schemas.errors import CorpusmillError, UnfinishedError, WorkError
from corpusmill.schemas.hashing import fingerprint

PARTITION_BYTES: Final = 128 * 2**20
"""Memory that the rows of a partition take, as far as the driver chooses the number of partitions."""


class Engine(Protocol):
    """What does tasks: processes here, or machines elsewhere that see the same store."""

    name: str

    def map(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do independent tasks."""
        ...

    def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[Done]:
        """Move the rows that *scatters* give to the *gathers* of their partitions."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Observer(Protocol):
    """Sees a run as it goes."""

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        """*missing* of *tasks* tasks are about to be done."""
        ...

    def task_done(self, step: Step, done: Done) -> None:
        """One task is finished."""
        ...

    def step_done(self, done: StepDone) -> None:
        """A step is finished, or was found finished."""
        ...


class Silent:
    """Sees a run and says nothing."""

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        """Say nothing."""

    def task_done(self, step: Step, done: Done) -> None:
        """Say nothing."""

    def step_done(self, done: StepDone) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class RawTask:
    """One task of a step that reads raw files: the rows it gets, and what of them decides the output."""

    rows: tuple[Mapping[str, Any], ...]
    identity: Any


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which they can run; *raw* lists the tasks of maps without inputs."""

    steps: tuple[Step, ...]
    raw: Mapping[str, tuple[RawTask, ...]] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """Give the step *name*."""
        return next(step for step in self.steps if step.name == name)


@dataclass(frozen=True)
class StepDone:
    """A finished step. *computed* tells how many of its tasks this run did; the rest was there. *moved_cpu_s* is what
    sorting the input of an exchange cost."""

    name: str
    fingerprint: str
    stage: str | None
    tasks: tuple[Done, ...]
    computed: int
    moved_cpu_s: float = 0.0

    @property
    def cached(self) -> bool:
        """Whether all of it was there before."""
        return self.computed == 0

    @property
    def counters(self) -> Counters:
        """The sums of the tasks' counters."""
        total: Counter[str] = Counter()
        for task in self.tasks:
            total.update(task.counters)
        return total

    @property
    def rows(self) -> int:
        """Rows of the output."""
        return sum(task.rows for task in self.tasks)

    @property
    def bytes(self) -> int:
        """Size of the output on disk."""
        return sum(task.bytes + sum(task.files.values()) for task in self.tasks)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the tasks, whenever they were done."""
        return sum(task.cpu_s for task in self.tasks) + self.moved_cpu_s

    @property
    def wall_s(self) -> float:
        """Seconds of the tasks, added up."""
        return sum(task.wall_s for task in self.tasks)

    @property
    def peak_mb(self) -> float:
        """Largest resident memory of a worker at the end of one of its tasks."""
        return max((task.peak_mb for task in self.tasks), default=0.0)


class Store:
    """Where tasks and steps lie: ``tasks/`` and ``steps/`` of a workspace."""

    def __init__(self, workspace: Path) -> None:
        self.tasks = workspace / "tasks"
        self.steps = workspace / "steps"
        self.spill = workspace / "tasks" / "spill"

    def out(self, task_fingerprint: str) -> Path:
        """Give the prefix of the files of a task."""
        return address(self.tasks, task_fingerprint)

    def read_step(self, step_fingerprint: str) -> tuple[tuple[Done, ...], float] | None:
        """Give the tasks of a finished step, and what moving its input cost, when all their files are there."""
        try:
            manifest = json.loads((self.steps / step_fingerprint / "manifest.json").read_text())
            done = [finished(self.out(name)) for name in manifest["tasks"]]
            moved_cpu_s = float(manifest["moved_cpu_s"])
        except (OSError, ValueError, KeyError):
            return None
        return None if None in done else (tuple(task for task in done if task is not None), moved_cpu_s)

    def forget_step(self, step_fingerprint: str) -> None:
        """Remove the manifest and the tasks of a step, if it was finished."""
        there = self.read_step(step_fingerprint)
        for task in there[0] if there is not None else ():
            prefix = self.out(task.fingerprint)
            prefix.with_name(f"{prefix.name}.json").unlink(missing_ok=True)
        (self.steps / step_fingerprint / "manifest.json").unlink(missing_ok=True)

    def write_step(self, done: StepDone, *, description: Mapping[str, Any]) -> None:
        """Write the manifest of a step, by rename."""
        folder = self.steps / done.fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            **description,
            "name": done.name,
            "fingerprint": done.fingerprint,
            "tasks": [task.fingerprint for task in done.tasks],
            "rows": done.rows,
            "moved_cpu_s": done.moved_cpu_s,
            "counters": dict(sorted(done.counters.items())),
        }
        temporary = folder / f"manifest.json.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True))
        temporary.replace(folder / "manifest.json")


def identity_of(function: Function) -> dict[str, Any]:
    """Give what the output of *function* depends on, with the versions of the distributions behind it."""
    return {**function.identity(), "tools": distribution_versions(function.distributions())}


def distribution_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Give the installed version of each distribution, None for one that is not there."""
    return {name: _version(name) for name in names}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def fingerprints(plan: Plan) -> dict[str, str]:
    """Give the fingerprint of each step: known before anything runs."""
    known: dict[str, str] = {}
    for step in plan.steps:
        known[step.name] = fingerprint(
            {
                **_work_identity(step),
                "inputs": [[known[source.step], _input_identity(source)] for source in step.inputs],
                "raw": sorted(fingerprint(task.identity) for task in plan.raw.get(step.name, ())),
            }
        )
    return known


def _work_identity(step: Step) -> dict[str, Any]:
    work = {"format": TASK_FORMAT, "work": identity_of(step.function), "schema": str(step.schema)}
    if isinstance(step, Exchange):
        return {**work, "verb": "exchange", "by": step.by, "order": list(step.order), "placement": step.placement}
    return {**work, "verb": "map", "whole": step.whole}


def _input_identity(source: Input) -> dict[str, Any]:
    through = None if source.through is None else identity_of(source.through)
    return {"through": through, "columns": None if source.columns is None else list(source.columns)}


def run_plan(
    plan: Plan, store: Store, engine: Engine, *, observer: Observer, batch_rows: int | None = None, fresh: bool = False
) -> dict[str, StepDone]:
    """Run *plan* and give its finished steps by name.

    Args:
        batch_rows: Cut all inputs into batches of that many rows: for the tests that the output does not depend on it.
        fresh: Do every task again, whatever is there.

    Raises:
        UnfinishedError: The disk is full or the store cannot be written; what was finished is kept.
        WorkError: A task failed, and would again.
    """
    known = fingerprints(plan)
    if fresh:
        for name in known.values():
            store.forget_step(name)
    finished_steps: dict[str, StepDone] = {}
    for step in plan.steps:
        runner = _StepRunner(step, plan, store, engine, finished_steps, observer, batch_rows)
        try:
            finished_steps[step.name] = runner.run(known[step.name])
        except OSError as error:
            raise as_unfinished(error) from error
        observer.step_done(finished_steps[step.name])
    return finished_steps


def as_unfinished(error: OSError) -> CorpusmillError:
    """Give the error that tells the user what to do about *error*."""
    text = str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "Disk quota" in text:
        return UnfinishedError(f"the disk is full ({text})", hint="free space (`corpusmill gc`) and run it again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UnfinishedError(f"cannot write ({text})", hint="check the owner and mode of the workspace")
    return UnfinishedError(f"reading or writing failed ({text})", hint="run the same command again")


@dataclass
class _StepRunner:
    step: Step
    plan: Plan
    store: Store
    engine: Engine
    finished: Mapping[str, StepDone]
    observer: Observer
    batch_rows: int | None

    def run(self, step_fingerprint: str) -> StepDone:
        there = self.store.read_step(step_fingerprint)
        if there is not None:
            tasks_done, moved = there
            return StepDone(self.step.name, step_fingerprint, self.step.stage, tasks_done, 0, moved)
        tasks = list(self._tasks(step_fingerprint))
        found = {task.fingerprint: done for task in tasks if (done := finished(Path(task.out))) is not None}
        missing = [task for task in tasks if task.fingerprint not in found]
        self.observer.step_started(self.step, tasks=len(tasks), missing=len(missing))
        moved = 0.0
        for done in self._do(missing, step_fingerprint):
            if done.kind == "scatter":
                moved += done.cpu_s
                continue
            found[done.fingerprint] = done
            self.observer.task_done(self.step, done)
        lost = [task.fingerprint for task in tasks if task.fingerprint not in found]
        if lost:
            raise WorkError(f"step {self.step.name}: the engine {self.engine.name} lost {len(lost)} tasks")
        result = StepDone(
            self.step.name,
            step_fingerprint,
            self.step.stage,
            tuple(found[task.fingerprint] for task in tasks),
            len(missing),
            round(moved, 4),
        )
        self.store.write_step(result, description={"work": _work_identity(self.step)})
        return result

    def _do(self, missing: Sequence[Task], step_fingerprint: str) -> Iterator[Done]:
        if isinstance(self.step, Map):
            yield from self.engine.map(missing)
        elif missing:
            spill = self.store.spill / step_fingerprint
            try:
                yield from self.engine.exchange(list(self._scatters(missing[0], spill)), missing)
            finally:
                shutil.rmtree(spill, ignore_errors=True)

    def _tasks(self, step_fingerprint: str) -> Iterator[Task]:
        if isinstance(self.step, Exchange):
            yield from self._gathers(self.step, step_fingerprint)
        elif not self.step.inputs:
            yield from self._raw_tasks(self.step)
        elif self.step.whole:
            yield from self._whole_tasks(self.step)
        else:
            yield from self._slice_tasks(self.step)

    def _task(self, identity: Any, **details: Any) -> Task:
        name = fingerprint({**_work_identity(self.step), "task": identity})
        call = Call.of(self.step.function.bound(self._counters()))
        return Task(
            step=self.step.name,
            fingerprint=name,
            out=str(self.store.out(name)),
            schema=self.step.schema.serialize().to_pybytes(),
            call=call,
            batch_rows=self.batch_rows,
            **details,
        )

    def _counters(self) -> dict[str, Counters]:
        return {name: done.counters for name, done in self.finished.items()}

    def _raw_tasks(self, step: Map) -> Iterator[Task]:
        for index, raw in enumerate(self.plan.raw[step.name]):
            source = Source(rows=tuple(dict(row) for row in raw.rows))
            yield self._task(raw.identity, kind="map", sources=(source,), slice=index)

    def _slice_tasks(self, step: Map) -> Iterator[Task]:
        numbers: Counter[int] = Counter()
        for given, done, source in self._pieces(step):
            partition = done.partition if len(step.inputs) == 1 else 0
            identity = [done.fingerprint, source.start, source.stop, _input_identity(given)]
            yield self._task(identity, kind="map", sources=(source,), partition=partition, slice=numbers[partition])
            numbers[partition] += 1

    def _whole_tasks(self, step: Map) -> Iterator[Task]:
        partitions: dict[int, list[tuple[Input, Done, Source]]] = {}
        for piece in self._pieces(step):
            partitions.setdefault(piece[1].partition, []).append(piece)
        for partition, pieces in sorted(partitions.items()):
            pieces.sort(key=lambda piece: (piece[1].slice, piece[2].start))
            identity = [[done.fingerprint, s.start, s.stop, _input_identity(given)] for given, done, s in pieces]
            yield self._task(identity, kind="map", sources=tuple(piece[2] for piece in pieces), partition=partition)

    def _pieces(self, step: Step) -> Iterator[tuple[Input, Done, Source]]:
        """Give the slices of all inputs, in a fixed order."""
        for given in step.inputs:
            through = None if given.through is None else Call.of(given.through.bound(self._counters()))
            for done in self.finished[given.step].tasks:
                path = f"{self.store.out(done.fingerprint)}.arrow"
                for start, stop in done.slices:
                    yield given, done, Source(path=path, start=start, stop=stop, columns=given.columns, through=through)

    def _parts(self, step: Exchange) -> int:
        if callable(step.parts):
            return step.parts(self._counters())
        if step.parts is not None:
            return step.parts
        size = sum(task.memory_bytes for given in step.inputs for task in self.finished[given.step].tasks)
        return max(1, -(-size // PARTITION_BYTES))

    def _gathers(self, step: Exchange, step_fingerprint: str) -> Iterator[Task]:
        parts = self._parts(step)
        order = Order(step.by, step.order, parts, by_value=step.placement == "value")
        for partition in range(parts):
            identity = [step_fingerprint, partition, parts]
            yield self._task(identity, kind="gather", order=order, partition=partition)

    def _scatters(self, gather: Task, spill: Path) -> Iterator[Task]:
        assert isinstance(self.step, Exchange)
        for index, (_, _, source) in enumerate(self._pieces(self.step)):
            yield replace(
                gather,
                kind="scatter",
                fingerprint=f"{spill.name}-{index}",
                out=str(spill / f"{index:06d}"),
                schema=self.step.moved.serialize().to_pybytes(),
                call=None,
                sources=(source,),
                partition=0,
            )
