from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.runs import with_first_of_run, with_is_above


@given(
    keys=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 40)),
)
def test_the_first_row_of_a_run_is_known_wherever_the_stream_is_cut(
    keys: list[tuple[str, int]], cuts: list[int]
) -> None:
    """A decision about a row must not depend on the batch that it came in."""
    letters, numbers = ([key[n] for key in keys] for n in (0, 1))
    columns = {"letter": pa.array(letters, pa.string()), "number": pa.array(numbers, pa.int64())}
    whole = pa.record_batch({**columns, "row": pa.array(range(len(keys)), pa.int64())})
    edges = [0, *sorted(min(cut, len(keys)) for cut in cuts), len(keys)]
    stream = [whole.slice(start, end - start) for start, end in pairwise(edges)]

    results = list(with_first_of_run(stream, by=("letter", "number"), of=("row", "letter")))

    assert [row for result in results for row in result.batch["row"].to_pylist()] == list(range(len(keys)))
    firsts = [keys.index(key) for key in keys]
    assert [row for result in results for row in result.first["row"].to_pylist()] == firsts
    assert [letter for result in results for letter in result.first["letter"].to_pylist()] == letters
    is_first = [flag for result in results for flag in result.is_first.tolist()]
    assert is_first == [row == first for row, first in enumerate(firsts)]


def test_a_run_of_a_hundred_thousand_rows_is_not_joined() -> None:
    """One text that a crawl found a million times must fit into the memory of every worker."""
    rows, size = 100_000, 500

    def stream() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, size):
            yield pa.record_batch({"key": pa.repeat("same", size), "row": pa.array(range(start, start + size))})

    before = pa.total_allocated_bytes()
    held = longest = firsts = total = 0
    for result in with_first_of_run(stream(), by=("key",), of=("row",)):
        held = max(held, pa.total_allocated_bytes() - before)
        longest = max(longest, result.batch.num_rows)
        firsts += int(result.is_first.sum())
        total += result.batch.num_rows
        assert set(result.first["row"].to_pylist()) == {0}

    assert (longest, firsts, total) == (size, 1, rows)
    assert held < 4 * size * (8 + 8 + 4 + 8)


@given(
    keys=st.lists(st.integers(0, 4), max_size=40).map(sorted),
    cuts=st.lists(st.integers(0, 40)),
    limit=st.integers(1, 12),
)
def test_large_runs_are_known_wherever_the_stream_is_cut(keys: list[int], cuts: list[int], limit: int) -> None:
    """Rows are held back until their run is known to be large or small, and no row is lost."""
    whole = pa.record_batch({"key": pa.array(keys, pa.int64()), "row": pa.array(range(len(keys)), pa.int64())})
    edges = [0, *sorted(min(cut, len(keys)) for cut in cuts), len(keys)]
    stream = [whole.slice(start, end - start) for start, end in pairwise(edges)]

    results = list(with_is_above(stream, by=("key",), limit=limit))

    assert [row for batch, _ in results for row in batch["row"].to_pylist()] == list(range(len(keys)))
    number = Counter(keys)
    assert [flag for _, is_above in results for flag in is_above.tolist()] == [number[key] > limit for key in keys]
