"""Lines of a block, from the pieces on one baseline."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from corpusmill.crawlers.readers.pdf.glyphs import Piece


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `block` counts the blocks of the document; `page` begins at 0. `left` and `right` are the block's
    edges.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    page: int
    block: int
    left: float = field(default=0.0)
    right: float = field(default=0.0)


def lines_of(block: list[Piece], *, page: int, number: int) -> list[Line]:
    """Return the lines of *block* from top to bottom."""
    rows: list[list[Piece]] = []
    for piece in sorted(block, key=lambda piece: (-piece.y, piece.x0)):
        last = rows[-1] if rows else None
        if last and abs(_baseline(last) - piece.y) < 0.4 * max(piece.size, max(p.size for p in last)):
            last.append(piece)
        else:
            rows.append([piece])
    left, right = (min(piece.x0 for piece in block), max(piece.x1 for piece in block)) if block else (0.0, 0.0)
    return [_line(sorted(row, key=lambda p: p.x0), page, number, left, right) for row in rows]


def _baseline(row: list[Piece]) -> float:
    return max(row, key=lambda piece: (piece.size, len(piece.text))).y


def _line(row: list[Piece], page: int, number: int, left: float, right: float) -> Line:
    text = row[0].text
    for before, piece in pairwise(row):
        touches = piece.x0 - before.x1 < 0.12 * piece.size
        text += piece.text if touches else " " + piece.text
    main = max(row, key=lambda piece: len(piece.text))
    end = max(piece.x1 for piece in row)
    return Line(" ".join(text.split()), row[0].x0, end, _baseline(row), main.size, page, number, left, right)
