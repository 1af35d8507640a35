from __future__ import annotations

import random
import time
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.greedy import Nearest, Stars, bitmap, jaccard

SETS = st.lists(st.sets(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 40), min_size=1, max_size=60), max_size=20)


def as_array(values: set[int]) -> npt.NDArray[np.int64]:
    return np.array(sorted(values), np.int64)


@settings(deadline=None)
@given(sets=SETS, threshold=st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_filters_spare_comparisons_and_change_nothing(sets: list[set[int]], threshold: float) -> None:
    """Sizes and bitmaps may only exclude kept documents that cannot be similar."""
    stars, kept = Stars(threshold=threshold), []
    for values in sets:
        near = [(-len(values & one) / len(values | one), place) for place, one in enumerate(kept)]
        near = [pair for pair in near if -pair[0] >= threshold]
        expected = Nearest(min(near)[1], -min(near)[0]) if near else None

        assert stars.add([7], as_array(values)) == expected

        if expected is None:
            kept.append(values)
    assert len(stars) == len(kept)


@settings(deadline=None)
@given(one=st.sets(st.integers(0, 5000)), other=st.sets(st.integers(0, 5000)))
def test_bitmaps_differ_in_no_more_bits_than_sets_in_members(one: set[int], other: set[int]) -> None:
    """The filter is exact because of this bound."""
    bits = int(np.bitwise_count(bitmap(as_array(one)) ^ bitmap(as_array(other))).sum())

    assert bits <= len(one ^ other)
    if one or other:
        assert jaccard(as_array(one), as_array(other)) == len(one & other) / len(one | other)


def test_documents_without_a_common_band_do_not_meet() -> None:
    """Bands exist so that only candidates are compared."""
    stars, values = Stars(threshold=0.5), as_array({1, 2, 3})

    assert stars.add([1, 2], values) is None
    assert stars.add([3], values) is None
    assert stars.add([2, 3], values) == Nearest(0, 1.0)


def test_a_chain_of_alike_documents_is_not_one_cluster() -> None:
    """b duplicates a; c is similar to b but not to a. It must stay, or its text would be lost."""
    a, b, c = (as_array(set(range(start, start + 20))) for start in (0, 3, 6))
    stars = Stars(threshold=0.7)

    assert [stars.add([1], values) for values in (a, b, c)] == [None, Nearest(0, 17 / 23), None]


def template(chance: random.Random, *, own: int, of: int = 400) -> npt.NDArray[np.int64]:
    """Return the shingles of a page that shares all but *own* of its *of* shingles with all pages of its template."""
    return np.sort(np.concatenate([TEMPLATE[: of - own], np.array([chance.getrandbits(62) for _ in range(own)])]))


TEMPLATE = np.array([random.Random(9).getrandbits(62) for _ in range(400)], np.int64)


def seconds_for(pages: list[npt.NDArray[np.int64]], stars: Stars) -> float:
    start = time.process_time()
    for page in pages:
        stars.add([1, 2, 3], page)
    return time.process_time() - start


def test_ten_thousand_pages_of_one_template_go_in_linear_time() -> None:
    """All pages share all bands, but each is compared with kept pages only, of which there is one."""
    chance = random.Random(2)
    pages = [template(chance, own=20) for _ in range(10_000)]
    stars = Stars(threshold=0.8)

    times = [seconds_for(pages[start:end], stars) for start, end in pairwise([0, 5_000, 10_000])]

    assert len(stars) == 1
    assert times[1] < 2 * times[0] + 0.5


def test_thousands_of_different_pages_of_one_template_are_told_apart_quickly() -> None:
    """The pages are similar but below the threshold, so all are kept; the bitmaps must skip most comparisons."""
    chance = random.Random(4)
    pages = [template(chance, own=80) for _ in range(2_000)]
    stars = Stars(threshold=0.8)

    spent = seconds_for(pages, stars)

    assert len(stars) == len(pages)
    assert spent < 15
