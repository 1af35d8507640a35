"""Vectors of words are TF-IDF vectors, hashed; frequencies are counted in the first documents."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.semantic import frequencies
from corpusmill.pipelines.stages.dedup.semantic.frequencies import frequency_steps, rarity_of
from corpusmill.pipelines.stages.dedup.semantic.vectors import cosines
from corpusmill.pipelines.stages.dedup.semantic.words import (
    Rarity,
    log2_eighths,
    ratio_eighths,
    word_counts,
    word_vectors,
)
from corpusmill.pipelines.stages.dedup.shingles import word_hashes
from corpusmill.schemas.document import CAPTURE
from tests.pipelines.stages.dedup.corpus import capture, edited, prose, table, words_of
from tests.pipelines.stages.dedup.exchange import Contrary

EQUAL = Rarity(np.empty(0, np.int64), np.empty(0, np.int64), 8)
Row = dict[str, Any]


def hash_of(word: str) -> int:
    """Return the hash of one word as the stage counts it."""
    return int(word_hashes([word]).values.view(np.int64)[0])


@given(st.integers(1, 2**31))
def test_logarithms_are_exact(value: int) -> None:
    """They decide components, which must be equal on every machine."""
    eighths = int(log2_eighths(np.array([value]))[0])

    assert 2**eighths <= value**8 < 2 ** (eighths + 1)


@given(st.integers(1, 10**9), st.integers(1, 10**9))
def test_logarithms_of_ratios_are_exact(one: int, other: int) -> None:
    """The number of documents is any number."""
    frequency, documents = sorted((one, other))

    eighths = ratio_eighths(documents, frequency)

    assert 2**eighths * frequency**8 <= documents**8 < 2 ** (eighths + 1) * frequency**8


def test_words_are_counted_by_document() -> None:
    """Case does not matter, and a word of the next document is another one."""
    counts = word_counts(pa.array(["b a B", "", "a"]))

    found = set(zip(*(column.tolist() for column in counts), strict=True))
    assert found == {(hash_of("a"), 0, 1), (hash_of("b"), 0, 2), (hash_of("a"), 2, 1)}


def tf_idf(text: str, documents: Mapping[str, int], size: int) -> dict[str, float]:
    """Return the weight of each word of *text*, without hashing or rounding."""
    counts = Counter(words_of(text))
    return {word: (1 + math.log2(tf)) * (1 + math.log2(size / documents[word])) for word, tf in counts.items()}


def test_hashed_vectors_have_the_cosine_of_tf_idf() -> None:
    """Dimensions are shared by words, and logarithms are rounded; neither may matter much."""
    chance = random.Random(2)
    common = [f"common{number}" for number in range(30)]
    base = [*prose(chance, 150), *chance.choices(common, k=100)]
    texts = [" ".join(edited(base, chance, edits)) for edits in (0, 5, 20, 60, 150)]
    texts += [" ".join([*prose(chance, 150), *chance.choices(common, k=100)]) for _ in range(15)]
    documents = Counter(word for text in texts for word in set(words_of(text)))
    rarity = rarity_of({hash_of(word): count for word, count in documents.items()}, len(texts))

    vectors = word_vectors(pa.array(texts), rarity, dimensions=2_048)

    first = np.tile(vectors.values[:2_048], len(texts))
    found = cosines(first, vectors.values, vectors.counts_R)
    weights = [tf_idf(text, documents, len(texts)) for text in texts]
    for value, other in zip(found.tolist(), weights, strict=True):
        product = sum(weight * other.get(word, 0) for word, weight in weights[0].items())
        lengths = [math.sqrt(sum(weight**2 for weight in one.values())) for one in (weights[0], other)]
        exact = product / math.prod(lengths)
        noise = math.sqrt(max(0.0, 1 - exact**2) / 2_048)
        assert value == pytest.approx(exact, abs=4 * noise + 0.005)


def test_texts_without_words_have_no_vector() -> None:
    """They must not be copies of each other."""
    assert word_vectors(pa.array(["", "...", "a"]), EQUAL, dimensions=64).counts_R.tolist() == [0, 0, 64]


@given(st.lists(st.text(st.sampled_from("ab cd é中"), max_size=12), max_size=6), st.integers(0, 6))
def test_a_vector_depends_on_its_text_alone(texts: list[str], start: int) -> None:
    """Wherever batches are cut."""
    whole = word_vectors(pa.array(texts, pa.string()), EQUAL, dimensions=64)
    rest = word_vectors(pa.array(texts, pa.string()).slice(start), EQUAL, dimensions=64)

    assert whole.counts_R[start:].tolist() == rest.counts_R.tolist()
    assert whole.values[int(whole.counts_R[:start].sum()) :].tolist() == rest.values.tolist()


def counters_of(captures: Sequence[Row], how: Contrary) -> tuple[dict[str, int], dict[str, int]]:
    """Return the counters of the sample and of the frequent words."""
    steps = frequency_steps("f", of="documents", keep="oldest", sources=())
    how.run(steps, {"documents": table(captures) if captures else CAPTURE.empty_table()})
    return how.counters_of["f.sample"], how.counters_of["f"]


@given(
    texts=st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=6), max_size=8),
    rows=st.sampled_from([1, 7, 1000]),
    parts=st.integers(1, 3),
)
def test_frequencies_are_numbers_of_documents(texts: list[list[str]], rows: int, parts: int) -> None:
    """Whatever the batches and partitions are."""
    captures = [capture(str(number), " ".join(words), day=number % 3) for number, words in enumerate(texts)]

    sample, counts = counters_of(captures, Contrary(rows=rows, parts=parts, seed=len(texts)))

    assert sample.get("documents", 0) == len(texts)
    assert counts == {str(hash_of(word)): n for word, n in Counter(w for words in texts for w in set(words)).items()}


def test_only_the_first_documents_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 4: documents that are added later do not change the weights of words, and so no decision."""
    monkeypatch.setattr(frequencies, "SAMPLE", 10)
    chance = random.Random(1)
    first = [capture(str(number), f"early w{number % 3}", day=number) for number in range(10)]
    later = [capture(f"l{number}", "late words", day=chance.choice([10, 50, None])) for number in range(30)]
    rejected = [capture("rejected", "early", day=0, rule="x")]

    for rows in (1, 7, 1000):
        assert counters_of(first + later + rejected, Contrary(rows=rows)) == counters_of(first, Contrary())


