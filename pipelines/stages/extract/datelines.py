"""Lines that state when a text was published and little else."""

from __future__ import annotations

import re
from typing import Final

from corpusmill.schemas.dates import MONTHS, changed

_LINE_CHARS: Final = 160
_MAX_WORDS: Final = 14
_MAX_PROSE_WORDS: Final = 2
_MAX_HAN_CHARS: Final = 60
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_OTHER_DAY: Final = re.compile(
    r"©|\(c\)|\b(?:copyright|deadline|expir\w+|version|all rights|built|build|born|died|founded|established|since|until"
    r"|joined|accessed|retrieved|archived|effective|valid|due|starts|begins|ends|opens|closes|rsvp|server|birth\w*"
    r"|taken|generated|checked|(?:medically|last) reviewed|reviewed on|as of|act of|open (?:from|until|since))\b"
    r"|\b(?:photo|picture|place|venue|location|where)\s*:"
    r"|\b\d{1,2}\.?(?:\s+[^\W\d_]+)?\s*[–—-]\s*\d{1,2}(?:,|\.?\s+[^\W\d_]+\.?,?)\s+(?:19|20)\d\d\b"
    r"|\b(?:1[4-9]|20)\d\d(?:\s*[–—]\s*|\s+-\s+)(?:\w+[.,]?\s+){0,2}(?:1[4-9]|20)\d\d\b",
    re.IGNORECASE,
)
"""Words for other kinds of dates, and spans of years, as of a life."""
_PUBLICATION: Final = (
    r"publi|posted|veröffentlicht|erstellt|pubblicat|опубликован|発表|公開|掲載|发布|發布|发表|發表|작성|입력"
)
_PUBLISHED: Final = re.compile(
    rf"{_PUBLICATION}|时间|時間|日期|来源|來源",
    re.IGNORECASE,
)
_PUBLISHED_TOO: Final = re.compile(_PUBLICATION, re.IGNORECASE)
_LABEL: Final = re.compile(r"(?P<label>[^:：|•·\n]{1,40})[:：]\s*(?:[^\W\d_]{2,12}[.,]*\s*)?$")
_DATE_LABEL: Final = re.compile(
    r"\W*(?:(?:post|article|story|news|entry|blog|press|created|release)\w*\s+)?"
    r"(?:date|datum|dato|fecha|data|дата|on|am|le|by.*|von.*|time|written|created|datiert)\W*",
    re.IGNORECASE,
)
_DAY_START: Final = re.compile(
    r"\d{1,4}\s?[-/.年년]|\d{1,2}(?:st|nd|rd|th|er|º|ª)?\.?\s|[^\W\d_]{3,14}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}"
)
_SENTENCE_END: Final = re.compile(r"[.!?]['\"”’»)]*\s*$|[。！？]")
_ADDRESS: Final = re.compile(r"\S+\.[a-z]\S+", re.IGNORECASE)
_OPEN_BRACKET: Final = re.compile(r"[(\[][^()\[\]\n]*$")
_WORD: Final = re.compile(r"[^\W\d_]+")
_HAN: Final = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_SMALL: Final = frozenset(
    "a am and at by comment comments de del der di du d el en et for from h hs hrs i il in la le les likes m min mins "
    "minute minutes n no o of on or p paid pm per posted publicado published publié read reading shares st nd rd th "
    "the time to uhr um und submitted ago hour hours day days updated van video views von w with y z à às о в "
    "г р r года року".split()
)


def may_be_dateline(line: str) -> bool:
    """Return whether *line* is short and contains a year."""
    return len(line) <= _LINE_CHARS and _YEAR.search(line) is not None


def is_dateline(line: str, *, needs_year: bool = True) -> bool:
    """Return whether *line* is a line above or below a text with a date, names, the section or a reading time.

    >>> is_dateline("By Jo Day | 2 May 2024 | 3 min read"), is_dateline("The bridge was built on 6 June 1944.")
    (True, False)
    >>> is_dateline("Server Built: Sep 18 2017"), is_dateline("Date: Sep 18 2017")
    (False, True)
    """
    if len(line) > _LINE_CHARS or line.count(" ") >= _MAX_WORDS or _OTHER_DAY.search(line):
        return False
    if needs_year and not _YEAR.search(line):
        return False
    return not _has_other_label(line) and (_says_published(line) or not _is_prose(line))


def before_change(text: str) -> str:
    """Return *text* up to the mention of a change; if it begins with that, what it says of the publication.

    >>> before_change("3 May 2024, 9:14 (last edited on 5 May 2024)"), before_change("3 May 2024")
    ('3 May 2024, 9:14 ', '3 May 2024')
    >>> before_change("Updated 5 May 2024. Published 3 May 2024")
    'Published 3 May 2024'
    """
    change = changed(text)
    if not change:
        return text
    before = _OPEN_BRACKET.sub("", text.removesuffix(change))
    published = None if _YEAR.search(before) else _PUBLISHED_TOO.search(change)
    return change[published.start() :] if published else before


def _has_other_label(line: str) -> bool:
    """Return whether the date in *line* has the label of another event: "Next meeting: 3 May 2024"."""
    day = _DAY_START.search(line)
    match = _LABEL.search(line, 0, day.start()) if day else None
    return match is not None and not _PUBLISHED.search(match["label"]) and not _DATE_LABEL.fullmatch(match["label"])


def _says_published(line: str) -> bool:
    """Return whether *line* begins with a word for publication, or contains one in a script without word separators."""
    match = _PUBLISHED.search(line)
    return match is not None and (not line[: match.start()].strip(" \t*•|-–—([") or _HAN.search(line) is not None)


def _is_prose(line: str) -> bool:
    words = _WORD.findall(_ADDRESS.sub("", line))
    prose = sum(word[0].islower() and word not in _SMALL and word not in MONTHS for word in words)
    if _SENTENCE_END.search(line) and (prose or _HAN.search(line)):
        return True
    return prose > _MAX_PROSE_WORDS or len(_HAN.findall(line)) > _MAX_HAN_CHARS
