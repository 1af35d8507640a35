"""The signals: hand-made examples, a second implementation, and laws."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.quality import signals
from corpusmill.pipelines.stages.quality.repetition import sorted_order
from corpusmill.pipelines.stages.quality.signals import SIGNALS, signals_of
from tests.pipelines.stages.quality.reference import reference

ABC = "a b c d e f g h i j"

GOLDEN = [
    ("word_count", "", 0),
    ("word_count", "one  two\tthree\n\nfour\u3000five\u00a0six", 6),
    ("word_count", "zero\u200bwidth is no space", 4),
    ("mean_word_length", "a bb ccc", 2.0),
    ("mean_word_length", "Öl Ωμέγα 港口", 3.0),
    ("symbol_ratio", "#one ##two three four", 0.75),
    ("symbol_ratio", "wait... what… yes", 2 / 3),
    ("symbol_ratio", "......", 2.0),
    ("bullet_lines", "- one\n* two\n• three\nfour", 0.75),
    ("bullet_lines", "-\n\n  ● indented", 1.0),
    ("ellipsis_lines", "more...\nand more…  \nthe end.\n... not here", 0.5),
    ("alphabetic_words", "1 2 x3 Ж !", 0.4),
    ("stop_words", "The the THE, “with” and/or be", 3),
    ("stop_words", "them bee other", 0),
    ("duplicate_lines", "x\nx\nx\ny", 0.5),
    ("duplicate_lines", " x  y\nx y \n\n", 0.5),
    ("duplicate_line_characters", "abc\nabc\nde", 3 / 8),
    ("duplicate_paragraphs", "x\ny\n\nx\ny\n\nx y\n\nz", 0.5),
    ("duplicate_paragraphs", "x\n \t\nx", 0.5),
    ("duplicate_paragraph_characters", "ab\n\nab\n\nc", 2 / 5),
    ("top_2_gram", "a b a b c", 4 / 5),
    ("top_2_gram", "a b c d", 0.0),
    ("top_2_gram", "a a a b", 3 / 4),
    ("top_2_gram", "aa b x aa b y c d z c d", 6 / 13),
    ("top_3_gram", "a b c x a b c", 6 / 7),
    ("top_4_gram", "a b c d a b c d e", 8 / 9),
    ("duplicate_5_grams", "a b c d e x a b c d e", 10 / 11),
    ("duplicate_5_grams", "a a a a a a", 1.0),
    ("duplicate_5_grams", "a a a a a", 0.0),
    ("duplicate_6_grams", "a b c d e x a b c d e", 0.0),
    ("duplicate_10_grams", f"{ABC} x {ABC}", 20 / 21),
    ("duplicate_9_grams", f"{ABC} x {ABC}", 20 / 21),
]

pieces = st.one_of(
    st.sampled_from(
        ["a", "b", "ab", "the", "The,", "#", "...", "…", "- ", "•", "\n", "\n\n", " ", "\u00a0", "\x1c", "ж"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=3),
)
texts = st.one_of(st.lists(pieces, max_size=60), st.lists(st.sampled_from(["a", "b", "\n"]), max_size=80)).map(" ".join)


@pytest.mark.parametrize(("name", "text", "expected"), GOLDEN)
def test_a_signal_is_what_its_definition_says(name: str, text: str, expected: float) -> None:
    """Counted by hand from the definitions: a changed value means a changed definition and a new version."""
    assert signals_of(pa.array([text]), [f"gopher.{name}"])[f"gopher.{name}"].to_pylist() == [expected]


def test_every_signal_has_a_hand_made_example_or_shares_its_code_with_one() -> None:
    """A signal without an example would be compared with this implementation only."""
    named = {f"gopher.{name}" for name, _, _ in GOLDEN}

    assert set(SIGNALS) - named == {f"gopher.duplicate_{n}_grams" for n in (7, 8)}


@given(documents=st.lists(texts, max_size=5))
@settings(max_examples=200, deadline=None)
def test_signals_agree_with_a_plain_implementation(documents: list[str]) -> None:
    """The fast implementation and the reference must agree on any Unicode."""
    found = signals_of(pa.array(documents, pa.string()))

    expected = [reference(text) for text in documents]
    assert {name: column.to_pylist() for name, column in found.items()} == {
        name: [row[name] for row in expected] for name in SIGNALS
    }


@given(documents=st.lists(texts, min_size=1, max_size=6), cut=st.integers(0, 6), size=st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_signals_do_not_depend_on_the_neighbours_in_the_batch(documents: list[str], cut: int, size: int) -> None:
    """Engines cut batches anywhere, and the stage cuts them again."""
    whole = signals_of(pa.array(documents))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signals, "CHUNK_BYTES", size)
        parts = [signals_of(pa.array(documents).slice(0, cut)), signals_of(pa.array(documents).slice(cut))]

    for name in SIGNALS:
        assert whole[name].to_pylist() == parts[0][name].to_pylist() + parts[1][name].to_pylist()


def test_null_and_empty_texts_measure_zero() -> None:
    """A document without words has no ratios, and nothing may be NaN."""
    found = signals_of(pa.array([None, "", " \n\u2003"], pa.string()))

    assert {tuple(column.to_pylist()) for column in found.values()} == {(0, 0, 0)}


def test_columns_have_the_types_that_are_promised() -> None:
    """Empty and full batches must have the same types, or a shard could not be written."""
    for documents in ([], ["one"]):
        found = signals_of(pa.array(documents, pa.string()))
        assert {name: column.type for name, column in found.items()} == dict(SIGNALS)


@given(keys=st.lists(st.integers(0, 2**62), max_size=50), small=st.booleans())
def test_the_packed_order_is_the_stable_order(keys: list[int], small: bool) -> None:
    """Keys that fit beside their position are sorted differently from those that do not."""
    key = np.array(keys, np.int64) % (5 if small else 2**62)

    assert sorted_order(key).tolist() == np.argsort(key, kind="stable").tolist()
