"""Find the headers, footers and page numbers of a document: what repeats at the edges of its pages."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from corpusmill.crawlers.readers.pdf.lines import Line

_ROMAN: Final = r"[ivxlc]{1,7}|[IVXLC]{1,7}"
_NUMBER: Final = re.compile(
    rf"\W*(?:(?:page|seite|página|pagina|p\.|s\.)\s*)?(?:\d{{1,5}}|{_ROMAN})(?:\s*(?:/|of|von|de|sur|di)\s*\d{{1,5}})?\W*",
    re.IGNORECASE,
)
_EDGE: Final = 3
"""So many lines from the top and the bottom of a page can be furniture."""
_MAX_FOOTER: Final = 10
"""Lines of a footer that only the first page has, such as a notice of rights, at most."""
_ZONE: Final = 0.14
"""Share of the page's height, at the top and at the bottom, in which furniture stands."""


def furniture(pages: list[list[Line]], heights: list[tuple[float, float]]) -> set[tuple[int, int]]:
    """Return the lines of *pages* that are furniture, as pairs of page and index.

    Args:
        heights: The lower and upper edge of each page.
    """
    places: dict[tuple[bool, str], list[tuple[int, int, float]]] = defaultdict(list)
    removed: set[tuple[int, int]] = set()
    for number, lines in enumerate(pages):
        for index, is_top in _edges(lines, heights[number]):
            line = lines[index]
            if _NUMBER.fullmatch(line.text) and _is_alone(lines, index, is_top=is_top):
                removed.add((number, index))
            places[is_top, _shape(line.text)].append((number, index, line.y - heights[number][0]))
    repeated: set[tuple[int, int]] = set()
    for found in places.values():
        for number, index, y in found:
            near = {other for other, _, place in found if abs(place - y) < 6 and other != number}
            if len(near) >= max(1, min(2, len(pages) // 4)):
                repeated.add((number, index))
    for number, lines in enumerate(pages):
        middle = sum(heights[number]) / 2
        candidates = {index for page, index in repeated if page == number}
        for is_top in (True, False):
            side = {index for index in candidates if (lines[index].y > middle) == is_top}
            removed |= {(number, index) for index in _outside(lines, side, is_top=is_top)}
    return removed | _beyond(pages, heights, removed)


def _edges(lines: list[Line], height: tuple[float, float]) -> list[tuple[int, bool]]:
    ordered = sorted(range(len(lines)), key=lambda index: -lines[index].y)
    zone = _ZONE * (height[1] - height[0])
    top = [(index, True) for index in ordered[: 2 * _EDGE] if lines[index].y > height[1] - zone]
    bottom = [(index, False) for index in ordered[-2 * _EDGE :] if lines[index].y < height[0] + zone]
    return top + bottom


def _is_alone(lines: list[Line], index: int, *, is_top: bool) -> bool:
    """Return whether no line of the body is beyond the line *index*, or beside it."""
    line = lines[index]
    others = [other for position, other in enumerate(lines) if position != index]
    beyond = [other for other in others if (other.y > line.y + 2) == is_top and abs(other.y - line.y) > 2]
    beside = [other for other in others if abs(other.y - line.y) <= 2]
    return len(beyond) <= 2 and all(len(other.text) < 100 for other in beside) and bool(others)


def _outside(lines: list[Line], candidates: set[int], *, is_top: bool) -> set[int]:
    """Return those of *candidates* that a gap, or another size, sets off from the body: pages can begin alike, too."""
    sign = -1 if is_top else 1  # inward
    edge: float | None = None
    for index in candidates:
        line = lines[index]
        inner = [other for other in lines if sign * (other.y - line.y) > 2]
        if not inner:
            continue
        nearest = min(inner, key=lambda other: abs(other.y - line.y))
        is_apart = abs(nearest.y - line.y) > 1.5 * max(line.size, nearest.size)
        if is_apart or abs(nearest.size - line.size) > 0.05 * line.size:
            edge = sign * line.y if edge is None else max(edge, sign * line.y)
    return set() if edge is None else {index for index in candidates if sign * lines[index].y <= edge}


def _shape(text: str) -> str:
    return re.sub(rf"\d+|\b(?:{_ROMAN})\b", "#", text).casefold()


def _beyond(
    pages: list[list[Line]], heights: list[tuple[float, float]], removed: set[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Return the lines of the first page below the text of all other pages, and set off: a footer only of this page."""
    bottoms = [
        min(
            (line.y - heights[number][0] for at, line in enumerate(lines) if (number, at) not in removed),
            default=0,
        )
        for number, lines in enumerate(pages)
    ]
    found: set[tuple[int, int]] = set()
    for number, lines in enumerate(pages[:1]):
        others = [bottom for other, bottom in enumerate(bottoms) if other != number and pages[other]]
        if len(others) < 2:
            continue
        below = {
            index
            for index, line in enumerate(lines)
            if line.y - heights[number][0] < min(others) - 0.8 * line.size and (number, index) not in removed
        }
        if len(below) <= _MAX_FOOTER:
            found |= {(number, index) for index in _outside(lines, below, is_top=False)}
    return found
