"""Rounds decide as if all documents were compared one after the other, whatever each round compares."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup import _kernel
from corpusmill.pipelines.stages.dedup.near import RULE, NearDedup
from corpusmill.pipelines.stages.dedup.rounds import MEMBER, chosen_pairs
from corpusmill.pipelines.stages.dedup.shingles import shingle_sets
from corpusmill.pipelines.stages.dedup.signatures import signed
from tests.pipelines.stages.dedup.corpus import capture, edited, prose, similarity, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates

ENOUGH = 1 << 20
FINDS_ALL = NearDedup(threshold=0.8, bands=60, rows=2)
"""Bands that detect every pair at the threshold."""
Row = dict[str, Any]


def members(
    texts: Sequence[str], *, bucket: int = 7, states: Sequence[int] | None = None, late: Sequence[int] | None = None
) -> pa.RecordBatch:
    """Return *texts*, in the order of their ranks, as members of one bucket; *late* are ranks."""
    signs = signed(texts, ngram=5, bands=1, rows=1)
    sizes = signs.bitmaps.counts_D * 8
    data = signs.bitmaps.values.tobytes()
    ends = np.cumsum(sizes).tolist()
    bitmaps = [data[end - size : end] for end, size in zip(ends, sizes.tolist(), strict=True)]
    ranks = list(range(len(texts)))
    columns = [[bucket] * len(texts), ranks, [100 + rank for rank in ranks], signs.sizes_D.tolist()]
    columns += [list(states or [0] * len(texts)), [int(rank in (late or ())) for rank in ranks], bitmaps]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, MEMBER, strict=True)], schema=MEMBER
    )


def pairs_of(batch: pa.RecordBatch, *, threshold: float = 0.8, memory_bytes: int = ENOUGH) -> list[Row]:
    return chosen_pairs(_kernel.Buckets(threshold, memory_bytes), batch).to_pylist()  # type: ignore[no-any-return]


def sides(rows: list[Row]) -> set[tuple[int, int]]:
    return {(row["rank"], row["leader"]) for row in rows if row["leader"] is not None}


def incomplete(rows: list[Row]) -> set[int]:
    return {row["rank"] for row in rows if row["leader"] is None}


def versions(seed: int, count: int, *, words: int = 120, edits: Sequence[int] = (0, 1, 2, 4, 8)) -> list[str]:
    chance = random.Random(seed)
    base = prose(chance, words)
    return [" ".join(edited(base, chance, chance.choice(edits))) for _ in range(count)]


class TestPairs:
    """The pairs of a bucket."""

    @settings(deadline=None, max_examples=60)
    @given(seed=st.integers(0, 10**6), threshold=st.sampled_from([0.3, 0.5, 0.8, 0.95, 1.0]))
    def test_a_thorough_round_leaves_out_no_similar_pair(self, seed: int, threshold: float) -> None:
        """Sizes and bitmaps may only exclude pairs that cannot be similar."""
        texts = versions(seed, 12)

        rows = pairs_of(members(texts, states=[9] * len(texts)), threshold=threshold)

        similar = {
            (later, earlier)
            for later in range(len(texts))
            for earlier in range(later)
            if similarity(texts[later], texts[earlier]) >= threshold
        }
        assert similar <= sides(rows)
        assert not incomplete(rows)

    @settings(deadline=None, max_examples=60)
    @given(seed=st.integers(0, 10**6))
    def test_a_member_is_compared_with_all_before_it_or_says_that_it_is_not(self, seed: int) -> None:
        """A vertex that nothing is said about is kept at once."""
        texts = versions(seed, 12)

        rows = pairs_of(members(texts))

        for later in set(range(len(texts))) - incomplete(rows):
            for earlier in range(later):
                is_similar = similarity(texts[later], texts[earlier]) >= 0.8
                assert not is_similar or (later, earlier) in sides(rows)

    def test_copies_of_one_text_are_compared_with_it_alone(self) -> None:
        """A thousand of them must not be half a million comparisons."""
        texts = versions(1, 1_000, edits=(1,))

        rows = pairs_of(members(texts))

        assert {leader for _, leader in sides(rows)} == {0}
        assert len(sides(rows)) == 999
        assert incomplete(rows) == set(range(1, 1_000))

    def test_kept_members_are_not_compared_with_each_other(self) -> None:
        """They were decided in an earlier round."""
        texts = versions(2, 6, edits=(1,))

        rows = pairs_of(members(texts, states=[-1, -1, 1, -1, 1, -1]))

        assert {row for row in sides(rows) if row[0] not in (2, 4)} == set()
        assert {(2, 0), (2, 1), (4, 0), (4, 1), (4, 3)} <= sides(rows)

    @pytest.mark.parametrize("states", [[0] * 9, [9] * 9, [-1, 9, 9, -1, 9, 9, -1, 9, 9]])
    def test_late_members_are_compared_with_early_ones_alone(self, states: list[int]) -> None:
        """A template brings any number of them into a bucket with one early member."""
        texts = [" ".join(prose(random.Random(number), 120)) for number in range(3)] * 3
        late = {0, 1, 3, 5, 8}

        rows = pairs_of(members(texts, states=states, late=sorted(late)))

        equal = {(one, other) for one in range(9) for other in range(one) if one % 3 == other % 3 and states[one] >= 0}
        possible = {pair for pair in equal if not late.issuperset(pair)}
        assert sides(rows) <= possible
        assert {one for one, _ in possible} <= {one for one, _ in sides(rows)} | incomplete(rows)
        if states[1] == 9:
            assert sides(rows) == possible
            assert not incomplete(rows)

    def test_buckets_are_independent(self) -> None:
        """The stream has one after the other, and may be cut anywhere."""
        texts = versions(3, 8)
        both = pa.concat_batches([members(texts, bucket=1), members(texts, bucket=2)])
        buckets = _kernel.Buckets(0.8, ENOUGH)

        rows = [row for place in range(16) for row in chosen_pairs(buckets, both.slice(place, 1)).to_pylist()]

        assert rows == pairs_of(members(texts)) * 2

    def test_when_memory_ends_members_wait(self) -> None:
        """A bucket may have more duplicates than fit; what is not compared with them is decided later."""
        texts = [*versions(4, 50, edits=(1,)), " ".join(prose(random.Random(5), 120))]

        rows = pairs_of(members(texts), memory_bytes=1_000)

        assert len(texts) - 1 in incomplete(rows)
        assert len(texts) - 1 not in incomplete(pairs_of(members(texts)))

    @pytest.mark.parametrize("words", [3, 40, 700, 30_000])
    def test_bitmaps_exclude_most_pairs_below_the_threshold(self, words: int) -> None:
        """Documents of one template would all be compared in full without them, whatever their length."""
        chance = random.Random(6)
        template = prose(chance, words * 8 // 10)
        texts = [" ".join([*template, *prose(chance, words * 2 // 10 + 1)]) for _ in range(12)]
        assert all(similarity(texts[0], other) < 0.75 for other in texts[1:])

        assert len(sides(pairs_of(members(texts)))) <= 3

    def test_a_larger_bitmap_is_folded(self) -> None:
        """Documents of different sizes have bitmaps of different sizes."""
        chance = random.Random(7)
        words = prose(chance, 520)
        texts = [" ".join(words), " ".join(words[:500])]
        assert len({len(bitmap) for bitmap in members(texts)["bitmap"].to_pylist()}) == 2

        assert sides(pairs_of(members(texts))) == {(1, 0)}


@settings(deadline=None)
@given(
    one=st.sets(st.integers(0, 60), min_size=1), others=st.lists(st.sets(st.integers(0, 60), min_size=1), max_size=5)
)
def test_similarities_are_exact(one: set[int], others: list[set[int]]) -> None:
    """They go into the ledger."""

    def as_array(values: set[int]) -> npt.NDArray[np.uint64]:
        return np.array(sorted(values), np.uint64)

    counts = np.array([len(other) for other in others], np.int64)
    values = np.concatenate([np.empty(0, np.uint64), *map(as_array, others)])

    result = np.frombuffer(_kernel.similarities(as_array(one), values, counts), np.float64)

    assert result.tolist() == [len(one & other) / len(one | other) for other in others]


def rules_of(texts: Sequence[str], **how: Any) -> list[str | None]:
    """Return the rule of each of *texts*, fetched one day after the other."""
    captures = [capture(str(number), text, day=number) for number, text in enumerate(texts)]
    found = {
        fate["captured"]: fate["rule"] for fate in fates(table(captures), [("near_dedup", FINDS_ALL)], Contrary(**how))
    }
    return [found[captured] for captured in sorted(found)]


def greedy(texts: Sequence[str], *, threshold: float = 0.8) -> list[str | None]:
    kept: list[str] = []
    rules: list[str | None] = []
    for text in texts:
        is_duplicate = any(similarity(text, other) >= threshold for other in kept)
        rules.append(RULE if is_duplicate else None)
        if not is_duplicate:
            kept.append(text)
    return rules


def test_a_chain_of_versions_is_not_one_cluster() -> None:
    """Each version is similar to its neighbors alone, so every second or third one stays, in a few rounds."""
    chance = random.Random(8)
    words = prose(chance, 2_000)
    texts = [" ".join(words[start : start + 400]) for start in range(0, 1_600, 25)]
    assert similarity(texts[0], texts[1]) > 0.85
    assert similarity(texts[0], texts[3]) < 0.8

    rules = rules_of(texts)

    assert rules == greedy(texts)
    assert 15 < rules.count(None) < 40


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), rows=st.sampled_from([1, 7, 1000]))
def test_families_with_removed_leaders_are_decided_as_in_sequence(seed: int, rows: int) -> None:
    """The first of a family may be a duplicate of something else; then its own duplicates are compared again."""
    chance = random.Random(seed)
    texts = []
    for _ in range(3):
        words = prose(chance, 150)
        for _ in range(3):
            words = edited(words, chance, 3)
            texts += [" ".join(edited(words, chance, chance.choice([0, 1, 2]))) for _ in range(4)]
    chance.shuffle(texts)

    assert rules_of(texts, rows=rows, seed=seed) == greedy(texts)


def test_equal_sets_of_shingles_are_one_vertex() -> None:
    """Case and punctuation differ, so texts do; ten thousand of them must not be ten thousand vertices."""
    chance = random.Random(9)
    words = prose(chance, 60)
    texts = [" ".join(word + chance.choice(["", ",", "."]) for word in words) for _ in range(20)]
    captures = [capture(str(number), text, day=number) for number, text in enumerate(texts)]
    how = Contrary()
    stage = NearDedup()

    found = fates(table(captures), [("near_dedup", stage)], how)

    kept = [fate for fate in found if fate["rule"] is None]
    assert [fate["cluster_size"] for fate in kept] == [20]
    assert {fate["value"] for fate in found if fate["rule"] is not None} == {1.0}
    assert how.rounds == 1
    assert shingle_sets([texts[0]], ngram=5).values.tolist() == shingle_sets([texts[1]], ngram=5).values.tolist()
