"""Books of Project Gutenberg: text files of every era, and its HTML editions."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

import yaml
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import Encoded
from corpusmill.crawlers.loaders.streamed import bounded
from corpusmill.crawlers.loaders.streams import packed
from corpusmill.crawlers.readers.gutenberg import Book, book_of
from corpusmill.crawlers.readers.html_text import plain_text
from corpusmill.crawlers.readers.xml import parsed
from corpusmill.schemas.dates import stated, written
from corpusmill.schemas.decoding.labels import codec_of
from corpusmill.schemas.decoding.pages import decode
from corpusmill.schemas.decoding.texts import decode_text
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.storage import is_url

FREE: Final = "LicenseRef-Public-Domain-USA"
"""Most books: in the public domain in the United States, and not necessarily elsewhere."""
_DECLARED: Final = re.compile(rb"^Character set encoding:\s*([\w-]+)", re.MULTILINE)
_HEAD_BYTES: Final = 20_000
_MARKUP: Final = re.compile(rb"<html[\s>]|<!DOCTYPE html", re.IGNORECASE)
_IN_NAME: Final = re.compile(r"(?:^|[^\d])pg?(\d{1,6})(?=[.-]|$)|^(\d{1,6})(?=[.-]|$)")
_PAGE_NUMBER: Final = re.compile(
    r"<span\b[^>]*\bclass\s*=\s*[\"'][^\"'>]*\bpage(?:num|no|number)\b[^>]*>(?:[^<]|<(?!/?span)[^>]*>){0,200}</span>",
    re.I,
)
_MAX_CATALOG_BYTES: Final = 100_000_000
_LANGUAGES: Final = {
    "english": "en", "french": "fr", "german": "de", "italian": "it", "spanish": "es", "portuguese": "pt",
    "dutch": "nl", "finnish": "fi", "swedish": "sv", "danish": "da", "norwegian": "no", "latin": "la", "greek": "el",
    "chinese": "zh", "japanese": "ja", "polish": "pl", "hungarian": "hu", "czech": "cs", "russian": "ru",
    "esperanto": "eo", "catalan": "ca", "tagalog": "tl", "welsh": "cy", "icelandic": "is",
}  # fmt: skip


class Gutenberg(Encoded):
    """Books without the project's header and license and without the credits of its volunteers."""

    suffixes: ClassVar[tuple[str, ...]] = packed(".txt")
    depends: ClassVar[tuple[str, ...]] = ("lxml", "PyYAML")
    about: ClassVar[About] = About(
        license=f"{FREE} where the header says so; books under copyright have none unless the catalog names one",
        get="a mirror of Project Gutenberg by rsync; the site itself asks robots to stay away",
        tried="one real book in both forms of header: no line of the project is left, none of the book is missing",
    )

    keep: tuple[Literal["transcriber_notes"], ...] = Field(
        default=(),
        description="Optional parts: `transcriber_notes`, remarks on the edition.",
        examples=[["transcriber_notes"]],
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is of Project Gutenberg."""
        return b"project gutenberg" in head[:3000].lower()

    def companions(self, path: str) -> tuple[str, ...]:
        """Return the catalog entry beside the file: ``pg<number>.rdf``, ``metadata.yaml``, or ``pg_catalog.csv``."""
        if is_url(path) or "!" in path:
            return ()
        file = Path(path)
        number = _number_in(file.name)
        names = (*((f"pg{number}.rdf",) if number else ()), "metadata.yaml", "pg_catalog.csv")
        return tuple(str(file.with_name(name)) for name in names if file.with_name(name).is_file())

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the book, described by its header alone."""
        return _offer(self._book(data), {}, None)

    def offer_of(self, data: bytes, path: str) -> dict[str, Any]:
        """Return the book, described by its header and its catalog entry, which is more reliable."""
        book = self._book(data)
        number = book.number or _number_in(Path(path).name)
        entry: dict[str, str] = {}
        for companion in self.companions(path):
            entry = _entry(Path(companion), number) | entry
        return _offer(book, entry, number)

    def _book(self, data: bytes) -> Book:
        if _MARKUP.search(data[:2_000]):
            text = plain_text(_PAGE_NUMBER.sub("", decode(data, "text/html")))
        else:
            declared = _DECLARED.search(data[:_HEAD_BYTES])
            named = self.encoding or (declared[1].decode() if declared and not _is_utf8(data) else None)
            label = named if named and codec_of(named) and named.upper() not in {"ASCII", "US-ASCII"} else self.encoding
            text = decode_text(data, encoding=label)
        book = book_of(text, keep_notes="transcriber_notes" in self.keep)
        if book is None:
            raise DataError(
                "not a file of Project Gutenberg: it has neither its header nor its end", kind="wrong_format"
            )
        if not book.text.strip():
            raise DataError("nothing stands between the header and the end", kind="no_text")
        return book


def _offer(book: Book, entry: dict[str, str], number: str | None) -> dict[str, Any]:
    fields = book.fields
    number = number or book.number
    license = entry.get("license") or (FREE if book.is_free and "copyrighted" not in entry.get("rights", "") else None)
    language = entry.get("language") or _LANGUAGES.get(fields.get("Language", "").lower(), fields.get("Language", ""))
    published = entry.get("published") or _released(fields)
    metadata = {
        "author": entry.get("author") or fields.get("Author", ""),
        "language": language,
        "translator": fields.get("Translator", ""),
        "subjects": entry.get("subjects", ""),
        "gutenberg_id": number or "",
    }
    return {
        "text": book.text,
        "title": entry.get("title") or fields.get("Title"),
        "license": license,
        "license_source": "gutenberg:catalog" if entry.get("license") else "gutenberg:header" if license else None,
        "published_at": _day(published),
        "metadata": bounded(metadata) or None,
        **({"source_id": number, "url": f"https://www.gutenberg.org/ebooks/{number}"} if number else {}),
    }


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _number_in(name: str) -> str | None:
    """Return the number of a book in the name of its file.

    >>> _number_in("pg972.txt"), _number_in("972-0.txt"), _number_in("dvldc10.txt")
    ('972', '972', None)
    """
    match = _IN_NAME.search(name)
    return next(filter(None, match.groups()), None) if match else None


def _released(fields: dict[str, str]) -> str:
    return next((fields[name].partition("[")[0] for name in ("Release Date", "Posting Date") if name in fields), "")


def _day(text: str) -> datetime | None:
    if not text.strip():
        return None
    found = stated(text) or written(text, month_first=True)
    if found is None and (match := re.fullmatch(r"\s*(\w+),?\s+(\d{4})\s*", text)):
        found = written(f"1 {match[1]} {match[2]}", month_first=False)
    return None if found is None else found.astimezone(UTC)


def _entry(file: Path, number: str | None) -> dict[str, str]:
    """Return what a catalog says about the book *number*; nothing if it is another book or cannot be read."""
    if file.stat().st_size > _MAX_CATALOG_BYTES:
        return {}
    try:
        if file.suffix == ".rdf":
            return _of_rdf(file.read_bytes())
        if file.suffix == ".csv":
            return _of_table(file, number)
        return _of_yaml(file.read_text(encoding="utf-8"), number)
    except (DataError, UnicodeDecodeError, yaml.YAMLError, csv.Error):
        return {}


def _of_rdf(data: bytes) -> dict[str, str]:
    root = parsed(data)
    terms, value = "{http://purl.org/dc/terms/}", "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}value"

    def words(name: str) -> list[str]:
        found = (element.findtext(f".//{value}") or element.text or "" for element in root.iter(f"{terms}{name}"))
        return [" ".join(text.split()) for text in found if text.strip()]

    names = (element.text or "" for element in root.iter("{http://www.gutenberg.org/2009/pgterms/}name"))
    rights = " ".join(words("rights"))
    found = {
        "title": next(iter(words("title")), ""),
        "author": "; ".join(dict.fromkeys(names)),
        "language": next(iter(words("language")), ""),
        "published": next(iter(words("issued")), ""),
        "subjects": "; ".join(text for text in words("subject") if len(text) > 3),
        "license": FREE if "public domain" in rights.lower() else "",
        "rights": rights.lower(),
    }
    return {name: text for name, text in found.items() if text}


def _of_yaml(text: str, number: str | None) -> dict[str, str]:
    """Read the metadata of a GITenberg repository. Its tags (`!lcsh`) are read as texts."""
    value = yaml.load(text, Loader=_TaggedText)
    if not isinstance(value, dict):
        return {}
    identifiers = value.get("identifiers")
    named = str(identifiers.get("gutenberg", "")) if isinstance(identifiers, dict) else ""
    if number is not None and named != number:
        return {}
    creator = value.get("creator")
    author = creator.get("author") if isinstance(creator, dict) else None
    found = {
        "title": value.get("title"),
        "author": author.get("agent_name") if isinstance(author, dict) else None,
        "language": value.get("language"),
        "published": value.get("gutenberg_issued"),
        "license": FREE if "public domain" in str(value.get("rights", "")).lower() else None,
        "rights": str(value.get("rights", "")).lower(),
    }
    return {name: str(text) for name, text in found.items() if text}


class _TaggedText(yaml.SafeLoader):
    """Reads a value with an unknown tag as its text."""


_TaggedText.add_multi_constructor("!", lambda _loader, _suffix, node: getattr(node, "value", ""))


def _of_table(file: Path, number: str | None) -> dict[str, str]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for row in csv.DictReader(lines):
            if row.get("Text#") == number:
                names = {"title": "Title", "author": "Authors", "language": "Language", "published": "Issued"}
                found = {name: " ".join((row.get(column) or "").split()) for name, column in names.items()}
                return {name: text for name, text in found.items() if text}
    return {}
