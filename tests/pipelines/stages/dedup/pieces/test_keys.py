from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.cuts import without
from corpusmill.pipelines.stages.dedup.pieces.gaps import cut_with_gaps
from corpusmill.pipelines.stages.dedup.pieces.keys import pieces
from corpusmill.pipelines.stages.dedup.pieces.spans import Texts, Unit, spans, with_plain_spaces
from tests.pipelines.stages.dedup.pieces import reference

SOME = st.lists(reference.texts | st.text("aA \n\u00a0\u3000\u2028é*\x1c中\t", max_size=12), max_size=5)
UNITS = pytest.mark.parametrize("unit", ["line", "paragraph"])


@UNITS
@given(column=SOME, skip=st.integers(0, 2))
def test_pieces_are_those_of_the_definition(unit: Unit, column: list[str], skip: int) -> None:
    """Whole columns, also slices of larger ones, must be divided as one text is."""
    texts = Texts.of(pa.array(column, pa.string()).slice(skip))

    result = spans(with_plain_spaces(texts), unit)

    places = zip(result.rows.tolist(), result.starts.tolist(), result.ends.tolist(), strict=True)
    found = [(row, texts.data[start:end].tobytes().decode()) for row, start, end in places]
    expected = [
        (row, text[start:end])
        for row, text in enumerate(column[skip:])
        for start, end in reference.spans_of(text, unit)
    ]
    assert found == expected


@UNITS
@given(column=SOME, min_characters=st.integers(1, 10))
def test_pieces_are_equal_if_their_words_are(unit: Unit, column: list[str], min_characters: int) -> None:
    """Case and white space are ignored, the order of first occurrences numbers pieces, short ones are left out."""
    result = pieces(pa.array(column, pa.string()), unit, min_characters=min_characters)

    keys = [reference.keys_of(text, unit, min_characters) for text in column]
    different = [list(dict.fromkeys(key for key in one if key is not None)) for one in keys]
    numbers = [-1 if key is None else different[row].index(key) for row, one in enumerate(keys) for key in one]
    assert result.numbers_P.tolist() == numbers
    assert result.counts_D.tolist() == [len(one) for one in different]
    hashed = dict(zip((key for one in different for key in one), map(tuple, result.keys_K2.tolist()), strict=True))
    assert len(set(hashed.values())) == len(hashed)
    assert [tuple(key) for key in result.keys_K2.tolist()] == [hashed[key] for one in different for key in one]
    flat = [key for one in keys for key in one]
    rows = [row for row, one in enumerate(keys) for _ in one]
    before = [
        flat[n] is not None and (rows[n], flat[n]) in list(zip(rows[:n], flat[:n], strict=True))
        for n in range(len(flat))
    ]
    assert result.is_repeated().tolist() == before


def test_case_folding_neither_adds_nor_removes_white_space() -> None:
    """Pieces of a text and of its folded form are matched by their order."""
    for point in range(sys.maxunicode + 1):
        folded = chr(point).casefold()
        assert folded, hex(point)
        assert folded.isspace() == chr(point).isspace(), hex(point)
        assert not chr(point).isspace() or folded == chr(point)


@UNITS
@given(column=SOME, data=st.data())
def test_cuts_are_those_of_the_definition(unit: Unit, column: list[str], data: st.DataObject) -> None:
    """The gap that stays, the ranges and the remaining texts agree with a slow cut."""
    parts = [reference.spans_of(text, unit) for text in column]
    chosen = [data.draw(st.lists(st.booleans(), min_size=len(one), max_size=len(one))) for one in parts]
    texts = Texts.of(pa.array(column, pa.string()))
    plain = with_plain_spaces(texts)

    is_cut = np.array([flag for one in chosen for flag in one], np.bool_)
    result = cut_with_gaps(plain, spans(plain, unit), is_cut)

    expected = [reference.cut(*one) for one in zip(column, parts, chosen, strict=True)]
    at = texts.offsets[result.rows]
    after = without(texts.column(), rows=result.rows, starts=result.starts - at, ends=result.ends - at)
    assert after.to_pylist() == [one.text for one in expected]
    ranges = [
        (row, len(text[:start].encode()), len(text[:end].encode()))
        for row, (text, one) in enumerate(zip(column, expected, strict=True))
        for start, end in one.spans
    ]
    assert (
        list(zip(result.rows.tolist(), (result.starts - at).tolist(), (result.ends - at).tolist(), strict=True))
        == ranges
    )
