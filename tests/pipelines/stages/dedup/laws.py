"""The laws of `near_dedup` in plain Python: compare all documents with all, one after the other.

Nothing here uses the implementation: no hashes, no bands, no rounds.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any, get_args

from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.priority import Keep
from tests.pipelines.stages.dedup.corpus import EPOCH, capture, shingle_set

KEEPS: tuple[Keep, ...] = get_args(Keep)
SOURCES = ("wiki", "books", "web")
"""The sources of a recipe, in order. They are not sorted by name."""
THRESHOLDS = (0.3, 0.5, 0.55, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0)
"""Each times some number of shingles is a whole number, but as a product of floats not always: 0.55 × 20 > 11."""
Capture = dict[str, Any]
Fate = Mapping[str, Any]


def is_similar(one: set[Any], other: set[Any], threshold: float) -> bool:
    """Return whether the Jaccard similarity of two sets of shingles is at least *threshold*, without rounding."""
    return bool(one and other) and len(one & other) >= Fraction(str(threshold)) * len(one | other)


def place(row: Mapping[str, Any], keep: Keep, sources: Sequence[str] = SOURCES) -> tuple[Any, ...]:
    """Return the place of the document *row* in the order in which documents are considered."""
    time: datetime | None = row["fetched_at"]
    undated, age = (True, 0.0) if time is None else (False, (time - EPOCH).total_seconds())
    match keep:
        case "oldest":
            return undated, age, row["id"]
        case "newest":
            return undated, -age, row["id"]
        case "longest":
            return -row["text_bytes"], row["id"]
        case "first_source":
            return sources.index(row["source"]), row["id"]


def survivors(captures: Sequence[Capture], *, threshold: float, ngram: int, keep: Keep) -> set[str]:
    """Return the lexicographically first maximal independent set (law 3): who is like no survivor before it."""
    kept: list[tuple[str, set[Any]]] = []
    for row in sorted(captures, key=lambda row: place(row, keep)):
        shingles = shingle_set(row["text"], ngram=ngram)
        if not any(is_similar(shingles, other, threshold) for _, other in kept):
            kept.append((row["id"], shingles))
    return {name for name, _ in kept}


def broken_laws(captures: Sequence[Capture], fates: Sequence[Fate], *, threshold: float, ngram: int) -> list[str]:
    """Return the breaches of laws 1 and 2 in *fates*, and of what a star is (`cluster_id`, `cluster_size`)."""
    sets = {row["id"]: shingle_set(row["text"], ngram=ngram) for row in captures}
    kept = {fate["id"]: fate for fate in fates if fate["rule"] is None}
    removed = [fate for fate in fates if fate["rule"] is not None]
    breaches = [
        f"{one} and {other} are kept and similar"
        for one in kept
        for other in kept
        if one < other and is_similar(sets[one], sets[other], threshold)
    ]
    for fate in removed:
        one, other = fate["id"], fate["duplicate_of"]
        if other not in kept:
            breaches.append(f"{one} names {other}, which is not kept")
        elif not is_similar(sets[one], sets[other], threshold):
            breaches.append(f"{one} is not similar to {other}")
        elif fate["value"] != len(sets[one] & sets[other]) / len(sets[one] | sets[other]):
            breaches.append(f"{one} is not {fate['value']} similar to {other}")
        if fate["cluster_id"] != other or fate["threshold"] != threshold:
            breaches.append(f"{one} is in {fate['cluster_id']}")
    for name, fate in kept.items():
        size = 1 + sum(other["duplicate_of"] == name for other in removed)
        if (fate["cluster_id"], fate["cluster_size"]) != (name, size):
            breaches.append(f"{name} stands for {size}, not {fate['cluster_size']}")
    return breaches


def captures_of(texts: Sequence[str], chance: random.Random, *, days: Sequence[int | None]) -> list[Capture]:
    """Return a document for each of *texts*, in a random source, on one of *days*."""
    return [
        capture(f"{number}", text, day=chance.choice(days), source=chance.choice(SOURCES))
        for number, text in enumerate(texts)
    ]


def texts_of(chance: random.Random, *, ngram: int) -> list[str]:
    """Return texts of few words, many of them alike, chained, equal but for case, too short, or without words.

    The numbers of their shingles are small, so similarities are often exactly a threshold.
    """
    texts = ["", "…", "one", "One!", "one two"]
    for family in range(chance.randint(1, 3)):
        words = [f"w{family}x{number}" for number in range(60)]
        size = chance.choice([6, 11, 21])
        for _ in range(chance.randint(1, 7)):
            start = chance.choice([0, 0, 1, 2, 3, 4, 6, 8])
            chain = words[start : start + size + chance.choice([0, 0, 0, 1, 2, 5])]
            texts.append(" ".join(chain))
            if chance.random() < 0.4:
                texts.append(" ".join(chain[: round(chance.choice(THRESHOLDS) * size)]))
            if chance.random() < 0.3:
                texts.append(", ".join(chain).upper())
            if chance.random() < 0.3:
                texts.append(" ".join([*chain, *chain[:ngram]]))
    count = len(texts) if chance.random() < 0.8 else chance.randint(0, 4)
    return chance.sample(texts, count)


@st.composite
def corpora(draw: st.DrawFn, *, ngram: int, days: Sequence[int | None] = (None, 0, 1, 2)) -> list[Capture]:
    """Draw small corpora of `texts_of`, with ties in all priorities."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    return captures_of(texts_of(chance, ngram=ngram), chance, days=days)
