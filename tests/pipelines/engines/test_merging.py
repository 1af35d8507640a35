"""Merging spills: one order for any memory, open files, and number and lengths of spills."""

from __future__ import annotations

import datetime
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines import merging
from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.engines.spills import Order, write_spills
from corpusmill.schemas.errors import DamagedFileError
from tests.pipelines.engines.test_conformance import EVERY_TYPE, _row

SCHEMA = pa.schema(
    [pa.field("k", pa.string(), nullable=False), pa.field("n", pa.int64(), nullable=False), ("place", pa.int64())]
)
ORDER = Order("k", ("n",), 1)
TASKS = st.lists(st.lists(st.tuples(st.sampled_from("abcä"), st.integers(-1, 2)), max_size=12), max_size=9)


def written(folder: Path, tasks: Iterable[pa.Table], order: Order, *, memory_bytes: int = 10**7) -> None:
    for number, table in enumerate(tasks):
        batches = table.to_batches(max_chunksize=3 if memory_bytes < 10**6 else None)
        write_spills(batches, table.schema, order, prefix=folder / f"{number:04d}", memory_bytes=memory_bytes)


def tables(tasks: Sequence[Sequence[tuple[str, int]]]) -> list[pa.Table]:
    """Number the rows in the order in which they are written."""
    places = iter(range(10**6))
    rows = [[{"k": k, "n": n, "place": next(places)} for k, n in task] for task in tasks]
    return [pa.Table.from_pylist(task, schema=SCHEMA) for task in rows]


def in_order(whole: pa.Table, order: Order, partition: int) -> pa.Table:
    """Sort with Arrow, which keeps the order of equal rows."""
    numbers = partition_numbers(whole[order.by].combine_chunks(), order.parts)
    chosen = whole.filter(pa.array(numbers == partition))
    return chosen.take(pc.sort_indices(chosen, sort_keys=[(name, "ascending") for name in order.keys]))


