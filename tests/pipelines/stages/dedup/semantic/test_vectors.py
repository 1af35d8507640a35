"""Vectors of integers: exact, independent of batches, and close to the vectors that they stand for."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.semantic.embeddings import embedding_vectors, is_embedding
from corpusmill.pipelines.stages.dedup.semantic.vectors import (
    LENGTH,
    Vectors,
    as_binary,
    cosines,
    from_binary,
    quantized,
)
from corpusmill.schemas.vectors import MAX_DIMENSIONS
from tests.pipelines.stages.dedup.semantic.embedded import cosine, direction, integers

components = st.floats(allow_nan=False, allow_infinity=False, width=32).map(float)
rows = st.lists(st.none() | st.lists(components, max_size=6), max_size=8)


def lists(vectors: Vectors) -> list[list[int]]:
    """Return the components of each row."""
    ends = np.cumsum(vectors.counts_R)
    return [vectors.values[end - count : end].tolist() for end, count in zip(ends, vectors.counts_R, strict=True)]


@settings(deadline=None, max_examples=200)
@given(rows=rows)
def test_components_are_those_of_the_definition(rows: list[list[float] | None]) -> None:
    """Whole columns must give what one number after the other gives."""
    vectors = lists(embedding_vectors(pa.array(rows, pa.list_(pa.float32()))))

    assert vectors == [integers(row) if row and any(row) else [] for row in rows]


@settings(deadline=None, max_examples=100)
@given(rows=rows, start=st.integers(0, 8))
def test_columns_may_be_slices_and_travel_as_binary(rows: list[list[float] | None], start: int) -> None:
    """Batches are slices of larger columns, and vectors are exchanged as bytes."""
    column = pa.array(rows, pa.list_(pa.float64()))

    sliced = as_binary(embedding_vectors(column.slice(start)))

    assert sliced.equals(as_binary(embedding_vectors(column)).slice(start))
    travelled = as_binary(embedding_vectors(column)).slice(start)
    assert lists(from_binary(travelled)) == lists(embedding_vectors(column))[start:]


@pytest.mark.parametrize("dimensions", [2, 3, 300, 8_000, MAX_DIMENSIONS])
@pytest.mark.parametrize("alike", [True, False])
def test_sums_of_products_fit_into_float32(dimensions: int, alike: bool) -> None:
    """If a sum reached 2^24, the sign of a projection would depend on the order of the sum."""
    chance = random.Random(dimensions)
    values = [1.0] * dimensions if alike else direction(chance, dimensions)

    vector = quantized(np.array(values), np.array([dimensions])).values.astype(np.int64)

    assert 0.95 * LENGTH < np.sqrt((vector * vector).sum()) < 4_096


@pytest.mark.parametrize("dimensions", [8, 384, 4_096])
def test_a_cosine_is_that_of_the_vectors_to_three_digits(dimensions: int) -> None:
    """The threshold is one of the user's vectors, not of the integers that stand for them."""
    chance = random.Random(1)
    pairs = []
    for _ in range(20):
        one = direction(chance, dimensions)
        pairs.append((one, [value + chance.gauss(0, 0.3) for value in one]))
    counts = np.full(len(pairs), dimensions)
    left, right = (quantized(np.array([pair[side] for pair in pairs]).ravel(), counts) for side in (0, 1))

    found = cosines(left.values, right.values, counts)

    exact = [np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other) for one, other in pairs]
    assert np.abs(found - exact).max() < 5e-4
    assert found.tolist() == [cosine(one, other) for one, other in pairs]


def test_only_lists_of_floating_point_numbers_are_embeddings() -> None:
    """A list of token numbers is not a vector."""
    kinds = [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.list_(pa.int64()), pa.string(), pa.float32()]

    assert [is_embedding(kind) for kind in kinds] == [True, True, False, False, False]
