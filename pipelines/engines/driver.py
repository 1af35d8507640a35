"""The driver: runs the steps of a plan one after the other, and computes only what is missing.

It knows no engine and no stage. Between steps it reads counters and sizes only, so its work is linear in the number of
tasks.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa

from corpusmill.pipelines.engines.addresses import fingerprints, step_fingerprint, work_of
from corpusmill.pipelines.engines.base import (
    MAX_ROUNDS,
    PLACE,
    Counters,
    Exchange,
    Fold,
    Input,
    Map,
    Repeat,
    Scan,
    Step,
    at_name,
)
from corpusmill.pipelines.engines.plan import Plan, Unit, units
from corpusmill.pipelines.engines.slices import Slice, Slices
from corpusmill.pipelines.engines.spills import Order
from corpusmill.pipelines.engines.store import StepResult, TaskStore
from corpusmill.pipelines.engines.tasks import SLICE, Call, MapCall, Source, Task, TaskResult
from corpusmill.schemas.errors import CorpusmillError, UnfinishedError, WorkError
from corpusmill.schemas.hashing import fingerprint
from corpusmill.schemas.raw import CrawlProgress
from corpusmill.schemas.storage.attempts import attempt_name, is_left_over

PARTITION_BYTES: Final = 32 * 2**20
"""Memory for the rows of a partition, where the driver chooses the number of partitions."""
SCATTER_BYTES: Final = 32 * 2**20
"""Memory of the columns that a scatter reads."""
MIN_SCATTERS: Final = 16
"""Scatters for a small input, so that there is work for several workers."""
MAX_SCATTERS: Final = 256
"""Scatters for a large input. With more of them, merging reads more and smaller pieces."""


class Engine(Protocol):
    """Runs tasks: in processes on this machine, or on other machines that share the store."""

    name: str

    def map(self, tasks: Sequence[Task]) -> Iterator[TaskResult]:
        """Run independent *tasks*. A task that runs several maps has a result for each."""
        ...

    def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[TaskResult]:
        """Move the rows of *scatters* to the *gathers* of their partitions."""
        ...

    def close(self, *, at_once: bool = False) -> None:
        """Free all resources. *at_once* (after an interrupt) does not wait for running tasks."""
        ...


class Observer(Protocol):
    """Receives the events of a run."""

    def source_changed(self, source: str, change: str) -> None:
        """The definition of *source* changed, as *change* says; it is about to be acquired again."""
        ...

    def crawl_started(self, source: str) -> None:
        """The crawl of *source* is about to begin, or to go on."""
        ...

    def crawl_advanced(self, source: str, progress: CrawlProgress) -> None:
        """Some pages of *source* were fetched or refused."""
        ...

    def crawl_done(self, source: str, result: CrawlProgress) -> None:
        """The crawl of *source* is finished."""
        ...

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        """*missing* of *tasks* tasks are about to run."""
        ...

    def task_done(self, step: Step, done: TaskResult) -> None:
        """A task has finished."""
        ...

    def step_done(self, done: StepResult) -> None:
        """A step has finished, or was already finished."""
        ...


class Silent:
    """Ignores all events."""

    def source_changed(self, source: str, change: str) -> None:
        """Say nothing."""

    def crawl_started(self, source: str) -> None:
        """Say nothing."""

    def crawl_advanced(self, source: str, progress: CrawlProgress) -> None:
        """Say nothing."""

    def crawl_done(self, source: str, result: CrawlProgress) -> None:
        """Say nothing."""

    def step_started(self, step: Step, *, tasks: int, missing: int) -> None:
        """Ignore the event."""

    def task_done(self, step: Step, done: TaskResult) -> None:
        """Ignore the event."""

    def step_done(self, done: StepResult) -> None:
        """Ignore the event."""


def run_plan(
    plan: Plan,
    store: TaskStore,
    engine: Engine,
    *,
    observer: Observer,
    batch_rows: int | None = None,
    fresh: bool = False,
) -> dict[str, StepResult]:
    """Run *plan* and return its finished steps by name.

    Args:
        batch_rows: Cut all inputs into batches of that many rows. Tests use it to check that the output does not depend
            on batches.
        fresh: Run every task again, even if its result is stored.

    Raises:
        UnfinishedError: The disk is full or the store cannot be written. Finished tasks are kept.
        WorkError: A task failed, and would fail again.
    """
    known = fingerprints(plan)
    if fresh:
        for name in known.values():
            _forget(store, name)
    finished: dict[str, StepResult] = {}
    run = _Run(Slices(plan, store, finished), known, store, engine, observer, batch_rows, finished)
    try:
        run.all()
    except OSError as error:
        raise as_unfinished(error) from error
    return finished


def _grouped(sources: Sequence[Source], read_bytes: int) -> list[Sequence[Source]]:
    """Divide the *sources* of an exchange among scatters. A scatter reads several small ones.

    Each partition is merged from a piece of each scatter, so the number of pieces is the number of partitions times
    that of scatters: with one scatter per source, it would grow with the square of the input.
    """
    scatters = min(max(read_bytes // SCATTER_BYTES, MIN_SCATTERS), MAX_SCATTERS)
    size = -(-len(sources) // scatters)
    return [sources[start : start + size] for start in range(0, len(sources), size or 1)]


def _forget(store: TaskStore, name: str) -> None:
    for inner in store.manifest(name).get("rounds", ()):
        store.forget_step(inner)
    store.forget_step(name)


def as_unfinished(error: OSError) -> CorpusmillError:
    """Return an error with a hint for *error*."""
    text = str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "Disk quota" in text:
        return UnfinishedError(f"the disk is full ({text})", hint="free space (`corpusmill gc`) and run it again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UnfinishedError(f"cannot write ({text})", hint="check the owner and mode of the workspace")
    return UnfinishedError(f"reading or writing failed ({text})", hint="run the same command again")


@dataclass
class _Run:
    """The state of a run: finished steps, and the slices of their layouts."""

    slices: Slices
    known: dict[str, str]
    store: TaskStore
    engine: Engine
    observer: Observer
    batch_rows: int | None
    finished: dict[str, StepResult]

    @property
    def plan(self) -> Plan:
        """The plan, extended by the rounds that have started."""
        return self.slices.plan

    def all(self) -> None:
        """Run every unit of the plan."""
        for unit in units(self.plan, self.plan.steps):
            self.unit(unit)

    def unit(self, unit: Unit) -> None:
        """Run those steps of *unit* that are not stored."""
        missing = []
        for step in unit.steps:
            there = self.store.read_step(self.known[step.name])
            if there is None:
                missing.append(step)
            else:
                self._finish(step, replace(there, name=step.name, stage=step.stage))
        if not missing:
            return
        if isinstance(missing[0], Map):
            self._maps([step for step in missing if isinstance(step, Map)])
            return
        (step,) = missing
        match step:
            case Repeat():
                self._repeat(step)
            case Exchange():
                self._exchange(step)
            case Scan():
                self._independent(step, list(self._scan_tasks(step)))
            case Fold():
                self._independent(step, list(self._fold_tasks(step)))

    def _finish(self, step: Step, done: StepResult) -> None:
        self.finished[step.name] = done
        self.observer.step_done(done)

    def _record(self, step: Step, tasks: Iterable[TaskResult], *, computed: int, moved_cpu_s: float = 0.0) -> None:
        done = StepResult(step.name, self.known[step.name], step.stage, tuple(tasks), computed, round(moved_cpu_s, 4))
        self.store.write_step(done, description={"work": work_of(step)})
        self._finish(step, done)

    def _counters(self, steps: Iterable[str]) -> dict[str, Counters]:
        return {name: self.finished[name].counters for name in steps}

    def _asked(self, steps: Iterable[str]) -> dict[str, dict[str, int]]:
        """Return the counters of *steps* in the form that is part of an address."""
        return {name: dict(sorted(self.finished[name].counters.items())) for name in sorted(set(steps))}

    def _work(self, step: Step, asks: Iterable[str]) -> str:
        """Return a hash of what decides the output of *step*, apart from its inputs."""
        return fingerprint({"work": work_of(step), "asked": self._asked(asks)})

    def _bound(self, function: Any) -> Call:
        return Call.of(function.bound(self._counters(function.asks())))

    # -- scans and folds: independent tasks

    def _independent(self, step: Scan | Fold, tasks: list[Task]) -> None:
        found = {task.fingerprint: done for task in tasks if (done := self._stored(task)) is not None}
        missing = [task for task in tasks if task.fingerprint not in found]
        self.observer.step_started(step, tasks=len(tasks), missing=len(missing))
        for done in self.engine.map(missing):
            found[done.fingerprint] = done
            self.observer.task_done(step, done)
        self._record(step, self._in_order(step, tasks, found), computed=len(missing))

    def _stored(self, task: Task) -> TaskResult | None:
        done = self.store.done(task.fingerprint)
        return None if done is None else replace(done, partition=task.partition, slice=task.slice)

    def _in_order(self, step: Step, tasks: Sequence[Task], found: Mapping[str, TaskResult]) -> list[TaskResult]:
        lost = [task.fingerprint for task in tasks if task.fingerprint not in found]
        if lost:
            raise WorkError(f"step {step.name}: the engine {self.engine.name} lost {len(lost)} tasks")
        return [found[task.fingerprint] for task in tasks]

    def _scan_tasks(self, step: Scan) -> Iterator[Task]:
        """Yield the tasks of a scan in the order of their addresses, so that the order of a listing does not matter."""
        call = self._bound(step.function)
        work = self._work(step, step.function.asks())
        tasks = [(fingerprint([work, raw.identity]), raw) for raw in self.plan.scans[step.name]]
        for index, (name, raw) in enumerate(sorted(tasks, key=lambda task: task[0])):
            source = Source(rows=raw.rows)
            yield self._task(step, name, step.schema, kind="scan", call=call, sources=(source,), slice=index)

    def _fold_tasks(self, step: Fold) -> Iterator[Task]:
        call = self._bound(step.function)
        work = self._work(step, step.function.asks())
        columns = tuple(self.plan.columns(step.of)) if step.reads is None else step.reads
        layout, views = self.plan.layout(step.of), self.slices.views(step.of, columns)
        count = step.partitions
        if callable(count):
            count = count(self._counters(step.function.asks()))
        groups: dict[int, list[Slice]] = {}
        for slice_ in self.slices.of(layout):
            groups.setdefault(slice_.partition // count, []).append(slice_)
        for number, slices in sorted(groups.items()):
            read = [self.slices.addresses(step.of, slice_, columns) for slice_ in slices]
            sources = tuple(Source(self.slices.piece(layout, slice_, (views,)), views) for slice_ in slices)
            name = fingerprint([work, number, read])
            yield self._task(step, name, step.schema, kind="fold", call=call, sources=sources, partition=number)

    def _task(self, step: Step, name: str, schema: pa.Schema, **details: Any) -> Task:
        return Task(
            step=step.name,
            fingerprint=name,
            store=self.store.store.url,
            out=self.store.out(name),
            schema=schema.serialize().to_pybytes(),
            contents=step.contents,
            batch_rows=self.batch_rows,
            is_compressed=self.store.is_compressed,
            **details,
        )

    # -- maps: one task per slice

    def _maps(self, steps: Sequence[Map]) -> None:
        """Run maps over one layout. The task of a slice runs the maps whose output is missing."""
        slices = self.slices.of(self.plan.layout(steps[0].of))
        calls = [_MapPlan.of(self, step) for step in steps]
        results: dict[str, list[TaskResult | None]] = {step.name: [None] * len(slices) for step in steps}
        tasks = []
        for slice_ in slices:
            task = self._map_task(slice_, calls, results)
            if task is not None:
                tasks.append(task)
        computed = {step.name: sum(done is None for done in results[step.name]) for step in steps}
        self.observer.step_started(steps[0], tasks=len(slices), missing=len(tasks))
        for done in self.engine.map(tasks):
            results[done.step][done.slice] = done
            self.observer.task_done(self.plan.step(done.step), done)
        for step in steps:
            tasks_done = [done for done in results[step.name] if done is not None]
            if len(tasks_done) != len(slices):
                raise WorkError(f"step {step.name}: the engine {self.engine.name} lost tasks")
            self._record(step, tasks_done, computed=computed[step.name])

    def _map_task(
        self, slice_: Slice, plans: Sequence[_MapPlan], results: Mapping[str, list[TaskResult | None]]
    ) -> Task | None:
        """Return the task that computes the missing outputs of one slice. Stored ones are added to *results*."""
        names: dict[str, str] = {}
        missing: dict[str, _MapPlan] = {}
        for plan in plans:
            step = plan.step
            name = fingerprint([plan.work, self.slices.addresses(step.of, slice_, step.reads, names)])
            names[step.name] = name
            done = self.store.done(name)
            if done is None:
                missing[step.name] = plan
            else:
                found = replace(done, step=step.name, partition=slice_.partition, slice=slice_.number)
                results[step.name][slice_.number] = found
        if not missing:
            return None
        views = {name: self.slices.views(plan.step.of, plan.step.reads, missing) for name, plan in missing.items()}
        calls = tuple(
            plan.call(names[name], self.store.out(names[name]), views[name]) for name, plan in missing.items()
        )
        at = {name: "" if name in missing else address for name, address in names.items()}
        layout = self.plan.layout(plans[0].step.of)
        return Task(
            step=calls[0].step,
            kind="maps",
            fingerprint=calls[0].fingerprint,
            store=self.store.store.url,
            out=calls[0].out,
            schema=b"",
            sources=(Source(self.slices.piece(layout, slice_, tuple(views.values()), at)),),
            maps=calls,
            partition=slice_.partition,
            slice=slice_.number,
            batch_rows=self.batch_rows,
            is_compressed=self.store.is_compressed,
        )

    # -- exchanges

    def _exchange(self, step: Exchange) -> None:
        inputs = [self._sources(input_, number) for number, input_ in enumerate(step.inputs)]
        read: list[Any] = [[index, address] for index, part in enumerate(inputs) for address, _ in part]
        tables = {name: self._sources(Input(table)) for name, table in step.whole_tables().items()}
        read += [[name, [address for address, _ in pieces]] for name, pieces in tables.items()]
        whole = {name: tuple(source for _, source in pieces) for name, pieces in tables.items()}
        gathers = [replace(task, tables=whole) for task in self._gathers(step, sorted(map(fingerprint, read)))]
        found = {task.fingerprint: done for task in gathers if (done := self._stored(task)) is not None}
        missing = [task for task in gathers if task.fingerprint not in found]
        self.observer.step_started(step, tasks=len(gathers), missing=len(missing))
        moved = 0.0
        if missing:
            spill = self._spill_folder(step)
            read_bytes = sum(map(self.slices.input_bytes, step.inputs))
            groups = _grouped([source for part in inputs for _, source in part], read_bytes)
            scatters = list(self._scatters(step, missing[0], spill, groups))
            spilled = (str(spill), len(scatters)) if scatters else None
            missing = [replace(task, spilled=spilled) for task in missing]
            try:
                for done in self.engine.exchange(scatters, missing):
                    if done.kind == "scatter":
                        moved += done.cpu_s
                        continue
                    found[done.fingerprint] = done
                    self.observer.task_done(step, done)
            finally:
                shutil.rmtree(spill, ignore_errors=True)
        self._record(step, self._in_order(step, gathers, found), computed=len(missing), moved_cpu_s=moved)

    def _spill_folder(self, step: Exchange) -> Path:
        """Return a folder for this attempt only, since another run may do the same exchange.

        Remove folders of dead runs.
        """
        if self.store.spill.is_dir():
            for left in filter(is_left_over, self.store.spill.iterdir()):
                shutil.rmtree(left, ignore_errors=True)
        return self.store.spill / f"{self.known[step.name]}.{attempt_name()}.spill"

    def _sources(self, input_: Input, number: int = 0) -> list[tuple[Any, Source]]:
        """Return the slices of the input *number* of an exchange, each with the address of the columns read."""
        through = None if input_.through is None else self._bound(input_.through)
        asked = None if input_.through is None else self._asked(input_.through.asks())
        if input_.side is not None:
            return [
                ([asked, *address], Source(piece, dict.fromkeys(piece.columns, ()), through=through))
                for address, piece in self.slices.of_side(input_, input_.side)
            ]
        columns = self.plan.input_columns(input_)
        layout, views = self.plan.layout(input_.step), self.slices.views(input_.step, columns)
        where = None if input_.where is None else self._whole_layer(input_.where, views)
        at = None if input_.at is None else at_name(number)
        return [
            (
                [asked, self.slices.addresses(input_.step, slice_, columns)],
                Source(self.slices.piece(layout, slice_, (views,)), views, through=through, where=where, at=at),
            )
            for slice_ in self.slices.of(layout)
        ]

    def _whole_layer(self, column: str, views: Mapping[str, tuple[str, ...]]) -> tuple[str, str] | None:
        """Return the step that wrote all rows of *column*, with the column; None if there is no such step."""
        return (views[column][0], column) if len(views[column]) == 1 else None

    def _partitions(self, step: Exchange) -> int:
        if step.onto is not None:
            return len(self.slices.of(self.plan.layout(step.onto)))
        if callable(step.partitions):
            return step.partitions(self._counters(step.asks))
        if step.partitions is not None:
            return step.partitions
        return max(1, -(-sum(map(self.slices.input_bytes, step.inputs)) // PARTITION_BYTES))

    def _gathers(self, step: Exchange, inputs: Sequence[Any]) -> Iterator[Task]:
        parts = self._partitions(step)
        by, by_value, order_by = step.by, step.placement == "value", step.order
        if step.onto is not None:
            by, by_value, order_by = SLICE, True, (PLACE, *step.order)
        order = Order(by, order_by, parts, by_value=by_value)
        call = self._bound(step.function)
        whole = fingerprint([self._work(step, step.function.asks()), list(inputs), parts])
        slices = None if step.onto is None else self.slices.of(self.plan.layout(step.onto))
        replaced = () if step.onto is None else tuple(sorted(self.plan.replaced(step)))
        for partition in range(parts):
            at = None if slices is None else slices[partition]
            yield self._task(
                step,
                fingerprint([whole, partition, None if at is None else at.address]),
                step.schema,
                kind="gather",
                call=call,
                order=order,
                partition=partition,
                slice=partition if at is not None else 0,
                onto=None if at is None else at.batch_rows,
                replaced=replaced,
                keeps=step.keeps,
            )

    def _scatters(
        self, step: Exchange, gather: Task, spill: Path, groups: Sequence[Sequence[Source]]
    ) -> Iterator[Task]:
        moved = step.moved
        if step.onto is not None:
            moved = moved.append(pa.field(SLICE, pa.int64(), nullable=False))
        for index, sources in enumerate(groups):
            yield replace(
                gather,
                kind="scatter",
                fingerprint=f"{spill.name}-{index}",
                out=str(spill / f"{index:06d}"),
                schema=moved.serialize().to_pybytes(),
                call=None,
                sources=tuple(sources),
                partition=0,
                onto=None,
            )

    # -- rounds

    def _repeat(self, step: Repeat) -> None:
        """Run the rounds of *step*. The table of the last round becomes that of the step."""
        carried = step.start
        rounds: list[str] = []
        computed, spent = 0, 0.0
        for number in range(1, MAX_ROUNDS + 1):
            names = {one.name: f"{one.name}@{number}" for one in step.steps} | {step.name: carried}
            steps = [renamed(one, names) for one in step.steps]
            self.slices.plan = self.plan.extended(steps)
            for one in steps:
                self.known[one.name] = step_fingerprint(self.plan, one, self.known)
                rounds.append(self.known[one.name])
            for unit in units(self.plan, steps):
                self.unit(unit)
            computed += sum(self.finished[one.name].computed for one in steps)
            spent += sum(self.finished[one.name].cpu_s for one in steps)
            carried = steps[-1].name
            if not self.finished[carried].counters.get(step.until, 0):
                break
        else:
            raise WorkError(
                f"step {step.name}: {step.until} is still above zero after {MAX_ROUNDS} rounds",
                hint="this is a bug of the stage",
            )
        last = self.finished[carried]
        others = spent - sum(task.cpu_s for task in last.tasks)
        done = StepResult(step.name, self.known[step.name], step.stage, last.tasks, computed, others, tuple(rounds))
        self.store.write_step(done, description={"work": work_of(step)})
        self._finish(step, done)


def renamed(step: Step, names: Mapping[str, str]) -> Step:
    """Return the *step* of a repeat with the *names* of one round."""
    name = names[step.name]
    match step:
        case Exchange():
            inputs = tuple(replace(input_, step=names.get(input_.step, input_.step)) for input_ in step.inputs)
            onto = None if step.onto is None else names.get(step.onto, step.onto)
            inputs = tuple(
                replace(input_, at=None if input_.at is None else names.get(input_.at, input_.at)) for input_ in inputs
            )
            tables = {alias: names.get(table, table) for alias, table in step.tables.items()}
            return replace(step, name=name, inputs=inputs, onto=onto, tables=tables)
        case Map() | Fold():
            return replace(step, name=name, of=names.get(step.of, step.of))
        case _:
            raise WorkError(f"step {step.name} cannot be part of a repeat")


@dataclass(frozen=True)
class _MapPlan:
    """The parts of a map call that are the same for all slices."""

    step: Map
    work: str
    bound: Call
    schema: bytes
    replaced: tuple[str, ...]
    sides: dict[str, bytes]

    @classmethod
    def of(cls, run: _Run, step: Map) -> _MapPlan:
        return cls(
            step=step,
            work=run._work(step, step.function.asks()),
            bound=run._bound(step.function),
            schema=step.writes.serialize().to_pybytes(),
            replaced=tuple(sorted(run.plan.replaced(step))),
            sides={name: schema.serialize().to_pybytes() for name, schema in step.sides.items()},
        )

    def call(self, name: str, out: str, reads: Mapping[str, tuple[str, ...]]) -> MapCall:
        """Return the call for the slice whose output has the address *name*."""
        return MapCall(
            step=self.step.name,
            fingerprint=name,
            out=out,
            call=self.bound,
            reads=reads,
            schema=self.schema,
            replaced=self.replaced,
            sides=self.sides,
            contents=self.step.contents,
        )
