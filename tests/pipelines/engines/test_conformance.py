"""One suite for all engines: the contract of `pipelines.engines.base`, with the local engine as the reference."""

from __future__ import annotations

import datetime
import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import Batches, Exchange, Function, Input, Map
from corpusmill.pipelines.engines.batches import IpcFile
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.driver import Engine, Plan, RawTask, Silent, StepDone, Store, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.hashing import logical_hash

pytestmark = pytest.mark.engine

EVERY_TYPE = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        ("flag", pa.bool_()),
        ("small", pa.int32()),
        ("single", pa.float32()),
        ("double", pa.float64()),
        ("bytes", pa.binary()),
        ("day", pa.date32()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("list", pa.list_(pa.int64())),
        ("struct", pa.struct([("a", pa.int64()), ("b", pa.string())])),
        ("map", pa.map_(pa.string(), pa.string())),
        ("gopher.word_count", pa.float64()),
        ("Key", pa.string()),
    ]
)


class Rows(Function):
    """Makes rows of every type, some values null, from a seed."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    rows = [_row(random.Random(f"{row['seed']}-{index}")) for index in range(row["rows"])]
                    task().count("made", len(rows))
                    yield pa.RecordBatch.from_pylist(rows, schema=EVERY_TYPE)

        return run


def _row(chance: random.Random) -> dict[str, object]:
    def some(value: object) -> object:
        return None if chance.random() < 0.2 else value

    when = datetime.datetime(2001, 2, 3, tzinfo=datetime.UTC) + datetime.timedelta(
        microseconds=chance.randrange(-(10**15), 10**15)
    )
    return {
        "key": chance.choice(["", "a", "ä", "b\0", "😀", "zz", "key"]) + str(chance.randrange(30)),
        "number": chance.randrange(-(2**63), 2**63),
        "flag": some(chance.random() < 0.5),
        "small": some(chance.randrange(-(2**31), 2**31)),
        "single": some(chance.choice([0.5, -1.25, float("inf")])),
        "double": some(chance.random()),
        "bytes": some(chance.randbytes(chance.randrange(5))),
        "day": some(when.date()),
        "time": some(when),
        "list": some([chance.randrange(9) for _ in range(chance.randrange(4))]),
        "struct": some({"a": some(1), "b": some("x")}),
        "map": some([("k", some("v")), ("l", "")][: chance.randrange(3)]),
        "gopher.word_count": some(chance.random()),
        "Key": some("other column"),
    }


class First(Function):
    """Keeps the first row of each key, and remembers how many there were: sees a group cut in two, or out of order."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            previous: tuple[str, int] | None = None
            for batch in batches:
                keep = []
                for key, number in zip(batch["key"].to_pylist(), batch["number"].to_pylist(), strict=True):
                    assert previous is None or (previous[0].encode(), previous[1]) <= (key.encode(), number)
                    keep.append(previous is None or previous[0] != key)
                    previous = (key, number)
                yield batch.filter(pa.array(keep, pa.bool_()))

        return run


class Label(Function):
    """Marks rows as they are read."""

    label: str

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                yield pa.record_batch(
                    {"key": batch["key"], "label": pa.array([self.label] * batch.num_rows, pa.string())}
                )

        return run


class Digest(Function):
    """Gives one row for a whole partition: the hash of the order in which its rows came; writes it to a file too."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            digest = hashlib.sha256()
            for batch in batches:
                for row in batch.to_pylist():
                    digest.update(repr(row).encode())
            task().file("digest.txt").write_text(digest.hexdigest())
            yield pa.record_batch({"partition": [task().partition], "digest": [digest.hexdigest()]})

        return run


class Fail(Function):
    """Fails as a source does."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for _ in batches:
                raise SourceError("no such column", file="x.parquet", line=3, hint="look")
            yield from ()

        return run


LABELLED = pa.schema([pa.field("key", pa.string(), nullable=False), ("label", pa.string())])
DIGESTED = pa.schema([("partition", pa.int64()), ("digest", pa.string())])


