"""One suite for all engines: the contract of `pipelines.engines.base`, with the local engine as the reference."""

from __future__ import annotations

import datetime
import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from corpusmill.pipelines.engines.base import (
    PLACE,
    Batches,
    ColumnFunction,
    Content,
    Exchange,
    Fold,
    Function,
    Input,
    Map,
    Repeat,
    Scan,
    Step,
)
from corpusmill.pipelines.engines.context import task
from corpusmill.pipelines.engines.driver import Engine, Silent, run_plan
from corpusmill.pipelines.engines.local import LocalEngine
from corpusmill.pipelines.engines.plan import Plan, ScanTask
from corpusmill.pipelines.engines.store import TaskStore
from corpusmill.pipelines.engines.tables import read_table
from corpusmill.schemas.errors import SourceError
from corpusmill.schemas.hashing import logical_hash
from tests.shared_engines import SharedEngines

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
        ("vector", pa.list_(pa.float32())),
        ("struct", pa.struct([("a", pa.int64()), ("b", pa.string())])),
        ("map", pa.map_(pa.string(), pa.string())),
        ("gopher.word_count", pa.float64()),
        ("Key", pa.string()),
    ]
)


class Rows(Function):
    """Makes rows of every type from a seed, with some null values."""

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
        "vector": some([some(chance.choice([0.5, -0.0, float("nan")])) for _ in range(chance.randrange(4))]),
        "struct": some({"a": some(1), "b": some("x")}),
        "map": some([("k", some("v")), ("l", "")][: chance.randrange(3)]),
        "gopher.word_count": some(chance.random()),
        "Key": some("other column"),
    }


class First(Function):
    """Keeps the first row of each key and counts its rows: detects groups that are cut in two or out of order."""

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
    """Returns one row per partition, the hash of its rows in order, and writes it to a file as well."""

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


class Shout(ColumnFunction):
    """Replaces some keys, adds a column of each type that a map may add, and fills a side table."""

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            shouted = [text.upper() + "!" if text.startswith("k") else text for text in batch["key"].to_pylist()]
            task().count("shouted", sum(text.endswith("!") for text in shouted))
            loud = [row for row, text in enumerate(shouted) if text.endswith("!")]
            task().emit("loud", pa.record_batch({"key": batch["key"].take(pa.array(loud, pa.int64()))}))
            numbers = batch["number"].to_pylist()
            return pa.record_batch(
                {
                    "key": pa.array(shouted, pa.string()),
                    "views": pa.array([[text, None] for text in shouted], pa.list_(pa.string())),
                    "is_even": pa.array([number % 2 == 0 for number in numbers], pa.bool_()),
                }
            )

        return run


class Share(ColumnFunction):
    """Divides by a counter of an earlier step, and looks up words in an input file."""

    total: int = 0

    def asks(self) -> tuple[str, ...]:
        return ("rows",)

    def bound(self, counters: Mapping[str, Mapping[str, int]]) -> Share:
        return Share(total=counters["rows"]["made"])

    def build(self) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
        def run(batch: pa.RecordBatch) -> pa.RecordBatch:
            words = set(task().content("words").read_text().split())
            known = [text.strip("!") in words for text in batch["key"].to_pylist()]
            return pa.record_batch(
                {
                    "share.of": pa.array([self.total / 7.0] * batch.num_rows, pa.float64()),
                    "is_known": pa.array(known, pa.bool_()),
                }
            )

        return run


def sorted_digests(batches: Batches) -> list[str]:
    return sorted(digest for batch in batches for digest in batch["digest"].to_pylist())


class Beside(Function):
    """Labels the keys that a whole table has with its digests, both on the way and at the end."""

    is_last: bool = False

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            digests = task().table("digests", sorted_digests)
            for batch in batches:
                labels = batch["label"].to_pylist() if self.is_last else [""] * batch.num_rows
                made = [
                    f"{label} {len(digests)} {digests[len(key) % len(digests)]}"
                    for key, label in zip(batch["key"].to_pylist(), labels, strict=True)
                ]
                yield pa.RecordBatch.from_arrays([batch["key"], pa.array(made, pa.string())], schema=LABELLED)

        return run


