"""Books in EPUB 2 and 3."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.files import OneDocument
from corpusmill.crawlers.loaders.gutenberg import FREE
from corpusmill.crawlers.loaders.office import MAX_FILE_BYTES, bounded_text
from corpusmill.crawlers.loaders.streamed import bounded
from corpusmill.crawlers.readers import gutenberg
from corpusmill.crawlers.readers.epub import Book, book_of
from corpusmill.crawlers.readers.epub_chapter import chapter_text, first_heading
from corpusmill.crawlers.readers.gutenberg import is_marked
from corpusmill.crawlers.readers.license_words import license_in_words
from corpusmill.crawlers.readers.zip_package import Package
from corpusmill.schemas.dates import stated, written
from corpusmill.schemas.decoding.binary import is_binary
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.licenses import spdx

_URL: Final = re.compile(r"https?://[^\s<>\"']+")
_FREE: Final = re.compile(r"(?:in the )?public domain\b", re.IGNORECASE)
_FREE_IN_USA: Final = re.compile(r"(?:in the )?public domain in the (?:USA|United States)\b", re.IGNORECASE)
_YEAR: Final = re.compile(r"\d{4}")
_MONTH: Final = re.compile(r"\d{4}-\d{2}")
_IDENTIFIER: Final = re.compile(
    r"(?:urn:|doi:|isbn[: ]?|https?://|10\.\d{4})\S{6,}|[0-9a-f-]{32,36}|97[89][\d-]{10,14}", re.I
)
"""Identifiers that other books do not have; not the number of a template."""


class Epub(OneDocument):
    """Books in the reading order of their spine, without cover and contents. Copy-protected books are set aside."""

    suffixes: ClassVar[tuple[str, ...]] = (".epub",)
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    max_bytes: ClassVar[int] = MAX_FILE_BYTES
    about: ClassVar[About] = About(
        license="`dc:rights` of the book, if it names a license; else that of the recipe",
        get="Standard Ebooks, Project Gutenberg, unglue.it, open-access publishers; manuals in Debian packages",
        tried="one real manual, and generated books of both versions with damaged manifests",
    )

    keep: tuple[Literal["footnotes"], ...] = Field(
        default=("footnotes",),
        description="Optional parts: `footnotes`, the notes that the book marks as such, and the references to them.",
        examples=[[]],
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether *head* is the beginning of an EPUB: its media type is the first, uncompressed part."""
        return head.startswith(b"PK") and b"application/epub+zip" in head[:200]

    def offer(self, data: bytes) -> dict[str, Any]:
        """Return the book in *data*."""
        package = Package(data, what="an EPUB")
        book = book_of(package)
        chapters = {name: data for name in book.chapters if not is_binary(data := package.read(name))}
        book.missing.extend(name for name in book.chapters if name not in chapters)
        texts = (chapter_text(data, notes="footnotes" in self.keep) for data in chapters.values())
        text = bounded_text("\n\n".join(filter(None, texts)))
        if is_marked(text) and (inner := gutenberg.book_of(text)):
            text = inner.text
        if not text:
            missing = f"; the archive lacks {', '.join(book.missing[:3])}" if book.missing else ""
            raise DataError(f"the chapters of the book have no text{missing}", kind="no_text")
        license = next(filter(None, map(_license, book.fields.get("rights", []))), None)
        title = next(iter(book.fields.get("title", [])), None)
        return {
            "text": text,
            "title": title or next(filter(None, map(first_heading, list(chapters.values())[:3])), None),
            "license": license,
            "license_source": "epub:rights" if license else None,
            "published_at": _moment(book.published),
            "fetched_at": _moment(book.modified),
            "metadata": bounded(_metadata(book)) or None,
            **({"source_id": book.identifier} if book.identifier and _IDENTIFIER.fullmatch(book.identifier) else {}),
        }


def _metadata(book: Book) -> dict[str, str]:
    names = {
        "author": "creator",
        "language": "language",
        "publisher": "publisher",
        "subjects": "subject",
        "description": "description",
        "rights": "rights",
        "identifiers": "identifier",
        "source": "source",
    }
    fields = {name: "; ".join(book.fields.get(element, ())) for name, element in names.items()}
    fields["language"] = next(iter(book.fields.get("language", ())), "")
    return fields | {"missing_items": "; ".join(book.missing)}


def _license(rights: str) -> str | None:
    """Return the license that the words *rights* name, or whose address they contain.

    >>> _license("CC BY 4.0"), _license("Under https://creativecommons.org/licenses/by-sa/3.0/.")
    ('CC-BY-4.0', 'CC-BY-SA-3.0')
    >>> _license("Public domain in the USA."), _license("A Creative Commons Attribution 4.0 License"), _license("© A")
    ('LicenseRef-Public-Domain-USA', 'CC-BY-4.0', None)
    """
    if found := spdx(rights):
        return found
    urls = (match[0].rstrip(".,;)") for match in _URL.finditer(rights))
    if found := next(filter(None, map(spdx, urls)), None):
        return found
    if _FREE_IN_USA.match(rights.strip()):
        return FREE
    return license_in_words(rights) or ("LicenseRef-Public-Domain" if _FREE.match(rights.strip()) else None)


def _moment(words: str | None) -> datetime | None:
    words = (words or "").strip()
    if _YEAR.fullmatch(words):
        words += "-01-01"
    elif _MONTH.fullmatch(words):
        words += "-01"
    found = stated(words) or written(words, month_first=True) if words else None
    return None if found is None else found.astimezone(UTC)
