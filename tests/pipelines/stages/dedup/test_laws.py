"""Laws 1 to 4 of `near_dedup` on small random corpora, with bands that detect every similar pair.

Then only the definition may decide: `tests.pipelines.stages.dedup.laws` computes it without hashes or bands.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.near import NearDedup
from corpusmill.pipelines.stages.dedup.parent import INDEX
from corpusmill.pipelines.stages.dedup.priority import Keep
from tests.pipelines.stages.dedup.corpus import capture, shingle_set, table
from tests.pipelines.stages.dedup.exchange import Contrary, fates
from tests.pipelines.stages.dedup.laws import (
    KEEPS,
    SOURCES,
    THRESHOLDS,
    Capture,
    broken_laws,
    captures_of,
    corpora,
    is_similar,
    place,
    survivors,
    texts_of,
)

NGRAM = 2
HOW = st.builds(Contrary, parts=st.integers(1, 4), rows=st.sampled_from([1, 7, 1000]), seed=st.integers(0, 999))


def stage_of(threshold: float, keep: Keep = "oldest") -> NearDedup:
    """Return a stage whose bands miss one pair in a hundred million at the least threshold, and fewer above it."""
    return NearDedup(threshold=threshold, ngram=NGRAM, bands=52, rows=1, keep=keep)


def fates_of(captures: Sequence[Capture], stage: NearDedup, how: Contrary) -> list[dict[str, Any]]:
    return fates(table(captures), [("near_dedup", stage)], how, sources=SOURCES)


def kept(found: Sequence[Mapping[str, Any]]) -> set[str]:
    return {fate["id"] for fate in found if fate["rule"] is None}


@pytest.mark.parametrize("keep", KEEPS)
@settings(max_examples=25, deadline=None)
@given(captures=corpora(ngram=NGRAM), threshold=st.sampled_from(THRESHOLDS), how=HOW)
def test_laws_1_to_3_hold_in_every_order(keep: Keep, captures: list[Capture], threshold: float, how: Contrary) -> None:
    """No two kept are alike, each removed one names a kept one, and the survivors follow from the documents alone."""
    found = fates_of(captures, stage_of(threshold, keep), how)

    assert broken_laws(captures, found, threshold=threshold, ngram=NGRAM) == []
    assert kept(found) == survivors(captures, threshold=threshold, ngram=NGRAM, keep=keep)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_a_pair_exactly_at_the_threshold_is_similar(threshold: float) -> None:
    """Filters multiply sizes by the threshold in floating point, where 0.55 × 20 is more than 11."""
    captures = []
    sizes = [size for size in range(1, 101) if (Fraction(str(threshold)) * size).denominator == 1]
    for size in sizes:
        words = [f"w{size}x{number}" for number in range(size + NGRAM - 1)]
        shared = int(Fraction(str(threshold)) * size)
        captures.append(capture(f"longer {size}", " ".join(words), day=0))
        captures.append(capture(f"shorter {size}", " ".join(words[: shared + NGRAM - 1]) + "!", day=1))

    found = fates_of(captures, stage_of(threshold), Contrary())

    assert [fate["value"] for fate in found if fate["rule"]] == [threshold] * len(sizes)


def grown(
    before: Sequence[Capture], after: Sequence[Capture], threshold: float, how: Contrary, *, keep: Keep = "oldest"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the fates of *before* in one version, and of *after* in the next one, over the index of the first."""
    stage = stage_of(threshold, keep).for_incremental()
    assert isinstance(stage, NearDedup)
    first = fates_of(before, stage, how)
    index = how.sides.get(("near_dedup.index", "index"), INDEX.empty_table())
    second = fates(
        table(after), [("near_dedup", stage)], how, sources=SOURCES, parents={"near_dedup": {"parent": index}}
    )
    return first, second


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32), threshold=st.sampled_from(THRESHOLDS), how=HOW, days=st.sampled_from([(0, 1), (0, 0)])
)
def test_law_4_growing_gives_what_all_at_once_gives(
    seed: int, threshold: float, how: Contrary, days: tuple[int, int]
) -> None:
    """Yesterday's survivors stay, and the index must lead to the decisions that all documents lead to."""
    chance = random.Random(seed)
    texts = texts_of(chance, ngram=NGRAM)
    documents = sorted(captures_of(texts, chance, days=(*days, 2, 3)), key=lambda row: place(row, "oldest"))
    cut = chance.randint(0, len(documents))

    first, second = grown(documents[:cut], documents, threshold, how)

    assert kept(first) <= kept(second)
    assert kept(second) == survivors(documents, threshold=threshold, ngram=NGRAM, keep="oldest")
    assert broken_laws(documents, second, threshold=threshold, ngram=NGRAM) == []


@settings(max_examples=60, deadline=None)
@given(
    captures=corpora(ngram=NGRAM),
    threshold=st.sampled_from(THRESHOLDS[:6]),
    keep=st.sampled_from(KEEPS),
    how=HOW,
    seed=st.integers(0, 2**32),
)
def test_any_change_gives_what_all_at_once_gives(
    captures: list[Capture], threshold: float, keep: Keep, how: Contrary, seed: int
) -> None:
    """Documents may be taken down, and come in before those that were kept: decisions of the parent then change."""
    chance = random.Random(seed)
    before = [row for row in captures if chance.random() < 0.7]
    survive = survivors(before, threshold=threshold, ngram=NGRAM, keep=keep)
    after = [row for row in captures if row not in before or chance.random() < (0.5 if row["id"] in survive else 0.9)]

    _, second = grown(before, after, threshold, how, keep=keep)

    assert broken_laws(after, second, threshold=threshold, ngram=NGRAM) == []
    assert kept(second) == survivors(after, threshold=threshold, ngram=NGRAM, keep=keep)


def test_the_reference_is_what_the_law_says() -> None:
    """A chain A-B-C: B is like both, so A stays, B goes, and C, which is like B alone, stays."""
    words = [f"w{number}" for number in range(20)]
    chain = [capture(name, " ".join(words[at : at + 11]), day=at) for at, name in zip((0, 2, 4), "abc", strict=True)]

    assert [len(survivors(chain, threshold=t, ngram=NGRAM, keep="oldest")) for t in (0.4, 0.6, 0.7)] == [1, 2, 3]
    assert len(survivors(chain[1:] + chain[:1], threshold=0.6, ngram=NGRAM, keep="newest")) == 2
    assert not is_similar(set(), set(), 0.3)
    assert is_similar(set(range(11)), set(range(20)), 0.55)
    assert not is_similar(set(range(10)), set(range(20)), 0.55)


def test_random_corpora_have_what_the_laws_are_about() -> None:
    """A strategy that draws no pair at a threshold, no chain and no equal sets would test nothing."""
    exact = chains = equal = 0
    for seed in range(50):
        sets = [shingle_set(text, ngram=NGRAM) for text in texts_of(random.Random(seed), ngram=NGRAM)]
        pairs = [(one, other) for one, other in combinations(sets, 2) if is_similar(one, other, 0.6)]
        equal += any(one == other for one, other in pairs)
        exact += any(5 * len(one & other) == 3 * len(one | other) for one, other in pairs)
        chains += any(
            is_similar(other, third, 0.6) and not is_similar(one, third, 0.6) for one, other in pairs for third in sets
        )
    assert min(exact, chains, equal) >= 10, (exact, chains, equal)
