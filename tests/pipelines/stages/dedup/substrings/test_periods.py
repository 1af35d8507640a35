from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.substrings.periods import without_periodic
from corpusmill.pipelines.stages.dedup.substrings.winnowing import anchored
from tests.pipelines.stages.dedup.substrings.texts import as_bytes, shared_texts

Windows = list[tuple[int, int]]


def divided(texts: list[str], min_bytes: int) -> tuple[Windows, list[tuple[int, int, int]]]:
    """Return the windows (text, start) of the blocks to compare, and the periodic ones (text, start, period)."""
    data, offsets = as_bytes(texts)
    compared: Windows = []
    periodic: list[tuple[int, int, int]] = []
    for piece in anchored(data, offsets, min_bytes=min_bytes):
        blocks, runs = without_periodic(data, offsets, piece, min_bytes=min_bytes)
        compared += [
            (row, place) for row, start, count, *_ in zip(*blocks, strict=True) for place in range(start, start + count)
        ]
        periodic += [
            (row, place, period)
            for row, start, count, period in zip(*runs, strict=True)
            for place in range(start, start + count)
        ]
    return compared, periodic


@given(texts=shared_texts(), min_bytes=st.sampled_from([8, 13, 40]))
def test_periodic_windows_repeat_and_all_others_are_compared(texts: list[str], min_bytes: int) -> None:
    """A window that is wrongly called periodic would be cut, and one that is in neither list would be forgotten."""
    compared, periodic = divided(texts, min_bytes)

    for row, start, period in periodic:
        text = texts[row].encode()
        assert start >= period
        assert text[start : start + min_bytes] == text[start - period : start - period + min_bytes]
    lengths = [len(text.encode()) for text in texts]
    windows = [(row, place) for row, size in enumerate(lengths) for place in range(size - min_bytes + 1)]
    assert sorted([*compared, *((row, start) for row, start, _ in periodic)]) == windows


@pytest.mark.parametrize("phrase", ["a", "ab", "spam ", "0, ", "é"])
def test_little_of_a_text_that_repeats_itself_is_compared(phrase: str) -> None:
    """Otherwise 32 MB of one character would be 32 million rows."""
    texts = ["own words " * 3 + phrase * 1000, "other words" + phrase * 1000 + "end"]

    compared, periodic = divided(texts, 40)

    assert len(compared) < 250
    assert len(periodic) > 2 * 900 * len(phrase.encode())
    assert {period for *_, period in periodic} == {len(phrase.encode())}


def test_a_period_does_not_go_on_in_the_next_text() -> None:
    """Two texts in one batch are neighbors in memory only."""
    compared, periodic = divided(["a" * 40, "a" * 40], 20)

    assert (1, 0) in compared
    assert (1, 0, 1) not in periodic
