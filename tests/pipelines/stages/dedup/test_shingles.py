from __future__ import annotations

import random
import re
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.characters import characters_for
from corpusmill.pipelines.stages.dedup.shingles import Ragged, shingle_sets, shingles, word_hashes
from tests.pipelines.stages.dedup.corpus import kind_of, shingle_set, words_of

ALPHABET = "aB_1 .-'\n\0éΣσςİßЖ字한٣²㋿😀\u0301\u200dกิ๒គ្りカー゙𠀀။"
TEXTS = st.lists(st.text(st.sampled_from(ALPHABET)) | st.text(max_size=40), max_size=12)


def rows(ragged: Ragged) -> list[list[int]]:
    return (
        [part.tolist() for part in np.split(ragged.values, np.cumsum(ragged.counts_D)[:-1])]
        if len(ragged.counts_D)
        else []
    )


@settings(deadline=None)
@given(texts=TEXTS)
@example(texts=["a" * 7, "a" * 8, "a" * 9, "a" * 16, "a" * 17, "a" * 256, "a" * 257, "a" * 64 + " b", "é" * 40])
@example(texts=["ΑΣ", "ΑΣ Β", "ΑΣ", "Β"])
def test_words_are_those_of_the_contract(texts: list[str]) -> None:
    """Hashes must be equal exactly if the slow definition gives equal words, in any script."""
    words = [words_of(text) for text in texts]

    hashes = rows(word_hashes(texts))

    assert [len(one) for one in hashes] == [len(one) for one in words]
    pairs = {
        (word, hash_) for row, found in zip(words, hashes, strict=True) for word, hash_ in zip(row, found, strict=True)
    }
    assert len({word for word, _ in pairs}) == len(pairs) == len({hash_ for _, hash_ in pairs})


@settings(deadline=None)
@given(texts=st.lists(st.text(st.characters(max_codepoint=0xE00) | st.characters(categories=["P", "S"]))))
@example(texts=["세계 인권 선언", "བོད་ཡིག་", "तथा च", "Tiếng Việt", "አማርኛ ጽሑፍ", "ქართული"])
def test_words_of_scripts_with_spaces_are_runs_of_letters(texts: list[str]) -> None:
    r"""They must match ``re.findall(r"\w+", text.lower())``, whatever other scripts need."""
    assert list(map(words_of, texts)) == [re.findall(r"\w+", text.lower()) for text in texts]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("人人生而自由。", ["人", "人", "生", "而", "自", "由"]),
        ("使用Python3處理", ["使", "用", "python3", "處", "理"]),
        ("カタカナ語と漢字", ["カ", "タ", "カ", "ナ", "語", "と", "漢", "字"]),
        ("ที่นี่ปี๒๕๖๗", ["ที่", "นี่", "ปี", "๒๕๖๗"]),
        ("ລາວ", ["ລ", "າ", "ວ"]),
        ("ខ្មែរ", ["ខ្", "មែ", "រ"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("ꋧꃅꊽ abc", ["ꋧ", "ꃅ", "ꊽ", "abc"]),
        ("ㄓㄨ", ["ㄓ", "ㄨ"]),
        ("한국어 漢字", ["한국어", "漢", "字"]),
        ("ิa", ["ิ", "a"]),
    ],
)
def test_letters_of_scripts_without_spaces_are_words(text: str, words: list[str]) -> None:
    """A letter includes its marks; Latin words, numbers and Hangul stay whole next to it."""
    assert words_of(text) == words
    assert len(word_hashes([text]).values) == len(words)


def test_the_tables_of_characters_are_those_of_python() -> None:
    """The ranges of scripts are written by hand and checked against the names of characters."""
    lower, classes = characters_for(np.frombuffer("\U0010ffff".encode(), np.uint8))

    kinds = [kind_of(chr(point)) for point in range(sys.maxunicode + 1)]

    of_kind = {"letter": 3, "mark": 4, "word": 1, None: 0}
    assert classes.tolist() == [of_kind[kind] for kind in kinds]
    cases = [chr(point).lower() for point in range(sys.maxunicode + 1)]
    special = {point for point, case in enumerate(cases) if len(case) > 1} | {ord("Σ")}
    assert set(np.flatnonzero(lower == -1).tolist()) == special
    assert all(lower[point] == ord(case) for point, case in enumerate(cases) if point not in special)


