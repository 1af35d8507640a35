"""Bits and bands of vectors: exact, and equal as often as the angle says."""

from __future__ import annotations

import random

import numpy as np
import pytest

from corpusmill.pipelines.stages.dedup.semantic import planes
from corpusmill.pipelines.stages.dedup.semantic import vectors as semantic_vectors
from corpusmill.pipelines.stages.dedup.semantic.planes import chosen_planes, equal_bit, found_share, normals, signed
from corpusmill.pipelines.stages.dedup.semantic.vectors import Vectors, cosines, quantized
from corpusmill.schemas.splitmix import GAMMA, splitmix64
from tests.pipelines.stages.dedup.semantic.embedded import direction, near


def vectors_of(lists: list[list[float]]) -> Vectors:
    """Return *lists* as vectors."""
    return quantized(np.array([value for one in lists for value in one]), np.array([len(one) for one in lists]))


def test_normals_are_those_of_the_definition() -> None:
    """They are part of what a recipe means: on another machine, the same bits must come out."""
    seed, mask = 0x9A11E1_5EED, (1 << 64) - 1
    expected = [
        [splitmix64((splitmix64(seed + plane) + dimension * GAMMA) & mask).bit_count() - 32 for plane in range(5)]
        for dimension in range(7)
    ]

    assert normals(7, 5).tolist() == expected


@pytest.mark.parametrize("dimensions", [3, 100, 8_192])
def test_projections_are_exact(dimensions: int) -> None:
    """Sums of float32 must be those of integers, or bits would depend on the machine."""
    chance = random.Random(dimensions)
    vectors = vectors_of([direction(chance, dimensions), [1.0] * dimensions, near([1.0] * dimensions, chance, 0.01)])

    words = signed(vectors, bands=16, planes=4).words_RW

    rows = vectors.values.reshape(3, dimensions).astype(np.int64)
    exact = rows @ normals(dimensions, 64).astype(np.int64) > 0
    assert [[word >> plane & 1 for plane in range(64)] for (word,) in words.tolist()] == exact.tolist()


@pytest.mark.parametrize("distance", [0.05, 0.3, 1.0])
def test_bits_differ_as_often_as_the_angle_says(distance: float) -> None:
    """The numbers of bands and planes are chosen by this probability."""
    chance = random.Random(1)
    ones = [direction(chance, 64) for _ in range(100)]
    left, right = (vectors_of(side) for side in (ones, [near(one, chance, distance) for one in ones]))

    bits = [signed(side, bands=64, planes=16).words_RW for side in (left, right)]

    different = np.bitwise_count(bits[0] ^ bits[1]).sum(axis=1)
    expected = [1_024 * (1 - equal_bit(c)) for c in cosines(left.values, right.values, left.counts_R).tolist()]
    assert different.mean() == pytest.approx(np.mean(expected), rel=0.05)
    least = cosines(left.values, right.values, left.counts_R).min()
    assert different.max() <= planes.max_different_bits(least, bits=1_024) < 400


def test_sparse_vectors_have_such_bits_too() -> None:
    """A short text has few words, so a projection is a sum of few numbers."""
    chance = random.Random(2)
    ones = [[float(chance.random() < 0.01) for _ in range(1_024)] for _ in range(200)]
    others = [[value if chance.random() < 0.9 else 0.0 for value in one] for one in ones]
    pairs = [(one, other) for one, other in zip(ones, others, strict=True) if any(one) and any(other)]
    left, right = (vectors_of([pair[side] for pair in pairs]) for side in (0, 1))

    bits = [signed(side, bands=64, planes=16).words_RW for side in (left, right)]

    different = np.bitwise_count(bits[0] ^ bits[1]).sum(axis=1).mean()
    expected = [1_024 * (1 - equal_bit(c)) for c in cosines(left.values, right.values, left.counts_R).tolist()]
    assert different == pytest.approx(np.mean(expected), rel=0.1)


def test_bands_are_bits_and_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is equal exactly if its bits are, in the same band, of vectors of the same length."""
    chance = random.Random(3)
    vectors = vectors_of([direction(chance, 4 + number % 2) for number in range(60)])
    whole = signed(vectors, bands=9, planes=3)
    monkeypatch.setattr(semantic_vectors, "BLOCK_VALUES", 10)

    keys = signed(vectors, bands=9, planes=3).keys_RB

    assert np.array_equal(keys, whole.keys_RB)
    meanings: dict[int, set[tuple[int, int, int]]] = {}
    for row, (word, row_keys) in enumerate(zip(whole.words_RW[:, 0].tolist(), keys.tolist(), strict=True)):
        for band, key in enumerate(row_keys):
            meanings.setdefault(key, set()).add((band, word >> 3 * band & 7, row % 2))
    assert {len(meaning) for meaning in meanings.values()} == {1}
    assert len(meanings) == len({next(iter(meaning)) for meaning in meanings.values()})


@pytest.mark.parametrize("threshold", [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0])
def test_chosen_planes_detect_the_threshold(threshold: float) -> None:
    """For every threshold, within the bound of bits."""
    bands, per_band = chosen_planes(threshold)

    assert found_share(threshold, bands=bands, planes=per_band) >= 0.9969
    assert bands * per_band <= planes.MAX_BITS
