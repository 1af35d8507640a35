from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.substrings.winnowing import (
    Anchored,
    anchored,
    anchors_of_window,
    gram_bytes,
    joined,
)
from tests.pipelines.stages.dedup.substrings.texts import as_bytes, shared_texts

WINDOWS = st.sampled_from([8, 9, 13, 40])


def blocks_of(texts: list[str], min_bytes: int, piece_bytes: int | None = None) -> Anchored:
    data, offsets = as_bytes(texts)
    pieces = list(anchored(data, offsets, min_bytes=min_bytes, piece_bytes=piece_bytes))
    columns = zip(*pieces, strict=True) if pieces else [[np.empty(0, np.int64)]] * 5
    return joined(Anchored(*(np.concatenate(list(column)) for column in columns)))


def rows_of(blocks: Anchored) -> list[tuple[int, ...]]:
    return list(zip(*(column.tolist() for column in blocks), strict=True))


@given(texts=shared_texts(), min_bytes=WINDOWS)
def test_every_window_is_in_one_block_and_contains_its_anchor(texts: list[str], min_bytes: int) -> None:
    """A window without an anchor would never be compared."""
    windows = []
    for row, start, count, owner, _ in rows_of(blocks_of(texts, min_bytes)):
        windows += [(row, place) for place in range(start, start + count)]
        assert owner - anchors_of_window(min_bytes) < start
        assert start + count - 1 <= owner

    lengths = [len(text.encode()) for text in texts]
    assert windows == [(row, place) for row, size in enumerate(lengths) for place in range(size - min_bytes + 1)]


@given(texts=shared_texts(), min_bytes=WINDOWS)
def test_equal_windows_have_equal_anchors_at_equal_distances(texts: list[str], min_bytes: int) -> None:
    """Otherwise two occurrences of a window would not meet."""
    anchors = defaultdict(set)
    for row, start, count, owner, anchor in rows_of(blocks_of(texts, min_bytes)):
        text = texts[row].encode()
        for place in range(start, start + count):
            anchors[text[place : place + min_bytes]].add((owner - place, anchor))

    assert all(len(one) == 1 for one in anchors.values())


@given(texts=shared_texts(), min_bytes=WINDOWS)
def test_equal_anchors_are_equal_grams(texts: list[str], min_bytes: int) -> None:
    """The hash must not depend on where a gram is in its text or piece."""
    grams = defaultdict(set)
    for row, _, _, owner, anchor in rows_of(blocks_of(texts, min_bytes)):
        grams[anchor].add(texts[row].encode()[owner : owner + gram_bytes(min_bytes)])

    assert all(len(one) == 1 for one in grams.values())
    assert len(set().union(*grams.values())) == len(grams)


@settings(max_examples=50)
@given(texts=shared_texts(), min_bytes=WINDOWS, piece_bytes=st.sampled_from([1, 7, 64]))
def test_pieces_and_neighbors_change_nothing(texts: list[str], min_bytes: int, piece_bytes: int) -> None:
    """Where a text is cut for the cache, and which texts are in a batch, must not be seen."""
    together = rows_of(blocks_of(texts, min_bytes))

    assert rows_of(blocks_of(texts, min_bytes, piece_bytes)) == together
    alone = [(row, *one[1:]) for row, text in enumerate(texts) for one in rows_of(blocks_of([text], min_bytes))]
    assert alone == together


def test_of_equal_grams_the_last_is_the_anchor() -> None:
    """In a text of one character, each window has the anchor at its end, one byte after the one before it."""
    blocks = blocks_of(["a" * 30], 20)

    assert blocks.owner.tolist() == [place + 20 - gram_bytes(20) for place in range(11)]
    assert len(set(blocks.anchor.tolist())) == 1


@pytest.mark.parametrize("min_bytes", [500, 20_000])
def test_a_text_has_few_anchors(min_bytes: int) -> None:
    """Each anchor is a row that is exchanged: about 2 in each ``min_bytes - gram_bytes`` bytes."""
    text = np.random.default_rng(1).integers(97, 123, 1_000_000, dtype=np.uint8).tobytes().decode()

    blocks = blocks_of([text], min_bytes)

    expected = 2 * len(text) / anchors_of_window(min_bytes)
    assert 0.8 * expected < len(blocks.row) < 1.2 * expected
