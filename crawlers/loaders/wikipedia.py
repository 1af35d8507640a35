"""Dumps of Wikipedia and other wikis of MediaWiki, in XML: a document is the last revision of a page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, BinaryIO, ClassVar, Final, Literal, cast

from lxml import etree
from pydantic import Field

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.base import MIN_PACKED_SLICE_BYTES, cuts
from corpusmill.crawlers.loaders.bzip2_streams import Bzip2Streams
from corpusmill.crawlers.loaders.mediawiki_site import Site, is_utf16, read_head, site_of
from corpusmill.crawlers.loaders.rows import MAX_VALUE_CHARACTERS, timestamp
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.loaders.streams import MAGIC_BYTES, compression, open_decompressed, open_file, packed
from corpusmill.crawlers.readers.wikitext.article import article
from corpusmill.crawlers.readers.wikitext.languages import Language, language
from corpusmill.crawlers.readers.wikitext.page import Page
from corpusmill.crawlers.readers.xml import Element, elements, local_name, parsed
from corpusmill.schemas.errors import DataError

Part = Literal["tables", "infoboxes", "lists", "references", "captions", "links"]
_MAX_NAME: Final = 255
_INDEX: Final = re.compile(rb"\d+:\d+:")
"""A line of the index of a multistream dump: offset of the stream, id and title of the page."""
_WORD: Final = re.compile(r"\s*(#[^\s\[:：]+)")


def _or_a_file(schema: dict[str, Any]) -> None:
    """Allow the name of a file in the JSON Schema of recipes; reading a recipe replaces it by the file's content."""
    schema["anyOf"] = [
        {"type": "string"},
        {"type": "object", "additionalProperties": schema.pop("additionalProperties")},
    ]
    del schema["type"]


