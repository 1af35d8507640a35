"""The scope of a crawl whose pages are found in more ways than links."""

from __future__ import annotations

import json

from corpusmill.crawlers.frontier.scope import Scope
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.source_values import SourceValues

_HOSTS = "hosts"


def crawl_scope(source: SourceValues, frontier: Frontier) -> Scope:
    """Return the scope of the crawl of *source*: the hosts that the recipe names, and those of its lists of URLs."""
    scope = Scope.of(
        (*source.start_urls, *source.sitemaps, *source.feeds),
        allow=source.allow,
        deny=source.deny,
        max_depth=source.max_depth,
    )
    return scope.with_authorities(json.loads(frontier.get(_HOSTS) or "[]"))


def remember_hosts(frontier: Frontier, authorities: set[str]) -> None:
    """Store the hosts of the lists of URLs, with their ports, which may change while the crawl runs."""
    frontier.remember(**{_HOSTS: json.dumps(sorted(authorities))})