def test_documents_without_dates_are_taken_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most files have no dates; the sample must not be all documents then."""
    monkeypatch.setattr(frequencies, "SAMPLE", 10)
    captures = [capture(str(number), f"w{number}", day=None) for number in range(100)]
    ordered = sorted(captures, key=lambda one: one["id"])

    for rows in (1, 7, 1000):
        sample, counts = counters_of(captures, Contrary(rows=rows))
        assert sample["documents"] == 10
        assert set(counts) == {str(hash_of(one["text"])) for one in ordered[:10]}


def test_the_number_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters are part of each task, so there may be only a few thousand: the most frequent words."""
    monkeypatch.setattr(frequencies, "MAX_WORDS", 3)
    texts = ["a b c d", "a b c e", "a b f g", "a h i j"]
    captures = [capture(str(number), text) for number, text in enumerate(texts)]

    _, counts = counters_of(captures, Contrary(rows=1))
    rarity = rarity_of({int(word): count for word, count in counts.items()}, len(texts))

    assert counts == {str(hash_of(word)): count for word, count in {"a": 4, "b": 3, "c": 2}.items()}
    assert (rarity.of(np.array([hash_of("a"), hash_of("c")])).tolist(), rarity.others) == ([8, 16], 16)


def test_words_in_few_documents_weigh_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are dropped before they are exchanged again, because most words are rare."""
    monkeypatch.setattr(frequencies, "_RARE", 4)
    captures = [capture(str(number), f"w{number % 8 or 'x'}" + " a" * (number < 3)) for number in range(16)]

    _, counts = counters_of(captures, Contrary(rows=7))

    assert counts == {}
    captures += [capture("more", "a")]
    assert counters_of(captures[1:], Contrary(rows=7))[1] == {}
    assert counters_of(captures[:3], Contrary())[1].keys() >= {str(hash_of("a"))}
