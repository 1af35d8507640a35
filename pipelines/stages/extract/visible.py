"""The date and authors that a reader sees near the title, in lines that contain little else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from corpusmill.pipelines.stages.extract.authors import names_in
from corpusmill.pipelines.stages.extract.datelines import before_change, is_dateline
from corpusmill.pipelines.stages.extract.found import Found
from corpusmill.pipelines.stages.extract.publication import Reading
from corpusmill.schemas.dates import changed

_LINE_CHARS: Final = 160
_LINES_BEFORE: Final = 5
_LINES_AFTER: Final = 20
_HEAD_LINES: Final = 40
"""Number of lines to inspect if none of them is the title."""
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


def blocks_near(lines: Sequence[str], title: str) -> Sequence[int]:
    """Return the positions of the lines from *title* on, then of those before it; else of the first lines."""
    try:
        place = lines.index(title)
    except ValueError:
        return range(min(_HEAD_LINES, len(lines)))
    return [*range(place, min(place + _LINES_AFTER, len(lines))), *range(max(place - _LINES_BEFORE, 0), place)]


def visible_days(lines: Iterable[str], reading: Reading) -> tuple[Found[datetime] | None, Found[datetime] | None]:
    """Return the first date in *lines*, and the first date of a change. Lines with much other text are ignored."""
    published: Found[datetime] | None = None
    modified: Found[datetime] | None = None
    for line in lines:
        change = changed(line)
        before = before_change(line)
        if is_dateline(before):
            published = reading.first([(before, "text")])
        if change and modified is None and is_dateline(change):
            modified = reading.first([(change, "text")])
        if published is not None:
            break
    return published, modified


def visible_authors(lines: Sequence[str]) -> Found[tuple[str, ...]] | None:
    """Return the names in the first line that is a byline, or that names its reporter in Chinese."""
    for line in lines:
        if len(line) > _LINE_CHARS:
            continue
        names = names_in(line, is_byline=True) if _BYLINE.match(line) and not line.isupper() else []
        if not names and "者" in line and (match := _HAN_BYLINE.search(line)):
            names = _HAN_BETWEEN.split(match.group(1))
        if names:
            return Found(tuple(dict.fromkeys(names)), "text")
    return None
