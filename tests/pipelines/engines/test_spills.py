"""External sorting: the rows that go in come out, in order, whatever the size of the runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines.merging import merged
from corpusmill.pipelines.engines.partition import partition_numbers
from corpusmill.pipelines.engines.spills import Order, write_spills

SCHEMA = pa.schema(
    [pa.field("k", pa.string(), nullable=False), pa.field("n", pa.int64(), nullable=False), ("t", pa.string())]
)
ROWS = st.lists(
    st.tuples(st.text(max_size=3), st.integers(-(2**63), 2**63 - 1), st.none() | st.text(max_size=5)), max_size=60
)


@given(rows=ROWS, cut=st.integers(1, 7), memory=st.sampled_from([1, 2000, 10**7]), parts=st.integers(1, 4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
def test_merging_spills_gives_each_partition_sorted_and_whole(
    tmp_path: Path, rows: list[tuple[str, int, str | None]], cut: int, memory: int, parts: int
) -> None:
    """A partition has the same rows in the same order in one spill or in sixty."""
    order = Order("k", ("n",), parts)
    batches = [_batch(rows[start : start + cut]) for start in range(0, len(rows), cut)]

    spilled = write_spills(batches, SCHEMA, order, prefix=tmp_path / "r", memory_bytes=memory)
    found = [[_keys(batch) for batch in merged(tmp_path, part, order, memory_bytes=memory)] for part in range(parts)]

    assert spilled.rows == len(rows)
    flat = [[key for batch in part for key in batch] for part in found]
    assert [keys == sorted(keys) for keys in flat] == [True] * parts
    assert sorted(key for part in flat for key in part) == sorted((k.encode(), n) for k, n, _ in rows)
    numbers = partition_numbers(_batch(rows)["k"], parts).tolist()
    assert [len(part) for part in flat] == [numbers.count(partition) for partition in range(parts)]


def _batch(rows: list[tuple[str, int, str | None]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([dict(zip(("k", "n", "t"), row, strict=True)) for row in rows], schema=SCHEMA)


def _keys(batch: pa.RecordBatch) -> list[tuple[bytes, int]]:
    return [(row["k"].encode(), row["n"]) for row in batch.to_pylist()]


def test_a_row_larger_than_the_memory_passes(tmp_path: Path) -> None:
    """A document of many megabytes is one row and cannot be split."""
    rows = [("a", 1, "x" * 3_000_000), ("a", 0, "y"), ("b", 2, "z" * 2_000_000)]
    order = Order("k", ("n",), 1)

    write_spills([_batch(rows)], SCHEMA, order, prefix=tmp_path / "r", memory_bytes=1000)

    assert [row["n"] for batch in merged(tmp_path, 0, order, memory_bytes=1000) for row in batch.to_pylist()] == [
        0,
        1,
        2,
    ]


def test_a_partition_number_outside_the_range_is_refused(tmp_path: Path) -> None:
    """Otherwise the row would be lost in a partition that nobody reads."""
    order = Order("n", (), 3, by_value=True)

    with pytest.raises(ValueError, match="partition numbers 3 to 3 for 3 partitions"):
        write_spills([_batch([("a", 3, None)])], SCHEMA, order, prefix=tmp_path / "r", memory_bytes=1000)
