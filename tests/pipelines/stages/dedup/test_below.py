"""The sample of kept pairs just below the threshold is one of the documents, whatever the execution."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.base import Stage
from corpusmill.pipelines.stages.dedup.below import BELOW, SAMPLE, Pair, near_vertices, nearest_kept, sampled_pairs
from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.dedup.semantic.stage import SemanticDedup
from tests.pipelines.stages.dedup.corpus import capture, edited, families, prose, similarity, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates
from tests.pipelines.stages.dedup.semantic import embedded

Row = dict[str, Any]
STAGE = NearDedup(threshold=0.8, bands=60, rows=2)
"""Bands that detect nearly every pair near the threshold."""
contrary = st.builds(Contrary, parts=st.integers(1, 4), rows=st.sampled_from([1, 7, 1000]), seed=st.integers(0, 999))


def result(captures: list[Row], *, stage: Stage = STAGE, how: Contrary | None = None) -> tuple[set[str], list[Pair]]:
    """Return the ids of the documents that *stage* keeps, and the sample."""
    how = how or Contrary(parts=1, rows=1000)
    kept = {fate["id"] for fate in fates(table(captures), [("near_dedup", stage)], how) if fate["rule"] is None}
    return kept, sampled_pairs(how.counters)


def family(chance: random.Random, name: str, *, edits: tuple[int, ...]) -> list[Row]:
    """Return versions of a text of 130 words, with so many words changed."""
    base = prose(chance, 130)
    return [capture(f"{name}-{n}", " ".join(edited(base, chance, count)), day=n) for n, count in enumerate(edits)]


@settings(max_examples=40, deadline=None)
@given(captures=families(), how=contrary)
def test_each_pair_is_kept_and_just_below_the_threshold(captures: list[Row], how: Contrary) -> None:
    """Its similarity is exact, and the order of the input, partitions and batches do not matter."""
    kept, pairs = result(captures, how=how)

    texts = {one["id"]: one["text"] for one in captures}
    for pair in pairs:
        assert {pair.id, pair.other_id} <= kept
        assert pair.similarity == pytest.approx(similarity(texts[pair.id], texts[pair.other_id]), abs=1e-6)
        assert pair.threshold - BELOW <= pair.similarity < pair.threshold
    assert len({pair.id for pair in pairs}) == len(pairs)
    assert (kept, pairs) == result(captures)


def test_pairs_below_the_threshold_are_sampled() -> None:
    """Of 200 families with a pair at about 0.79, some are compared, and the sample is bounded."""
    chance = random.Random(4)
    captures = [one for n in range(200) for one in family(chance, str(n), edits=(0, 3))]

    _, pairs = result(captures)
    _, again = result(captures, how=Contrary(parts=4, rows=7, seed=5))

    assert len(pairs) == SAMPLE
    assert pairs == again == sorted(pairs, key=lambda pair: -pair.similarity)
    assert {pair.stage for pair in pairs} == {"near_dedup"}


def test_a_pair_of_a_removed_document_is_not_in_the_sample() -> None:
    """The ledger has what was removed. Here the second version is close to the third, which the first removes."""
    chance = random.Random(9)
    rounds = [family(chance, str(n), edits=(0, 1, 3, 1, 3)) for n in range(40)]

    kept, pairs = result([one for captures in rounds for one in captures])

    assert pairs
    assert {name for pair in pairs for name in (pair.id, pair.other_id)} <= kept


def test_vectors_have_a_sample_too() -> None:
    """The rounds are the same."""
    chance = random.Random(1)
    captures = []
    for number in range(12):
        center = embedded.direction(chance, 12)
        captures += [embedded.embedded(f"{number}-{n}", embedded.near(center, chance, 0.45)) for n in range(3)]
    stage, how = SemanticDedup(column="vector", threshold=0.9, bands=200, planes=1), Contrary(rows=7)

    kept = {fate["id"] for fate in embedded.fates_of(captures, stage=stage, how=how) if fate["rule"] is None}

    vectors = {one["id"]: embedded.as_float32(one["vector"]) for one in captures}
    pairs = sampled_pairs(how.counters)
    assert pairs
    for pair in pairs:
        cosine = embedded.cosine(vectors[pair.id], vectors[pair.other_id])
        assert pair.similarity == pytest.approx(cosine, abs=1e-6)
        assert 0.8 <= pair.similarity < 0.9
        assert {pair.id, pair.other_id} <= kept


def test_the_most_similar_kept_vertex_is_chosen() -> None:
    """The first one of equally similar ones; none if the vertex or the other one is not kept."""
    fates = bytearray([1, 2, 1, 1, 2, 0, 1, 1])  # 1: kept, 2: removed, 0: undecided
    pairs = [
        (3, 0, 0.7),
        (3, 1, 0.79),
        (3, 2, 0.7),
        (4, 0, 0.75),
        (5, 0, 0.75),
        (6, 0, 0.71),
        (6, 2, 0.75),
        (7, 5, 0.7),
    ]
    columns = dict(zip(("rank", "other", "value"), map(pa.array, zip(*pairs, strict=True)), strict=True))

    near, values = nearest_kept(fates, pa.record_batch(columns), np.arange(2, 8))
    fates.append(0)  # the buffer is free again

    assert near.to_pylist() == [None, 0, None, None, 2, None]
    assert values.to_pylist() == [None, 0.7, None, None, 0.75, None]


def test_a_batch_offers_no_more_pairs_than_are_drawn() -> None:
    """What is moved for the sample does not grow with the documents."""
    ranks = pa.array(range(1, 1001), pa.int64())
    batch = pa.record_batch(
        {"rank": ranks, "near": pa.array([0] * 1000, pa.int64()), "near_similarity": pa.array([0.75] * 1000)}
    )

    parts = pa.Table.from_batches([near_vertices(batch.slice(start, 100)) for start in range(0, 1000, 100)])

    assert near_vertices(batch).num_rows == SAMPLE
    assert parts.sort_by("hash").slice(0, SAMPLE)["rank"].to_pylist() == near_vertices(batch)["rank"].to_pylist()
