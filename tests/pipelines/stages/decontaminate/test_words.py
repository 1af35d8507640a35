"""Words and their positions, and that both ways to compute words agree."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.decontaminate.words import characters, folded, words
from corpusmill.pipelines.stages.dedup.shingles import word_hashes

LETTERS = "aZé߀ẞΣσς_-.'1İıʼnǰﬁ中文 あア\n\tกำ်မြ�x́🙂٣Ωµſ"
texts = st.one_of(st.text(max_size=40), st.text(alphabet=LETTERS, max_size=40))


@given(text=texts)
def test_words_are_those_that_are_hashed(text: str) -> None:
    """The index counts words in one way and verifies them in the other: a difference would be a silent miss."""
    hashes = word_hashes(folded(pa.array([text], pa.string())))

    assert word_hashes(words(text)).values.tolist() == hashes.values.tolist()
    assert hashes.counts_D.tolist() == [len(words(text))]


@given(text=texts)
def test_positions_are_where_the_words_are(text: str) -> None:
    """A mask in the wrong place would destroy text and leave the evaluation text."""
    starts, ends = characters(text)

    assert [words(text[start:end]) for start, end in zip(starts, ends, strict=True)] == [[w] for w in words(text)]
    assert all(end <= start for end, start in zip(ends[:-1], starts[1:], strict=True))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("The quick fox", "THE\n\n«quick»… fox!"),
        ("Straße nach Groß-Gerau", "STRASSE NACH GROSS GERAU"),
        ("ΟΔΟΣ ὁδός", "οδος ὉΔΌΣ"),
        ("fill in the ____ here", "fill in the here"),
        ("_emphasis_ **and** `code`", "Emphasis and code"),
        ("你好，世界", "你 好 世 界"),
    ],
)
def test_case_and_punctuation_do_not_matter(text: str, other: str) -> None:
    """Copies of evaluation sets on the web differ in exactly this."""
    assert words(text) == words(other)


def test_words_of_a_null_text_are_none() -> None:
    """A document whose extraction failed has no text."""
    assert folded(pa.array(["A_b", None, "Σ"], pa.string())) == ["A b", "", "σ"]
