"""What a dump of MediaWiki says about its wiki in its first lines: language, namespaces, addresses, license."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, Final, cast
from urllib.parse import quote, urlsplit

from lxml import etree

from corpusmill.crawlers.loaders.streams import available
from corpusmill.crawlers.readers.xml import local_name, parsed
from corpusmill.schemas.errors import DataError

_HEAD_BYTES: Final = 1 << 18
_PIECE_BYTES: Final = 1 << 20
_SITEINFO: Final = re.compile(rb"<siteinfo\b.*?</siteinfo>", re.DOTALL)
_LANGUAGE: Final = re.compile(rb"""<mediawiki\b[^>]*\bxml:lang\s*=\s*["']([\w-]{2,20})["']""")
_WIKIMEDIA: Final = re.compile(
    r"(?:[\w-]+\.)*(?:wikipedia|wiktionary|wikibooks|wikiquote|wikisource|wikiversity|wikivoyage|wikimedia|mediawiki)\.org"
)
_GENERATOR: Final = re.compile(r"MediaWiki (\d+)\.(\d+)(?:\.\d+(?:-wmf\.(\d+))?)?")
_CHANGE_OF_LICENSE: Final = datetime(2023, 6, 7, tzinfo=UTC)
"""The day from which the terms of use of Wikimedia name version 4.0 of the license."""
_FIRST_RELEASE: Final = (1, 41, 12)
"""The version of MediaWiki that the wikis of Wikimedia ran in that week, 1.41.0-wmf.12."""
_SAFE: Final = "/:@!$*'(),;~"
_CODES: Final = {"zh-classical": "lzh", "be-x-old": "be-tarask", "simple": "en"}


@dataclass(frozen=True)
class Site:
    """A wiki. `namespaces` has the numbers of namespaces by their names in lower case."""

    language: str = "en"
    name: str = ""
    base: str = ""
    generator: str = ""
    namespaces: dict[str, int] = field(default_factory=dict)

    def url(self, title: str) -> str | None:
        """Return the address of the page *title*.

        >>> Site(base="https://de.wikipedia.org/wiki/Wikipedia:Hauptseite").url("Straße A")
        'https://de.wikipedia.org/wiki/Stra%C3%9Fe_A'
        """
        if not self.base.startswith(("http://", "https://")) or not title:
            return None
        before, mark, _ = self.base.partition("title=")
        prefix = before + mark if mark else self.base[: self.base.rfind("/") + 1]
        return prefix + quote(title.replace(" ", "_"), safe=_SAFE)

    def namespace_of(self, title: str, number: str | None) -> int:
        """Return the namespace of a page; old dumps do not have its *number*."""
        if number and re.fullmatch(r"-?\d{1,9}", number):
            return int(number)
        prefix, colon, _ = title.partition(":")
        return self.namespaces.get(prefix.strip().lower(), 0) if colon else 0

    def license(self, changed_at: datetime | None) -> str | None:
        """Return the license of texts of Wikimedia's wikis; None for other wikis, which do not say it in their dumps.

        It is that of the time of the dump, which the version of MediaWiki tells, or of the last change if it is later.

        >>> Site(base="https://de.wikipedia.org/wiki/A", generator="MediaWiki 1.44.0-wmf.3").license(None)
        'CC-BY-SA-4.0'
        """
        if not _WIKIMEDIA.fullmatch(urlsplit(self.base).hostname or ""):
            return None
        match = _GENERATOR.match(self.generator)
        is_new = match is not None and tuple(int(number or 99) for number in match.groups()) >= _FIRST_RELEASE
        is_changed = changed_at is not None and changed_at >= _CHANGE_OF_LICENSE
        return "CC-BY-SA-4.0" if is_new or is_changed else "CC-BY-SA-3.0"


def is_utf16(head: bytes) -> bool:
    """Return whether *head*, the beginning of a file, is in UTF-16."""
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"<\0", b"\0<"))


def read_head(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """Return the beginning of *stream* in UTF-8, and a stream with all of it, in UTF-8."""
    pieces, size = [], 0
    while size < _HEAD_BYTES and (piece := available(stream, _PIECE_BYTES)):
        pieces.append(piece)
        size += len(piece)
        if b"</siteinfo>" in piece:
            break
    head = b"".join(pieces)
    if is_utf16(head):
        stream = cast(BinaryIO, _Transcoded(head, stream))
        head = stream.read(_HEAD_BYTES)
    return head, cast(BinaryIO, _Again(head, stream))


def site_of(head: bytes) -> Site:
    """Read the wiki from *head*, the beginning of a dump in UTF-8; with defaults for what it does not say."""
    language = match[1].decode().lower() if (match := _LANGUAGE.search(head)) else "en"
    match = _SITEINFO.search(head)
    try:
        info = parsed(match[0]) if match else None
    except DataError:
        info = None
    if info is None:
        return Site(language=language)
    texts = {local_name(child): (child.text or "").strip() for child in info}
    return Site(
        language=language,
        name=texts.get("sitename", ""),
        base=texts.get("base", ""),
        generator=texts.get("generator", ""),
        namespaces=_namespaces(info),
    )


def _namespaces(info: etree._Element) -> dict[str, int]:
    numbers = {}
    for element in info.iter("{*}namespace"):
        key = element.get("key", "")
        if element.text and re.fullmatch(r"-?\d{1,9}", key):
            numbers[element.text.strip().lower()] = int(key)
    return numbers


class _Again(io.RawIOBase):
    """A stream with *head* before the rest."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        if self._head:
            head, self._head = self._head, b""
            return head
        return available(self._rest, _PIECE_BYTES)


class _Transcoded(io.RawIOBase):
    """A stream in UTF-16 as UTF-8; invalid characters become U+FFFD."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        names = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be", b"<\0": "utf-16-le"}
        self._decoder = codecs.getincrementaldecoder(names.get(head[:2], "utf-16-be"))(errors="replace")
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        while True:
            data, self._head = self._head or available(self._rest, _PIECE_BYTES), b""
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.lstrip("\ufeff").encode()
