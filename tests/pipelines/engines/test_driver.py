"""The driver: stored results are reused, damaged ones are recomputed, and errors have hints."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from corpusmill.pipelines.engines import driver, places
from corpusmill.pipelines.engines.addresses import fingerprints
from corpusmill.pipelines.engines.base import PLACE, Batches, ColumnFunction, Exchange, Function, Input, Map, Scan, Step
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.driver import Silent, run_plan
from corpusmill.pipelines.engines.layers import Frame, SliceFile
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask, units
from corpusmill.pipelines.engines.store import STEPS, StepResult, TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.pipelines.engines.tasks import Task, TaskResult
from corpusmill.schemas.errors import DamagedFileError, DataError, UnfinishedError, UsageError, WorkError
from corpusmill.schemas.storage import Store

ROWS = pa.schema([pa.field("n", pa.int64(), nullable=False)])


class Count(Function):
    """Returns the numbers below `of` for each row, and leaves a mark for each call."""

    marks: str

    def identity(self) -> dict[str, object]:
        return {"function": "count"}

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    (Path(self.marks) / f"{row['of']}-{os.urandom(4).hex()}").touch()
                    task().count("made", row["of"])
                    yield pa.record_batch({"n": pa.array(range(row["of"]), pa.int64())})

        return run


class Same(Function):
    """Returns its input."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: batches


class Label(ColumnFunction):
    """Adds a column with *label* in each row; *then* can make the worker fail."""

    label: str = "same"
    into: str = "label"

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        return lambda batch: pa.record_batch({self.into: pa.array([self.label] * batch.num_rows, pa.string())})


class Kill(Label):
    """Kills its worker, once or always."""

    marks: str
    always: bool = False

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        label = super().build()

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            mark = Path(self.marks) / "killed"
            if self.always or not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return label(batch)

        return run


LABELLED = pa.schema([("label", pa.string())])


def plan(marks: Path, *sizes: int, label: str = "same", then: Label | None = None) -> Plan:
    steps: list[Step] = [
        Scan(name="count", function=Count(marks=str(marks)), schema=ROWS),
        Map(name="map", of="count", function=then or Label(label=label), reads=("n",), writes=LABELLED),
        Exchange(
            name="exchange",
            inputs=(Input("map"),),
            by="n",
            order=(),
            function=Same(),
            moved=pa.schema([*ROWS, *LABELLED]),
            schema=pa.schema([*ROWS, *LABELLED]),
            partitions=3,
        ),
    ]
    return Plan(steps, {"count": [ScanTask(({"of": size},), size) for size in sizes]})


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def run(given: Plan, store: TaskStore, *, workers: int = 0) -> dict[str, StepResult]:
    engine = LocalEngine(workers)
    try:
        return run_plan(given, store, engine, observer=Silent())
    finally:
        engine.close()


def test_new_files_cost_only_themselves(tmp_path: Path, marks: Path) -> None:
    """An incremental run computes only the new slices, wherever they are in the list."""
    store = TaskStore(tmp_path / "w")
    run(plan(marks, 3, 5), store)

    done = run(plan(marks, 7, 5, 3), store)

    assert sorted(mark.name.split("-")[0] for mark in marks.iterdir()) == ["3", "5", "7"]
    assert (done["count"].computed, done["map"].computed) == (1, 1)
    assert done["exchange"].rows == 15
    assert done["count"].counters == {"made": 15}


def test_a_changed_parameter_repeats_its_step_and_those_behind_it(tmp_path: Path, marks: Path) -> None:
    """The fingerprint of a step depends on its parameters and its inputs only."""
    store = TaskStore(tmp_path / "w")
    run(plan(marks, 3), store)

    done = run(plan(marks, 3, label="other"), store)

    assert {name: step.cached for name, step in done.items()} == {"count": True, "map": False, "exchange": False}


def test_fingerprints_do_not_depend_on_the_order_of_files(marks: Path) -> None:
    """A listing in another order is the same input."""
    assert fingerprints(plan(marks, 3, 5, 8)) == fingerprints(plan(marks, 8, 3, 5))


def _path(store: TaskStore, done: StepResult, end: str) -> Path:
    """Return the path of a file of the first task of a step."""
    path = store.store.path(f"{store.out(done.tasks[0].fingerprint)}.{end}")
    assert path is not None
    return path


