"""The column of embeddings that come with the records of a source."""

from __future__ import annotations

from typing import Final

VECTOR: Final = "vector"
"""The column of a record that `vector_field` of its source fills. It is dropped after the last stage that reads it."""
MAX_DIMENSIONS: Final = 8_192
"""Components of the longest vector. Embeddings of published models have at most half as many."""
VECTOR_COUNTS: Final = "vectors."
"""Prefix of the counters for records with a vector, by its length (``length.384``), and without one, by the reason."""
LENGTH: Final = "length."
MISSING: Final = "missing"
"""The field is absent or null."""
NOT_NUMBERS: Final = "not_numbers"
"""The field is no list of numbers, or a component is null, infinite or not a number."""
ZERO: Final = "zero"
"""The list is empty, or all components are zero."""
TOO_LONG: Final = "too_long"
"""The list has more than `MAX_DIMENSIONS` components."""
REASONS: Final = (MISSING, NOT_NUMBERS, ZERO, TOO_LONG)
"""Why a record has no vector."""