class Largest(Function):
    """Returns the places of the largest number of each key, with the number of rows of the key."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            groups: dict[str, list[tuple[int, int]]] = {}
            for batch in batches:
                for key, number, place in zip(*(batch[n].to_pylist() for n in ("key", "number", PLACE)), strict=True):
                    groups.setdefault(key, []).append((number, place))
            rows = sorted((max(group)[1], len(group)) for group in groups.values())
            yield pa.record_batch(
                {
                    PLACE: pa.array([row[0] for row in rows], pa.int64()),
                    "rows": pa.array([row[1] for row in rows], pa.int64()),
                    "flag": pa.array([True] * len(rows), pa.bool_()),
                }
            )

        return run


class Edges(Function):
    """Makes a chain of nodes and a cycle for each seed, as a graph of labelled nodes with one edge each."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for row in batch.to_pylist():
                    base = row["seed"] * 1000
                    nodes = [base + n for n in range(row["rows"])]
                    # Pairs of neighbors in a scrambled order, so that labels need several rounds to travel.
                    others = [base + (n * 7 + 3) % row["rows"] if n % 3 else base + n for n in range(row["rows"])]
                    yield pa.record_batch(
                        {
                            "node": pa.array(nodes, pa.int64()),
                            "other": pa.array(others, pa.int64()),
                            "label": pa.array(nodes, pa.int64()),
                        }
                    )

        return run


class Ends(Function):
    """Sends the label of a node along its edge, in both directions."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            for batch in batches:
                for at in ("node", "other"):
                    yield pa.record_batch(
                        {"at": batch[at], "node": batch["node"], "other": batch["other"], "label": batch["label"]}
                    )

        return run


class Least(Function):
    """Gives every edge end the least label that arrived at its node."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            rows = [row for batch in batches for row in batch.to_pylist()]
            least: dict[int, int] = {}
            for row in rows:
                least[row["at"]] = min(least.get(row["at"], row["label"]), row["label"])
            yield pa.RecordBatch.from_pylist(
                [{"node": r["node"], "other": r["other"], "label": r["label"], "least": least[r["at"]]} for r in rows],
                schema=SPREAD,
            )

        return run


class Settle(Function):
    """Sets both ends of an edge to the smaller label, and counts the edges that changed."""

    def build(self) -> Callable[[Batches], Batches]:
        def run(batches: Batches) -> Batches:
            found: dict[tuple[int, int], tuple[int, int]] = {}
            for batch in batches:
                for row in batch.to_pylist():
                    key = (row["node"], row["other"])
                    label, least = found.get(key, (row["label"], row["least"]))
                    found[key] = (label, min(least, row["least"]))
            rows = [{"node": n, "other": o, "label": least} for (n, o), (_, least) in sorted(found.items())]
            task().count("changed", sum(label != least for label, least in found.values()))
            yield pa.RecordBatch.from_pylist(rows, schema=GRAPH)

        return run


GRAPH = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("node", "other", "label")])
SENT = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("at", "node", "other", "label")])
SPREAD = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("node", "other", "label", "least")])
LABELLED = pa.schema([pa.field("key", pa.string(), nullable=False), ("label", pa.string())])
DIGESTED = pa.schema([("partition", pa.int64()), ("digest", pa.string())])
PLACED = pa.schema([pa.field("partition", pa.int64(), nullable=False), ("digest", pa.string())])
MOVED_PLACES = pa.schema(
    [pa.field("key", pa.string(), False), pa.field("number", pa.int64(), False), pa.field(PLACE, pa.int64(), False)]
)
LARGEST = pa.schema([pa.field(PLACE, pa.int64(), False), ("rows", pa.int64()), ("flag", pa.bool_())])
CHOSEN = pa.schema(
    [pa.field("key", pa.string(), False), *(pa.field(name, pa.int64(), False) for name in ("number", "rows"))]
)


