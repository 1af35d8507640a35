"""The trigram baseline against its definition, written out slowly."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.training.evaluation import trigram
from corpusmill.training.evaluation.trigram import count_trigrams

documents = st.lists(st.text(alphabet="abé \n", max_size=12).map(str.encode), max_size=6)


def slow_bits(training: list[bytes], document: bytes) -> float:
    """Return -log2 P(document), computed with dictionaries instead of tables."""
    follows: dict[bytes, Counter[int]] = {}
    for text in training:
        for place, byte in enumerate(text):
            for order in range(min(place, 2) + 1):
                follows.setdefault(text[place - order : place], Counter())[byte] += 1

    def probability(context: bytes, byte: int) -> float:
        shorter = probability(context[1:], byte) if context else 1 / 256
        seen = follows.get(context)
        if not seen:
            return shorter
        return (seen[byte] + len(seen) * shorter) / (seen.total() + len(seen))

    return -sum(
        math.log2(probability(document[max(0, place - 2) : place], document[place])) for place in range(len(document))
    )


@settings(max_examples=40, deadline=None)
@given(training=documents, document=st.text(alphabet="abcé \n", max_size=12).map(str.encode))
def test_the_tables_say_what_the_definition_says(training: list[bytes], document: bytes) -> None:
    """A baseline that is too weak would flatter every model."""
    assert count_trigrams(training).bits(document) == pytest.approx(slow_bits(training, document))


def test_a_model_of_nothing_is_uniform() -> None:
    """Every byte is as likely as any other: 8 bits."""
    assert count_trigrams([]).bits_per_byte([b"abc", b"", b"\x00"]) == 8


def test_probabilities_of_all_bytes_add_up_to_one() -> None:
    """This must hold after known and unknown contexts."""
    model = count_trigrams([b"banana", b"bandana"])

    for context in (b"", b"b", b"an", b"zz"):
        before = model.bits(context)
        assert sum(2 ** (before - model.bits(context + bytes([byte]))) for byte in range(256)) == pytest.approx(1)


def test_long_documents_are_counted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long documents are split into overlapping parts; no trigram may be lost or counted twice."""
    texts = [b"in parts that overlap", b"", b"ab", b"and another one"]
    whole = count_trigrams(texts)

    monkeypatch.setattr(trigram, "_CHUNK", 4)
    parts = count_trigrams(texts)

    assert (whole.ones == parts.ones).all()
    assert (whole.twos == parts.twos).all()
    assert (whole.threes == parts.threes).all()
