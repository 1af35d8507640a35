"""Feeds as files: RSS 0.9x, 1.0 and 2.0, Atom (RFC 4287) and JSON Feed 1.1. A document is an entry.

Each entry is parsed alone, so that a broken one does not affect the others. What feed readers repair is repaired: a
wrong or missing encoding, control characters, names of HTML entities, a bare ``&``, prefixes that are not declared.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO, ClassVar, Final

from corpusmill.crawlers.loaders.about import About
from corpusmill.crawlers.loaders.media import MAX_CONTENT_BYTES
from corpusmill.crawlers.loaders.streamed import Broken, Record, Streamed
from corpusmill.crawlers.loaders.streams import available, packed
from corpusmill.crawlers.readers.feeds import Entry, Feed, feed_of, json_entry, root_name, xml_entry
from corpusmill.crawlers.readers.xml import elements
from corpusmill.crawlers.readers.xml_repair import repaired
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.identity import canonical_json

_TAGS: Final = {"rss": "item", "RDF": "item", "feed": "entry"}
"""The element of an entry, by the name of the root."""


class FeedEntries(Streamed):
    """Entries of RSS, Atom and JSON Feed. The text is the fuller of an entry's summary and content."""

    suffixes: ClassVar[tuple[str, ...]] = packed(".rss", ".atom")
    depends: ClassVar[tuple[str, ...]] = ("lxml",)
    about: ClassVar[About] = About(
        license="of each entry or its feed (Creative Commons elements, `rights`), else that of the recipe; most feeds "
        "are under copyright",
        get="download the feeds of sites, or let `crawl: {feeds: [...]}` follow their links to whole articles",
        tried="six real feeds of RSS 2.0, Atom and JSON Feed, and the 1,739 test feeds of feedparser",
    )

    @classmethod
    def recognizes(cls, head: bytes) -> bool:
        """Return whether a file that begins with *head* is a feed."""
        is_other_rdf = b"<rdf:RDF" in head and b"/rss/" not in head and b"rdf/simple/" not in head
        is_xml = root_name(head) in _TAGS and not is_other_rdf
        return is_xml or b"jsonfeed.org/version/" in head.replace(b"\\/", b"/")

    def records_of(
        self, stream: BinaryIO, *, name: str, counts: Counter[str], start: int = 0, end: int = -1
    ) -> Iterator[Record | Broken]:
        """Yield the entries of the feed.

        Raises:
            DataError: ``wrong_format``: it is no feed; ``too_large``; ``truncated``: it ends within an entry.
        """
        data, broken = _readable(stream)
        if len(data) > MAX_CONTENT_BYTES:
            raise DataError(f"the feed is larger than {MAX_CONTENT_BYTES:,} bytes", kind="too_large")
        if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and broken is None:
            yield from _json_records(data)
        elif data or broken is None:
            yield from _xml_records(repaired(data))
        if broken is not None:
            raise broken


def _readable(stream: BinaryIO) -> tuple[bytes, DataError | None]:
    """Return the bytes of *stream* up to just above the limit, and the error with which it breaks off, if it does."""
    data = bytearray()
    try:
        while len(data) <= MAX_CONTENT_BYTES and (piece := available(stream, MAX_CONTENT_BYTES + 1 - len(data))):
            data += piece
    except DataError as error:
        return bytes(data), error
    return bytes(data), None


def _xml_records(data: bytes) -> Iterator[Record | Broken]:
    root = root_name(data)
    tag = _TAGS.get(root or "")
    if tag is None:
        found = f"its root element is <{root}>" if root else "it is neither XML nor JSON"
        raise DataError(f"not a feed: {found}", kind="wrong_format")
    feed: Feed | None = None
    declared = _declared_entities(data)
    for element in elements(BytesIO(data), _tag(tag, data), root=_bare(root, data)):
        if feed is None:
            feed = feed_of(data[: element.offset])
        assert element.data is not None, "a feed is smaller than the limit of an element"
        try:
            if declared is not None and declared.search(element.data):
                raise DataError("the entry uses entities that the feed declares", kind="entities")
            yield _record(xml_entry(element.data, feed), feed, element.data, element.offset)
        except DataError as error:
            yield Broken(element.data, error.kind, error.message, offset=element.offset)


def _tag(local: str, data: bytes) -> str:
    """Return the name of an entry's element: *local*, or, in a feed without a default namespace, with a prefix."""
    names = re.findall(rb"<((?:[A-Za-z][\w.-]*:)?%b)(?=[\s/>])" % local.encode(), data)
    return local if local.encode() in names or not names else names[0].decode()


def _declared_entities(data: bytes) -> re.Pattern[bytes] | None:
    """Return a pattern of references to the entities that *data*, repaired XML, declares itself; None without any.

    They are not expanded, so that an entry cannot grow or name other files. Those of HTML are already replaced.
    """
    names = re.findall(rb"<!ENTITY\s+([\w.-]+)\s", data[: data.find(b"]>")]) if b"<!ENTITY" in data else []
    return re.compile(rb"&(?:amp;)?(?:%b);" % b"|".join(map(re.escape, names))) if names else None


def _bare(root: str | None, data: bytes) -> str:
    """Return *root* if its tags have no prefix, and it has content; else nothing."""
    opening = re.search(rb"<%b(?=[\s>])[^>]*>" % re.escape((root or "").encode()), data)
    return root or "" if opening is not None and not opening[0].endswith(b"/>") else ""


def _json_records(data: bytes) -> Iterator[Record | Broken]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not a JSON Feed: {error}", kind="not_json") from error
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise DataError("not a JSON Feed: it has no list `items`", kind="wrong_format")
    feed = Feed(title=_text(value, "title"), language=_text(value, "language"), base=_text(value, "home_page_url"))
    for item in items:
        try:
            native = canonical_json(item)
        except (ValueError, RecursionError):
            native = repr(item).encode("utf-8", "backslashreplace")
            yield Broken(native, "not_json", "an item is not valid Unicode")
            continue
        if isinstance(item, dict):
            yield _record(json_entry(item, feed), feed, native, None)
        else:
            yield Broken(native, "not_json", "an item is not an object")


def _record(entry: Entry, feed: Feed, native: bytes, offset: int | None) -> Record:
    license, license_source = entry.license or feed.license or (None, None)
    return Record(
        native=native,
        text=entry.text or None,
        source_id=entry.id or entry.url,
        title=entry.title,
        url=entry.url,
        license=license,
        license_source=license_source,
        published_at=entry.published_at,
        metadata={
            "feed": feed.title or "",
            "language": entry.language or feed.language or "",
            "categories": "; ".join(entry.categories),
        },
        offset=offset,
    )


def _text(value: dict[str, Any], name: str) -> str | None:
    field = value.get(name)
    return " ".join(field.split()) or None if isinstance(field, str) else None
