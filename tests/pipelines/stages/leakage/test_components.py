"""Components of a graph, as stars, whatever the order, partitions, batches and blocks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines.base import MAX_ROUNDS, Input
from corpusmill.pipelines.engines.context import TaskContext, running
from corpusmill.pipelines.stages.leakage import components
from corpusmill.pipelines.stages.leakage.components import (
    LINK,
    UNFINISHED,
    BothWays,
    component_steps,
    contracted,
    large_stars,
)
from corpusmill.schemas.storage import LocalStore
from tests.pipelines.stages.dedup.exchange import Contrary

Edge = tuple[int, int]


def roots_of(edges: Iterable[Edge]) -> dict[int, int]:
    """Return the least vertex of the component of each vertex that is not it, with a plain union-find."""
    parents: dict[int, int] = {}

    def root(vertex: int) -> int:
        while (above := parents.setdefault(vertex, vertex)) != vertex:
            parents[vertex] = parents[above]
            vertex = above
        return vertex

    for one, other in edges:
        low, high = sorted((root(one), root(other)))
        parents[high] = low
    return {vertex: root(vertex) for vertex in list(parents) if root(vertex) != vertex}


def stars_of(edges: Iterable[Edge], how: Contrary) -> list[Edge]:
    pairs = [{"a": one, "b": other} for one, other in edges]
    table = pa.Table.from_pylist(pairs, schema=pa.schema([("a", pa.int64()), ("b", pa.int64())]))
    links = (Input("edges", through=BothWays(columns=("a", "b"))),)
    rows = how.run(component_steps("c", links=links), {"edges": table})["c"].to_pylist()
    return sorted((row["vertex"], row["other"]) for row in rows)


graphs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40)


@settings(max_examples=100, deadline=None)
@given(
    edges=graphs,
    block=st.sampled_from([1, 2, 5, 1000]),
    how=st.builds(Contrary, parts=st.integers(1, 4), rows=st.sampled_from([1, 7, 1000]), seed=st.integers(0, 999)),
)
def test_components_are_those_of_a_union_find(edges: list[Edge], block: int, how: Contrary) -> None:
    """Each vertex is in one star, whose center is the least vertex that it reaches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(components, "BLOCK_ROWS", block)

        assert stars_of(edges, how) == sorted(roots_of(edges).items())


@pytest.mark.parametrize(("block", "rounds"), [(1 << 18, 1), (1, 20)])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_a_long_chain_takes_few_rounds(
    monkeypatch: pytest.MonkeyPatch, block: int, rounds: int, is_shuffled: bool
) -> None:
    """One step a round would fail after 64 documents. Without blocks, their number grows with the logarithm."""
    monkeypatch.setattr(components, "BLOCK_ROWS", block)
    names = list(range(3_000))
    random.Random(1).shuffle(names) if is_shuffled else None
    how = Contrary(parts=1, rows=1_000)

    stars = stars_of(itertools.pairwise(names), how)

    assert stars == [(vertex, 0) for vertex in range(1, 3_000)]
    assert how.rounds <= rounds < MAX_ROUNDS


def test_a_large_star_is_streamed() -> None:
    """A million neighbors of one vertex must not be in memory at once."""
    rows = 1_000_000
    pieces = (
        pa.RecordBatch.from_arrays(
            [pa.array(np.full(10_000, 5)), pa.array(np.arange(start, start + 10_000) + 6)], schema=LINK
        )
        for start in range(0, rows, 10_000)
    )

    with running(TaskContext(LocalStore("/nowhere"), "task", partition=0)):
        sizes = [batch.num_rows for batch in large_stars(pieces)]

    assert sizes == [10_000] * 100


@settings(deadline=None)
@given(edges=graphs)
def test_a_contracted_block_keeps_what_is_connected(edges: list[Edge]) -> None:
    """A block is replaced by stars, which are never more links than before."""
    columns = np.array(edges, np.int64).reshape(-1, 2).T

    stars = list(zip(*(column.tolist() for column in contracted(*columns)), strict=True))

    assert dict(stars) == roots_of(edges)
    assert len(stars) == len(dict(stars))


@pytest.mark.parametrize(
    ("links", "unfinished"),
    [([(2, 1), (3, 1), (5, 4)], 0), ([(2, 1), (3, 2)], 1), ([(2, 1), (5, 1), (5, 3), (6, 3)], 1)],
)
def test_only_stars_are_finished(links: list[Edge], unfinished: int) -> None:
    """A chain is not a star, and neither are two stars with a common leaf."""
    rows = sorted([*links, *((other, vertex) for vertex, other in links)])
    batch = pa.RecordBatch.from_arrays([pa.array(column) for column in zip(*rows, strict=True)], schema=LINK)
    context = TaskContext(LocalStore("/nowhere"), "task", partition=0)

    with running(context):
        list(large_stars(iter([batch])))

    assert context.counters[UNFINISHED] == unfinished
