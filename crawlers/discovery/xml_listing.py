"""Find the addresses in a sitemap, an index of sitemaps, RSS or Atom.

Elements are known by their local names: many files declare a wrong namespace or none, and the names of the formats
differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urljoin

from corpusmill.crawlers.discovery.listing import Listing, ListingError
from corpusmill.crawlers.discovery.xml_reading import read_xml
from corpusmill.crawlers.frontier.entries import Listed
from corpusmill.schemas.urls import MAX_URL_CHARACTERS

MAX_ALTERNATES: Final = 1_000
"""Alternates of a page; the largest sites have a few hundred combinations of language and country."""


@dataclass(frozen=True)
class _Format:
    """How one kind of file names its entries, and, in them, the texts with addresses and dates.

    Args:
        entry: Element of an entry.
        kind: What an entry is.
        addresses: Elements whose text is the address; the first one that an entry has counts.
        dates: Elements whose text is the time of the last change, by descending priority.
    """

    entry: str
    kind: Literal["page", "sitemap"]
    addresses: tuple[str, ...]
    dates: tuple[str, ...]


_RSS: Final = _Format("item", "page", ("link", "guid"), ("pubdate", "date"))
_FORMATS: Final = {
    "urlset": _Format("url", "page", ("loc",), ("lastmod", "news:publication_date", "publication_date")),
    "sitemapindex": _Format("sitemap", "sitemap", ("loc",), ("lastmod",)),
    "rss": _RSS,
    "rdf": _RSS,
    "feed": _Format("entry", "page", (), ("updated", "published", "modified", "issued")),
}
"""Formats by the root element: sitemaps.org 0.9, RSS 0.9x to 2.0, Atom (RFC 4287)."""
_NESTED: Final = frozenset(("publication_date",))
"""Elements that count at any depth of an entry; others such as `image:loc` only directly in it."""
_NEWS: Final = frozenset(("news:publication_date", "news:title"))
"""Elements of an article in a news sitemap, with the prefix that they have everywhere; images have titles, too."""
_MAX_TITLE_CHARACTERS: Final = 500


@dataclass
class _Entry:
    depth: int
    base: str | None
    texts: dict[str, str] = field(default_factory=dict)
    link: str | None = None
    alternates: list[str] = field(default_factory=list)


def read_xml_listing(pieces: Iterable[str], listing: Listing) -> None:
    """Add the entries of *pieces* to *listing*.

    Raises:
        ListingError: As `read_xml`, or the root element is of no known format.
    """
    read_xml(pieces, _Reader(listing))


class _Reader:
    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._format: _Format | None = None
        self._entry: _Entry | None = None
        self._name: str | None = None  # the element whose text is read
        self._text: list[str] = []
        self._characters = 0
        self._bases: list[tuple[int, str]] = []

    def start(self, name: str, attributes: dict[str, str], depth: int) -> None:
        local = name.rpartition(":")[2].lower()
        if depth == 0:
            self._format = _FORMATS.get(local)
            if self._format is None:
                raise ListingError(f"the root element is <{name[:100]}>, not that of a sitemap or a feed")
        if (base := attributes.get("xml:base")) is not None:
            self._bases.append((depth, _joined(self._base, base.strip()[:MAX_URL_CHARACTERS])))
        if self._format is None:
            return
        if self._entry is None:
            if local == self._format.entry and depth:
                self._entry = _Entry(depth, self._base)
        elif (news := name.lower()) in _NEWS:
            self._name, self._text, self._characters = news, [], 0
        elif depth == self._entry.depth + 1 or local in _NESTED:
            self._start_field(self._entry, local, attributes)

    @property
    def _base(self) -> str | None:
        return self._bases[-1][1] if self._bases else None

    def _start_field(self, entry: _Entry, local: str, attributes: dict[str, str]) -> None:
        assert self._format is not None, "an entry is in a root element"
        if local == "link" and (href := attributes.get("href")) is not None:
            self._add_link(entry, href.strip(), attributes.get("rel", "alternate").strip().lower())
        elif local in self._format.addresses or local in self._format.dates:
            is_permalink = local != "guid" or attributes.get("isPermaLink", "true").strip().lower() != "false"
            self._name, self._text, self._characters = local if is_permalink else None, [], 0

    def _add_link(self, entry: _Entry, href: str, rel: str) -> None:
        """Add a link with an address in an attribute: the page of an Atom entry, or a translation in a sitemap."""
        if rel != "alternate":
            return
        if self._format is _FORMATS["urlset"]:
            if len(entry.alternates) >= MAX_ALTERNATES:
                raise ListingError(f"more than {MAX_ALTERNATES:,} alternates of a page", kind="too_large")
            entry.alternates.append(href)
        elif self._format is _FORMATS["feed"] and entry.link is None:
            entry.link = href

    def text(self, data: str) -> None:
        if self._name is not None and self._characters <= MAX_URL_CHARACTERS:
            self._text.append(data)
            self._characters += len(data)

    def end(self, name: str, depth: int) -> None:
        entry = self._entry
        if entry is not None and self._name in (name.lower(), name.rpartition(":")[2].lower()):
            assert self._name is not None, "an element has a name"
            if text := "".join(self._text).strip():
                entry.texts.setdefault(self._name, text)
            self._name = None
        if entry is not None and depth == entry.depth:
            self._entry = None
            self._add_entry(entry)
        if self._bases and self._bases[-1][0] == depth:
            self._bases.pop()

    def _add_entry(self, entry: _Entry) -> None:
        assert self._format is not None, "an entry is in a root element"
        address = entry.link or next((entry.texts[name] for name in self._format.addresses if name in entry.texts), "")
        date = next((entry.texts[name] for name in self._format.dates if name in entry.texts), None)
        published, title = entry.texts.get("news:publication_date", ""), entry.texts.get("news:title", "")
        listed = Listed(published, " ".join(title.split())[:_MAX_TITLE_CHARACTERS]) if published or title else None
        self._listing.add(self._format.kind, _joined(entry.base, address), *entry.alternates, date=date, listed=listed)


def _joined(base: str | None, reference: str) -> str:
    try:
        return urljoin(base, reference) if base else reference
    except ValueError:  # an unclosed bracket in the host
        return reference
