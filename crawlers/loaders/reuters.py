"""Reuters news: Reuters-21578 (SGML, 1987) and Reuters Corpus Volume 1 (NewsML-like XML, 1996 to 1997)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import BinaryIO, ClassVar, Final

from lxml import etree
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.xml import elements, local_name, parsed
from corpusmill.crawlers.readers.xml_repair import repaired
from corpusmill.schemas.dates import MONTHS, stated
from corpusmill.schemas.decoding.pages import decode
from corpusmill.schemas.decoding.references import unescaped
from corpusmill.schemas.errors import DataError

_OLD: Final = re.compile(rb"<REUTERS[\s>]")
_NEW: Final = re.compile(rb"<newsitem[\s>]")
_HEAD_BYTES: Final = 1 << 16
_ATTRIBUTE: Final = re.compile(r'([A-Z]+)="([^"]*)"')
_ITEM: Final = re.compile(r"<D>(.*?)</D>", re.DOTALL)
_DATE: Final = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})(?:\s+(\d{1,2}):(\d{2}):(\d{2}))?")
_CONTROLS: Final = re.compile("&#(?:[0-8]|1[0-9]|2[0-9]|3[01]|127);|[\x00-\x08\x0b-\x1f\x7f]")
_END: Final = re.compile(r"\s*\bReuters?\s*\Z", re.IGNORECASE)
_COLUMNS: Final = re.compile(r"\S {3,}\S")
_CATEGORIES: Final = ("TOPICS", "PLACES", "PEOPLE", "ORGS", "EXCHANGES", "COMPANIES")


class Reuters(Streamed):
    """Stories of Reuters collections. A story without a body, of which only the headline was sent, is no document."""

    suffixes: ClassVar[tuple[str, ...]] = packed(".sgm", ".sgml")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="copyright of Reuters; both collections are for research only",
        get="Reuters-21578 from the UCI Machine Learning Repository; RCV1 on request from NIST",
        tried="made files of both forms; no real one is free to copy",
    )

    headlines: bool = Field(default=False, description="Whether stories that are only a headline are documents.")

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is of a Reuters collection."""
        return bool(_OLD.search(head) or _NEW.search(head))

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the stories.

        Raises:
            DataError: ``wrong_format``: no story is in the first 64 KiB; ``truncated``: the file ends within a story.
        """
        head = stream.peek(_HEAD_BYTES) if hasattr(stream, "peek") else b""
        if not self.recognizes(head):
            raise DataError("not a file of a Reuters collection: no <REUTERS> or <newsitem>", kind="wrong_format")
        tag, read = ("REUTERS", _story) if _OLD.search(head) else ("newsitem", _newsitem)
        for element in elements(stream, tag):
            if element.data is None:
                message = "the story is larger than the limit"
                yield Broken(str(element.offset).encode(), "too_large", message, offset=element.offset)
                continue
            try:
                record = read(element.data, element.offset)
            except DataError as error:
                yield Broken(element.data, error.kind, error.message, offset=element.offset)
                continue
            if record.text is None and self.headlines:
                record = replace(record, text=record.title)
            if record.text is None:
                counts["headlines"] += 1
            else:
                yield record


def _story(data: bytes, offset: int) -> Record:
    """Read a story of Reuters-21578."""
    try:
        markup = data.decode()
    except UnicodeDecodeError:  # a few stories have letters of Latin-1
        markup = decode(data, "text/plain; charset=windows-1252")
    attributes = dict(_ATTRIBUTE.findall(markup[: markup.find(">")]))
    text_type = dict(_ATTRIBUTE.findall(_between(markup, "<TEXT", ">") or "")).get("TYPE", "NORM")
    whole = _inside(markup, "TEXT") or ""
    body = whole if text_type == "UNPROC" else _inside(whole, "BODY")
    dateline = _inside(whole, "DATELINE") or ""
    text = _paragraphs(_clean(body)) if body else ""
    if text and dateline.strip():
        text = f"{' '.join(_clean(dateline).split())} {text}"
    return Record(
        native=data,
        text=text or None,
        source_id=attributes.get("NEWID") or attributes.get("OLDID"),
        title=" ".join(_clean(_inside(whole, "TITLE") or "").split()) or None,
        published_at=_date(_inside(markup, "DATE") or ""),
        metadata={
            name.lower(): "; ".join(_clean(item) for item in _ITEM.findall(_inside(markup, name) or ""))
            for name in _CATEGORIES
        }
        | {"split": attributes.get("LEWISSPLIT", "").lower()},
        offset=offset,
    )


def _newsitem(data: bytes, offset: int) -> Record:
    """Read a story of RCV1."""
    root = parsed(repaired(data))
    parts = {local_name(child): child for child in root}
    paragraphs = [
        " ".join("".join(node.itertext()).split()) for node in parts.get("text", root) if local_name(node) == "p"
    ]
    codes = [code.get("code", "") for code in root.iter("code")]
    language = root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return Record(
        native=data,
        text="\n\n".join(filter(None, paragraphs)) or None,
        source_id=root.get("itemid"),
        title=_words(parts.get("headline")) or _words(parts.get("title")),
        published_at=stated(root.get("date", "")),
        metadata={"language": language or "", "topics": "; ".join(filter(None, codes))},
        offset=offset,
    )


def _words(element: etree._Element | None) -> str | None:
    return None if element is None else " ".join("".join(element.itertext()).split()) or None


def _between(markup: str, opening: str, closing: str) -> str | None:
    begin = markup.find(opening)
    end = markup.find(closing, begin + len(opening))
    return markup[begin + len(opening) : end] if 0 <= begin < end else None


def _inside(markup: str, name: str) -> str | None:
    """Return what stands in the first element *name*, with its tags; None if there is none."""
    opening = re.search(rf"<{name}(?:\s[^>]*)?>", markup)
    if opening is None:
        return None
    end = markup.find(f"</{name}>", opening.end())
    return markup[opening.end() :] if end < 0 else markup[opening.end() : end]


def _clean(markup: str) -> str:
    """Return *markup* without tags and control characters, with its references resolved."""
    return unescaped(re.sub(r"</?[A-Z]+(?:\s[^>]*)?>", "", _CONTROLS.sub("", markup)))


def _paragraphs(body: str) -> str:
    """Join the lines of paragraphs, which begin with blanks; lines in columns stay. The end mark is removed.

    >>> _paragraphs("Shr one ct\\n    A line\\nthat goes on.\\n    a    1\\n    b    2\\n REUTER\\n")
    'Shr one ct\\nA line that goes on.\\na    1\\nb    2'
    """
    lines: list[str] = []
    for line in _END.sub("", body).splitlines():
        words = line.strip()
        joins = words and lines and not line.startswith("  ") and not _COLUMNS.search(words)
        if joins and not _COLUMNS.search(lines[-1]):
            lines[-1] += f" {words}"
        elif words:
            lines.append(words)
    return "\n".join(lines)


def _date(text: str) -> datetime | None:
    match = _DATE.search(text)
    if match is None or (month := MONTHS.get(match[2].lower())) is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.groups()[3:])
    try:
        return datetime(int(match[3]), month, int(match[1]), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
