"""Words as numbers: the words must match those of a regular expression on any text."""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.linguistics.words import Remembered, Words, chunks, spelled, words

PIECES = [
    "a",
    "B",
    "word",
    "seventeen_letters",
    "eightlet",
    "ninelette",
    "twelveletter",
    "thirteenletrs",
    "é",
    "क्षि",
    "日本語",
]
PIECES += [
    " ",
    "  ",
    "\n",
    "’",
    "'",
    "—",
    "-",
    ".",
    "\u0301",
    "\u00a0",
    "\u2028",
    "\x00",
    "\x85",
    "1",
    "½",
    "\U0001f468\u200d",
    "שלום",
]
texts = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


def listed(found: Words) -> list[list[str]]:
    ends = found.ends.tolist()
    return [[found.vocabulary[code] for code in found.codes[a:b]] for a, b in pairwise(ends)]


def is_word_character(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LNM"


def by_character(text: str) -> list[str]:
    """Split a text into words by the definition, one character at a time."""
    return "".join(c if is_word_character(c) else " " for c in text).split(" ")


@given(batch=st.lists(texts, max_size=10))
@settings(max_examples=100, deadline=None)
def test_words_are_runs_of_letters_digits_marks_and_underscores(batch: list[str]) -> None:
    """numpy over bytes must agree with the definition over characters."""
    assigned = ["".join(c for c in text if unicodedata.category(c) != "Cn") for text in batch]

    found = listed(words(pa.array(assigned, pa.string())))

    assert found == [[word for word in by_character(text) if word] for text in assigned]


@given(batch=st.lists(texts, max_size=10))
@settings(max_examples=100, deadline=None)
def test_without_marks_words_are_what_python_calls_words(batch: list[str]) -> None:
    r"""`\w+` defines a word everywhere else in the corpus."""
    plain = ["".join(c for c in text if unicodedata.category(c)[0] not in "MC") for text in batch]

    assert listed(words(pa.array(plain, pa.string()))) == [re.findall(r"\w+", text) for text in plain]


@given(batch=st.lists(texts, max_size=10))
@settings(max_examples=100, deadline=None)
def test_chunks_are_what_white_space_parts(batch: list[str]) -> None:
    """Tokenizers that work on chunks must see the same characters."""
    spaces = r"[\x00-\x20\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"

    found = listed(chunks(pa.array(batch, pa.string())))

    assert found == [[chunk for chunk in re.split(spaces, text) if chunk] for text in batch]


@given(batch=st.lists(texts, max_size=10))
@settings(max_examples=100, deadline=None)
def test_spelling_puts_a_space_between_words(batch: list[str]) -> None:
    """Words with an empty form must leave no space either."""
    found = words(pa.array(batch, pa.string()))

    kept = spelled(found, ["" if len(word) == 1 else word for word in found.vocabulary])

    assert kept.to_pylist() == [" ".join(word for word in text if len(word) > 1) for text in listed(found)]


def test_a_vocabulary_holds_each_word_once() -> None:
    """This makes views fast; words of 8, 9, 12 and 13 bytes are stored differently."""
    every = ["a", "eightlet", "ninelette", "twelveletter", "thirteenletrs", "a" * 300]

    found = words(pa.array([" ".join(every), " ".join(reversed(every))]))

    assert sorted(found.vocabulary) == sorted(every)
    assert listed(found) == [every, every[::-1]]


def test_a_slice_of_a_column_has_its_own_words() -> None:
    """Engines pass slices, whose buffers begin elsewhere."""
    column = pa.array(["one two", "three", "four five six"]).slice(1, 2)

    assert listed(words(column)) == [["three"], ["four", "five", "six"]]


@pytest.mark.parametrize("unit", ["a", " ", "a ", "\u0301", "—", "日", "\x00"])
def test_a_megabyte_of_one_character_is_no_trouble(unit: str) -> None:
    """No step may be quadratic."""
    found = words(pa.array([unit * (1_000_000 // len(unit))]))

    assert len(found.vocabulary) <= 1


def test_what_is_remembered_changes_nothing() -> None:
    """This includes a full cache that starts again."""
    calls: list[list[str]] = []

    def upper(vocabulary: list[str]) -> list[str]:
        calls.append(list(vocabulary))
        return [word.upper() for word in vocabulary]

    remembered = Remembered(upper, max_words=3)

    assert [remembered(list(vocabulary)) for vocabulary in ("ab", "bc", "de", "ab")] == [
        list(v.upper()) for v in ("ab", "bc", "de", "ab")
    ]
    assert calls == [["a", "b"], ["c"], ["d", "e"], ["a", "b"]]