@pytest.mark.parametrize("damage", ["missing", "short", "no json", "torn json"])
def test_a_damaged_output_is_computed_again(tmp_path: Path, marks: Path, damage: str) -> None:
    """The next run detects what a crash has damaged, and repeats only that task."""
    store = TaskStore(tmp_path / "w")
    first = run(plan(marks, 3, 5), store)
    arrow, result = (_path(store, first["count"], end) for end in ("arrow", "json"))
    match damage:
        case "missing":
            arrow.unlink()
        case "short":
            arrow.write_bytes(arrow.read_bytes()[:-10])
        case "no json":
            result.unlink()
        case "torn json":
            result.write_text(result.read_text()[:20])
            store.store.remove_folder(STEPS)

    done = run(plan(marks, 3, 5), store)

    assert done["count"].computed == 1
    assert done["exchange"].rows == 8


def test_a_killed_worker_is_replaced_and_the_result_is_the_same(tmp_path: Path, marks: Path) -> None:
    """A lost process must cost one repeated task, not the run."""
    done = run(plan(marks, 3, 5, then=Kill(marks=str(marks))), TaskStore(tmp_path / "w"), workers=2)

    assert (marks / "killed").exists()
    assert done["exchange"].rows == 8


def test_a_task_that_kills_every_worker_ends_the_run_with_its_name(tmp_path: Path, marks: Path) -> None:
    """Retrying forever would hang a batch job."""
    with pytest.raises(WorkError, match="step map: a worker died") as caught:
        run(plan(marks, 3, then=Kill(marks=str(marks), always=True)), TaskStore(tmp_path / "w"), workers=1)

    assert "--workers 1" in str(caught.value.hint)


class Slow(Label):
    """Reports that it runs, and takes a minute."""

    marks: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        label = super().build()

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            (Path(self.marks) / "runs").touch()
            time.sleep(60)
            return label(batch)

        return run


def test_an_interrupt_does_not_wait_for_the_tasks_that_run(tmp_path: Path, marks: Path) -> None:
    """A task may take minutes, and workers leave interrupts to the command."""

    def interrupt() -> None:
        while not (marks / "runs").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    slow = plan(marks, 3, then=Slow(marks=str(marks)))
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt), LocalEngine(1) as engine:
        run_plan(slow, TaskStore(tmp_path / "w"), engine, observer=Silent())

    assert time.time() - (marks / "runs").stat().st_mtime < 30


class Greedy(Label):
    """Takes a gigabyte for a short time."""

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        label = super().build()

        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            taken = bytearray(10**9)
            time.sleep(2)
            del taken
            return label(batch)

        return run


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts all data of a process")
def test_a_task_beyond_the_memory_limit_fails_alone_and_says_what_to_do(tmp_path: Path, marks: Path) -> None:
    """Other tasks and finished results must not be affected."""
    engine = LocalEngine(1, memory_bytes=700_000_000)
    try:
        with pytest.raises(WorkError, match=r"step map: task .* needs more memory .*700 MB") as caught:
            run_plan(plan(marks, 3, then=Greedy()), TaskStore(tmp_path / "w"), engine, observer=Silent())
        done = run_plan(plan(marks, 3), TaskStore(tmp_path / "w"), engine, observer=Silent())
    finally:
        engine.close()

    assert "--memory" in str(caught.value.hint)
    assert done["exchange"].rows == 3


def test_a_bound_in_which_no_task_fits_is_refused_before_work_starts() -> None:
    """The message has the minimum, so that no worker dies in the middle of a run."""
    with pytest.raises(UsageError, match="--memory 100MB is below the minimum of 400MB for a worker") as caught:
        LocalEngine(1, memory_bytes=100_000_000)

    assert "--memory 400MB" in str(caught.value.hint)


