"""Crowded buckets are divided without losing a similar pair."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.engines.base import PLACE
from corpusmill.pipelines.stages.dedup import buckets, chunks, crowds
from corpusmill.pipelines.stages.dedup.buckets import BAND, CROWDED, MAX_MEMBERS, Share
from corpusmill.pipelines.stages.dedup.crowds import CROWD, Frequencies, prefixes, shared_prefixes
from corpusmill.pipelines.stages.dedup.near import NearDedup
from tests.pipelines.stages.dedup.corpus import capture, edited, prose, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates

SETS = st.lists(st.sets(st.integers(0, 40), min_size=1, max_size=30), min_size=2, max_size=8)


def crowd(sets: list[set[int]]) -> pa.RecordBatch:
    rows = [
        {"chunk": 0, "role": 1, "rank": place, "place": place, "shingles": sorted(values)}
        for place, values in enumerate(sets)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=CROWD)


def pairs_in_buckets(sets: list[set[int]], sample: list[set[int]], *, threshold: float) -> set[tuple[int, int]]:
    frequencies = Frequencies.of([np.array(sorted(values), np.int64) for values in sample])
    first = pa.Table.from_batches([prefixes(crowd(sets), frequencies, threshold=threshold)])
    ordered = first.sort_by([("shingle", "ascending"), ("is_late", "ascending"), (PLACE, "ascending")])
    (batch,) = ordered.combine_chunks().to_batches()
    members: dict[int, list[int]] = {}
    for row in shared_prefixes(batch, marks_late=False).to_pylist():
        members.setdefault(row["number"], []).append(row[PLACE])
    shared = {(one, other) for bucket in members.values() for one in bucket for other in bucket if one < other}
    compared = compared_pairs(batch)
    assert compared <= shared
    return compared


def compared_pairs(batch: pa.RecordBatch) -> set[tuple[int, int]]:
    """Return the pairs that share a bucket in which one of the two is early."""
    members: dict[int, set[tuple[int, int]]] = {}
    for row in shared_prefixes(batch, marks_late=True).to_pylist():
        members.setdefault(row["number"] & ~1, set()).add((row[PLACE], row["number"] & 1))
    return {
        (one, other)
        for bucket in members.values()
        for one, one_late in bucket
        for other, other_late in bucket
        if one < other and not (one_late and other_late)
    }


@settings(deadline=None, max_examples=300)
@given(sets=SETS, sample=SETS, threshold=st.sampled_from([0.3, 0.5, 0.8, 0.9, 1.0]))
def test_similar_sets_share_a_bucket_whatever_the_sample_is(
    sets: list[set[int]], sample: list[set[int]], threshold: float
) -> None:
    """The sample decides how many pairs are compared, never which ones are similar."""
    found = pairs_in_buckets(sets, sample, threshold=threshold)

    for later, one in enumerate(sets):
        for earlier, other in enumerate(sets[:later]):
            if len(one & other) / len(one | other) >= threshold:
                assert (earlier, later) in found


def test_sets_that_share_a_template_alone_do_not_meet() -> None:
    """That is what the rare shingles are for."""
    chance = random.Random(1)
    template = set(range(400))
    sets = [template | {chance.getrandbits(40) for _ in range(86)} for _ in range(50)]
    assert len(sets[0] & sets[1]) / len(sets[0] | sets[1]) < 0.71

    assert pairs_in_buckets(sets, sets[:20], threshold=0.8) == set()
    assert len(pairs_in_buckets(sets, [], threshold=0.8)) == 50 * 49 // 2


def test_one_early_member_does_not_bring_all_others_together() -> None:
    """A page with little text of its own shares a shingle of the template with all pages, but they do not."""
    chance = random.Random(2)
    template = set(range(400))
    sets = [template | {chance.getrandbits(40) for _ in range(own)} for own in (20, *[86] * 60)]

    pairs = pairs_in_buckets(sets, sets[1:21], threshold=0.8)

    assert pairs == {(0, other) for other in range(1, 61)}


@pytest.mark.parametrize("rows", [1, 7, 5_000, 1_000_000])
def test_a_crowded_bucket_is_never_joined(rows: int) -> None:
    """A million equal band keys must not be in memory at once, and neighbors must stay whole."""
    sizes = [2, MAX_MEMBERS, 1, MAX_MEMBERS + 1, 3, MAX_MEMBERS * 2, 1]
    bands = np.repeat(np.arange(len(sizes)), sizes)
    batch = pa.RecordBatch.from_arrays([pa.array(bands), pa.array(np.arange(len(bands)))], schema=BAND)
    step = rows if rows > 1 else 1_000_000
    stream = [batch.slice(start, step) for start in range(0, len(bands), step)]
    if rows == 1:
        stream = [batch.slice(0, 5_000), *(batch.slice(place, 1) for place in range(5_000, 8_300)), batch.slice(8_300)]

    made = pa.Table.from_batches(list(Share().build()(iter(stream))))

    numbers = dict(zip(made[PLACE].to_pylist(), made["number"].to_pylist(), strict=True))
    groups = [{numbers.get(place) for place in np.flatnonzero(bands == band).tolist()} for band in range(len(sizes))]
    assert made.num_rows == len(numbers) == sum(sizes) - 2
    assert groups[2] == groups[6] == {None}
    assert groups[3] == groups[5] == {buckets._CROWD}
    assert len(groups[0]) == len(groups[1]) == len(groups[4]) == 1
    assert len({*groups[0], *groups[1], *groups[4], buckets._CROWD}) == 4


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MAX_MEMBERS", 3)
    monkeypatch.setattr(chunks, "CHUNK", 10)
    monkeypatch.setattr(crowds, "SAMPLE", 5)


def corpus(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    captures = []
    for family in range(3):
        words = prose(chance, 100)
        for member in range(chance.randrange(2, 20)):
            text = " ".join(edited(words, chance, chance.choice([0, 1, 2, 5, 9])))
            captures.append(capture(f"{family}-{member}", text, day=chance.choice([None, 1, 2])))
    return captures


def kept(captures: list[dict[str, Any]], how: Contrary) -> set[str]:
    stage = NearDedup(threshold=0.6, bands=40, rows=1)
    return {fate["id"] for fate in fates(table(captures), [("near_dedup", stage)], how) if fate["rule"] is None}


@pytest.mark.parametrize("seed", range(6))
def test_dividing_buckets_keeps_the_same_documents(seed: int, request: pytest.FixtureRequest) -> None:
    """If the bands detect all pairs, only the definition may decide."""
    whole = kept(corpus(seed), Contrary())
    request.getfixturevalue("small_buckets")
    how = Contrary(rows=random.Random(seed).choice([1, 7, 1000]), seed=seed)

    assert kept(corpus(seed), how) == whole
    assert how.counters[CROWDED] > 3
