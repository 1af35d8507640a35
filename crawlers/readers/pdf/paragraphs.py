"""Join lines to paragraphs, over the ends of columns and pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from corpusmill.crawlers.readers.pdf.glyphs import HYPHENS
from corpusmill.crawlers.readers.pdf.hyphens import clean, joined, words_of
from corpusmill.crawlers.readers.pdf.lines import Line

_ITEM: Final = re.compile(r"(?:[•◦▪‣●○■–—∗*·]\s|\(?\d{1,2}[.)]\s|\(?[a-z]\)\s|\[\d{1,3}\]\s)")
_HEADING: Final = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2})*\.?|[A-H](?:\.\d{1,2})*\.?|[IVX]{1,5}\.)\s+[A-ZÄÖÜÀ-Ý]\S*(?:\s\S+){0,11}"
)
_CAPTION: Final = re.compile(
    r"(?:figure|fig\.|table|abbildung|tabelle|figura|tableau|algorithm)\s*\d+\s*[.:|]", re.IGNORECASE
)
_ENDS: Final = re.compile(r"[.!?:;”\"。！？][)\]’”\"»]*$")
_SMALL: Final = 0.95
"""Size of letters, as a part of the body's, below which text is a table, a caption or a note."""
_MAX_BETWEEN: Final = 40
"""Paragraphs of smaller text between the halves of a sentence, at most; the rows of a table can be paragraphs."""
_NOTE: Final = re.compile(r"(?:\d{1,2}|[*∗†‡§¶])\s+\S")


@dataclass
class Paragraph:
    """Lines that belong together. `floats`: a caption or a footnote, which can interrupt a paragraph of the body."""

    lines: list[Line]
    floats: bool = False


def paragraphs(lines: list[Line]) -> list[str]:
    """Return the text of each paragraph of *lines*, which are in reading order."""
    if not lines:
        return []
    body = median(line.size for line in lines for _ in range(max(1, len(line.text) // 10)))
    words = words_of(line.text for line in lines)
    found = [Paragraph([lines[0]])]
    pitches = _pitches(lines)
    hanging = _hanging(lines)
    for before, line in pairwise(lines):
        is_note = line.size < 0.93 * body and _NOTE.match(line.text) is not None
        if is_note or _begins(
            before, line, found[-1].lines, pitches.get(line.block, 1.2 * line.size), hangs=line.block in hanging
        ):
            found.append(Paragraph([line]))
        else:
            found[-1].lines.append(line)
    for paragraph in found:
        paragraph.floats = _is_float(paragraph, body)
    texts = []
    for paragraph in _joined(found, body):
        text = paragraph.lines[0].text
        for line in paragraph.lines[1:]:
            text = joined(text, line.text, words)
        texts.append(clean(text))
    return texts


def _pitches(lines: list[Line]) -> dict[int, float]:
    """Return the usual distance of the baselines in each block."""
    steps: dict[int, list[float]] = {}
    for before, line in pairwise(lines):
        if before.block == line.block and 0 < before.y - line.y < 3 * line.size:
            steps.setdefault(line.block, []).append(before.y - line.y)
    return {block: sorted(values)[len(values) // 3] for block, values in steps.items()}


def _hanging(lines: list[Line]) -> set[int]:
    """Return the blocks, such as lists of references, in which the first line of a paragraph stands out."""
    counts: dict[int, list[int]] = {}
    for line in lines:
        inner = 0.8 * line.size < line.x0 - line.left < 3 * line.size
        counts.setdefault(line.block, []).append(inner)
    return {block for block, inner in counts.items() if len(inner) > 4 and 0.4 < sum(inner) / len(inner) < 0.9}


def _begins(before: Line, line: Line, current: list[Line], pitch: float, *, hangs: bool) -> bool:
    if before.block != line.block:
        return True  # joined again by `_joined`, if the sentence goes on
    if abs(line.size - before.size) > 0.08 * max(line.size, before.size):
        return True
    if before.y - line.y > 1.3 * pitch:
        return True
    if _is_divided(before):
        return False
    width = line.right - line.left
    if _ITEM.match(line.text) or _CAPTION.match(line.text):
        return True
    is_before_short = before.x1 < line.right - 0.05 * width
    if _is_heading(before) and len(current) == 1 and is_before_short:
        return True
    if _is_heading(line) and is_before_short and line.x1 < line.right - 0.05 * width:
        return True
    if hangs:
        return line.x0 < line.left + 0.5 * line.size
    indented = line.x0 > before.x0 + 0.8 * line.size
    if indented:
        is_rest = before.x0 <= line.left + 2 and (_ITEM.match(before.text) is not None or not _ENDS.search(before.text))
        return not (is_rest and len(current) == 1)
    is_short = before.x1 < line.right - 0.12 * width
    return is_short and _ENDS.search(before.text) is not None and line.text[:1].isupper()


def _is_divided(line: Line) -> bool:
    return line.text[-1:] in HYPHENS and line.text[-2:-1].isalpha()


def _is_heading(line: Line) -> bool:
    return _HEADING.fullmatch(line.text) is not None and not _ENDS.search(line.text)


def _is_float(paragraph: Paragraph, body: float) -> bool:
    first = paragraph.lines[0]
    if _CAPTION.match(first.text):
        return True
    return first.size < 0.93 * body and _NOTE.match(first.text) is not None


def _joined(found: list[Paragraph], body: float) -> list[Paragraph]:
    """Join a paragraph that ends within a sentence with its rest in the next column or page, before floats between."""
    result: list[Paragraph] = []
    open_: Paragraph | None = None
    for paragraph in found:
        if open_ is not None and not paragraph.floats and _goes_on(open_.lines[-1], paragraph.lines[0]):
            open_.lines += paragraph.lines
            continue
        begun = _interrupted(result, paragraph.lines[0], body)
        if begun is not None:
            begun.lines += paragraph.lines
            open_ = begun
            continue
        result.append(paragraph)
        if not paragraph.floats:
            open_ = paragraph
    return result


def _interrupted(before: list[Paragraph], line: Line, body: float) -> Paragraph | None:
    """Return the paragraph of the body whose sentence *line* goes on with, after smaller text: a table, notes."""
    if not line.text[:1].islower() or line.size < _SMALL * body:
        return None
    for number, paragraph in enumerate(reversed(before[-_MAX_BETWEEN - 1 :])):
        last = paragraph.lines[-1]
        if not paragraph.floats and last.size >= _SMALL * body:
            return paragraph if number and line.page - last.page <= 1 and _is_open(last, line) else None
    return None


def _is_open(last: Line, line: Line) -> bool:
    """Return whether the line *last* ends within a sentence that *line*, of the same size, may go on with."""
    if abs(last.size - line.size) > 0.5:
        return False
    if _is_divided(last):
        return line.text[:1].isalpha()
    is_full = last.x1 > last.right - 0.08 * (last.right - last.left)
    return is_full and not _ENDS.search(last.text) and not _is_heading(last)


def _goes_on(last: Line, line: Line) -> bool:
    if last.block == line.block or _ITEM.match(line.text) or not _is_open(last, line):
        return False
    if _is_divided(last):
        return True
    return line.text[:1].islower() or (line.x0 < line.left + 0.5 * line.size and not _is_heading(line))