def test_a_store_that_cannot_be_written_is_told_and_can_be_resumed(tmp_path: Path, marks: Path) -> None:
    """Exit 5 with a hint; half-written results must not count as finished."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "tasks").write_text("a file in the way")

    with pytest.raises(UnfinishedError):
        run(plan(marks, 3), TaskStore(tmp_path / "w"))

    (tmp_path / "w" / "tasks").unlink()
    assert run(plan(marks, 3), TaskStore(tmp_path / "w"))["exchange"].rows == 3


class Share(ColumnFunction):
    """Adds the sum of a counter of an earlier step."""

    made: int = 0

    def asks(self) -> tuple[str, ...]:
        return ("count",)

    def bound(self, counters: Mapping[str, Mapping[str, int]]) -> Share:
        return Share(made=counters["count"]["made"])

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        return lambda batch: pa.record_batch({"made": pa.array([self.made] * batch.num_rows, pa.int64())})


def shared(marks: Path, *sizes: int) -> Plan:
    return plan(marks, *sizes).extended(
        [Map(name="share", of="map", function=Share(), reads=("n",), writes=pa.schema([("made", pa.int64())]))]
    )


def tables(made: Plan, store: TaskStore, done: dict[str, StepResult]) -> dict[str, list[dict[str, object]]]:
    found = {}
    for name in done:
        rows = [row for batch in read_table(made, done, store, name) for row in batch.to_pylist()]
        found[name] = sorted(rows, key=repr)
    return found


def test_after_an_incremental_run_every_table_is_that_of_a_run_from_nothing(tmp_path: Path, marks: Path) -> None:
    """A map that uses counters has them in its address, so no slice keeps an outdated value."""
    store, fresh = TaskStore(tmp_path / "w"), TaskStore(tmp_path / "fresh")
    run(shared(marks, 3), store)

    added = shared(marks, 3, 5)
    again, alone = run(added, store), run(added, fresh)

    assert tables(added, store, again) == tables(added, fresh, alone)
    assert {row["made"] for row in tables(added, store, again)["share"]} == {8}
    assert again["map"].computed == 1, "what does not ask keeps its old slices"


def test_an_unchanged_counter_leaves_the_old_slices_valid(tmp_path: Path, marks: Path) -> None:
    """The address contains the value of the counter, not the step that computed it."""
    store = TaskStore(tmp_path / "w")
    run(shared(marks, 3, 5), store)

    done = run(shared(marks, 5, 3, 0), store)

    assert done["share"].computed == 1, "only the new, empty slice"


class Replace(ColumnFunction):
    """Writes *text* over the label of the rows whose number is a multiple of *every*."""

    every: int
    text: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            task().count(self.text, 1)
            rows = zip(batch["n"].to_pylist(), batch["label"].to_pylist(), strict=True)
            labels = [self.text if number % self.every == 0 else label for number, label in rows]
            return pa.record_batch({"label": pa.array(labels, pa.string())})

        return run


def replacing(marks: Path, *, second: str = "three") -> Plan:
    """Return a plan in which two maps change one column, and a map between them reads it."""
    even = Map(name="even", of="map", function=Replace(every=2, text="two"), reads=("n", "label"), writes=LABELLED)
    between = Map(
        name="between",
        of="even",
        function=Copy(into="seen"),
        reads=("label",),
        writes=pa.schema([("seen", pa.string())]),
    )
    third = Map(
        name="third", of="between", function=Replace(every=3, text=second), reads=("n", "label"), writes=LABELLED
    )
    last = Map(
        name="last", of="third", function=Copy(into="end"), reads=("label",), writes=pa.schema([("end", pa.string())])
    )
    return plan(marks, 7).extended([even, between, third, last])


class Copy(ColumnFunction):
    """Copies the label."""

    into: str

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        return lambda batch: pa.record_batch({self.into: batch["label"]})


def test_a_map_reads_a_column_as_it_stands_before_it(tmp_path: Path, marks: Path) -> None:
    """This also holds if a later map over the same column was computed earlier and this one runs again."""
    store = TaskStore(tmp_path / "w")
    made = replacing(marks)
    first = run(made, store)
    expected = tables(made, store, first)
    for name in ("between", "last"):
        store.forget_step(first[name].fingerprint)

    again = run(made, store)

    assert tables(made, store, again) == expected
    assert {name for name, step in again.items() if step.computed} == {"between", "last"}
    assert [row["seen"] for row in expected["last"]] == ["two", "same", "two", "same", "two", "same", "two"]
    assert [row["end"] for row in expected["last"]] == ["three", "same", "two", "three", "two", "same", "three"]


def test_a_changed_map_repeats_what_reads_its_columns_and_nothing_else(tmp_path: Path, marks: Path) -> None:
    """Columns that a step does not read must not invalidate it."""
    store = TaskStore(tmp_path / "w")
    run(replacing(marks), store)

    done = run(replacing(marks, second="drei"), store)

    assert {name for name, step in done.items() if step.computed} == {"third", "last"}


def test_maps_over_one_layout_are_one_task_a_slice(marks: Path) -> None:
    """A slice must be read once, however many stages use it."""
    made = replacing(marks)

    found = [[step.name for step in unit.steps] for unit in units(made, made.steps)]

    assert found == [["count"], ["map", "even", "between", "third", "last"], ["exchange"]]


def test_a_replaced_column_is_stored_for_the_changed_rows_alone(tmp_path: Path, marks: Path) -> None:
    """A stage that masks one text in a thousand should write one text."""
    store = TaskStore(tmp_path / "w")

    done = run(replacing(marks), store)

    (even,) = IpcFile(store.store, f"{store.out(done['even'].tasks[0].fingerprint)}.arrow").batches()
    assert even["label"].to_pylist() == ["two", None] * 3 + ["two"]
    assert even["?label"].to_pylist() == [True, False] * 3 + [True]


class Undeclared(Label):
    """Returns a column that the step does not declare."""

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        label = super().build()
        return lambda batch: label(batch).append_column("secret", batch["n"])


def test_an_undeclared_column_ends_the_run_with_the_name_of_the_step(tmp_path: Path, marks: Path) -> None:
    """Otherwise the column would be dropped silently."""
    with pytest.raises(WorkError, match="step map returned the column 'secret', which it does not declare"):
        run(plan(marks, 3, then=Undeclared()), TaskStore(tmp_path / "w"))


def test_a_column_type_that_cannot_travel_is_refused_before_anything_runs(marks: Path) -> None:
    """The error must not appear only in the last step, or on another engine."""
    step = Map(name="odd", of="map", function=Label(into="odd"), reads=("n",), writes=pa.schema([("odd", pa.uint8())]))

    with pytest.raises(WorkError, match="the column `odd` has the type uint8"):
        plan(marks, 3).extended([step])


def test_listing_ten_thousand_tasks_is_linear(tmp_path: Path) -> None:
    """A terabyte is 16,000 tasks, so the driver's work per task must not grow with their number.

    The test counts calls, because times on a shared machine are unreliable; `benchmarks/driver.py` measures seconds.
    """
    import cProfile
    import pstats

    def calls(tasks: int) -> int:
        scans = {"count": [ScanTask(({"of": 0},), number) for number in range(tasks)]}
        made = Plan(
            [
                Scan(name="count", function=Count(marks=str(tmp_path)), schema=ROWS),
                *(
                    Map(
                        name=f"map{number}",
                        of="count" if number == 0 else f"map{number - 1}",
                        function=Label(into=f"label{number}"),
                        reads=("n",),
                        writes=pa.schema([(f"label{number}", pa.string())]),
                    )
                    for number in range(3)
                ),
            ],
            scans,
        )
        store = TaskStore(tmp_path / str(tasks))
        run(made, store)
        store.store.remove_folder(STEPS)
        profile = cProfile.Profile()
        profile.enable()
        again = run(made, store)
        profile.disable()
        assert all(step.cached for step in again.values())
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]

    assert calls(400) < 2.2 * calls(200)


class Zeros(Function):
    """Returns the place of the number zero, with another label."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                zero = batch.filter(pc.equal(batch["n"], 0))
                labels = pa.array(["zero"] * zero.num_rows, pa.string())
                yield pa.record_batch({PLACE: zero[PLACE], "label": labels})

        return run


