"""Read a sitemap or a feed, in the format that its first character shows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

from corpusmill.crawlers.discovery.listing import Listing, ListingError
from corpusmill.crawlers.discovery.roles import ListingRole
from corpusmill.crawlers.discovery.unpacking import text_pieces
from corpusmill.crawlers.discovery.xml_listing import read_xml_listing
from corpusmill.schemas.urls import MAX_URL_CHARACTERS

MAX_FEED_BYTES: Final = 8_000_000
"""Maximum size of a feed when it is decompressed. JSON is parsed as a whole, which takes about 20 times its size."""
MAX_SITEMAP_BYTES: Final = 52_428_800
"""Maximum size of a sitemap when it is decompressed (https://www.sitemaps.org/protocol.html)."""

_IS_PAGE: Final = re.compile(r"<(!doctype\s+html|html)\b", re.IGNORECASE)
"""A page that explains in HTML that the file is missing, often with the status of a success."""


def read_listing(body: bytes, *, role: ListingRole, media_type: str | None) -> Listing:
    r"""Return the entries of the sitemap or feed *body*, and why it could not be read to its end, if so.

    Formats are XML (`xml_listing`), JSON Feed, and for sitemaps a text with a URL per line; any of them can be gzipped.

    Args:
        media_type: As declared; only its charset is used.

    >>> listing = read_listing(b"https://example.org/a\nhttps://example.org/b\n", role="sitemap", media_type=None)
    >>> [item.address for item in listing.pages]
    ['https://example.org/a', 'https://example.org/b']
    """
    max_bytes = MAX_SITEMAP_BYTES if role == "sitemap" else MAX_FEED_BYTES
    listing = Listing()
    try:
        _read(text_pieces(body, media_type=media_type, max_bytes=max_bytes), role, listing)
    except ListingError as error:
        listing.problem = error
    return listing


def _read(pieces: Iterator[str], role: ListingRole, listing: Listing) -> None:
    head = next(pieces, "")
    pieces = chain((head,), pieces)
    if not head:
        raise ListingError("the file is empty")
    if _IS_PAGE.match(head):
        raise ListingError("it is a web page")
    if head.startswith("<"):
        read_xml_listing(pieces, listing)
    elif head.startswith("{"):
        _read_json(pieces, listing)
    elif role == "sitemap":
        _read_lines(pieces, listing)
    else:
        raise ListingError(f"neither XML nor JSON: it begins with {head[:40]!r}")


def _read_lines(pieces: Iterable[str], listing: Listing) -> None:
    for line in _lines(pieces):
        if "\0" in line:
            raise ListingError("neither XML nor text")
        if address := line.strip():
            if not listing.entries and not address.lower().startswith(("http://", "https://")):
                raise ListingError(f"neither XML nor a list of web addresses: it begins with {address[:40]!r}")
            listing.add("page", address)
    if not listing.entries:
        raise ListingError("the file is empty")


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the lines of *pieces*; a line that is longer than any URL is cut."""
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).replace("\r", "\n").split("\n")
        yield from (line[: MAX_URL_CHARACTERS + 1] for line in lines)
        rest = rest[: MAX_URL_CHARACTERS + 1]
    yield rest


def _read_json(pieces: Iterable[str], listing: Listing) -> None:
    """Add the entries of a JSON Feed (https://www.jsonfeed.org/version/1.1/)."""
    texts: list[str] = []
    size = 0
    for piece in pieces:
        texts.append(piece)
        size += len(piece)
        if size > MAX_FEED_BYTES:
            raise ListingError(f"JSON above {MAX_FEED_BYTES:,} characters", kind="too_large")
    try:
        feed = json.loads("".join(texts))
    except (ValueError, RecursionError) as error:
        raise ListingError(f"not JSON: {error}") from error
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise ListingError("JSON without `items`, so not a feed")
    for item in items:
        fields: dict[str, Any] = item if isinstance(item, dict) else {}
        date = fields.get("date_modified") or fields.get("date_published")
        address = fields.get("url")
        listing.add(
            "page",
            address if isinstance(address, str) else "",
            date=date if isinstance(date, str) else None,
        )