def steps(words: Path) -> tuple[Step, ...]:
    """Every kind of step, with every column type."""
    given = Content(name="words", path=str(words), sha256=hashlib.sha256(words.read_bytes()).hexdigest())
    shouted = pa.schema(
        [pa.field("key", pa.string(), False), ("views", pa.list_(pa.string())), ("is_even", pa.bool_())]
    )
    shared = pa.schema([("share.of", pa.float64()), ("is_known", pa.bool_())])
    return (
        Scan(name="rows", function=Rows(), schema=EVERY_TYPE),
        Map(
            name="shout",
            of="rows",
            function=Shout(),
            reads=("key", "number"),
            writes=shouted,
            sides={"loud": pa.schema([("key", pa.string())])},
        ),
        Map(name="share", of="shout", function=Share(), reads=("key",), writes=shared, contents=(given,)),
        Exchange(
            name="largest",
            inputs=(Input("share", columns=("key", "number", PLACE)),),
            by="key",
            order=("number", PLACE),
            function=Largest(),
            moved=MOVED_PLACES,
            schema=LARGEST,
            partitions=3,
        ),
        Exchange(
            name="chosen",
            inputs=(Input("share", columns=("key", "number"), at="largest"),),
            by="key",
            order=("number", "rows"),
            function=Pass(),
            moved=CHOSEN,
            schema=CHOSEN,
            partitions=3,
        ),
        Exchange(
            name="back",
            inputs=(Input("largest"),),
            by=PLACE,
            order=(),
            function=Pass(),
            moved=LARGEST,
            schema=LARGEST,
            onto="share",
        ),
        Exchange(
            name="first",
            inputs=(Input("back"),),
            by="key",
            order=("number",),
            function=First(),
            moved=ALL,
            schema=ALL,
            partitions=5,
        ),
        Exchange(
            name="labels",
            inputs=(
                Input("rows", through=Label(label="one"), columns=("key",)),
                Input("first", through=Label(label="two"), columns=("key",)),
                Input("shout", through=Label(label="side"), side="loud"),
            ),
            by="key",
            order=("label",),
            function=Label(label="both"),
            moved=LABELLED,
            schema=LABELLED,
            partitions=5,
        ),
        Fold(name="digest", of="labels", function=Digest(), schema=DIGESTED, partitions=2),
        Exchange(
            name="beside",
            inputs=(Input("rows", through=Beside(), columns=("key",)),),
            by="key",
            order=("label",),
            function=Beside(is_last=True),
            moved=LABELLED,
            schema=LABELLED,
            partitions=3,
            tables={"digests": "digest"},
        ),
        Exchange(
            name="placed",
            inputs=(Input("digest"),),
            by="partition",
            order=(),
            function=Pass(),
            moved=PLACED,
            schema=DIGESTED,
            partitions=7,
            placement="value",
        ),
        Scan(name="graph", function=Edges(), schema=GRAPH),
        Repeat(
            name="groups",
            start="graph",
            steps=(
                Exchange(
                    name="spread",
                    inputs=(Input("groups", through=Ends()),),
                    by="at",
                    order=("node", "other", "label"),
                    function=Least(),
                    moved=SENT,
                    schema=SPREAD,
                    partitions=2,
                ),
                Exchange(
                    name="settle",
                    inputs=(Input("spread"),),
                    by="node",
                    order=("other", "label", "least"),
                    function=Settle(),
                    moved=SPREAD,
                    schema=GRAPH,
                    partitions=2,
                ),
            ),
            until="changed",
        ),
    )


ALL = pa.schema(
    [
        *EVERY_TYPE,
        ("views", pa.list_(pa.string())),
        ("is_even", pa.bool_()),
        ("share.of", pa.float64()),
        ("is_known", pa.bool_()),
        ("rows", pa.int64()),
    ]
)


def plan(words: Path, *, order: random.Random) -> Plan:
    """Return a plan with every kind of step; *order* shuffles the tasks, and so the order of ties."""
    tasks = [ScanTask(({"seed": seed, "rows": rows},), [seed, rows]) for seed, rows in enumerate((40, 0, 25, 1, 60))]
    order.shuffle(tasks)
    return Plan(steps(words), {"rows": tasks, "graph": tasks})


class Pass(Function):
    """Returns its input."""

    def build(self) -> Callable[[Batches], Batches]:
        return lambda batches: batches


def outcome(engine: Engine, folder: Path, *, batch_rows: int | None = None, seed: int = 0) -> dict[str, object]:
    """Run the plan and return what must be equal on every engine: content and counters of every table."""
    words = folder / "words.txt"
    words.write_text("KEY1 KEY2 KEY3 KEY11")
    store = TaskStore(folder)
    made = plan(words, order=random.Random(seed))
    done = run_plan(made, store, engine, observer=Silent(), batch_rows=batch_rows)
    return {
        name: (logical_hash(read_table(made, done, store, name), made.schema(name)), step.rows, dict(step.counters))
        for name, step in done.items()
        if "@" not in name
    }