class Wikipedia(Streamed):
    """XML dumps of Wikipedia and other wikis of MediaWiki, plain or compressed, also the files of `Special:Export`.

    A document is the last revision of a page as plain text: templates of quantities, dates and languages are rendered
    by a table of the wiki's language; references, comments, navigation boxes and hatnotes are left out. Redirects,
    other namespaces and pages that are not wikitext are counted. Dumps in bzip2 with many streams (`multistream`) and
    plain ones are read in slices. Indexes of dumps are not needed, and contain no documents.
    """

    version: ClassVar[int] = 3
    suffixes: ClassVar[tuple[str, ...]] = packed(".xml")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="CC-BY-SA-4.0 for wikis of Wikimedia (CC-BY-SA-3.0 before June 2023); for others, set `license`",
        get="the database dumps of Wikimedia: `pages-articles` or `pages-articles-multistream`, in bzip2",
        tried="106 articles of a dump in English, one in Bulgarian; made pages of fifteen languages",
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is a dump of MediaWiki."""
        return b"<mediawiki" in head[:4096]

    keep: tuple[Part, ...] = Field(
        default=("lists",),
        description="Optional parts of the text: `tables` (a row is a line), `infoboxes` (lines of label and value), "
        "`lists`, `references` (notes, and sections such as References, See also and External links), `captions` of "
        "images; `links` adds the titles of linked pages to the metadata.",
        examples=[["lists", "tables"]],
    )
    namespaces: tuple[int, ...] = Field(
        default=(0,), min_length=1, description="Numbers of the namespaces to read; 0: articles.", examples=[[0, 14]]
    )
    disambiguation: Literal["keep", "drop"] = Field(
        default="keep", description="Whether to read pages that list the meanings of a title."
    )
    templates: dict[Annotated[str, Field(min_length=1, max_length=_MAX_NAME)], str] = Field(
        default={},
        description="Texts of templates that the built-in table lacks or renders otherwise: `{1}` and `{name}` "
        "are arguments, `{name|1}` is the first that is not empty, and parts in brackets are left out if their "
        "arguments are empty. An empty text drops the template. Or the name of a file (YAML, JSON or TOML, relative "
        "to the recipe's folder) that holds them.",
        examples=[{"Chess move": "{1}[ ({comment})]"}],
        json_schema_extra=_or_a_file,
    )
    language: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}(-[a-z]+)*$",
        description="Language code of the wiki, for its templates. null: the code in the file.",
        examples=["de"],
    )

    def slices(self, path: str) -> list[tuple[int, int]]:
        """Return slices of plain files in UTF-8 and of bzip2, whose streams begin anywhere; one slice of others."""
        with open_file(path) as file:
            head = file.peek(MAGIC_BYTES)
        kind = compression(head)
        if kind == "bzip2":
            return cuts(path, at_least=MIN_PACKED_SLICE_BYTES)
        return [(0, -1)] if kind is not None or is_utf16(head) else cuts(path)

    def records_in(
        self, path: str, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the pages that begin in a slice, and count those that are no documents."""
        with open_file(path) as file:
            is_bzip2 = compression(file.peek(MAGIC_BYTES)) == "bzip2"
        if is_bzip2 and end >= 0:
            with Bzip2Streams(path, start=start, end=end) as packed_stream:
                yield from self._packed_records(packed_stream, path, name=name, counts=counts, start=start)
        elif start <= 0:
            with open_decompressed(path) as stream:
                yield from self.records_of(stream, name=name, counts=counts, end=end)
        else:
            head = _head_of_file(path)
            reader = _Reader(self, site_of(head), counts, name)
            with open_file(path) as stream:
                stream.seek(start)
                for element in elements(stream, "page", start=start, end=end, root=_root(head)):
                    yield from reader.read(element, offset=element.offset)

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the pages of *stream*, a whole file, and count those that are no documents."""
        head, whole = read_head(stream)
        if self._is_index(head, counts):
            return
        reader = _Reader(self, site_of(head), counts, name)
        for element in elements(whole, "page", end=end, root=_root(head)):
            yield from reader.read(element, offset=element.offset)

    def _packed_records(
        self, stream: Bzip2Streams, path: str, *, name: str, counts: Counter[str], start: int
    ) -> Iterator[Record | Broken]:
        """Yield the pages that begin in the streams of a slice; their offsets in the whole file are not known."""
        whole = cast(BinaryIO, stream)
        if start <= 0:
            head, whole = read_head(whole)
            if self._is_index(head, counts):
                return
        elif stream.is_past(0):
            return
        else:
            head = _head_of_file(path)
        reader = _Reader(self, site_of(head), counts, name)
        for element in elements(whole, "page", root=_root(head), is_inside=start > 0):
            if stream.is_past(element.offset):
                return
            yield from reader.read(element, offset=None)

    def _is_index(self, head: bytes, counts: Counter[str]) -> bool:
        """Return whether a file is the index of a multistream dump, and count it.

        Raises:
            DataError: It is neither an index nor a dump.
        """
        if _INDEX.match(head):
            counts["index"] += 1
            return True
        if b"<mediawiki" not in head and b"<page" not in head:
            message = "the file has no element <mediawiki>: it is not a dump of MediaWiki"
            raise DataError(message, kind="wrong_format" if head.strip() else "empty")
        return False


def _head_of_file(path: str) -> bytes:
    with open_decompressed(path) as stream:
        return read_head(stream)[0]


def _root(head: bytes) -> str:
    """Return the root element of a dump, which some tools leave out when they cut dumps."""
    return "mediawiki" if b"<mediawiki" in head else ""


class _Reader:
    """Reads the pages of a file."""

    def __init__(self, loader: Wikipedia, site: Site, counts: Counter[str], name: str) -> None:
        self._loader = loader
        self._site = site
        self._counts = counts
        self._name = name
        self._language: Language = language(loader.language or site.language)
        self._keep = frozenset(loader.keep)
        self._patterns = {" ".join(key.lower().split()): text for key, text in loader.templates.items()}

    def read(self, element: Element, *, offset: int | None) -> Iterator[Record | Broken]:
        """Yield the document of a page, if it is one."""
        if element.data is None:
            yield Broken(
                b"", "too_large", f"{self._name}: a page at byte {element.offset:,} is too large", offset=offset
            )
            return
        try:
            page = parsed(element.data)
        except DataError as error:
            yield Broken(element.data, error.kind, f"{self._name}: {error.message}", offset=offset)
            return
        record = self._record(page, element.data, offset)
        if record is not None:
            yield record

    def _record(self, node: etree._Element, native: bytes, offset: int | None) -> Record | Broken | None:
        fields, revisions = _fields(node)
        title = fields.get("title", "")
        namespace = self._site.namespace_of(title, fields.get("ns"))
        if namespace not in self._loader.namespaces:
            self._counts["other_namespace"] += 1
            return None
        revision = max(revisions, key=lambda one: one.get("timestamp", ""), default={})
        text = revision.get("text", "")
        if "redirect" in fields or self._is_redirect(text):
            self._counts["redirect"] += 1
            return None
        if revision.get("model", "wikitext") != "wikitext":
            self._counts["other_model"] += 1
            return None
        page = Page(
            title=title,
            language=self._language,
            site=self._site.name,
            namespaces=self._site.namespaces,
            keep=self._keep,
            patterns=self._patterns,
        )
        plain = article(text, page)
        if page.is_disambiguation and self._loader.disambiguation == "drop":
            self._counts["disambiguation"] += 1
            return None
        if not plain:
            message = f"{self._name}: the page {title!r} has no text"
            return Broken(native, "no_text", message, source_id=fields.get("id"), offset=offset)
        when = timestamp(revision.get("timestamp"))
        license = self._site.license(when)
        return Record(
            native=native,
            text=plain,
            source_id=fields.get("id"),
            title=title or None,
            url=self._site.url(title),
            license=license,
            license_source=license and "mediawiki:siteinfo",
            published_at=when,
            metadata=self._metadata(page, revision, when),
            offset=offset,
        )

    def _is_redirect(self, text: str) -> bool:
        match = _WORD.match(text[:200])
        return match is not None and match[1].lower() in self._language.redirects and "[[" in text[:2000]

    def _metadata(self, page: Page, revision: dict[str, str], when: datetime | None) -> dict[str, str]:
        return {
            "language": self._loader.language or self._site.language,
            "revision": revision.get("id", ""),
            "categories": _joined(page.categories),
            "links": str(len(page.links)) if page.links else "",
            "linked_pages": _joined(page.links) if "links" in self._keep else "",
            "unknown_templates": _joined(page.unknown),
            "disambiguation": "true" if page.is_disambiguation else "",
            "published_at_source": "revision:timestamp" if when else "",
        }


def _joined(names: dict[str, None]) -> str:
    """Join *names* with ``|``, which no title contains, up to the size of a value."""
    joined = "|".join(names)
    return joined if len(joined) <= MAX_VALUE_CHARACTERS else joined[:MAX_VALUE_CHARACTERS].rpartition("|")[0]


def _fields(node: etree._Element) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return the fields of a page, and of each of its revisions."""
    fields: dict[str, str] = {}
    revisions: list[dict[str, str]] = []
    for child in node:
        name = local_name(child)
        if name == "revision":
            revisions.append({local_name(part): part.text or "" for part in child if local_name(part) != "contributor"})
        elif name and name not in fields:
            fields[name] = (child.text or "").strip()
    return fields, revisions