def put_back(marks: Path, *sizes: int, label: str) -> Plan:
    """Return a plan in which an exchange replaces one label, and a later map reads all labels."""
    moved = pa.schema([*ROWS, pa.field(PLACE, pa.int64(), nullable=False)])
    placed = pa.schema([pa.field(PLACE, pa.int64(), nullable=False), *LABELLED])
    zeros = Exchange(
        name="zeros",
        inputs=(Input("map", columns=("n", PLACE)),),
        by="n",
        order=(PLACE,),
        function=Zeros(),
        moved=moved,
        schema=placed,
    )
    back = Exchange(
        name="back",
        inputs=(Input("zeros"),),
        by=PLACE,
        order=(),
        function=Same(),
        moved=placed,
        schema=placed,
        onto="map",
    )
    seen = Map(
        name="seen", of="back", function=Copy(into="seen"), reads=("label",), writes=pa.schema([("seen", pa.string())])
    )
    return plan(marks, *sizes, label=label).extended([zeros, back, seen])


def test_what_an_exchange_left_alone_belongs_to_the_address_of_the_column(tmp_path: Path, marks: Path) -> None:
    """Replaced rows may be equal while the rows below them differ; then readers of the column must run again."""
    store = TaskStore(tmp_path / "w")
    run(put_back(marks, 3, label="one"), store)

    made = put_back(marks, 3, label="two")
    done = run(made, store)

    assert [row["seen"] for row in tables(made, store, done)["seen"]] == ["zero", "two", "two"]


