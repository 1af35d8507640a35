"""Fill the queue of a new crawl: start pages, lists of URLs, sitemaps and feeds of the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from corpusmill.crawlers.discovery.roles import ListingRole, listing_key
from corpusmill.crawlers.discovery.scoping import remember_hosts
from corpusmill.crawlers.discovery.url_files import listed_urls
from corpusmill.crawlers.frontier.entries import Link
from corpusmill.crawlers.frontier.scope import Scope
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.references import resolved_url
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.urls import authority, canonical_url

_BATCH: Final = 10_000
"""URLs of a transaction: a list may have millions."""


def seed(frontier: Frontier, source: CrawlSource, *, base: Path) -> None:
    """Queue what *source* names. Paths of its lists of URLs are relative to the folder *base*.

    The files are read once, now, so that a resumed crawl does not depend on later changes. A partition queues the
    addresses of its own hosts.

    Raises:
        RecipeError, SourceError: A list of URLs cannot be read.
    """
    hosts: set[str] = set()
    links = (link for link in start_links(source, base=base, hosts=hosts) if frontier.owns(link.key))
    while batch := list(islice(links, _BATCH)):
        frontier.seed(batch)
    remember_hosts(frontier, hosts)


def start_links(source: CrawlSource, *, base: Path, hosts: set[str]) -> Iterator[Link]:
    """Yield a link to each address that *source* names: start pages, sitemaps, feeds, and lines of its lists of URLs.

    Args:
        base: As in `seed`.
        hosts: Receives the hosts of the lists of URLs.
    """
    yield from map(_start_link, source.start_urls)
    yield from (_start_link(url, "sitemap") for url in source.listed_sitemaps)
    yield from (_start_link(url, "feed") for url in source.listed_feeds)
    yield from _listed_links(source, base, hosts)


def _start_link(url: str, role: ListingRole | None = None) -> Link:
    key = canonical_url(url)
    return Link(listing_key(key, role) if role else key, resolved_url(url, base=key), depth=0)


def _listed_links(source: CrawlSource, base: Path, hosts: set[str]) -> Iterator[Link]:
    scope = Scope.of((), allow=source.allow, deny=source.deny)
    for line in listed_urls(source.url_files, base=base):
        if line.key is None:
            yield Link(line.url, line.url, depth=0, rule="urls.invalid", message=line.problem)
        elif (rule := scope.pattern_rule(line.key)) is not None:
            yield Link(line.key, line.url, depth=0, rule=rule)
        else:
            hosts.add(authority(line.key))
            yield Link(line.key, line.url, depth=0)
