"""Choose the bytes to cut with each piece: the piece and one of the gaps around it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from corpusmill.pipelines.stages.dedup.pieces.spans import Int64, Spans, Texts

_NEWLINE: Final = 10
_TEXT_EDGE: Final = np.iinfo(np.int64).max
"""Width of the gaps before the first and after the last piece of a text, which always stay."""


def cut_with_gaps(texts: Texts, spans: Spans, is_cut: npt.NDArray[np.bool_]) -> Spans:
    r"""Return the bytes to cut for each piece of *spans* (all pieces of *texts*) that *is_cut*.

    Of the gaps around neighboring pieces that are cut, the one with the most newlines stays (the first one of several),
    so that the remaining text is divided as before. Ranges do not overlap.

    >>> texts = Texts(np.frombuffer(b"a\n\nb\nc\nd", np.uint8), np.array([0, 8]))
    >>> pieces = Spans(np.zeros(4, np.int64), np.array([0, 3, 5, 7]), np.array([1, 4, 6, 8]))
    >>> cut = cut_with_gaps(texts, pieces, np.array([False, True, True, False]))
    >>> cut.starts.tolist(), cut.ends.tolist()
    ([3, 5], [5, 7])
    """
    rows, starts, ends = spans
    if not is_cut.any():
        return Spans(*(values[:0] for values in spans))
    edges_before, edges_after = _gap_edges(texts, spans)
    before, after = _widths(texts, spans)
    cut = np.flatnonzero(is_cut)
    is_first = np.ones(len(cut), np.bool_)
    is_first[1:] = (np.diff(cut) > 1) | (rows[cut[1:]] != rows[cut[:-1]])
    firsts = np.flatnonzero(is_first)
    group = np.cumsum(is_first) - 1
    lasts = np.append(firsts[1:], len(cut)) - 1
    widest = np.maximum(np.maximum.reduceat(before[cut], firsts), after[cut[lasts]])
    is_widest = before[cut] == widest[group]
    seen = np.cumsum(is_widest)
    is_behind = seen - (seen - is_widest)[firsts][group] > 0  # the gap that stays is before this piece
    cut_starts = np.where(is_behind, starts[cut], edges_before[cut])
    cut_ends = np.where(is_behind, edges_after[cut], ends[cut])
    return Spans(rows[cut], cut_starts, cut_ends)


def _gap_edges(texts: Texts, spans: Spans) -> tuple[Int64, Int64]:
    """Return where the gap before each piece begins, and where the gap after it ends."""
    rows, starts, ends = spans
    is_same = rows[1:] == rows[:-1]
    before = np.where(np.append(False, is_same), np.append(0, ends[:-1]), texts.offsets[rows])
    after = np.where(np.append(is_same, False), np.append(starts[1:], 0), texts.offsets[rows + 1])
    return before, after


def _widths(texts: Texts, spans: Spans) -> tuple[Int64, Int64]:
    """Return the number of newlines in the gaps before and after each piece, `_TEXT_EDGE` at the edges of a text."""
    rows, starts, ends = spans
    newlines = np.flatnonzero(texts.data == _NEWLINE)
    between = np.searchsorted(newlines, starts[1:]) - np.searchsorted(newlines, ends[:-1])
    between[rows[1:] != rows[:-1]] = _TEXT_EDGE
    return np.append(_TEXT_EDGE, between), np.append(between, _TEXT_EDGE)
