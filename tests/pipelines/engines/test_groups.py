from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.groups import group_numbers, run_starts, whole_groups


@given(
    keys=st.lists(st.sampled_from("abcdef")).map(sorted),
    cuts=st.lists(st.integers(0, 60)),
    target=st.integers(1, 10),
)
def test_no_group_spans_two_batches_and_no_row_is_lost(keys: list[str], cuts: list[int], target: int) -> None:
    """A function over single batches must see whole groups, however the stream was cut."""
    whole = pa.record_batch({"key": pa.array(keys, pa.string()), "row": pa.array(range(len(keys)), pa.int64())})
    edges = [0, *sorted(min(cut, len(keys)) for cut in cuts), len(keys)]
    stream = [whole.slice(start, end - start) for start, end in pairwise(edges)]

    batches = list(whole_groups(stream, by="key", target_rows=target))

    assert [row for batch in batches for row in batch["row"].to_pylist()] == list(range(len(keys)))
    seen = [key for batch in batches for key in dict.fromkeys(batch["key"].to_pylist())]
    assert len(seen) == len(set(keys))
    assert all(batch.num_rows for batch in batches)


def test_small_groups_are_joined_up_to_the_target() -> None:
    """Tiny batches make every later step expensive."""
    stream = [pa.record_batch({"key": [number]}) for number in range(10)]

    assert [batch.num_rows for batch in whole_groups(stream, by="key", target_rows=4)] == [4, 4, 2]


def test_runs_are_numbered() -> None:
    """Verdicts are looked up by the group of a row."""
    starts = run_starts(pa.array(["a", "a", "b", "c", "c"]))

    assert starts.tolist() == [0, 2, 3]
    assert group_numbers(starts, rows=5).tolist() == [0, 0, 1, 2, 2]
    assert run_starts(pa.array([], pa.string())).tolist() == []
