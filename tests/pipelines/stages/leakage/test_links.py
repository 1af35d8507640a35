"""Pairs of a bucket that may link two components."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup import _kernel
from corpusmill.pipelines.stages.dedup.signatures import signed
from corpusmill.pipelines.stages.leakage.links import MEMBER, ChooseLinks, chosen_links
from tests.pipelines.stages.dedup.corpus import edited, prose, similarity

Pairs = set[tuple[int, int]]


def members(texts: Sequence[str], components: Sequence[int], *, bucket: int = 7) -> pa.RecordBatch:
    """Return *texts* as members of one bucket, in its order. Their places are those in *texts*."""
    signs = signed(texts, ngram=5, bands=1, rows=1)
    ends = np.cumsum(signs.bitmaps.counts_D * 8).tolist()
    data = signs.bitmaps.values.tobytes()
    bitmaps = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    rows = [
        {"bucket": bucket, "component": component, "place": place, "size": size, "bitmap": bitmap}
        for place, (component, size, bitmap) in enumerate(zip(components, signs.sizes_D.tolist(), bitmaps, strict=True))
    ]
    return pa.RecordBatch.from_pylist(sorted(rows, key=lambda row: (row["component"], row["place"])), schema=MEMBER)


def pairs_of(*batches: pa.RecordBatch, is_thorough: bool, threshold: float = 0.5) -> Pairs:
    buckets = _kernel.Buckets(threshold, 0)
    rows = [row for batch in batches for row in chosen_links(buckets, batch, is_thorough=is_thorough).to_pylist()]
    return {(row["place"], row["leader_place"]) for row in rows}


def windows(*starts: int) -> list[str]:
    words = prose(random.Random(6), 200)
    return [" ".join(words[start : start + 60]) for start in starts]


def test_a_document_between_two_others_links_both() -> None:
    """It is nearest to one of them. The other is compared because it is then in another component."""
    texts = windows(0, 30, 14)
    assert similarity(texts[0], texts[1]) < 0.5 < similarity(texts[1], texts[2]) < similarity(texts[0], texts[2])

    assert pairs_of(members(texts, [0, 1, 2]), is_thorough=False) == {(2, 0)}
    assert pairs_of(members(texts, [0, 1, 0]), is_thorough=True) == {(1, 2)}


@pytest.mark.parametrize("is_thorough", [False, True])
def test_members_of_one_component_are_not_compared(is_thorough: bool) -> None:
    """A bucket of n similar documents would have n²/2 comparisons."""
    texts = windows(*range(0, 40, 2))

    assert pairs_of(members(texts, [3] * 20), is_thorough=is_thorough) == set()


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), threshold=st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_no_similar_pair_of_two_components_is_left_out(seed: int, threshold: float) -> None:
    """Sizes and bitmaps may only exclude pairs that cannot be similar; the nearest is one of the pairs."""
    chance = random.Random(seed)
    base = prose(chance, 80)
    texts = [" ".join(edited(base, chance, chance.choice([0, 1, 2, 4, 8]))) for _ in range(10)]
    components = [chance.randrange(4) for _ in texts]

    batch = members(texts, components)
    pairs = pairs_of(batch, is_thorough=True, threshold=threshold)

    order = batch["place"].to_pylist()
    similar = {
        (later, earlier)
        for position, later in enumerate(order)
        for earlier in order[:position]
        if components[later] != components[earlier] and similarity(texts[later], texts[earlier]) >= threshold
    }
    assert similar <= pairs
    assert all(components[one] != components[other] for one, other in pairs)
    nearest = pairs_of(batch, is_thorough=False, threshold=threshold)
    assert nearest <= pairs
    assert {one for one, _ in nearest} == {one for one, _ in pairs}


@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_buckets_are_independent_wherever_batches_are_cut(rows: int) -> None:
    """The stream has one after the other; a member that is listed twice counts once."""
    texts = windows(*range(0, 100, 5))
    one, other = (members(texts, list(range(20)), bucket=bucket) for bucket in (1, 2))
    twice = one.take(pa.array(np.repeat(np.arange(20), 2)))
    stream = pa.concat_batches([twice, other])
    batches = [stream.slice(start, rows) for start in range(0, stream.num_rows, rows)]

    made = pa.Table.from_batches(list(ChooseLinks(similarity=0.5, is_thorough=True).build()(iter(batches))))

    expected = pairs_of(one, is_thorough=True)
    assert made.num_rows == 2 * len(expected)
    assert set(zip(made["place"].to_pylist(), made["leader_place"].to_pylist(), strict=True)) == expected
