"""Citations of MEDLINE and PubMed as text and fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.mathml import tex_of
from corpusmill.crawlers.readers.xml import local_name
from corpusmill.schemas.dates import MONTHS

_SEASONS: Final = {"winter": 1, "spring": 3, "summer": 6, "autumn": 9, "fall": 9}
_YEAR: Final = re.compile(r"\b(1[5-9]\d\d|20\d\d)\b")
_WORD: Final = re.compile(r"[A-Za-z]+")
_DAY: Final = re.compile(r"(?<=[A-Za-z]) (\d{1,2})\b(?!\d)")
_NUMBER: Final = re.compile(r"[+−–-]?\d+(?:\.\d+)?")
_CUT: Final = re.compile(r"\s*\(ABSTRACT TRUNCATED(?: AT \d+ WORDS)?\)\s*$", re.IGNORECASE)
_COPYRIGHT: Final = re.compile(
    r"(?:(?<=[.!?)])|^)\s*(?:Copyright\s*(?:©|\(c\))?|©)\s*(?:Copyright\s*)?(?:18|19|20)\d\d\b.{0,150}$", re.IGNORECASE
)
_TRANSLATED: Final = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\](\.?)")
_UNLABELED: Final = frozenset(("", "UNLABELLED", "UNLABELED", "UNASSIGNED"))


def abstract_of(abstract: etree._Element) -> str:
    """Return the sections of *abstract* as paragraphs, ``LABEL: text``, without the line of the copyright."""
    sections = []
    for element in abstract.iterfind("AbstractText"):
        text = _COPYRIGHT.sub("", _CUT.sub("", words_of(element)))
        label = " ".join((element.get("Label") or "").split())
        if text:
            sections.append(text if label.upper() in _UNLABELED else f"{label.rstrip(':')}: {text}")
    return "\n\n".join(sections)


def is_truncated(abstract: etree._Element) -> bool:
    """Return whether *abstract* was cut by the library, as long ones were until 2000."""
    return any(_CUT.search(words_of(element)) for element in abstract.iterfind("AbstractText"))


def words_of(element: etree._Element | None) -> str:
    """Return the words of *element* in one line; superscript numbers as ``10^6``, MathML as TeX."""
    return "" if element is None else " ".join(_words(element).split())


def _words(element: etree._Element) -> str:
    pieces = [element.text or ""]
    for child in element:
        name = local_name(child)
        if name == "math":
            pieces.append(f"${tex_of(child)}$")
        elif name:
            inner = _words(child)
            is_power = name == "sup" and _NUMBER.fullmatch(inner.strip())
            # Indented files have line breaks around a sign that belongs to its word.
            if name in {"sub", "sup"} and "\n" in pieces[-1][len(pieces[-1].rstrip()) :]:
                pieces[-1] = pieces[-1].rstrip()
            pieces.append(f"^{inner.strip()}" if is_power else inner)
        pieces.append(child.tail or "")
    return "".join(pieces)


def title_of(article: etree._Element) -> str | None:
    """Return the title, without the brackets that mark a translated one; the vernacular title if there is no other.

    >>> markup = "<Article><ArticleTitle>[A study of rain].</ArticleTitle></Article>"
    >>> title_of(etree.fromstring(markup))
    'A study of rain.'
    """
    title = words_of(article.find("ArticleTitle"))
    if (match := _TRANSLATED.fullmatch(title)) is not None:
        title = match[1] + ("" if match[1].endswith((".", "?", "!")) else match[2])
    if not title or title.rstrip(".").lower() in {"not available", "in process citation"}:
        title = words_of(article.find("VernacularTitle")) or title
    return title or None


def published(article: etree._Element) -> datetime | None:
    """Return the earliest complete day of the issue and the electronic article; without one, the date of the issue."""
    dates = [*article.iterfind("Journal/JournalIssue/PubDate"), *article.iterfind("ArticleDate")]
    days = [moment for date in dates if date.find("Day") is not None and (moment := moment_of(date)) is not None]
    others = (moment for date in dates if (moment := moment_of(date)) is not None)
    return min(days) if days else next(others, None)


def revised(citation: etree._Element) -> datetime | None:
    """Return the day of the last revision; without one, the day of completion or creation."""
    dates = (date for name in ("Revised", "Completed", "Created") for date in citation.iterfind(f"Date{name}"))
    return next((moment for date in dates if (moment := moment_of(date)) is not None), None)


def moment_of(date: etree._Element) -> datetime | None:
    """Return the date of the fields `Year`, `Month`, `Day`, `Season`, or the beginning of a `MedlineDate`.

    >>> moment_of(etree.fromstring("<PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate>"))
    datetime.datetime(1998, 12, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    if stated := date.findtext("MedlineDate"):
        year = _YEAR.search(stated)
        return None if year is None else _moment(year[1], *_first_month(stated))
    month = (date.findtext("Month") or date.findtext("Season") or "").strip()
    return _moment(date.findtext("Year") or "", month, date.findtext("Day") or "")


def _first_month(stated: str) -> tuple[str, str]:
    word = _WORD.search(stated)
    day = _DAY.search(stated) if word else None
    return (word[0] if word else "", day[1] if day else "")


def _moment(year: str, month: str, day: str) -> datetime | None:
    first = _WORD.match(month)
    name = first[0].lower() if first else ""
    number = MONTHS.get(name) or MONTHS.get(name[:3]) or _SEASONS.get(name)
    try:
        return datetime(int(year), number or int(month or 1), int(day or 1), tzinfo=UTC)
    except (ValueError, OverflowError):
        return datetime(int(year), 1, 1, tzinfo=UTC) if year.strip().isdecimal() and 1 <= int(year) <= 9999 else None


def headings_of(citation: etree._Element) -> str:
    """Return the MeSH headings, each with its qualifiers: ``Asthma/drug therapy; Humans``."""
    headings = (
        "/".join(words_of(name) for name in heading if local_name(name).endswith("Name"))
        for heading in citation.iterfind("MeshHeadingList/MeshHeading")
    )
    return "; ".join(filter(None, headings))
