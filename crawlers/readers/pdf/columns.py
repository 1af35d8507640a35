"""Put the pieces of a page in reading order: find gutters, and what spans them."""

from __future__ import annotations

from itertools import groupby
from typing import Final

import numpy as np

from corpusmill.crawlers.readers.pdf.glyphs import Piece

_MIN_ROWS: Final = 3
"""A column has at least so many lines."""
_MIN_EM: Final = 9.0
"""A column is at least so wide; a narrower one is a column of a table."""
_MIN_FILL: Final = 0.55
"""The middle line of a column fills at least this share of it; the cells of a table are shorter."""
_GUTTER_EM: Final = 0.6
_SAME: Final = 6.0
"""Points by which the gutters of two pages differ at most if they are the same."""
_MOST: Final = 0.4
"""Share of the pages that have the gutter of the document; others have wide figures, or one column of references."""
_MAX_DEPTH: Final = 6
_MAX_PIECES: Final = 20_000
"""A page with more pieces (a map, a plot of points) is read line by line."""


def common_gutter(pages: list[list[Piece]]) -> float | None:
    """Return the gutter that most *pages* share; None if there is none."""
    gutters = [gutter for pieces in pages if _may_have_columns(pieces) and (gutter := _gutter(pieces)) is not None]
    near = {gutter: sum(abs(other - gutter) < _SAME for other in gutters) for gutter in gutters}
    best = max(sorted(near), key=lambda gutter: near[gutter], default=None)
    return best if best is not None and near[best] >= max(2, _MOST * sum(map(_may_have_columns, pages))) else None


def blocks(pieces: list[Piece], *, common: float | None = None, depth: int = 0) -> list[list[Piece]]:
    """Return *pieces* as blocks of one column each, in reading order.

    A gutter is the vertical line that separates the most text. Pieces that cross it (a title, a wide figure or table)
    divide the page into bands; a band is read column by column.

    Args:
        common: The gutter of most pages of the document. At this place, one of the two columns may have short lines, as
            a list or a table of contents has.
    """
    if not _may_have_columns(pieces) or depth >= _MAX_DEPTH:
        return [pieces] if pieces else []
    gutter = _gutter(pieces, common)
    if gutter is None:
        return [pieces]
    found: list[list[Piece]] = []
    wide: list[Piece] = []
    for band, is_columns in _bands(pieces, gutter, common):
        if not is_columns:
            wide += band
            continue
        if wide:
            found += blocks(wide, common=common, depth=depth + 1) if len(wide) < len(pieces) else [wide]
            wide = []
        left, right = _sides(band, gutter)
        found += blocks(left, depth=depth + 1) + blocks(right, depth=depth + 1)
    return [*found, wide] if wide else found


def _sides(band: list[Piece], gutter: float) -> tuple[list[Piece], list[Piece]]:
    left = [piece for piece in band if piece.x0 + piece.x1 < 2 * gutter]
    return left, [piece for piece in band if piece.x0 + piece.x1 >= 2 * gutter]


def _may_have_columns(pieces: list[Piece]) -> bool:
    return 2 * _MIN_ROWS <= len(pieces) <= _MAX_PIECES


def _bands(pieces: list[Piece], gutter: float, common: float | None) -> list[tuple[list[Piece], bool]]:
    """Return the bands from top to bottom, each with whether it has two columns at *gutter*."""
    ordered = sorted(pieces, key=lambda piece: (-piece.y, piece.x0))
    rows = [(piece, piece.x0 < gutter < piece.x1) for piece in ordered]
    found: list[tuple[list[Piece], bool]] = []
    for crosses, run in groupby(rows, key=lambda row: row[1]):
        band = [piece for piece, _ in run]
        is_columns = not crosses and _is_columns(band, gutter, common)
        if found and not found[-1][1] and not is_columns:
            found[-1][0].extend(band)
        else:
            found.append((band, is_columns))
    return found


def _is_columns(band: list[Piece], gutter: float, common: float | None) -> bool:
    left, right = _sides(band, gutter)
    if not left or not right or _gap(left, right) < _GUTTER_EM:
        return False
    if common is not None and abs(gutter - common) < _SAME:
        return _is_column(left) or _is_column(right)
    return _is_column(left) and _is_column(right)


def _gap(left: list[Piece], right: list[Piece]) -> float:
    size = float(np.median([piece.size for piece in (*left, *right)]))
    end = float(np.percentile([piece.x1 for piece in left], 90))  # one line may reach into the gutter
    return (min(piece.x0 for piece in right) - end) / size


def _is_column(side: list[Piece]) -> bool:
    rows: dict[int, list[float]] = {}
    for piece in side:
        span = rows.setdefault(round(piece.y / 3), [0.0, piece.size])
        span[0] += piece.x1 - piece.x0
    width = max(piece.x1 for piece in side) - min(piece.x0 for piece in side)
    filled = float(np.median([span for span, _ in rows.values()]))
    size = float(np.median([size for _, size in rows.values()]))
    return len(rows) >= _MIN_ROWS and width >= _MIN_EM * size and filled >= _MIN_FILL * width


def _gutter(pieces: list[Piece], common: float | None = None) -> float | None:
    """Return the place that separates the most text in columns; None if there is none."""
    starts = np.array([piece.x0 for piece in pieces])
    ends = np.array([piece.x1 for piece in pieces])
    left, right = float(starts.min()), float(ends.max())
    sizes = np.array([piece.size for piece in pieces])
    # A gutter ends where a column begins: only the left edges of pieces can bound one.
    edges, counts = np.unique(np.round(starts - 0.3 * np.median(sizes)), return_counts=True)
    places = [float(edge) for edge, count in zip(edges, counts, strict=True) if left < edge < right and count > 1]
    if common is not None and left < common < right:
        places.append(common)
    crossing = {place: int(((starts < place) & (ends > place)).sum()) for place in places}
    best: tuple[float, float] | None = None
    for place in sorted(places, key=lambda place: (crossing[place], place))[:24]:
        bands = _bands(pieces, place, common)
        score = sum(piece.x1 - piece.x0 for band, is_columns in bands if is_columns for piece in band)
        if score > 0 and (best is None or score > best[0]):
            best = (score, place)
    return best[1] if best else None