@pytest.mark.parametrize("text", ["aé", "é漢", "漢😀", "😀\U000e0041"])
def test_smaller_tables_are_the_beginning_of_larger_ones(text: str) -> None:
    """Most texts need few characters, and tables of all would take longer to make than to sign a thousand pages."""
    small = characters_for(np.frombuffer(text.encode(), np.uint8))

    whole = characters_for(np.frombuffer("\U0010ffff".encode(), np.uint8))

    count = len(small.classes)
    assert count > max(map(ord, text))
    assert np.array_equal(small.classes, whole.classes[:count])
    assert np.array_equal(small.lower, whole.lower[:count])


@settings(deadline=None)
@given(texts=TEXTS, ngram=st.integers(1, 6))
@example(texts=["a b", "a b", "b a", "a", "a b c d e", "a b c d e f"], ngram=5)
def test_shingles_are_those_of_the_contract(texts: list[str], ngram: int) -> None:
    """Distinct shingles must agree with the slow definition, per text and over all texts."""
    expected = [shingle_set(text, ngram=ngram) for text in texts]

    hashes = [set(row) for row in rows(shingles(texts, ngram=ngram))]

    assert [len(row) for row in hashes] == [len(row) for row in expected]
    assert len(set().union(*hashes)) == len(set().union(*expected))


@settings(deadline=None)
@given(texts=TEXTS, cut=st.integers(0, 12))
def test_the_shingles_of_a_text_do_not_depend_on_its_neighbours(texts: list[str], cut: int) -> None:
    """Batches may be cut anywhere."""
    whole = rows(shingles(texts, ngram=5))

    assert whole == rows(shingles(texts[:cut], ngram=5)) + rows(shingles(texts[cut:], ngram=5))


def test_hashes_are_the_same_on_every_machine() -> None:
    """Hashes are stored and compared between runs, so a change needs a new version of the stage."""
    hashes = rows(shingles(["The quick brown fox jumps.", "Fußgänger überqueren", "x" * 300, "人人生而自"], ngram=5))

    assert hashes == [[11953783772147031168], [2759637128280313205], [13561533130902729871], [5846283546973462544]]


@pytest.mark.parametrize("letters", ["abcdefgh", "ab"])
def test_no_two_of_many_words_collide(letters: str) -> None:
    """With a good 64-bit hash, 100,000 words have no collision."""
    chance = random.Random(1)
    words = {"".join(chance.choices(letters, k=chance.randrange(4, 40))) for _ in range(100_000)}

    assert len(np.unique(word_hashes([" ".join(words)]).values)) == len(words)


def test_one_word_of_many_megabytes_is_not_slow() -> None:
    """A page of base64 must not block a worker: hashing it piece by piece would take minutes."""
    (count,) = shingles(["x" * 8_000_000], ngram=5).counts_D.tolist()

    assert count == 1


@settings(deadline=None)
@given(texts=TEXTS, ngram=st.integers(1, 6))
def test_sets_have_each_shingle_once_in_order(texts: list[str], ngram: int) -> None:
    """Comparisons merge sorted sets."""
    expected = [sorted(set(row)) for row in rows(shingles(texts, ngram=ngram))]

    assert rows(shingle_sets(texts, ngram=ngram)) == expected


@pytest.mark.parametrize("words", [1, 30, 5_000, 200_000])
def test_sets_of_any_size_are_sorted(words: int) -> None:
    """A text may have a dozen shingles or a million, and repeat most of them."""
    chance = random.Random(words)
    text = " ".join(f"w{chance.randrange(words)}" for _ in range(words))

    (row,) = rows(shingle_sets([text], ngram=2))

    assert row == sorted(set(rows(shingles([text], ngram=2))[0]))


def test_nulls_and_slices_of_a_column_are_read_in_place() -> None:
    """Batches are slices of larger columns, whose buffers begin elsewhere."""
    column = pa.array(["zero", "eins zwei", "drei ΟΔΟΣ", "vier", "fünf"])

    assert rows(word_hashes(column.slice(1, 3))) == rows(word_hashes(["eins zwei", "drei ΟΔΟΣ", "vier"]))
