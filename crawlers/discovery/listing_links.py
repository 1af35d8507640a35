"""Turn the entries of a sitemap or a feed into links of the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, Protocol

from corpusmill.crawlers.client import decoded
from corpusmill.crawlers.discovery.listing import Item, Listing, ListingError, newest_first
from corpusmill.crawlers.discovery.reading import MAX_SITEMAP_BYTES, read_listing
from corpusmill.crawlers.discovery.roles import ListingRole, address_of, listing_key
from corpusmill.crawlers.frontier.entries import Entry, Link
from corpusmill.crawlers.frontier.scope import Scope
from corpusmill.crawlers.frontier.traps import trap_of
from corpusmill.crawlers.references import resolved_url
from corpusmill.crawlers.warc import Exchange
from corpusmill.schemas.urls import authority, canonical_url

MAX_NESTED: Final = 5
"""Indexes and redirects that may lead to a sitemap that is read. Protocol and search engines allow one index."""
_RULES: Final = {
    ("sitemap", "invalid"): "sitemap.invalid",
    ("sitemap", "too_large"): "sitemap.too_large",
    ("feed", "invalid"): "feed.invalid",
    ("feed", "too_large"): "feed.too_large",
}
_BY_CONTENT: Final = frozenset(("", "identity", "gzip", "x-gzip"))
"""Content codings that the first bytes of a body show."""


class PageLink(Protocol):
    """Returns the link to a page, with the rule that refuses it, if any."""

    def __call__(self, key: str, url: str, *, depth: int) -> Link: ...


def listing_links(entry: Entry, exchange: Exchange, *, role: ListingRole, scope: Scope, page: PageLink) -> list[Link]:
    """Return the links of the listing *entry*, the latest changes first, and a refused one if a part is not usable.

    Raises:
        Refusal: The body cannot be decoded.
    """
    listing = _read(exchange, role)
    invalid: list[str] = []
    links = [
        *_links(newest_first(listing.pages), exchange.url, invalid, lambda key, url: page(key, url, depth=1)),
        *_links(
            newest_first(listing.sitemaps),
            exchange.url,
            invalid,
            lambda key, url: listing_link(key, url, role="sitemap", scope=scope, referrer=entry),
        ),
    ]
    return [*_problem(entry, role, listing, invalid), *links]


def _read(exchange: Exchange, role: ListingRole) -> Listing:
    body = exchange.body
    if exchange.headers.get("content-encoding", "").strip().lower() not in _BY_CONTENT:
        body = decoded(exchange, max_bytes=MAX_SITEMAP_BYTES)
    listing = read_listing(body, role=role, media_type=exchange.headers.get("content-type"))
    if exchange.truncated:
        listing.problem = ListingError(f"above {len(exchange.body):,} bytes", kind="too_large")
    return listing


def _links(items: Iterable[Item], base: str, invalid: list[str], link: Callable[[str, str], Link]) -> Iterator[Link]:
    """Yield the distinct links to *items*; add those that are not web addresses to *invalid*."""
    seen = set()
    for item in items:
        try:
            if not item.address:
                raise ValueError("no address")
            url = resolved_url(item.address, base=base)
            key = canonical_url(url)
        except ValueError:
            invalid.append(item.address)
            continue
        if key not in seen:
            seen.add(key)
            found = link(key, url)
            yield replace(found, listed=item.listed) if item.listed else found


def _problem(entry: Entry, role: ListingRole, listing: Listing, invalid: list[str]) -> Iterator[Link]:
    """Yield the refused link that records what of the listing *entry* is not used."""
    reasons = []
    if listing.problem is not None:
        before = f"; {listing.entries:,} entries before that are used" if listing.entries else ""
        reasons.append(f"{listing.problem.message}{before}")
    if invalid:
        entries = "1 entry has" if len(invalid) == 1 else f"{len(invalid):,} entries have"
        example = f", such as {invalid[0][:100]!r}" if invalid[0] else ""
        reasons.append(f"{entries} no web address{example}")
    if reasons:
        rule = _RULES[role, listing.problem.kind if listing.problem is not None else "invalid"]
        yield Link(address_of(entry.key), entry.url, entry.depth, rule=rule, message="; ".join(reasons))


def listing_link(key: str, url: str, *, role: ListingRole, scope: Scope, referrer: Entry) -> Link:
    """Return the link to the sitemap or feed at *url* that *referrer*, a listing or a page, names.

    Its host is one of the crawl or that of *referrer*. `deny` holds for it; `allow` and `max_depth` are about pages.
    """
    rule, message = None, None
    own = (authority(address_of(referrer.key)), *scope.authorities)
    if authority(key) not in own:
        rule = "scope.offsite"
    elif scope.is_denied(key):
        rule = "scope.denied"
    elif role == "sitemap" and referrer.redirects >= MAX_NESTED:
        rule, message = "sitemap.too_deep", f"behind more than {MAX_NESTED} indexes and redirects"
    else:
        rule, message = trap_of(key) or (None, None)
    if rule is not None:
        return Link(key, url, referrer.depth, rule=rule, message=message)
    redirects = referrer.redirects + 1 if role == "sitemap" else 0
    return Link(listing_key(key, role), url, referrer.depth, redirects=redirects)


def sitemap_links(urls: Iterable[str], *, robots: str, scope: Scope) -> Iterator[Link]:
    """Yield the links to the sitemaps that the robots.txt at *robots* names.

    They may be on another host: this is how a site says that they speak for it (sitemaps.org, "Sitemaps & Cross
    Submits").
    """
    for address in urls:
        try:
            url = resolved_url(address, base=robots)
            key = canonical_url(url)
        except ValueError as error:
            message = f"{robots} names a sitemap that is no web address: {str(error)[:200]}"
            yield Link(address[:200], address[:200], depth=0, rule="sitemap.invalid", message=message)
            continue
        if scope.is_denied(key):
            yield Link(key, url, depth=0, rule="scope.denied")
        else:
            yield Link(listing_key(key, "sitemap"), url, depth=0)


def feed_links(urls: Iterable[str], *, scope: Scope, page: Entry) -> Iterator[Link]:
    """Yield the links to the feeds that *page* announces."""
    for url in urls:
        try:
            key = canonical_url(url)
        except ValueError:  # like other links that are no addresses
            continue
        yield listing_link(key, url, role="feed", scope=scope, referrer=page)
