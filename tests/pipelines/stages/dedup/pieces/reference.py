"""What the stages on pieces do, slowly: one text, one piece and one character at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.pipelines.stages.dedup.corpus import capture


class Cut(NamedTuple):
    """A text without some pieces, and the characters of it that were cut, for each piece."""

    text: str
    spans: list[tuple[int, int]]


def spans_of(text: str, unit: str) -> list[tuple[int, int]]:
    """Return the lines or paragraphs of *text*, in characters."""
    pieces: list[tuple[int, int]] = []
    place, is_open = 0, False
    for line in text.split("\n"):
        span, place = (place, place + len(line)), place + len(line) + 1
        if not line.strip():
            is_open = False
        elif is_open and unit == "paragraph":
            pieces[-1] = (pieces[-1][0], span[1])
        else:
            pieces.append(span)
            is_open = True
    return pieces


def key_of(piece: str, min_characters: int) -> str | None:
    """Return what equal pieces share; None if the piece is not compared."""
    folded = " ".join(piece.casefold().split())
    return folded if len(folded) >= min_characters and re.search(r"[^\W_]", folded) else None


def keys_of(text: str, unit: str, min_characters: int) -> list[str | None]:
    return [key_of(text[start:end], min_characters) for start, end in spans_of(text, unit)]


def cut(text: str, spans: Sequence[tuple[int, int]], is_cut: Sequence[bool]) -> Cut:
    """Cut pieces; of the gaps around neighbors that are cut, the first one with the most newlines stays."""
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    gaps = [(edges[2 * n], edges[2 * n + 1]) for n in range(len(spans) + 1)]
    cuts: list[tuple[int, int]] = []
    piece = 0
    while piece < len(spans):
        end = piece
        while end < len(spans) and is_cut[end]:
            end += 1
        if end > piece:
            widths = [text[start:stop].count("\n") for start, stop in gaps[piece : end + 1]]
            if end == len(spans):
                widths[-1] = len(text) + 1
            if piece == 0:
                widths[0] = len(text) + 1
            stays = piece + widths.index(max(widths))
            for one in range(piece, end):
                start, stop = spans[one]
                cuts.append((gaps[one][0], stop) if one < stays else (start, gaps[one + 1][1]))
        piece = max(end, piece + 1)
    kept = [True] * len(text)
    for start, stop in cuts:
        assert all(kept[start:stop]), "spans overlap"
        kept[start:stop] = [False] * (stop - start)
    return Cut("".join(c for c, stays in zip(text, kept, strict=True) if stays), cuts)


def shared(
    documents: Sequence[tuple[str, str]], unit: str, *, min_characters: int, max_documents: int | None
) -> dict[str, tuple[Cut, list[str | None]]]:
    """Return what is cut from each of *documents* (id, text; in the order of priority), and who keeps each piece."""
    keys = {identity: keys_of(text, unit, min_characters) for identity, text in documents}
    first: dict[str, str] = {}
    for identity, _ in documents:
        for key in filter(None, keys[identity]):
            first.setdefault(key, identity)
    number = Counter(key for one in keys.values() for key in set(one))
    result = {}
    for identity, text in documents:
        common = [
            key is not None and max_documents is not None and number[key] > max_documents for key in keys[identity]
        ]
        is_cut = [
            is_common or (key is not None and first[key] != identity)
            for is_common, key in zip(common, keys[identity], strict=True)
        ]
        keepers = [
            None if is_common else first[key or ""]
            for is_common, key, cuts in zip(common, keys[identity], is_cut, strict=True)
            if cuts
        ]
        result[identity] = cut(text, spans_of(text, unit), is_cut), keepers
    return result


PIECES = (
    "one piece",
    "One  Piece",
    "ONE\u3000piece\t",
    "  a piece",
    "Straße über",
    "STRASSE ÜBER",
    "短い文章です。",
    "so",
    "* * * *",
)
GAPS = ("\n", "\n\n", "\n \n", "\n\u2003\n\n", " \r\n", "\n\n\n")
texts = st.builds(
    lambda head, parts, tail: head + "".join(piece + gap for piece, gap in parts) + tail,
    st.sampled_from(["", "\n", " \n\n"]),
    st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), max_size=7),
    st.sampled_from(["", *PIECES]),
)
"""Texts with few different pieces and all kinds of white space."""


def corpora(*, largest: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw captures of different documents."""
    captures = st.builds(capture, st.sampled_from("abcdefgh"), texts, day=st.none() | st.integers(0, 2))
    return st.lists(captures, max_size=largest, unique_by=lambda row: row["id"])
