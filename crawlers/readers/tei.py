"""TEI as text and fields: papers by GROBID, and editions of older texts.

The text is the abstract, the front, the body and the appendices. Of several readings of a passage, one is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from corpusmill.crawlers.readers.license_words import license_in_words
from corpusmill.crawlers.readers.tei_text import Writer
from corpusmill.crawlers.readers.xml import local_name
from corpusmill.schemas.licenses import spdx

LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")
_YEAR: Final = re.compile(r"\b(1[0-9]\d\d|20\d\d)\b")
_DOI: Final = re.compile(r"10\.\d{4,9}/\S+")
_IN_BACK: Final = frozenset(("", "annex", "appendix", "glossary", "bibliography", "references", "notes"))
"""Kinds of divisions behind the body that can be in the text; statements on funding, data and authors are not."""


def text_of(tei: etree._Element, *, keep: frozenset[str], readings: str) -> str:
    """Return the text of the element `TEI`, in blocks divided by empty lines."""
    writer = Writer(keep, readings=readings)
    for abstract in _at(tei, "teiHeader", "profileDesc", "abstract"):
        writer.block(abstract)
    for text in _at(tei, "text"):
        _write(writer, text, keep)
    return writer.text()


def _write(writer: Writer, text: etree._Element, keep: frozenset[str]) -> None:
    for part in text:
        name = local_name(part)
        if name in {"front", "body"}:
            writer.block(part)
        elif name == "group":
            for member in part:
                _write(writer, member, keep)
        elif name == "back":
            for child in part:
                kind = (child.get("type") or "").lower()
                if kind in _IN_BACK or (kind.startswith("acknowledg") and "acknowledgments" in keep):
                    writer.block(child)


def title_of(tei: etree._Element) -> str | None:
    """Return the main title with its subtitle; without one, the title of the source."""
    writer = Writer(frozenset(), readings="edited")
    for path in (("titleStmt",), ("sourceDesc", "biblStruct", "analytic"), ("sourceDesc", "biblStruct", "monogr")):
        titles = [
            (title.get("type") or "main", writer.inline(title))
            for title in _at(tei, "teiHeader", "fileDesc", *path, "title")
        ]
        main = next((words for kind, words in titles if kind not in {"sub", "alt", "short", "desc"} and words), None)
        if main is not None:
            sub = next((words for kind, words in titles if kind == "sub" and words), None)
            return f"{main}: {sub}" if sub else main
    return None


def doi_of(tei: etree._Element) -> str | None:
    """Return the DOI that the header states for the text itself."""
    for path in (("publicationStmt",), ("sourceDesc", "biblStruct"), ("sourceDesc", "biblStruct", "analytic"),
                 ("sourceDesc", "biblStruct", "monogr")):  # fmt: skip
        for idno in _at(tei, "teiHeader", "fileDesc", *path, "idno"):
            if (idno.get("type") or "").lower() == "doi" and (match := _DOI.search("".join(idno.itertext()))):
                return match[0]
    return None


def license_of(header: etree._Element) -> tuple[str, str] | None:
    """Return the license of a `teiHeader` and where it stands: an address, or words."""
    for availability in _at(header, "fileDesc", "publicationStmt", "availability"):
        targets = [element.get("target") or "" for element in availability.iter()]
        for value in targets:
            if identifier := spdx(value):
                return identifier, "tei:licence@target"
        words = " ".join("".join(availability.itertext()).split())
        if identifier := spdx(words) or license_in_words(words) or _linked(words):
            return identifier, "tei:availability"
    return None


def _linked(words: str) -> str | None:
    links = (spdx(link.rstrip(".,;)")) for link in re.findall(r"https?://\S+", words))
    return next((identifier for identifier in links if identifier), None)


def published(tei: etree._Element) -> datetime | None:
    """Return the date of publication: of the file, else of its source."""
    file = ("teiHeader", "fileDesc")
    dates = [*_at(tei, *file, "publicationStmt", "date")]
    for element in (*_at(tei, *file, "sourceDesc", "biblStruct"), *_at(tei, *file, "sourceDesc", "bibl")):
        dates += [date for date in element.iter() if local_name(date) == "date"]
    return next((moment for date in dates if (moment := _moment(date)) is not None), None)


def _moment(date: etree._Element) -> datetime | None:
    stated = next((value for name in ("when", "when-iso", "notBefore", "from") if (value := date.get(name))), None)
    words = " ".join("".join(date.itertext()).split())
    match = _DATE.match(stated or "") or _DATE.fullmatch(words) or _YEAR.search(words)
    if match is None:
        return None
    numbers = [int(part) for part in match.groups() if part]
    try:
        year, month, day = (*numbers, 1, 1)[:3]
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None


def metadata_of(tei: etree._Element) -> dict[str, str]:
    """Return language, journal, keywords and DOI."""
    file = ("teiHeader", "fileDesc")
    journal = [
        words
        for title in _at(tei, *file, "sourceDesc", "biblStruct", "monogr", "title")
        if title.get("level") == "j" and (words := " ".join("".join(title.itertext()).split()))
    ]
    used = _at(tei, "teiHeader", "profileDesc", "langUsage", "language")
    languages = [next(_at(tei, "text"), tei).get(LANG), tei.get(LANG), *(language.get("ident") for language in used),
                 *(header.get(LANG) for header in _at(tei, "teiHeader"))]  # fmt: skip
    terms = [
        words
        for keywords in _at(tei, "teiHeader", "profileDesc", "textClass", "keywords")
        for term in keywords.iter()
        if local_name(term) == "term" and (words := " ".join("".join(term.itertext()).split()))
    ]
    return {
        "doi": doi_of(tei) or "",
        "journal": next(iter(journal), ""),
        "keywords": "; ".join(terms),
        "language": next(filter(None, languages), ""),
    }


def _at(element: etree._Element, *path: str) -> Iterator[etree._Element]:
    """Yield the elements at *path* below *element*, in any namespace."""
    for child in element:
        if local_name(child) == path[0]:
            if len(path) == 1:
                yield child
            else:
                yield from _at(child, *path[1:])
