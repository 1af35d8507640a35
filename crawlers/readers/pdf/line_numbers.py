"""Find the numbers that drafts print beside their lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Final

from corpusmill.crawlers.readers.pdf.glyphs import Piece

_MIN_NUMBERS: Final = 5
"""Numbers in a column on a page, at least; drafts number each line or every fifth."""
_MIN_REGULAR: Final = 0.9
"""Share of the numbers of a column that follow the one before by the column's step."""
_MIN_PAGES: Final = 0.5
"""Share of the pages with text that have such a column: a table numbers its rows on one page or two."""
_ALIGNED: Final = 3.0
"""Points by which the edges of a column differ at most."""


def without_line_numbers(pages: list[list[Piece]]) -> list[list[Piece]]:
    """Return the pieces of each page without the numbers of lines, if most pages have them.

    The numbers of lines stand in a column of their own that begins or ends at one place, and rise evenly. A page of a
    draft in two columns has one column of numbers or two.
    """
    found = [_numbers(pieces) for pieces in pages]
    texts = sum(len(pieces) > 2 * _MIN_NUMBERS for pieces in pages)
    if sum(map(bool, found)) < max(2, _MIN_PAGES * texts):
        return pages
    return [
        [piece for index, piece in enumerate(pieces) if index not in numbers]
        for pieces, numbers in zip(pages, found, strict=True)
    ]


def _numbers(pieces: list[Piece]) -> set[int]:
    """Return the indexes of the pieces in columns of rising numbers."""
    candidates = [index for index, piece in enumerate(pieces) if len(piece.text) <= 5 and piece.text.isdecimal()]
    found: set[int] = set()
    for edge in ("x1", "x0"):
        columns: dict[int, list[int]] = defaultdict(list)
        for index in candidates:
            if index not in found:
                columns[round(getattr(pieces[index], edge) / _ALIGNED)].append(index)
        for place in sorted(columns):
            column = columns[place] + columns.get(place + 1, [])  # a column may lie on the border of two
            if len(column) >= _MIN_NUMBERS and _rises(pieces, column):
                found.update(column)
    return found


def _rises(pieces: list[Piece], column: list[int]) -> bool:
    values = [int(pieces[index].text) for index in sorted(column, key=lambda index: -pieces[index].y)]
    steps = Counter(second - first for first, second in pairwise(values))
    step, times = steps.most_common(1)[0]
    return step in {1, 2, 5, 10} and times >= _MIN_REGULAR * (len(values) - 1)
