"""The day and the authors that a reader sees beside the title: lines of text that say little else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pipelines.stages.extract.authors import names_in
from pipelines.stages.extract.dates import written
from pipelines.stages.extract.found import Found

_LINE_CHARS: Final = 160
_LINES_BEFORE: Final = 5
_LINES_AFTER: Final = 20
_HEAD_LINES: Final = 40
"""Lines looked at when none of them is the title."""
_MAX_WORDS: Final = 14
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_NO_DATE: Final = re.compile(r"©|\(c\)|copyright|deadline|expires|version|all rights", re.IGNORECASE)
_CHANGE: Final = re.compile(r"\b(?:last\s)?(?:updat|modif|edited|revis|review)|更新|修改|aktualisiert|обновлено", re.IGNORECASE)
_BYLINE: Final = re.compile(
    r"\W{0,3}(?:(?:(?:written|posted|published|words|text|photos and|report) )?(?:story )?by:?\s*(?=(?-i:[A-ZÀ-ÞΑ-ΩА-Я]))"
    r"|author:\s*|von\s+(?=(?-i:[A-ZÀ-Þ])))",
    re.IGNORECASE,
)
_HAN: Final = r"[\u4e00-\u9fff·]{2,4}"
_HAN_BYLINE: Final = re.compile(rf"(?:作者\s*[:：]\s*|[记記]者(?:\s*[:：]\s*|\s+))({_HAN}(?:[\s、]+{_HAN})*)(?=[\s(（)）/／|,，]|$)")
_HAN_BETWEEN: Final = re.compile(r"[\s、]+")


def lines_near(lines: Sequence[str], title: str) -> Sequence[str]:
    """Give the lines after the one that is *title*, then those before it; without one the first lines of the page."""
    try:
        place = lines.index(title)
    except ValueError:
        return lines[:_HEAD_LINES]
    return [*lines[place : place + _LINES_AFTER], *lines[max(place - _LINES_BEFORE, 0) : place]]


def visible_day(lines: Sequence[str], *, month_first: bool) -> Found[datetime] | None:
    """Give the day in the first line that names one and not much besides."""
    for line in lines:
        if len(line) > _LINE_CHARS or not (year := _YEAR.search(line)) or line.count(" ") >= _MAX_WORDS:
            continue
        change = _CHANGE.search(line)
        if _NO_DATE.search(line) or (change and change.start() < year.start()):
            continue
        if (day := written(line, month_first=month_first)) is not None:
            return Found(day, "text")
    return None


def visible_authors(lines: Sequence[str]) -> Found[tuple[str, ...]] | None:
    """Give the names in the first line that is a byline, or that names its reporter in Chinese."""
    for line in lines:
        if len(line) > _LINE_CHARS:
            continue
        names = names_in(line, is_byline=True) if _BYLINE.match(line) else []
        if not names and (match := _HAN_BYLINE.search(line)):
            names = _HAN_BETWEEN.split(match.group(1))
        if names:
            return Found(tuple(dict.fromkeys(names)), "text")
    return None
