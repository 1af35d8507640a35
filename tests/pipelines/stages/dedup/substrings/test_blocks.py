from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.substrings.blocks import Blocks, cores, digests, hulls, in_pieces, parts

MIN_BYTES = 40


@st.composite
def some_blocks(draw: st.DrawFn) -> Blocks:
    """Draw blocks of windows that contain their anchor."""
    rows = []
    for row in range(draw(st.integers(0, 5))):
        start, count = draw(st.integers(0, 99)), draw(st.integers(1, 31))
        rows.append((row, start, count, start + count - 1 + draw(st.integers(0, 31 - count))))
    return Blocks(*np.array(rows, np.int64).reshape(-1, 4).T)


def windows_of(blocks: Blocks) -> list[tuple[int, int]]:
    return [(row, place) for row, start, count, _ in zip(*blocks, strict=True) for place in range(start, start + count)]


@given(blocks=some_blocks(), size=st.integers(1, 31))
def test_parts_are_the_windows_of_their_blocks(blocks: Blocks, size: int) -> None:
    """A window in no part would be kept, and one in two parts would repeat itself."""
    divided, part = parts(blocks, size=size)

    assert windows_of(divided) == windows_of(blocks)
    assert divided.windows.max(initial=1) <= size
    for start, count, owner, number in zip(divided.start, divided.windows, divided.owner, part, strict=True):
        assert {(owner - place) // size for place in range(start, start + count)} == {number}


@given(blocks=some_blocks(), size=st.integers(1, 31))
def test_all_windows_of_a_part_have_its_core_and_its_hull_has_them(blocks: Blocks, size: int) -> None:
    """Different cores must mean different windows, and equal hulls equal windows."""
    divided, part = parts(blocks, size=size)
    core_start, core_end = cores(divided, part, size=size, min_bytes=MIN_BYTES)
    hull_start, hull_end = hulls(divided, min_bytes=MIN_BYTES)

    for n, (start, count) in enumerate(zip(divided.start, divided.windows, strict=True)):
        assert start + count - 1 <= core_start[n] < core_end[n] <= start + MIN_BYTES
        assert (hull_start[n], hull_end[n]) == (start, start + count - 1 + MIN_BYTES)
    if size == 1:
        assert (core_start == hull_start).all()


def test_digests_are_those_of_the_bytes() -> None:
    """The hash decides that texts are equal, so it must be a strong one, of all bytes."""
    data = bytes(range(100))

    made = digests(memoryview(data), np.array([0, 7]), np.array([50, 100]), size=16)

    assert made[1].tobytes() == hashlib.blake2b(data[7:100], digest_size=16).digest()
    assert made.shape == (2, 2)


@given(blocks=some_blocks(), most=st.integers(1, 6))
def test_pieces_are_all_blocks_in_order(blocks: Blocks, most: int) -> None:
    """A large document is hashed in pieces."""
    pieces = list(in_pieces(blocks, max_blocks=most))

    assert [window for piece in pieces for window in windows_of(piece)] == windows_of(blocks)
    assert all(len(piece.row) <= most for piece in pieces)
