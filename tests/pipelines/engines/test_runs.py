"""External sorting: the rows that go in come out, in order, whatever the size of the runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.engines.runs import Order, merged, run_as_json, run_from_json, write_runs

SCHEMA = pa.schema(
    [pa.field("k", pa.string(), nullable=False), pa.field("n", pa.int64(), nullable=False), ("t", pa.string())]
)
ROWS = st.lists(
    st.tuples(st.text(max_size=3), st.integers(-(2**63), 2**63 - 1), st.none() | st.text(max_size=5)), max_size=60
)


@given(rows=ROWS, cut=st.integers(1, 7), run_bytes=st.sampled_from([1, 200, 10**6]), parts=st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_merging_runs_gives_each_partition_sorted_and_whole(
    tmp_path: Path, rows: list[tuple[str, int, str | None]], cut: int, run_bytes: int, parts: int
) -> None:
    """Spilled or not, in one run or in sixty, a partition is the same rows in the same order."""
    order = Order("k", ("n",), parts)
    batches = [_batch(rows[start : start + cut]) for start in range(0, len(rows), cut)]

    runs = [
        run_from_json(run_as_json(run))
        for run in write_runs(batches, SCHEMA, order, prefix=tmp_path / "r", run_bytes=run_bytes)
    ]
    found = [[_keys(batch) for batch in merged(runs, partition, order)] for partition in range(parts)]

    flat = [[key for batch in part for key in batch] for part in found]
    assert [keys == sorted(keys) for keys in flat] == [True] * parts
    assert sorted(key for part in flat for key in part) == sorted((k.encode(), n) for k, n, _ in rows)
    numbers = partition_numbers(_batch(rows)["k"], parts).tolist()
    assert [len(part) for part in flat] == [numbers.count(partition) for partition in range(parts)]


def _batch(rows: list[tuple[str, int, str | None]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([dict(zip(("k", "n", "t"), row, strict=True)) for row in rows], schema=SCHEMA)


def _keys(batch: pa.RecordBatch) -> list[tuple[bytes, int]]:
    return [(row["k"].encode(), row["n"]) for row in batch.to_pylist()]


def test_a_row_larger_than_a_run_passes(tmp_path: Path) -> None:
    """A document of many megabytes is one row, and cannot be cut."""
    rows = [("a", 1, "x" * 3_000_000), ("a", 0, "y"), ("b", 2, "z" * 2_000_000)]
    order = Order("k", ("n",), 1)

    runs = write_runs([_batch(rows)], SCHEMA, order, prefix=tmp_path / "r", run_bytes=1000)

    assert [row["n"] for batch in merged(runs, 0, order) for row in batch.to_pylist()] == [0, 1, 2]


def test_a_partition_number_outside_the_range_is_refused(tmp_path: Path) -> None:
    """A row that would be lost in a partition nobody reads is a mistake to be seen."""
    with pytest.raises(ValueError, match="partition numbers 3 to 3 for 3 partitions"):
        write_runs([_batch([("a", 3, None)])], SCHEMA, Order("n", (), 3, by_value=True), prefix=tmp_path / "r")
