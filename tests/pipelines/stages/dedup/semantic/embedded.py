"""Small corpora with embeddings, and their cosines and survivors computed slowly."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.semantic.stage import SemanticDedup
from corpusmill.schemas.document import CAPTURE
from tests.pipelines.stages.dedup.corpus import capture
from tests.pipelines.stages.dedup.exchange import Contrary, fates

SCHEMA = CAPTURE
"""Its column `vector` has the embeddings."""
FINDS_ALL = SemanticDedup(column="vector", threshold=0.8, bands=200, planes=1)
"""Bands of one bit: two documents are candidates unless they are nearly opposite."""
Row = dict[str, Any]


def embedded(name: str, vector: Sequence[float | None] | None, *, day: int | None = 0, **more: Any) -> Row:
    """Return a capture with an embedding."""
    return capture(name, f"text of {name}", day=day, vector=vector, **more)


def table(captures: Sequence[Row]) -> pa.Table:
    """Return *captures* as the output of a step."""
    return pa.Table.from_pylist(list(captures), schema=SCHEMA)


def fates_of(captures: Sequence[Row], *, stage: SemanticDedup = FINDS_ALL, how: Contrary | None = None) -> list[Row]:
    """Return the fate of each of *captures* after the stage."""
    return fates(table(captures), [("semantic_dedup", stage)], how or Contrary(parts=1, rows=1000))


def integers(vector: Sequence[float]) -> list[int]:
    """Return *vector* scaled to integers as the stage defines it, with one number after the other."""
    peak = max(map(abs, vector))
    steps = [round(value / peak * 2**20) for value in vector]
    factor = 4000 / math.sqrt(sum(step * step for step in steps))
    return [round(step * factor) for step in steps]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two vectors of the same length as the stage defines it."""
    left, right = integers(one), integers(other)
    squares = [sum(value * value for value in side) for side in (left, right)]
    return sum(a * b for a, b in zip(left, right, strict=True)) / math.sqrt(squares[0] * squares[1])


def age(row: Row) -> tuple[Any, ...]:
    """Return the position of a document with ``keep: oldest``."""
    return (row["fetched_at"] is None, str(row["fetched_at"]), row["id"])


def survivors(captures: Sequence[Row], *, threshold: float) -> set[str]:
    """Return the ids of the documents that are kept if all pairs are compared in order."""
    kept: list[Row] = []
    for row in sorted(captures, key=age):
        if all(cosine(as_float32(row["vector"]), as_float32(other["vector"])) < threshold for other in kept):
            kept.append(row)
    return {row["id"] for row in kept}


def as_float32(vector: Sequence[float]) -> list[float]:
    """Return the numbers that a column of float32 has of *vector*."""
    return pa.array(vector, pa.float32()).to_pylist()  # type: ignore[no-any-return]


def direction(chance: random.Random, dimensions: int) -> list[float]:
    """Return a random vector."""
    return [chance.gauss(0, 1) for _ in range(dimensions)]


def near(vector: Sequence[float], chance: random.Random, distance: float) -> list[float]:
    """Return *vector* moved by *distance* times its length, in a random direction."""
    step = direction(chance, len(vector))
    scale = distance * math.dist(vector, [0] * len(vector)) / math.dist(step, [0] * len(step))
    return [a + scale * b for a, b in zip(vector, step, strict=True)]


@st.composite
def families(draw: st.DrawFn, *, largest: int = 24) -> list[Row]:
    """Draw documents in families of more or less similar vectors, some with equal days, some without a day."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    captures = []
    for family in range(draw(st.integers(1, 4))):
        center = direction(chance, 12)
        for member in range(draw(st.integers(1, largest // 4))):
            vector = near(center, chance, chance.choice([0, 0, 0.1, 0.4, 0.5, 0.7]))
            length = chance.choice([1, 1, 100, 1e-30])
            scaled = [value * length for value in vector]
            captures.append(embedded(f"{family}-{member}", scaled, day=chance.choice([None, 0, 1, 2, 3])))
    return captures