def plan(*, order: random.Random) -> Plan:
    """Give a plan with every verb; *order* shuffles the tasks, and so the order of ties."""
    tasks = [RawTask(({"seed": seed, "rows": rows},), [seed, rows]) for seed, rows in enumerate((40, 0, 25, 1, 60))]
    order.shuffle(tasks)
    return Plan(
        (
            Map("rows", (), Rows(), EVERY_TYPE),
            Exchange("first", (Input("rows"),), "key", ("number",), First(), EVERY_TYPE, EVERY_TYPE, parts=5),
            Exchange(
                "labels",
                (
                    Input("rows", through=Label(label="one"), columns=("key",)),
                    Input("first", through=Label(label="two"), columns=("key",)),
                ),
                "key",
                ("label",),
                Label(label="both"),
                LABELLED,
                LABELLED,
                parts=5,
            ),
            Map("digest", (Input("labels"),), Digest(), DIGESTED, whole=True),
            Exchange(
                "placed", (Input("digest"),), "partition", (), Pass(), PLACED, DIGESTED, parts=7, placement="value"
            ),
        ),
        {"rows": tuple(tasks)},
    )


PLACED = pa.schema([pa.field("partition", pa.int64(), nullable=False), ("digest", pa.string())])


class Pass(Function):
    """Gives what it gets."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: batches


def outcome(engine: Engine, folder: Path, *, batch_rows: int | None = None, seed: int = 0) -> dict[str, object]:
    """Run the plan, and give what must be equal everywhere."""
    store = Store(folder)
    done = run_plan(plan(order=random.Random(seed)), store, engine, observer=Silent(), batch_rows=batch_rows)
    return {
        name: (logical_hash(rows(step, store), schema_of(step, store)), step.rows, dict(step.counters))
        for name, step in done.items()
        if name != "rows"
    }


def rows(step: StepDone, store: Store) -> Iterator[pa.RecordBatch]:
    for done in sorted(step.tasks, key=lambda done: (done.partition, done.slice)):
        yield from IpcFile(store.out(done.fingerprint).with_suffix(".arrow")).batches()


def schema_of(step: StepDone, store: Store) -> pa.Schema:
    return IpcFile(store.out(step.tasks[0].fingerprint).with_suffix(".arrow")).schema


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return outcome(LocalEngine(0), tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module", params=["inline", "local", "spark", "beam"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = make_engine(request.param)
    yield made
    made.close()


def make_engine(name: str) -> Engine:
    if name == "spark":
        pytest.importorskip("pyspark")
        from corpusmill.pipelines.engines.spark import SparkEngine

        return SparkEngine("local[2]")
    if name == "beam":
        pytest.importorskip("apache_beam")
        from corpusmill.pipelines.engines.beam import BeamEngine

        return BeamEngine()
    return LocalEngine(0 if name == "inline" else 2)


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_the_output_depends_neither_on_engine_nor_on_batches_nor_on_order(
    engine: Engine, reference: dict[str, object], tmp_path: Path, batch_rows: int
) -> None:
    """Equal bytes from every engine is the first promise."""
    assert outcome(engine, tmp_path, batch_rows=batch_rows, seed=batch_rows) == reference


def test_a_second_run_finds_every_step_and_starts_nothing(engine: Engine, tmp_path: Path) -> None:
    """Everything that was computed has an address, whichever engine computed it."""
    outcome(engine, tmp_path)

    again = run_plan(plan(order=random.Random(9)), Store(tmp_path), LocalEngine(0), observer=Silent())

    assert all(step.cached for step in again.values())


def test_an_error_of_a_source_crosses_the_engine_with_its_details(engine: Engine, tmp_path: Path) -> None:
    """The user sees file, line and hint, wherever the work was done."""
    failing = Plan((Map("fail", (), Fail(), LABELLED),), {"fail": (RawTask(({"x": 1},), 1),)})

    with pytest.raises(SourceError, match=r"x\.parquet:3: no such column") as caught:
        run_plan(failing, Store(tmp_path), engine, observer=Silent())

    assert caught.value.hint == "look"
