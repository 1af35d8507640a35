"""Texts that share stretches, for tests: fragments, repeated fragments, and characters of one to four bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from corpusmill.pipelines.stages.dedup.substrings.winnowing import Bytes, Int64
from tests.pipelines.stages.dedup.corpus import capture

ALPHABETS = ("a", "ab", "abc ", "aé€😀", "abcdefgh")


@st.composite
def shared_texts(draw: st.DrawFn, *, most: int = 7) -> list[str]:
    """Draw texts that are put together from a few fragments, some of them repeated at once."""
    letters = st.sampled_from(draw(st.sampled_from(ALPHABETS)))
    fragments = draw(st.lists(st.text(letters, min_size=1, max_size=60), min_size=1, max_size=4))
    piece = st.builds(
        lambda fragment, times: fragment * times, st.sampled_from(fragments), st.sampled_from([1, 1, 2, 9])
    )
    text = st.lists(piece | st.text(letters, max_size=5), max_size=5).map("".join)
    return draw(st.lists(text, max_size=most))


def captures_of(texts: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw captures with *texts*, some fetched on one day and some without a day."""
    days = st.lists(st.none() | st.integers(0, 2), min_size=20, max_size=20)
    return st.builds(
        lambda texts, days: [
            capture(f"{n}", text, day=day) for n, (text, day) in enumerate(zip(texts, days, strict=False))
        ],
        texts,
        days,
    )


def as_bytes(texts: list[str]) -> tuple[Bytes, Int64]:
    """Return the UTF-8 bytes of *texts*, and where each begins and the last one ends."""
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets
