"""The driver: runs the steps of a plan one after the other, and only what is missing.

It knows no engine and no stage. Between steps it reads counters and sizes only, and its work is linear in the number of
tasks.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
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
)
from corpusmill.pipelines.engines.layers import CHANGED, Layer, SliceFile
from corpusmill.pipelines.engines.plan import Plan, Unit, units
from corpusmill.pipelines.engines.spills import Order
from corpusmill.pipelines.engines.store import StepDone, TaskStore
from corpusmill.pipelines.engines.tasks import SLICE, Call, Done, MapCall, Source, Task
from corpusmill.schemas.errors import CorpusmillError, UnfinishedError, WorkError
from corpusmill.schemas.hashing import fingerprint
from corpusmill.schemas.storage.attempts import attempt_name, is_left_over

PARTITION_BYTES: Final = 32 * 2**20
"""Memory that the rows of a partition take, as far as the driver chooses the number of partitions."""
_ROW_BYTES: Final = 32
"""What a row of an exchange takes beside its columns, in estimates."""


class Engine(Protocol):
    """What does tasks: processes here, or machines elsewhere that see the same store."""

    name: str

    def map(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do independent tasks; a task that runs several maps has a result for each."""
        ...

    def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[Done]:
        """Move the rows of *scatters* to the *gathers* of their partitions."""
        ...

    def close(self, *, at_once: bool = False) -> None:
        """Free what it holds; *at_once*, as after an interrupt, without waiting for tasks that run."""
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


