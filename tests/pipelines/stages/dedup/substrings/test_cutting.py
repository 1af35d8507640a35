from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.substrings.cutting import Stretch, Windows, stretches, windows, without

LETTERS = st.text(st.sampled_from("aé€😀"), min_size=12, max_size=30)
MIN_BYTES = 8


@st.composite
def runs_in(draw: st.DrawFn) -> tuple[bytes, list[Windows]]:
    """Draw a text, and some of its windows in runs with different first documents."""
    text = draw(LETTERS).encode()
    edges = sorted(draw(st.sets(st.integers(0, len(text) - MIN_BYTES + 1), max_size=8)))
    spans = [(start, end) for start, end in pairwise(edges) if draw(st.booleans())]
    return text, [Windows(start, end, draw(st.sampled_from("xy")), start + 100) for start, end in spans]


@given(drawn=runs_in())
def test_stretches_are_the_characters_in_windows_each_once(drawn: tuple[bytes, list[Windows]]) -> None:
    """What is cut, and what the side table says is cut, must be the same bytes, and whole characters."""
    text, runs = drawn
    covered = {place for run in runs for place in range(run.start, run.end - 1 + MIN_BYTES)}

    cuts = stretches(text, runs, min_bytes=MIN_BYTES)

    places, whole = 0, set()
    for character in text.decode():
        size = len(character.encode())
        whole |= set(range(places, places + size)) if set(range(places, places + size)) <= covered else set()
        places += size
    assert [place for cut in cuts for place in range(cut.start, cut.end)] == sorted(whole)
    kept = without(text, cuts)
    assert kept == bytes(byte for place, byte in enumerate(text) if place not in whole)
    assert kept.decode().encode() == kept
    for cut in cuts:
        owner = next(run for run in runs if run.first_start - run.start == 100 and run.first_id == cut.first_id)
        assert cut.first_start == cut.start + 100
        assert owner.start <= cut.start


def test_a_second_stretch_begins_where_the_first_one_ends() -> None:
    """Two stretches of one text may overlap, and each byte is cut once."""
    runs = [Windows(0, 3, "x", 50), Windows(5, 9, "y", 70)]

    assert stretches(b"a" * 30, runs, min_bytes=8) == [Stretch(0, 10, "x", 50), Stretch(10, 16, "y", 75)]


def test_the_first_place_of_a_stretch_is_that_of_a_window_with_its_first_byte() -> None:
    """The next character may begin after the window whose first place is known."""
    text = ("a" * 7 + "😀" + "b" * 20).encode()
    runs = [Windows(0, 1, "x", 50), Windows(3, 9, "y", 70)]

    assert stretches(text, runs, min_bytes=8) == [Stretch(0, 7, "x", 50), Stretch(7, 16, "y", 74)]


@pytest.mark.parametrize(
    ("repeats", "periods", "expected"),
    [
        ([(0, 5, "x", 9)], [], [(0, 5, "x", 9)]),
        ([(5, 5, "x", 14), (0, 5, "x", 9)], [], [(0, 10, "x", 9)]),
        ([(0, 5, "x", 9), (5, 5, "y", 9)], [], [(0, 5, "x", 9), (5, 10, "y", 9)]),
        ([(0, 5, "x", 9)], [(5, 90, 3)], [(0, 95, "x", 9)]),
        ([], [(5, 90, 3)], [(5, 95, "own", 2)]),
        ([(95, 5, "x", 1)], [(5, 90, 3)], [(5, 95, "own", 2), (95, 100, "x", 1)]),
    ],
)
def test_windows_that_follow_one_another_are_one_run(
    repeats: list[tuple[int, int, str, int]], periods: list[tuple[int, int, int]], expected: list[tuple[Any, ...]]
) -> None:
    """A row of the side table names one document; text that repeats itself at once goes on with the one before it."""
    repeated = [dict(zip(("start", "windows", "first_id", "first_start"), one, strict=True)) for one in repeats]
    periodic = [dict(zip(("start", "windows", "period"), one, strict=True)) for one in periods]

    assert windows("own", repeated, periodic) == [Windows(*one) for one in expected]
