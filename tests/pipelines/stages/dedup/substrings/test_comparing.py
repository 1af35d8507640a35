from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.dedup.substrings.anchors import ANCHOR, Shared
from corpusmill.pipelines.stages.dedup.substrings.comparing import COMPARED, DECIDED, ORDER, Compare
from corpusmill.pipelines.stages.dedup.substrings.marking import REPEATED, RepeatLists, repeats_column

ROWS = st.sampled_from([1, 2, 7, 1000])
anchors = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=20).map(sorted)
compared = st.lists(st.tuples(*[st.integers(0, 2)] * 4), max_size=20, unique=True).map(sorted)
"""Core, hull, document, and place of a block."""


def batches_of(rows: list[dict[str, Any]], schema: pa.Schema, size: int) -> Iterator[pa.RecordBatch]:
    return iter(pa.Table.from_pylist(rows, schema=schema).to_batches(max_chunksize=size))


def rows_of(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.Table.from_batches(batches, schema).to_pylist()
    return rows


def block(core: int, hull: int, document: int, start: int) -> dict[str, Any]:
    place = {"priority": 0, "id": str(document), PLACE: document, "start": start, "windows": 5, "owner": start + 9}
    return {"core": core, "hull_1": hull // 2, "hull_2": hull % 2, **place}


@given(rows=anchors, size=ROWS)
def test_anchors_of_several_blocks_are_kept_once_for_each_document(rows: list[tuple[int, int]], size: int) -> None:
    """An anchor may be shared by two documents, or by two blocks of one."""
    batches = batches_of([{"anchor": anchor, PLACE: place} for anchor, place in rows], ANCHOR, size)

    kept = [(row["anchor"], row[PLACE]) for row in rows_of(Shared().build()(batches), ANCHOR)]

    counts = [anchor for anchor, _ in rows]
    assert kept == sorted({(anchor, place) for anchor, place in rows if counts.count(anchor) > 1})


@given(rows=compared, size=ROWS, is_last=st.booleans())
def test_blocks_are_decided_by_core_and_hull(
    rows: list[tuple[int, int, int, int]], size: int, *, is_last: bool
) -> None:
    """The first of equal blocks is kept, and is divided if another block with its core differs."""
    groups: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for core, hull, document, start in rows:
        groups[core, hull].append((document, start))
    expected: list[tuple[Any, ...]] = []
    for (core, _), blocks in groups.items():
        first = blocks[0]
        expected += [(*one, str(first[0]), first[1]) for one in blocks[1:]]
        if not is_last and sum(other == core for other, _ in groups) > 1:
            expected.append((*first, None, None))

    batches = batches_of([block(*row) for row in rows], COMPARED, size)
    decided = rows_of(Compare(is_last=is_last).build()(batches), DECIDED)

    result = [(row[PLACE], row["start"], row["first_id"], row["first_start"]) for row in decided]
    assert sorted(result, key=repr) == sorted(expected, key=repr)
    assert all(row["owner"] == row["start"] + 9 and row["windows"] == 5 for row in decided)


@pytest.mark.parametrize("hulls", [1, 1000])
def test_a_block_that_a_hundred_thousand_documents_have_is_streamed(hulls: int) -> None:
    """A task must hold no more than a batch, however common its text is."""
    read = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal read
        for number in range(100):
            read += 1
            rows = [block(7, (number * 1000 + row) * hulls // 100_000, number * 1000 + row, 3) for row in range(1000)]
            yield pa.RecordBatch.from_pylist(rows, schema=COMPARED)

    repeated = divided = 0
    for batch in Compare(is_last=False).build()(batches()):
        assert batch.num_rows <= 1000
        repeated += batch.num_rows - batch["first_id"].null_count
        divided += batch["first_id"].null_count
        assert repeated + divided > (read - 1) * 1000 - 1000
    assert (repeated, divided) == (100_000 - hulls, hulls if hulls > 1 else 0)


def test_the_order_of_comparison_is_that_of_documents() -> None:
    """Of equal blocks, the one in the first document must come first, and in it the first block."""
    assert ORDER[2:] == ("priority", "id", PLACE, "start")
    assert {"core", *ORDER} <= set(COMPARED.names)


@given(marks=st.lists(st.sampled_from(["a", "b", None]), max_size=30), gap=st.integers(0, 9), size=ROWS)
def test_neighboring_windows_become_one_row(marks: list[str | None], gap: int, size: int) -> None:
    """A stretch that is repeated in a million documents must be one entry in each."""
    windows = [
        {PLACE: 5, "start": place, "windows": 1, "first_id": mark, "first_start": place + gap}
        for place, mark in enumerate(marks)
        if mark is not None
    ]

    lists = rows_of(RepeatLists(stage="s").build()(batches_of(windows, REPEATED, size)), repeats_column("s"))

    runs = [
        (mark, list(places)) for mark, places in itertools.groupby(range(len(marks)), key=lambda place: marks[place])
    ]
    expected = [
        {"start": places[0], "windows": len(places), "first_id": mark, "first_start": places[0] + gap}
        for mark, places in runs
        if mark is not None
    ]
    assert lists == ([{PLACE: 5, "s.repeats": expected}] if expected else [])


def test_windows_that_first_occur_apart_stay_apart() -> None:
    """The first place of each window in a row is computed from that of its first window."""
    batch = pa.RecordBatch.from_pylist(
        [{PLACE: 1, "start": place, "windows": 1, "first_id": "a", "first_start": 0} for place in (7, 8)],
        schema=REPEATED,
    )

    (made,) = RepeatLists(stage="s").build()(iter([batch]))

    assert len(made["s.repeats"][0]) == 2
    assert np.asarray(made[PLACE]).tolist() == [1]