def all_rows(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.Table.from_batches(batches, schema).to_pylist()
    return rows


@given(tasks=TASKS, parts=st.integers(1, 3), memory=st.sampled_from([1, 3_000, 10**7]), max_open=st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_merging_is_a_stable_sort(
    tmp_path_factory: pytest.TempPathFactory,
    tasks: list[list[tuple[str, int]]],
    parts: int,
    memory: int,
    max_open: int,
) -> None:
    """Rows with equal keys must be ordered by spill, then by row, and by nothing else."""
    folder = tmp_path_factory.mktemp("spills")
    order = Order("k", ("n",), parts)
    made = tables(tasks)
    written(folder, made, order, memory_bytes=memory)

    for partition in range(parts):
        batches = merged(folder, partition, order, memory_bytes=memory, max_open=max_open)

        expected = in_order(pa.concat_tables([SCHEMA.empty_table(), *made]), order, partition)
        assert all_rows(batches, SCHEMA) == expected.to_pylist()
    assert not list(folder.glob("merge-*"))


@pytest.mark.parametrize("key", ["flag", "small", "day", "time", "bytes", "number", "key"])
def test_every_type_is_carried_and_every_key_sorts(tmp_path: Path, key: str) -> None:
    """Every column type of a stage must pass an exchange unchanged."""
    rows = [_row(random.Random(seed)) for seed in range(200)]
    when = datetime.datetime(2001, 2, 3, tzinfo=datetime.UTC)
    missing = {"flag": True, "small": 7, "day": when.date(), "time": when, "bytes": b"x"}
    rows = [{**row, key: missing[key] if row[key] is None else row[key]} for row in rows]
    whole = pa.Table.from_pylist(rows, schema=EVERY_TYPE)
    order = Order(key, ("number",), 2)
    written(tmp_path, [whole.slice(0, 90), whole.slice(90)], order, memory_bytes=20_000)

    for partition in range(2):
        batches = list(merged(tmp_path, partition, order, memory_bytes=20_000, max_open=2))

        assert repr(all_rows(batches, EVERY_TYPE)) == repr(in_order(whole, order, partition).to_pylist())  # NaN


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_floats_order_rows_with_equal_keys(tmp_path: Path, kind: pa.DataType) -> None:
    """A score may be NaN, which must sort last in every pass."""
    values = [float("nan"), 1.5, -0.0, 0.0, float("-inf"), -2.0, float("inf"), float("nan")] * 4
    table = pa.table({"k": pa.array([1] * 32), "score": pa.array(values, kind), "place": pa.array(range(32))})
    order = Order("k", ("score",), 1)
    written(tmp_path, [table.slice(start, 5) for start in range(0, 32, 5)], order, memory_bytes=1)

    batches = merged(tmp_path, 0, order, memory_bytes=1)

    places = [place for batch in batches for place in batch["place"].to_pylist()]
    assert places == in_order(table, order, 0)["place"].to_pylist()


class Counted:
    """Counts what is sorted in rounds of a merge."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rounds: list[int] = []
        self._sort = merging.sorted_positions
        monkeypatch.setattr(merging, "sorted_positions", self)

    def __call__(self, keys: Sequence[pa.Array]) -> npt.NDArray[np.int64]:
        self.rounds.append(len(keys[0]))
        return self._sort(keys)


def spread(spills: int, rows: int) -> list[pa.Table]:
    """Make spills whose key ranges all overlap."""
    return [tables([[(f"{n * spills + s:09d}", 0) for n in range(rows)]])[0] for s in range(spills)]


def ranges(spills: int, rows: int) -> list[pa.Table]:
    """Make spills whose key ranges do not overlap, as from sorted input."""
    return [tables([[(f"{s * rows + n:09d}", 0) for n in range(rows)]])[0] for s in range(spills)]


@pytest.mark.parametrize("shape", [spread, ranges])
@pytest.mark.parametrize("short", [0, 1])
def test_each_row_is_sorted_once_and_in_rounds_that_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: Any, short: int
) -> None:
    """Formerly, a short last spill made all rounds equally short."""
    made = [*shape(20, 4000), *[table.slice(0, 3) for table in shape(1, 9)][:short]]
    written(tmp_path, made, ORDER)
    counted = Counted(monkeypatch)

    rows = sum(batch.num_rows for batch in merged(tmp_path, 0, ORDER, memory_bytes=24_000_000))

    assert rows == sum(counted.rounds) == 80_000 + 3 * short
    assert len(counted.rounds) <= 6


def test_more_spills_than_may_be_open_are_merged_in_few_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pass reads and writes everything, so their number must be logarithmic in the open files."""
    written(tmp_path, spread(60, 700), ORDER)
    counted = Counted(monkeypatch)

    rows = sum(batch.num_rows for batch in merged(tmp_path, 0, ORDER, memory_bytes=4_500_000, max_open=8))

    assert rows == 42_000
    assert sum(counted.rounds) <= 3 * rows


def test_batches_stay_within_the_bounds_when_one_row_is_large(tmp_path: Path) -> None:
    """A mean size is misleading if one document of many megabytes is among short ones."""
    texts = ["x" * (3_000_000 if number % 10 == 0 else 10) for number in range(100)]
    table = pa.table({"k": [f"{number:03d}" for number in range(100)], "n": [0] * 100, "text": texts})
    written(tmp_path, [table], ORDER, memory_bytes=100_000_000)

    batches = list(merged(tmp_path, 0, ORDER, memory_bytes=100_000_000))

    assert sum(batch.num_rows for batch in batches) == 100
    assert max(batch.nbytes for batch in batches) < 20_000_000


def test_a_merge_that_is_not_finished_leaves_no_files(tmp_path: Path) -> None:
    """A stage that fails, or stops reading early, must not fill the disk."""
    written(tmp_path, spread(12, 50), ORDER)
    before = sorted(tmp_path.iterdir())

    rows = merged(tmp_path, 0, ORDER, memory_bytes=1, max_open=2)
    first = list(islice(rows, 1))
    during = list(tmp_path.glob("merge-*"))
    rows.close()

    assert first
    assert during
    assert sorted(tmp_path.iterdir()) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.spills import Order
for batch in merged(Path(sys.argv[1]), 0, Order("k", ("n",), 1), memory_bytes=1, max_open=2):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_merge_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """The repeated task must start from a clean folder."""
    written(tmp_path, spread(12, 50), ORDER)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    left = list(tmp_path.glob("merge-*"))

    rows = sum(batch.num_rows for batch in merged(tmp_path, 0, ORDER, memory_bytes=10**7))

    assert killed.returncode == -signal.SIGKILL
    assert left
    assert rows == 600
    assert not list(tmp_path.glob("merge-*"))


@pytest.mark.parametrize("damage", ["missing", "short", "changed", "short index", "other index"])
def test_damage_is_reported_with_the_file_and_what_to_do(tmp_path: Path, damage: str) -> None:
    """A lost disk block is damage and must not produce rows that were never written."""
    written(tmp_path, spread(2, 4000), ORDER)
    spill, index = tmp_path / "0001.0.arrow", tmp_path / "0001.index"
    order = ORDER
    match damage:
        case "missing":
            spill.unlink()
        case "short":
            spill.write_bytes(spill.read_bytes()[: spill.stat().st_size // 2])
        case "changed":
            data = spill.read_bytes()
            spill.write_bytes(data[:400] + bytes(len(data) - 800) + data[-400:])
        case "short index":
            index.write_bytes(index.read_bytes()[:-8])
        case "other index":
            order = Order("k", ("n",), 2)

    with pytest.raises(DamagedFileError, match=r"damaged|not an index") as caught:
        list(merged(tmp_path, 0, order, memory_bytes=10**7))

    assert str(caught.value.file).endswith(".index" if "index" in damage else "0001.0.arrow")
    assert "run the same command again" in str(caught.value.hint)


MANY = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]),) * 2)
import numpy as np, pyarrow as pa
from corpusmill.pipelines.engines.memory import PeakMemory
from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.spills import Order, write_spills
from corpusmill.schemas.errors import UnfinishedError
pa.set_cpu_count(1)
folder, order = Path(sys.argv[1]), Order("k", ("n",), 1)
spills, rows, memory, max_open = map(int, sys.argv[3:])
random = np.random.default_rng(1)
payload = pa.array(["0123456789" * 8] * rows)
for number in range(spills):
    batch = pa.record_batch({"k": random.integers(0, 2**40, rows), "n": np.full(rows, number), "text": payload})
    write_spills([batch], batch.schema, order, prefix=folder / f"{number:06d}", memory_bytes=memory)
