"""Read XML of strangers with the standard library's expat, within bounds.

Expat reads piece by piece, and the sitemaps of a site may be large. Declarations of entities are refused, so nothing is
expanded or fetched. The bounds of `Bounds` keep what expat stores for each open element, each name and each token from
growing with the file: 17 million nested elements fit into a gzip file of 120 kB and would take 3 GB.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol
from xml.parsers import expat

from corpusmill.crawlers.discovery.listing import ListingError

MAX_DEPTH: Final = 64
"""Nested elements; sitemaps have 4."""
MAX_NAMES: Final = 4096
"""Distinct names of elements and attributes."""
MAX_ELEMENTS: Final = 2_000_000
"""40 for each entry that a sitemap may have."""
MAX_TOKEN_BYTES: Final = 1 << 20
"""A tag or a comment. Expat holds it in memory as a whole."""


class Handler(Protocol):
    """Receives the content of a file in order. Each method may raise `ListingError` to stop."""

    def start(self, name: str, attributes: dict[str, str], depth: int) -> None:
        """Begin the element *name* at *depth*; that of the root is 0."""

    def end(self, name: str, depth: int) -> None:
        """End the element *name* at *depth*."""

    def text(self, data: str) -> None:
        """Add a piece of text."""


def read_xml(pieces: Iterable[str], handler: Handler) -> None:
    """Pass the elements and texts of *pieces* to *handler*; names are as written, with their prefix.

    Prefixes need not be declared, because sitemaps often forget it.

    Raises:
        ListingError: ``invalid``: it is not well-formed, or declares entities; ``too_large``: it exceeds a limit. What
            comes before was passed on.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate("utf-8", None, names)
    parser.buffer_text = True
    bounded = _Bounded(handler)
    parser.StartElementHandler = bounded.start
    parser.EndElementHandler = bounded.end
    parser.CharacterDataHandler = handler.text
    parser.EntityDeclHandler = _refuse_entity
    size = 0
    try:
        for piece in pieces:
            data = piece.encode("utf-8", "replace")
            size += len(data)
            parser.Parse(data, False)
            if len(names) > MAX_NAMES:
                raise ListingError(f"more than {MAX_NAMES:,} names of elements and attributes", kind="too_large")
            if size - max(parser.CurrentByteIndex, 0) > MAX_TOKEN_BYTES:
                raise ListingError(f"a tag or a comment above {MAX_TOKEN_BYTES:,} bytes", kind="too_large")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ListingError(f"line {error.lineno}: {expat.ErrorString(error.code)}") from error


class _Bounded:
    """Counts the elements and their depth before they are passed on."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._depth = 0
        self._elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth >= MAX_DEPTH:
            raise ListingError(f"more than {MAX_DEPTH} nested elements", kind="too_large")
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise ListingError(f"more than {MAX_ELEMENTS:,} elements", kind="too_large")
        self._handler.start(name, attributes, self._depth)
        self._depth += 1

    def end(self, name: str) -> None:
        self._depth -= 1
        self._handler.end(name, self._depth)


def _refuse_entity(name: str, *_: Any) -> None:
    raise ListingError(f"it declares the entity `{name[:100]}`, which is not permitted")
