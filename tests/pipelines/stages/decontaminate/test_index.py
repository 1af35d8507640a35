"""What counts as the text of an evaluation set in a document: no planted text is missed, and no other is reported."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.decontaminate import index as module
from corpusmill.pipelines.stages.decontaminate.index import Index, Sizes
from corpusmill.pipelines.stages.decontaminate.overlaps import MAX_LISTED
from tests.pipelines.stages.decontaminate.sets import VOCABULARY, index_of, overlaps, phrase, texts_in

OTHERS = tuple(f"other{number}" for number in range(50))
"""Words that no evaluation text has."""
SEPARATORS = (" ", "\n", " - ", ", ", "… “", "\n\n* ", "_", "\u3000", ")(", " ** ")


@st.composite
def variations(draw: st.DrawFn, words: list[str]) -> str:
    """Return *words* with other cases, white space and punctuation."""
    cases = draw(st.lists(st.sampled_from([str.upper, str.lower, str.title, str.swapcase]), min_size=1, max_size=4))
    separators = draw(st.lists(st.sampled_from(SEPARATORS), min_size=1, max_size=4))
    pieces = []
    for number, word in enumerate(words):
        pieces += [cases[number % len(cases)](word), separators[number % len(separators)]]
    return "".join(pieces)


@given(data=st.data(), seed=st.integers(0, 1 << 32), count=st.integers(5, 60), where=st.integers(0, 2))
def test_a_planted_text_is_never_missed(data: st.DataObject, seed: int, count: int, where: int) -> None:
    """The law of the stage: case, white space and punctuation do not hide a text, wherever it is."""
    chance = random.Random(seed)
    text, decoy = phrase(chance, count), phrase(chance, 30)
    before, after = phrase(chance, 200 * (where > 0), OTHERS), phrase(chance, 200 * (where < 2), OTHERS)
    planted = data.draw(variations(text.split()))
    document = f"{before}\n{planted}\n{after}"
    index = index_of(decoy, text)

    (shared,) = overlaps(index, document).values()

    assert texts_in(index, document) == {2: 1.0}
    ((start, end),) = shared.masked
    assert start == len(before) + 1 + next(n for n, letter in enumerate(planted) if letter.isalnum())
    assert len(before) + 1 + len(planted.rstrip()) - 9 <= end <= len(before) + 1 + len(planted)


@given(seed=st.integers(0, 1 << 32))
def test_documents_without_evaluation_texts_share_nothing(seed: int) -> None:
    """Words in another order are another text, also if every word is known."""
    chance = random.Random(seed)
    index = index_of(*(phrase(chance, 30) for _ in range(20)))

    assert overlaps(index, phrase(chance, 1000), phrase(chance, 3), "") == {}


def test_the_coverage_is_the_share_of_covered_words() -> None:
    """A text of 40 words of which the document has 20 in sequence, with a gap, and a repetition."""
    text = " ".join(f"w{n}" for n in range(40))
    half, start = " ".join(f"w{n}" for n in range(20)), " ".join(f"w{n}" for n in range(12))
    index = index_of(text)

    assert texts_in(index, f"x {half} y {half} z") == {1: 0.5}
    assert texts_in(index, start) == {}
    assert overlaps(index, f"x {half} y", min_coverage=0.6)[0].share == 0.5
    assert texts_in(index, f"x {half} y", min_coverage=0.6) == {}
    assert texts_in(index, f"{half} x {text[-90:]}")[1] > 0.9


@pytest.mark.parametrize(
    ("count", "missing", "is_known"), [(13, 1, False), (12, 4, True), (12, 7, False), (7, 1, False)]
)
def test_short_texts_use_shorter_ngrams(count: int, missing: int, is_known: bool) -> None:
    """A text of 12 words has n-grams of 8 words; one of 7 is compared as a whole."""
    names = [f"w{n}" for n in range(count)]
    index = index_of(" ".join(names))

    assert texts_in(index, " ".join(names)) == {1: 1.0}
    assert bool(texts_in(index, " ".join(names[missing:]))) is is_known


def test_the_shortest_texts_are_not_compared() -> None:
    """Texts of four words are common phrases."""
    index = index_of("none of the above", "yes", "", "it is one of these", sizes=Sizes(13, 8, 5))

    assert [entry.record for entry in index.entries] == [4]
    assert texts_in(index, "None of the above, yes: it is one of these.") == {4: 1.0}
    assert overlaps(index_of("yes"), "yes") == {}


def test_texts_that_overlap_in_a_document_are_both_reported() -> None:
    """The end of one text is the beginning of the other; the mask covers both once."""
    names = [f"w{n}" for n in range(50)]
    index = index_of(" ".join(names[:30]), " ".join(names[20:]))
    document = f"Before. {' '.join(names)} After."

    (shared,) = overlaps(index, document).values()

    assert texts_in(index, document) == {1: 1.0, 2: 1.0}
    assert shared.masked == [(8, len(document) - 7)]
    first, second = shared.listed()
    assert [document[s.start : s.end] for s in first.spans] == [" ".join(names[:30])]
    assert [(s.first, s.last) for s in second.spans] == [(0, 30)]


def test_letters_of_scripts_without_spaces_are_words() -> None:
    """A sentence of 14 letters is as long as one of 14 words; the mask has whole letters."""
    text = "中国的首都是北京还是上海呢？"
    index = index_of(text)
    document = f"问题：{text.replace('是', ' 是 ')}答案"

    (shared,) = overlaps(index, document).values()

    assert texts_in(index, document) == {1: 1.0}
    assert [document[start:end] for start, end in shared.masked] == [text.replace("是", " 是 ")[:-1]]


def test_equal_texts_count_as_one() -> None:
    """A passage with 1,000 questions would otherwise be 1,000 hits in each document that has it."""
    text = " ".join(f"w{n}" for n in range(30))
    index = index_of(text, *[text.upper()] * 999)

    assert [(entry.record, entry.records) for entry in index.entries] == [(1, 1000)]


def test_a_beginning_that_all_texts_share_stays_cheap_and_lists_are_bounded() -> None:
    """All n-grams of a template are those of all texts; a document with the template lists the first only."""
    shared = " ".join(f"w{n}" for n in range(40))
    index = index_of(*(f"{shared} and the number {n}" for n in range(5000)))

    (one,) = overlaps(index, f"See: {shared}.").values()

    assert len(one.texts.texts) == 5000
    assert len(list(one.listed())) == MAX_LISTED


def test_a_text_that_covers_further_words_is_listed_beyond_the_bound() -> None:
    """Every masked word is in the table of hits."""
    shared, last = " ".join(f"w{n}" for n in range(40)), " ".join(f"v{n}" for n in range(14))
    index = index_of(*(f"{shared} n{n}" for n in range(200)), f"{last} z z z z z z z z")
    document = f"{shared} … {last}"

    (one,) = overlaps(index, document).values()

    assert one.masked == [(0, len(shared)), (len(shared) + 3, len(document))]
    listed = {(span.start, span.end) for text in one.listed() for span in text.spans}
    assert listed == set(one.masked)


@pytest.mark.parametrize("collide", ["in the index", "in the document"])
def test_a_collision_of_hashes_is_never_a_match(collide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With hashes of two bits nearly all n-grams collide, and the result is the same."""
    original = module.window_sums
    monkeypatch.setattr(module, "window_sums", lambda running, length: original(running, length) >> np.uint64(62))
    chance = random.Random(3)
    texts = [phrase(chance, 30) for _ in range(1 if collide == "in the document" else 40)]
    index = index_of(*texts)

    assert texts_in(index, phrase(chance, 300)) == {}
    assert texts_in(index, f"{phrase(chance, 300, OTHERS)} {texts[-1]}") == {len(texts): 1.0}


def test_results_do_not_depend_on_how_texts_are_hashed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are hashed in chunks; an n-gram across two documents is none."""
    chance = random.Random(5)
    names = phrase(chance, 24).split()
    text = " ".join(names)
    documents = [" ".join(names[:12]), " ".join(names[12:]), phrase(chance, 90), f"x {text}", "", text]
    index = index_of(text)
    together = {row: one.masked for row, one in overlaps(index, *documents).items()}

    monkeypatch.setattr(module, "_CHUNK_BYTES", 1)

    assert {row: one.masked for row, one in overlaps(index, *documents).items()} == together
    assert together.keys() == {3, 5}


def test_an_index_without_texts_matches_nothing() -> None:
    """All texts of a set may be too short."""
    index: Index = index_of("yes", "no")

    assert index.entries == ()
    assert overlaps(index, *VOCABULARY) == {}