def run_plan(
    plan: Plan,
    store: TaskStore,
    engine: Engine,
    *,
    observer: Observer,
    batch_rows: int | None = None,
    fresh: bool = False,
) -> dict[str, StepDone]:
    """Run *plan* and return its finished steps by name.

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
            _forget(store, name)
    run = _Run(plan, known, store, engine, observer, batch_rows)
    try:
        run.all()
    except OSError as error:
        raise as_unfinished(error) from error
    return run.finished


def _forget(store: TaskStore, name: str) -> None:
    for inner in store.manifest(name).get("rounds", ()):
        store.forget_step(inner)
    store.forget_step(name)


def as_unfinished(error: OSError) -> CorpusmillError:
    """Return the error that says what the user can do about *error*."""
    text = str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "Disk quota" in text:
        return UnfinishedError(f"the disk is full ({text})", hint="free space (`corpusmill gc`) and run it again")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return UnfinishedError(f"cannot write ({text})", hint="check the owner and mode of the workspace")
    return UnfinishedError(f"reading or writing failed ({text})", hint="run the same command again")


@dataclass(frozen=True)
class _Slice:
    """A slice of a layout: where its rows lie, and the address of its columns."""

    number: int
    partition: int
    piece: SliceFile
    address: str
    batch_rows: tuple[int, ...]


@dataclass
class _Run:
    """The state of a run: what is finished, and the slices of the layouts that were made."""

    plan: Plan
    known: dict[str, str]
    store: TaskStore
    engine: Engine
    observer: Observer
    batch_rows: int | None
    finished: dict[str, StepDone] = field(default_factory=dict)
    _slices: dict[str, list[_Slice]] = field(default_factory=dict)
    _writers_of: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def all(self) -> None:
        """Run every unit of the plan."""
        for unit in units(self.plan, self.plan.steps):
            self.unit(unit)

    def unit(self, unit: Unit) -> None:
        """Run the steps of *unit*, as far as they are not there."""
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

    def _finish(self, step: Step, done: StepDone) -> None:
        self.finished[step.name] = done
        self.observer.step_done(done)

    def _record(self, step: Step, tasks: Iterable[Done], *, computed: int, moved_cpu_s: float = 0.0) -> None:
        done = StepDone(step.name, self.known[step.name], step.stage, tuple(tasks), computed, round(moved_cpu_s, 4))
        self.store.write_step(done, description={"work": work_of(step)})
        self._finish(step, done)

    def _counters(self, steps: Iterable[str]) -> dict[str, Counters]:
        return {name: self.finished[name].counters for name in steps}

    def _asked(self, steps: Iterable[str]) -> dict[str, dict[str, int]]:
        """Return the counters of *steps* in the form in which they are part of an address."""
        return {name: dict(sorted(self.finished[name].counters.items())) for name in sorted(set(steps))}

    def _work(self, step: Step, asks: Iterable[str]) -> str:
        """Return a hash of what of *step* decides its output, whatever it reads."""
        return fingerprint({"work": work_of(step), "asked": self._asked(asks)})

    def _bound(self, function: Any) -> Call:
        return Call.of(function.bound(self._counters(function.asks())))

    # -- slices and what lies on them

    def slices(self, layout: str) -> list[_Slice]:
        """Return the slices of the table that the step *layout* made, in order."""
        if layout not in self._slices:
            self._slices[layout] = list(self._list_slices(self.finished[layout].tasks))
        return self._slices[layout]

    def _list_slices(self, tasks: Iterable[Done]) -> Iterator[_Slice]:
        number = 0
        for done in tasks:
            key = f"{self.store.out(done.fingerprint)}.arrow"
            for index, (start, stop) in enumerate(done.slices):
                piece = SliceFile(key, start, stop, (), number=number)
                rows = done.batch_rows[start:stop]
                yield _Slice(number, done.partition, piece, f"{done.fingerprint}/{index}", rows)
                number += 1

    def _views(self, state: str, columns: Sequence[str], computed: Container[str] = ()) -> dict[str, tuple[str, ...]]:
        """Return, for each of *columns* of the table after *state*, the steps to read it from, the newest first.

        The last one wrote it whole, or is one of *computed*; none means that the layout's file has it.
        """
        views: dict[str, tuple[str, ...]] = {}
        for column in columns:
            found: list[str] = []
            for name in reversed(self.plan.chain(state)[1:]):
                step = self.plan.step(name)
                assert isinstance(step, Map | Exchange)
                if column in (step.writes if isinstance(step, Map) else step.schema).names and column != PLACE:
                    found.append(name)
                    if name in computed or column not in self.plan.replaced(step):
                        break
            views[column] = tuple(found)
        return views

    def _piece(
        self,
        layout: str,
        slice_: _Slice,
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
                    found = by_writer.setdefault(writer, {})
                    found[column] = None
                    if column in self.plan.replaced(step):
                        found[CHANGED + column] = None
                if column in names and not (writers and self._wrote_whole(writers[-1], column)):
                    base[column] = None
        return tuple(base) or tuple(names)[:1], {name: tuple(found) for name, found in by_writer.items()}

    def _wrote_whole(self, writer: str, column: str) -> bool:
        step = self.plan.step(writer)
        assert isinstance(step, Map | Exchange)
        return column not in self.plan.replaced(step)

    def _addresses(
        self, state: str, slice_: _Slice, columns: Iterable[str], here: Mapping[str, str] = MappingProxyType({})
    ) -> dict[str, str]:
        """Return the address of each of *columns* of a slice, and that of the slice itself.

        Args:
            here: Addresses of the steps of the same unit.
        """
        there = self.plan.columns(state)
        found = {"": slice_.address}
        for name in columns:
            if name == PLACE and PLACE not in there:
                found[name] = str(slice_.number)
            elif address := self._column_address(state, slice_, name, here):
                found[name] = address
        return found

    def _column_address(self, state: str, slice_: _Slice, column: str, here: Mapping[str, str]) -> str:
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
            self._writers_of[key] = self._views(state, (column,))[column]
        return self._writers_of[key]

    # -- scans and folds: independent tasks

    def _independent(self, step: Scan | Fold, tasks: list[Task]) -> None:
        found = {task.fingerprint: done for task in tasks if (done := self._there(task)) is not None}
        missing = [task for task in tasks if task.fingerprint not in found]
        self.observer.step_started(step, tasks=len(tasks), missing=len(missing))
        for done in self.engine.map(missing):
            found[done.fingerprint] = done
            self.observer.task_done(step, done)
        self._record(step, self._in_order(step, tasks, found), computed=len(missing))

    def _there(self, task: Task) -> Done | None:
        done = self.store.done(task.fingerprint)
        return None if done is None else replace(done, partition=task.partition, slice=task.slice)

    def _in_order(self, step: Step, tasks: Sequence[Task], found: Mapping[str, Done]) -> list[Done]:
        lost = [task.fingerprint for task in tasks if task.fingerprint not in found]
        if lost:
            raise WorkError(f"step {step.name}: the engine {self.engine.name} lost {len(lost)} tasks")
        return [found[task.fingerprint] for task in tasks]

    def _scan_tasks(self, step: Scan) -> Iterator[Task]:
        """Yield the tasks of a scan, in the order of their addresses: a listing in another order is the same layout."""
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
        layout, views = self.plan.layout(step.of), self._views(step.of, columns)
        count = step.partitions
        if callable(count):
            count = count(self._counters(step.function.asks()))
        groups: dict[int, list[_Slice]] = {}
        for slice_ in self.slices(layout):
            groups.setdefault(slice_.partition // count, []).append(slice_)
        for number, slices in sorted(groups.items()):
            read = [self._addresses(step.of, slice_, columns) for slice_ in slices]
            sources = tuple(Source(self._piece(layout, slice_, (views,)), views) for slice_ in slices)
            name = fingerprint([work, number, read])
            yield self._task(step, name, step.schema, kind="fold", call=call, sources=sources, partition=number)

    def _task(self, step: Step, name: str, schema: pa.Schema, **details: Any) -> Task:
        return Task(
            step=step.name,
            fingerprint=name,
            store=self.store.store.url,
            out=self.store.out(name),
            schema=schema.serialize().to_pybytes(),
            contents={content.name: content.path for content in step.contents},
            batch_rows=self.batch_rows,
            **details,
        )

    # -- maps: one task a slice

    def _maps(self, steps: Sequence[Map]) -> None:
        """Run maps over one layout: a task per slice, with those of them whose output is not there."""
        slices = self.slices(self.plan.layout(steps[0].of))
        calls = [_MapPlan.of(self, step) for step in steps]
        results: dict[str, list[Done | None]] = {step.name: [None] * len(slices) for step in steps}
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
        self, slice_: _Slice, plans: Sequence[_MapPlan], results: Mapping[str, list[Done | None]]
    ) -> Task | None:
        """Return the task that computes what is missing on one slice, and note in *results* what is there."""
        names: dict[str, str] = {}
        missing: dict[str, _MapPlan] = {}
        for plan in plans:
            step = plan.step
            name = fingerprint([plan.work, self._addresses(step.of, slice_, step.reads, names)])
            names[step.name] = name
            done = self.store.done(name)
            if done is None:
                missing[step.name] = plan
            else:
                found = replace(done, step=step.name, partition=slice_.partition, slice=slice_.number)
                results[step.name][slice_.number] = found
        if not missing:
            return None
        views = {name: self._views(plan.step.of, plan.step.reads, missing) for name, plan in missing.items()}
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
            sources=(Source(self._piece(layout, slice_, tuple(views.values()), at)),),
            maps=calls,
            partition=slice_.partition,
            slice=slice_.number,
            batch_rows=self.batch_rows,
        )

    # -- exchanges

    def _exchange(self, step: Exchange) -> None:
        inputs = [self._sources(given) for given in step.inputs]
        read = [[index, address] for index, part in enumerate(inputs) for address, _ in part]
        gathers = list(self._gathers(step, sorted(map(fingerprint, read))))
        found = {task.fingerprint: done for task in gathers if (done := self._there(task)) is not None}
        missing = [task for task in gathers if task.fingerprint not in found]
        self.observer.step_started(step, tasks=len(gathers), missing=len(missing))
        moved = 0.0
        if missing:
            spill = self._spill_folder(step)
            scatters = list(self._scatters(step, missing[0], spill, [source for part in inputs for _, source in part]))
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
        """Return a folder of this attempt alone: another run may do the same exchange; what dead ones left goes."""
        if self.store.spill.is_dir():
            for left in filter(is_left_over, self.store.spill.iterdir()):
                shutil.rmtree(left, ignore_errors=True)
        return self.store.spill / f"{self.known[step.name]}.{attempt_name()}.spill"

    def _sources(self, given: Input) -> list[tuple[Any, Source]]:
        """Return the slices of an input, each with the address of what is read of it."""
        through = None if given.through is None else self._bound(given.through)
        asked = None if given.through is None else self._asked(given.through.asks())
        if given.side is not None:
            return [([asked, *key], source) for key, source in self._side_sources(given, given.side, through)]
        columns = self.plan.input_columns(given)
        layout, views = self.plan.layout(given.step), self._views(given.step, columns)
        return [
            (
                [asked, self._addresses(given.step, slice_, columns)],
                Source(self._piece(layout, slice_, (views,)), views, through=through),
            )
            for slice_ in self.slices(layout)
        ]

    def _side_sources(self, given: Input, side: str, through: Call | None) -> Iterator[tuple[list[str], Source]]:
        step = self.plan.step(given.step)
        assert isinstance(step, Map)
        columns = tuple(step.sides[side].names) if given.columns is None else given.columns
        for done in self.finished[given.step].tasks:
            key = f"{self.store.out(done.fingerprint)}.{side}.arrow"
            for start, stop in done.sides[side].slices:
                piece = SliceFile(key, start, stop, columns)
                views: dict[str, tuple[str, ...]] = dict.fromkeys(columns, ())
                yield [done.fingerprint, side, str(start)], Source(piece, views, through=through)

    def _partitions(self, step: Exchange) -> int:
        if step.onto is not None:
            return len(self.slices(self.plan.layout(step.onto)))
        if callable(step.partitions):
            return step.partitions(self._counters(step.asks))
        if step.partitions is not None:
            return step.partitions
        return max(1, -(-sum(map(self._input_bytes, step.inputs)) // PARTITION_BYTES))

    def _input_bytes(self, given: Input) -> int:
        """Estimate the memory of the rows that *given* moves: what its columns take."""
        if given.side is not None:
            sides = [done.sides[given.side] for done in self.finished[given.step].tasks]
            return sum(sum(side.column_bytes.values()) + _ROW_BYTES * side.rows for side in sides)
        layout = self.plan.layout(given.step)
        base, by_writer = self._files_of(layout, (self._views(given.step, self.plan.input_columns(given)),))
        total = _ROW_BYTES * self.finished[layout].rows
        for writer, columns in {layout: base, **by_writer}.items():
            for done in self.finished[writer].tasks:
                total += sum(done.column_bytes.get(name, 0) for name in columns)
        return total

    def _gathers(self, step: Exchange, inputs: Sequence[Any]) -> Iterator[Task]:
        parts = self._partitions(step)
        by, by_value, order_by = step.by, step.placement == "value", step.order
        if step.onto is not None:
            by, by_value, order_by = SLICE, True, (PLACE, *step.order)
        order = Order(by, order_by, parts, by_value=by_value)
        call = self._bound(step.function)
        whole = fingerprint([self._work(step, step.function.asks()), list(inputs), parts])
        slices = None if step.onto is None else self.slices(self.plan.layout(step.onto))
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
            )

    def _scatters(self, step: Exchange, gather: Task, spill: Path, sources: Sequence[Source]) -> Iterator[Task]:
        moved = step.moved
        if step.onto is not None:
            moved = moved.append(pa.field(SLICE, pa.int64(), nullable=False))
        for index, source in enumerate(sources):
            yield replace(
                gather,
                kind="scatter",
                fingerprint=f"{spill.name}-{index}",
                out=str(spill / f"{index:06d}"),
                schema=moved.serialize().to_pybytes(),
                call=None,
                sources=(source,),
                partition=0,
                onto=None,
            )

    # -- rounds

    def _repeat(self, step: Repeat) -> None:
        """Run the rounds of *step*; the last one's table is that of the step."""
        carried = step.start
        rounds: list[str] = []
        computed = 0
        for number in range(1, MAX_ROUNDS + 1):
            names = {one.name: f"{one.name}@{number}" for one in step.steps} | {step.name: carried}
            steps = [_renamed(one, names) for one in step.steps]
            self.plan = self.plan.extended(steps)
            for one in steps:
                self.known[one.name] = step_fingerprint(self.plan, one, self.known)
                rounds.append(self.known[one.name])
            for unit in units(self.plan, steps):
                self.unit(unit)
            computed += sum(self.finished[one.name].computed for one in steps)
            carried = steps[-1].name
            if not self.finished[carried].counters.get(step.until, 0):
                break
        else:
            raise WorkError(
                f"step {step.name}: {step.until} is still above zero after {MAX_ROUNDS} rounds",
                hint="this is a bug of the stage",
            )
        last = self.finished[carried]
        done = StepDone(step.name, self.known[step.name], step.stage, last.tasks, computed, 0.0, tuple(rounds))
        self.store.write_step(done, description={"work": work_of(step)})
        self._finish(step, done)


def _renamed(step: Step, names: Mapping[str, str]) -> Step:
    """Return *step* of a repeat as it runs in one round."""
    name = names[step.name]
    match step:
        case Exchange():
            inputs = tuple(replace(given, step=names.get(given.step, given.step)) for given in step.inputs)
            onto = None if step.onto is None else names.get(step.onto, step.onto)
            return replace(step, name=name, inputs=inputs, onto=onto)
        case Map() | Fold():
            return replace(step, name=name, of=names.get(step.of, step.of))
        case _:
            raise WorkError(f"step {step.name} cannot stand in a repeat")


@dataclass(frozen=True)
class _MapPlan:
    """What is the same for all slices of a map."""

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
            contents={content.name: content.path for content in self.step.contents},
        )