del batch
with PeakMemory() as before:
    pass
seen, last = 0, -1
try:
    with PeakMemory() as peak:
        for batch in merged(folder, 0, order, memory_bytes=memory, max_open=max_open):
            keys = np.asarray(batch["k"])
            assert keys[0] >= last and (keys[1:] >= keys[:-1]).all()
            seen, last = seen + len(keys), keys[-1]
    print(json.dumps({"rows": seen, "peak": peak.bytes - before.bytes}))
except UnfinishedError as error:
    print(json.dumps({"error": str(error), "hint": error.hint}))
"""


def many(folder: Path, *numbers: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", MANY, str(folder), *map(str, numbers)], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.slow
def test_three_thousand_spills_merge_with_256_open_files_in_bounded_memory(tmp_path: Path) -> None:
    """A terabyte is sixteen thousand tasks, each of which writes a spill."""
    result = many(tmp_path, 256, 3000, 400, 40_000_000, 128)

    assert result["rows"] == 1_200_000
    assert result["peak"] < 44_000_000


def test_few_open_files_are_not_taken_for_damage(tmp_path: Path) -> None:
    """Recomputing with --fresh would meet the same limit, so the message must not suggest it."""
    result = many(tmp_path, 40, 45, 4000, 40_000_000, 128)

    assert "too many open files: the limit is 40 (`ulimit -n`)" in result["error"]
    assert "ulimit -n" in result["hint"]
