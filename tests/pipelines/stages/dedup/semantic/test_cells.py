"""Cells around random vectors of a crowd: who shares one, and that nothing but the vectors decides."""

from __future__ import annotations

import random

import numpy as np
import pytest

from corpusmill.pipelines.stages.dedup.semantic import vectors as semantic_vectors
from corpusmill.pipelines.stages.dedup.semantic.cells import NEAREST, RUNS, cells, centers_of
from corpusmill.pipelines.stages.dedup.semantic.vectors import Vectors, quantized
from tests.pipelines.stages.dedup.semantic.embedded import direction


def vectors_of(rows: list[list[float]]) -> Vectors:
    return quantized(np.array([value for row in rows for value in row]), np.array([len(row) for row in rows], np.int64))


def cells_by_row(vectors: Vectors, centers: Vectors) -> list[set[int]]:
    members: list[set[int]] = [set() for _ in vectors.counts_R]
    for rows, numbers in cells(vectors, centers_of(centers)):
        for row, number in zip(rows.tolist(), numbers.tolist(), strict=True):
            members[row].add(number)
    return members


def mixed(count: int, *, seed: int) -> Vectors:
    """Return vectors of two lengths, and rows without one."""
    chance = random.Random(seed)
    return vectors_of([direction(chance, chance.choice([0, 3, 5])) for _ in range(count)])


def test_a_vector_is_in_the_cells_of_its_nearest_centers() -> None:
    """By their integer products, of which the first of equal ones counts."""
    chance = random.Random(1)
    vectors = vectors_of([direction(chance, 4) for _ in range(30)])
    centers = vectors_of([direction(chance, 4) for _ in range(3 * RUNS)])
    rows, own = vectors.values.reshape(-1, 4).astype(int), centers.values.reshape(-1, 4).astype(int)

    found = cells_by_row(vectors, centers)

    assert {len(numbers) for numbers in found} == {RUNS * NEAREST}
    nearest = [
        {
            center
            for run in range(RUNS)
            for center in sorted(range(run, 3 * RUNS, RUNS), key=lambda c: -row @ own[c])[:2]
        }
        for row in rows
    ]
    pairs = [(one, other) for one in range(30) for other in range(one)]
    assert all(len(found[a] & found[b]) == len(nearest[a] & nearest[b]) for a, b in pairs)


def test_lengths_share_no_cell() -> None:
    """A row without a vector has none; vectors of a length without centers are all compared."""
    vectors = vectors_of([[1.0, 2.0], [], [2.0, 1.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])

    found = cells_by_row(vectors, vectors_of([[1.0, 1.0]]))

    assert found[0] == found[2]
    assert found[3] == found[4]
    assert len(found[0]) == len(found[3]) == 1
    assert not found[1]
    assert not found[0] & found[3]


@pytest.mark.parametrize("values", [1, 7, 64])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, values: int) -> None:
    """Products are computed for some rows at a time."""
    vectors, centers = mixed(40, seed=2), mixed(30, seed=3)
    whole = cells_by_row(vectors, centers)
    monkeypatch.setattr(semantic_vectors, "BLOCK_VALUES", values)

    assert cells_by_row(vectors, centers) == whole


def test_similar_vectors_in_a_crowd_share_a_cell() -> None:
    """Nearly all pairs far above the cosine of the crowd do, and few others."""
    chance = np.random.default_rng(5)
    crowd = np.sqrt(0.9) + np.sqrt(0.1) * chance.normal(size=(2_000, 64))
    copies = crowd[:100] + 0.03 * chance.normal(size=(100, 64))
    vectors = vectors_of(np.concatenate([crowd, copies]).tolist())
    centers = Vectors(vectors.values.reshape(-1, 64)[100 : 100 + 128 * RUNS].ravel(), np.full(128 * RUNS, 64))

    found = cells_by_row(vectors, centers)

    assert all(found[row] & found[2_000 + row] for row in range(100))
    assert np.mean([bool(found[row] & found[row + 1]) for row in range(1_000, 1_999)]) < 0.7
