"""The day and the authors that a reader sees beside the title: lines of text that say little else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from corpusmill.pipelines.stages.extract.authors import names_in
from corpusmill.pipelines.stages.extract.dates import changed, written
from corpusmill.pipelines.stages.extract.found import Found

_LINE_CHARS: Final = 160
_LINES_BEFORE: Final = 5
_LINES_AFTER: Final = 20
_HEAD_LINES: Final = 40
"""Lines looked at when none of them is the title."""
_MAX_WORDS: Final = 14
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_NO_DATE: Final = re.compile(r"©|\(c\)|copyright|deadline|expires|version|all rights", re.IGNORECASE)
_BYLINE: Final = re.compile(
    r"\W{0,3}(?:(?:(?:written|posted|published|words|text|photos and|report) )?(?:story )?by:?\s*"
    r"(?=(?-i:[A-ZÀ-ÞΑ-ΩА-Я]))"
    r"|author:\s*|von\s+(?=(?-i:[A-ZÀ-Þ])))",
    re.IGNORECASE,
)
_HAN: Final = r"[\u4e00-\u9fff·]{2,4}"
_HAN_BYLINE: Final = re.compile(
    rf"(?:作者\s*[:：]\s*|[记記]者(?:\s*[:：]\s*|\s+))({_HAN}(?:[\s、]+{_HAN})*)(?=[\s(（)）/／|,，]|$)"
)
_HAN_BETWEEN: Final = re.compile(r"[\s、]+")


def lines_near(lines: Sequence[str], title: str) -> Sequence[str]:
    """Give the lines after the one that is *title*, then those before it; without one the first lines of the page."""
    try:
        place = lines.index(title)
    except ValueError:
        return lines[:_HEAD_LINES]
    return [*lines[place : place + _LINES_AFTER], *lines[max(place - _LINES_BEFORE, 0) : place]]


def visible_days(lines: Sequence[str], *, month_first: bool) -> tuple[Found[datetime] | None, Found[datetime] | None]:
    """Give the first day that a line names, and the first day of a change; lines that say much besides do not count."""
    published: Found[datetime] | None = None
    modified: Found[datetime] | None = None
    for line in lines:
        if len(line) > _LINE_CHARS or not _YEAR.search(line) or line.count(" ") >= _MAX_WORDS or _NO_DATE.search(line):
            continue
        change = changed(line)
        published = published or _day(line.removesuffix(change), month_first)
        modified = modified or _day(change, month_first)
        if published is not None:
            break
    return published, modified


def _day(text: str, month_first: bool) -> Found[datetime] | None:
    day = written(text, month_first=month_first)
    return Found(day, "text") if day is not None else None


def visible_authors(lines: Sequence[str]) -> Found[tuple[str, ...]] | None:
    """Give the names in the first line that is a byline, or that names its reporter in Chinese."""
    for line in lines:
        if len(line) > _LINE_CHARS:
            continue
        names = names_in(line, is_byline=True) if _BYLINE.match(line) and not line.isupper() else []
        if not names and "者" in line and (match := _HAN_BYLINE.search(line)):
            names = _HAN_BETWEEN.split(match.group(1))
        if names:
            return Found(tuple(dict.fromkeys(names)), "text")
    return None
