"""Identifiers as spans of a text: the first detector that claims a character keeps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """An identifier at ``[start, end)`` of a text, and what replaces it; None means the placeholder of its kind."""

    start: int
    end: int
    kind: str
    replacement: str | None = None


class Claims:
    """Spans of one text that do not overlap. A span that overlaps earlier ones is cut to what they leave.

    >>> claims = Claims("Dr. Ann Lee")
    >>> claims.add([Span(4, 7, "name")]), claims.add([Span(4, 11, "name")])
    (None, None)
    >>> [(span.start, span.end) for span in claims.spans]
    [(4, 7), (8, 11)]
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.spans: list[Span] = []
        self._taken = bytearray(len(text))

    def add(self, spans: Iterable[Span]) -> None:
        """Add *spans*, cut to the characters that are free."""
        for span in spans:
            if self._taken.find(1, span.start, span.end) < 0:
                self._claim(span)
            else:
                for start, end in self._free(span.start, span.end):
                    self._claim(Span(start, end, span.kind))

    def _claim(self, span: Span) -> None:
        self._taken[span.start : span.end] = b"\1" * (span.end - span.start)
        self.spans.append(span)

    def _free(self, start: int, end: int) -> Iterable[tuple[int, int]]:
        """Return the free ranges of ``[start, end)`` that have a letter or digit, without signs around them."""
        ranges = []
        while start < end:
            if self._taken[start] or not self.text[start].isalnum():
                start += 1
                continue
            stop = self._taken.find(1, start, end)
            stop = end if stop < 0 else stop
            piece = self.text[start:stop]
            ranges.append((start, start + len(piece.rstrip(" ,.;:()\n-"))))
            start = stop
        return ranges


def replaced(text: str, spans: Iterable[Span], *, placeholders: dict[str, str]) -> tuple[str, Counter[str]]:
    """Return *text* with its *spans* replaced, and their number by kind."""
    counts: Counter[str] = Counter()
    pieces, at = [], 0
    for span in sorted(spans):
        pieces += [text[at : span.start], placeholders[span.kind] if span.replacement is None else span.replacement]
        counts[span.kind] += 1
        at = span.end
    return "".join((*pieces, text[at:])), counts
