"""SplitMix64: published numbers, and agreement of the scalar and the column form."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.schemas.splitmix import GAMMA, splitmix64, splitmix64_column

PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]
words = st.integers(0, 2**64 - 1)


def test_splitmix64_gives_the_published_numbers() -> None:
    """The first outputs of the reference generator (prng.di.unimi.it, splitmix64.c) for the seed 1234567."""
    states = [(1234567 + index * GAMMA) % 2**64 for index in range(5)]

    assert [splitmix64(state) for state in states] == PUBLISHED
    assert splitmix64_column(np.array(states, np.uint64)).tolist() == PUBLISHED


@given(values=st.sets(words, max_size=50))
def test_splitmix64_maps_different_values_to_different_values(values: set[int]) -> None:
    """It is a permutation, so two keys share a partition only because there are fewer partitions than keys."""
    mixed = {splitmix64(value) for value in values}

    assert len(mixed) == len(values)
    assert all(0 <= value < 2**64 for value in mixed)


@given(values=st.lists(words, max_size=50))
def test_a_column_is_mixed_like_its_values(values: list[int]) -> None:
    """The column form assigns rows to partitions, and the scalar form looks them up."""
    mixed = splitmix64_column(np.array(values, np.uint64))

    assert mixed.tolist() == [splitmix64(value) for value in values]