def test_an_exchange_that_decides_the_same_leaves_old_slices_valid(tmp_path: Path, marks: Path) -> None:
    """A new file makes the exchange run again, but not the steps after it in the old slices."""
    store = TaskStore(tmp_path / "w")
    run(put_back(marks, 3, 4, label="one"), store)

    made = put_back(marks, 3, 4, 5, label="one")
    done = run(made, store)
    fresh = TaskStore(tmp_path / "fresh")

    assert (done["zeros"].cached, done["seen"].computed) == (False, 1)
    assert tables(made, store, done) == tables(made, fresh, run(made, fresh))


def test_a_gather_refuses_a_folder_in_which_spills_are_missing(tmp_path: Path, marks: Path) -> None:
    """Half of the rows would look like a complete partition."""

    class Losing(LocalEngine):
        def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[TaskResult]:
            yield from self.map(scatters)
            next(Path(scatters[0].out).parent.glob("*.index")).unlink()
            yield from self.map(gathers)

    with pytest.raises(UnfinishedError, match=r"step exchange: .* has 1 of 2 parts of an exchange"):
        run_plan(plan(marks, 3, 5), TaskStore(tmp_path / "w"), Losing(0), observer=Silent())


def test_a_scatter_reads_several_small_slices(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pieces that a partition is merged from must not grow with the number of files, and all rows must arrive."""
    scattered: list[int] = []

    class Counting(LocalEngine):
        def exchange(self, scatters: Sequence[Task], gathers: Sequence[Task]) -> Iterator[TaskResult]:
            scattered.append(len(scatters))
            yield from super().exchange(scatters, gathers)

    made = plan(marks, *range(1, 41))
    rows = []
    for most in (1, 7, 256):
        monkeypatch.setattr(driver, "MIN_SCATTERS", most)
        store = TaskStore(tmp_path / str(most))
        done = run_plan(made, store, Counting(0), observer=Silent())
        rows.append(tables(made, store, done)["exchange"])

    assert scattered == [1, 7, 40]
    assert len(rows[0]) == sum(range(1, 41))
    assert rows[0] == rows[1] == rows[2]


def test_a_damaged_task_is_named_with_the_way_out(tmp_path: Path, marks: Path) -> None:
    """A change of bytes that keeps the size is detected on reading, and running again would fail again."""
    store = TaskStore(tmp_path / "w")
    first = run(plan(marks, 3000), store)
    path = _path(store, first["count"], "arrow")
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 64] = b"\xff" * 64
    path.write_bytes(content)

    with pytest.raises(DamagedFileError, match="damaged") as caught:
        run(plan(marks, 3000, label="other"), store)

    assert "--fresh" in str(caught.value.hint)


def test_errors_survive_the_way_between_processes() -> None:
    """The user must see message, hint and kind on every engine."""
    import pickle

    error = DataError("too deep", kind="too_deep", file="a.html", hint="flatten it")

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.hint, again.rule) == ("a.html: too deep", "flatten it", "error.too_deep")


class Tagged(Function):
    """Adds a tag on the way into an exchange."""

    tag: str

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (batch.append_column("tag", pa.repeat(self.tag, batch.num_rows)) for batch in batches)


def test_what_an_exchange_reads_through_is_part_of_its_address(marks: Path) -> None:
    """Its parameters are in no other address; without them, two different joins would share results."""
    moved = pa.schema([*ROWS, pa.field("tag", pa.string())])

    def address(tag: str) -> str:
        count = Scan(name="count", function=Count(marks=str(marks)), schema=ROWS)
        through = Input("count", through=Tagged(tag=tag))
        exchange = Exchange(
            name="exchange", inputs=(through,), by="n", order=("tag",), function=Same(), moved=moved, schema=moved
        )
        return fingerprints(Plan([count, exchange], {"count": []}))["exchange"]

    assert address("a") != address("b")
    assert address("a") == address("a")


class Fours(Function):
    """Marks the place of the number four."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                four = batch.filter(pc.equal(batch["n"], 4))
                yield pa.record_batch({PLACE: four[PLACE], "mark": pa.array(["four"] * four.num_rows, pa.string())})

        return run


class Marked(Function):
    """Returns the marked rows, and refuses batches without one."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                assert batch["mark"].null_count < batch.num_rows, "this batch need not be read"
                yield batch.filter(pc.is_valid(batch["mark"]))

        return run


def test_batches_without_a_wanted_value_are_not_read(tmp_path: Path, marks: Path) -> None:
    """A step that needs the texts of a few documents must not read all of them."""
    placed = pa.schema([pa.field(PLACE, pa.int64(), nullable=False), ("mark", pa.string())])
    there = pa.schema([*ROWS, ("mark", pa.string()), pa.field(PLACE, pa.int64(), nullable=False)])
    found = Exchange(
        name="found",
        inputs=(Input("map", columns=("n", PLACE)),),
        by="n",
        order=(PLACE,),
        function=Fours(),
        moved=pa.schema([*ROWS, pa.field(PLACE, pa.int64(), nullable=False)]),
        schema=placed,
    )
    back = Exchange(
        name="back",
        inputs=(Input("found"),),
        by=PLACE,
        order=(),
        function=Same(),
        moved=placed,
        schema=placed,
        onto="map",
    )
    wanted = Exchange(
        name="wanted",
        inputs=(Input("back", through=Marked(), columns=("n", "mark", PLACE), where="mark"),),
        by="n",
        order=(PLACE,),
        function=Same(),
        moved=there,
        schema=there,
    )
    made = plan(marks, 3, 5, 4, 6).extended([found, back, wanted])

    store = TaskStore(tmp_path / "w")
    done = run(made, store)

    rows = tables(made, store, done)
    numbers = {row[PLACE]: row["n"] for row in rows["wanted"]}
    assert list(numbers.values()) == [4, 4]
    assert len({place >> 32 for place in numbers}) == 2
    assert {place & 0xFFFFFFFF for place in numbers} == {4}


def sum_of(batches: Batches) -> int:
    return sum(sum(batch["n"].to_pylist()) for batch in batches)


class Sum(Function):
    """Adds the sum of a whole table to each number."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            total = task().table("others", sum_of)
            for batch in batches:
                yield pa.RecordBatch.from_arrays([pc.add(batch["n"], total)], schema=ROWS)

        return run


def test_a_changed_table_is_read_again_by_every_task(tmp_path: Path, marks: Path) -> None:
    """What a function reads beside its rows belongs to its address."""
    store = TaskStore(tmp_path / "w")

    def beside(*others: int) -> Plan:
        tasks = {"others": [ScanTask(({"of": size},), size) for size in others]}
        counted = Scan(name="others", function=Count(marks=str(marks)), schema=ROWS)
        added = Exchange(
            name="added",
            inputs=(Input("map", columns=("n",)),),
            by="n",
            order=(),
            function=Sum(),
            moved=ROWS,
            schema=ROWS,
            tables={"others": "others"},
        )
        return plan(marks, 2, 3).extended([counted, added], tasks)

    results = {}
    for others in ((3,), (3, 4), (3,)):
        made = beside(*others)
        done = run(made, store)
        results[others, done["added"].cached] = sorted(row["n"] for row in tables(made, store, done)["added"])

    assert results == {
        ((3,), False): [3, 3, 4, 4, 5],
        ((3, 4), False): [9, 9, 10, 10, 11],
        ((3,), True): [3, 3, 4, 4, 5],
    }
    assert fingerprints(beside(3))["added"] != fingerprints(beside(4))["added"]


class Equal(Function):
    """Returns the places of a number, with the number."""

    wanted: int

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: (batch.filter(pc.equal(batch["n"], self.wanted)) for batch in batches)


def listing(marks: Path, *sizes: int, wanted: int) -> Plan:
    """Return a plan that reads the labels of the rows with the number *wanted*, by their places."""
    listed = pa.schema([*ROWS, pa.field(PLACE, pa.int64(), nullable=False)])
    read = pa.schema([*ROWS, *LABELLED])
    number = Equal(wanted=wanted)
    found = Exchange(
        name="found",
        inputs=(Input("map", through=number, columns=("n", PLACE)),),
        by="n",
        order=(PLACE,),
        function=Same(),
        moved=listed,
        schema=listed,
    )
    at = Input("map", columns=("label",), at="found")
    again = Exchange(name="again", inputs=(at,), by="n", order=(), function=Same(), moved=read, schema=read)
    return plan(marks, *sizes).extended([found, again])


def test_only_batches_with_a_listed_row_are_read(tmp_path: Path, marks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that needs the texts of a few documents must not open the files of all."""
    opened: list[tuple[int, object]] = []
    read_frames = places.frames

    def recorded(piece: SliceFile, store: Store, **options: Any) -> Iterator[Frame]:
        opened.append((piece.number, options["only"]))
        return read_frames(piece, store, **options)

    monkeypatch.setattr(places, "frames", recorded)
    made = listing(marks, 3, 9000, 4, 6, wanted=5)
    store = TaskStore(tmp_path / "w")

    done = run(made, store)

    assert tables(made, store, done)["again"] == [{"n": 5, "label": "same"}] * 2
    assert len(opened) == 2
    assert {tuple(only) for _, only in opened if isinstance(only, list)} == {(0,)}


def test_other_places_are_another_result(tmp_path: Path, marks: Path) -> None:
    """The list is part of the address of what is read by it."""
    store = TaskStore(tmp_path / "w")
    seen = {}
    for wanted in (1, 2, 1):
        made = listing(marks, 3, 2, wanted=wanted)
        done = run(made, store)
        seen[wanted, done["again"].cached] = [row["n"] for row in tables(made, store, done)["again"]]

    assert seen == {(1, False): [1, 1], (2, False): [2], (1, True): [1, 1]}
    assert fingerprints(listing(marks, 3, wanted=1))["again"] != fingerprints(listing(marks, 3, wanted=2))["again"]


class Noted(Function):
    """Returns the place of the number zero without a label, but with a note."""

    note: str

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                zero = batch.filter(pc.equal(batch["n"], 0))
                notes = pa.array([self.note] * zero.num_rows, pa.string())
                yield pa.record_batch(
                    {PLACE: zero[PLACE], "label": pa.nulls(zero.num_rows, pa.string()), "note": notes}
                )

        return run


def noting(marks: Path, note: str, *, keeps: tuple[str, ...]) -> Plan:
    """Return a plan in which an exchange writes a note beside the labels, and a later map reads the labels."""
    place = pa.field(PLACE, pa.int64(), nullable=False)
    placed = pa.schema([place, *LABELLED, ("note", pa.string())])
    noted = Exchange(
        name="noted",
        inputs=(Input("map", columns=("n", PLACE)),),
        by="n",
        order=(PLACE,),
        function=Noted(note=note),
        moved=pa.schema([*ROWS, place]),
        schema=placed,
    )
    back = Exchange(
        name="back",
        inputs=(Input("noted"),),
        by=PLACE,
        order=(),
        function=Same(),
        moved=placed,
        schema=placed,
        onto="map",
        keeps=keeps,
    )
    writes = pa.schema([("seen", pa.string())])
    seen = Map(name="seen", of="back", function=Copy(into="seen"), reads=("label",), writes=writes)
    return plan(marks, 3, 4).extended([noted, back, seen])


def test_a_null_keeps_the_value_of_a_column_that_says_so(tmp_path: Path, marks: Path) -> None:
    """A kept document gets the size of its cluster, and no verdict."""
    store = TaskStore(tmp_path / "w")
    made = noting(marks, "one", keeps=("label",))
    rows = tables(made, store, run(made, store))["back"]
    replaced = noting(marks, "one", keeps=())
    others = tables(replaced, store, run(replaced, store))["back"]

    kept = {(row["n"] == 0, row["label"], row["note"]) for row in rows}
    assert kept == {(True, "same", "one"), (False, "same", None)}
    assert {(row["n"] == 0, row["label"]) for row in others} == {(True, None), (False, "same")}


def test_a_column_that_did_not_change_leaves_its_readers_valid(tmp_path: Path, marks: Path) -> None:
    """A step that writes two columns, one of them anew, must not repeat what was computed from the other."""
    store = TaskStore(tmp_path / "w")
    run(noting(marks, "one", keeps=("label",)), store)

    done = run(noting(marks, "two", keeps=("label",)), store)

    assert done["back"].computed == 2
    assert done["seen"].computed == 0