def groups_by_union(sizes: Sequence[int]) -> dict[int, int]:
    """Compute the same groups with a union-find, the least node first."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    for seed, size in enumerate(sizes):
        base = seed * 1000
        parent |= {base + n: base + n for n in range(size)}
        for n in range(size):
            one, other = root(base + n), root(base + (n * 7 + 3) % size if n % 3 else base + n)
            parent[max(one, other)] = min(one, other)
    return {node: root(node) for node in parent}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return outcome(LocalEngine(0), tmp_path_factory.mktemp("reference"))


@pytest.fixture(scope="module", params=["inline", "local", "spark", "beam"])
def engine(request: pytest.FixtureRequest, shared_engine: SharedEngines) -> Engine:
    if request.param == "inline":
        return LocalEngine(0)
    pytest.importorskip({"spark": "pyspark", "beam": "apache_beam"}.get(request.param, "pyarrow"))
    return shared_engine(request.param)


@pytest.fixture(scope="module")
def finished(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The folder of a run of the plan in the batches of the engine, and its outcome."""
    folder = tmp_path_factory.mktemp("finished")
    return folder, outcome(engine, folder)


def test_the_output_does_not_depend_on_the_engine(
    finished: tuple[Path, dict[str, object]], reference: dict[str, object]
) -> None:
    """Equal bytes from every engine is the first promise."""
    assert finished[1] == reference


@pytest.mark.parametrize("batch_rows", [1, pytest.param(7, marks=pytest.mark.slow)])
def test_the_output_depends_neither_on_batches_nor_on_order(
    engine: Engine, reference: dict[str, object], tmp_path: Path, batch_rows: int
) -> None:
    """An engine may cut and order rows as it likes, up to what a step asks for."""
    assert outcome(engine, tmp_path, batch_rows=batch_rows, seed=batch_rows) == reference


def test_batches_that_end_within_groups_change_nothing(reference: dict[str, object], tmp_path: Path) -> None:
    """Seven rows are neither a group nor a whole number of them."""
    assert outcome(LocalEngine(0), tmp_path, batch_rows=7, seed=7) == reference


def test_a_second_run_finds_every_step_and_starts_nothing(finished: tuple[Path, dict[str, object]]) -> None:
    """Every result has an address that does not depend on the engine."""
    folder, _ = finished

    again = run_plan(
        plan(folder / "words.txt", order=random.Random(9)), TaskStore(folder), LocalEngine(0), observer=Silent()
    )

    assert all(step.cached for step in again.values())


def test_a_repeat_ends_where_a_plain_algorithm_does(finished: tuple[Path, dict[str, object]]) -> None:
    """Connected groups by label propagation, compared with a union-find over the same edges."""
    folder, _ = finished
    made = plan(folder / "words.txt", order=random.Random(0))
    store = TaskStore(folder)
    done = run_plan(made, store, LocalEngine(0), observer=Silent())

    rows = [row for batch in read_table(made, done, store, "groups") for row in batch.to_pylist()]

    assert len(done["groups"].rounds) > 4, "two steps a round"
    assert {row["node"]: row["label"] for row in rows} == groups_by_union((40, 0, 25, 1, 60))


def test_the_rows_at_listed_places_are_read_with_the_columns_of_the_list(
    finished: tuple[Path, dict[str, object]],
) -> None:
    """`Input.at` is a join by place: the largest number of each key, with the number of rows of the key."""
    folder, _ = finished
    made = plan(folder / "words.txt", order=random.Random(0))
    store = TaskStore(folder)
    done = run_plan(made, store, LocalEngine(0), observer=Silent())

    def rows(name: str) -> list[dict[str, object]]:
        return [row for batch in read_table(made, done, store, name) for row in batch.to_pylist()]

    groups: dict[object, list[int]] = {}
    for row in rows("share"):
        groups.setdefault(row["key"], []).append(int(str(row["number"])))
    assert {row["key"]: (row["number"], row["rows"]) for row in rows("chosen")} == {
        key: (max(numbers), len(numbers)) for key, numbers in groups.items()
    }


def test_an_error_of_a_source_crosses_the_engine_with_its_details(engine: Engine, tmp_path: Path) -> None:
    """The user must see file, line and hint on every engine."""
    failing = Plan((Scan(name="fail", function=Fail(), schema=LABELLED),), {"fail": (ScanTask(({"x": 1},), 1),)})

    with pytest.raises(SourceError, match=r"x\.parquet:3: no such column") as caught:
        run_plan(failing, TaskStore(tmp_path), engine, observer=Silent())

    assert caught.value.hint == "look"
