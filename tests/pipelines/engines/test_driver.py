"""The driver: what is there is not done again, what is damaged is, and errors say what to do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input, Map
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.driver import Plan, RawTask, Silent, StepDone, Store, fingerprints, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.schemas.errors import DataError, UnfinishedError, WorkError

ROWS = pa.schema([pa.field("n", pa.int64(), nullable=False)])


class Count(Function):
    """Gives the numbers below `of` of each row, and leaves a mark for each time it is called."""

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
    """Gives what it gets."""

    label: str = "same"

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: batches


class Kill(Function):
    """Kills its worker, the first time or always."""

    marks: str
    always: bool = False

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            mark = Path(self.marks) / "killed"
            if self.always or not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield from batches

        return run


def plan(marks: Path, *sizes: int, label: str = "same", then: Function | None = None) -> Plan:
    steps: list[Map | Exchange] = [
        Map("count", (), Count(marks=str(marks)), ROWS),
        Map("map", (Input("count"),), then or Same(label=label), ROWS),
        Exchange("exchange", (Input("map"),), "n", (), Same(), ROWS, ROWS, parts=3),
    ]
    return Plan(tuple(steps), {"count": tuple(RawTask(({"of": size},), size) for size in sizes)})


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def run(given: Plan, store: Store, *, workers: int = 0) -> dict[str, StepDone]:
    engine = LocalEngine(workers)
    try:
        return run_plan(given, store, engine, observer=Silent())
    finally:
        engine.close()


def test_new_files_cost_only_themselves(tmp_path: Path, marks: Path) -> None:
    """An incremental run computes the new slices, whatever place they have in the list."""
    store = Store(tmp_path / "w")
    run(plan(marks, 3, 5), store)

    done = run(plan(marks, 7, 5, 3), store)

    assert sorted(mark.name.split("-")[0] for mark in marks.iterdir()) == ["3", "5", "7"]
    assert (done["count"].computed, done["map"].computed) == (1, 1)
    assert done["exchange"].rows == 15
    assert done["count"].counters == {"made": 15}


def test_a_changed_parameter_repeats_its_step_and_those_behind_it(tmp_path: Path, marks: Path) -> None:
    """The fingerprint of a step holds its parameters and its inputs, nothing else."""
    store = Store(tmp_path / "w")
    run(plan(marks, 3), store)

    done = run(plan(marks, 3, label="other"), store)

    assert {name: step.cached for name, step in done.items()} == {"count": True, "map": False, "exchange": False}


def test_fingerprints_do_not_depend_on_the_order_of_files(marks: Path) -> None:
    """A listing in another order is the same input."""
    assert fingerprints(plan(marks, 3, 5, 8)) == fingerprints(plan(marks, 8, 3, 5))


@pytest.mark.parametrize("damage", ["missing", "short", "no json", "torn json"])
def test_a_damaged_output_is_computed_again(tmp_path: Path, marks: Path, damage: str) -> None:
    """Whatever a crash leaves, the next run finds out and repeats that task alone."""
    store = Store(tmp_path / "w")
    first = run(plan(marks, 3, 5), store)
    out = store.out(first["count"].tasks[0].fingerprint)
    arrow, told = out.with_name(f"{out.name}.arrow"), out.with_name(f"{out.name}.json")
    match damage:
        case "missing":
            arrow.unlink()
        case "short":
            arrow.write_bytes(arrow.read_bytes()[:-10])
        case "no json":
            told.unlink()
        case "torn json":
            told.write_text(told.read_text()[:20])

    done = run(plan(marks, 3, 5), store)

    assert done["count"].computed == 1
    assert done["exchange"].rows == 8


def test_a_killed_worker_is_replaced_and_the_result_is_the_same(tmp_path: Path, marks: Path) -> None:
    """A lost process costs a repeated task, not the run."""
    done = run(plan(marks, 3, 5, then=Kill(marks=str(marks))), Store(tmp_path / "w"), workers=2)

    assert (marks / "killed").exists()
    assert done["exchange"].rows == 8


def test_a_task_that_kills_every_worker_ends_the_run_with_its_name(tmp_path: Path, marks: Path) -> None:
    """Retrying for ever would hang the night's batch job."""
    with pytest.raises(WorkError, match="step map: a worker died") as caught:
        run(plan(marks, 3, then=Kill(marks=str(marks), always=True)), Store(tmp_path / "w"), workers=1)

    assert "--workers 1" in str(caught.value.hint)


class Greedy(Function):
    """Takes a gigabyte."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            taken = bytearray(10**9)
            yield from batches
            del taken

        return run


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts all data of a process")
def test_a_task_beyond_the_memory_limit_fails_alone_and_says_what_to_do(tmp_path: Path, marks: Path) -> None:
    """The machine goes on, and so does what was finished."""
    engine = LocalEngine(1, memory_bytes=700_000_000)
    try:
        with pytest.raises(WorkError, match=r"step map: task .* needs more memory .*700 MB") as caught:
            run_plan(plan(marks, 3, then=Greedy()), Store(tmp_path / "w"), engine, observer=Silent())
        done = run_plan(plan(marks, 3), Store(tmp_path / "w"), engine, observer=Silent())
    finally:
        engine.close()

    assert "--memory" in str(caught.value.hint)
    assert done["exchange"].rows == 3


def test_a_store_that_cannot_be_written_is_told_and_can_be_resumed(tmp_path: Path, marks: Path) -> None:
    """Exit 5, with what to do; nothing half-written counts as done."""
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "tasks").write_text("a file in the way")

    with pytest.raises(UnfinishedError):
        run(plan(marks, 3), Store(tmp_path / "w"))

    (tmp_path / "w" / "tasks").unlink()
    assert run(plan(marks, 3), Store(tmp_path / "w"))["exchange"].rows == 3


def test_errors_survive_the_way_between_processes() -> None:
    """Message, hint and kind are what the user reads, wherever the error came up."""
    import pickle

    error = DataError("too deep", kind="too_deep", file="a.html", hint="flatten it")

    again = pickle.loads(pickle.dumps(error))

    assert (str(again), again.hint, again.rule) == ("a.html: too deep", "flatten it", "error.too_deep")
