"""Which links belong to a crawl: its hosts, patterns and depth."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from corpusmill.schemas.urls import authority, canonical_url


@dataclass(frozen=True)
class Scope:
    """Hosts of the start pages, what `allow` and `deny` say, and how deep to go.

    >>> scope = Scope.of(["https://example.org/"], deny=["/old/"], max_depth=2)
    >>> [scope.rule(url, depth=1) for url in ("https://example.org/a", "https://example.org/old/a", "https://a.org/")]
    [None, 'scope.denied', 'scope.offsite']
    """

    authorities: frozenset[str]
    allow: tuple[re.Pattern[str], ...]
    deny: tuple[re.Pattern[str], ...]
    max_depth: int | None

    @classmethod
    def of(
        cls,
        start_urls: Iterable[str],
        *,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        max_depth: int | None = None,
    ) -> Scope:
        """Give the scope of a crawl; patterns are regular expressions that are searched in the canonical URL."""
        return cls(
            authorities=frozenset(authority(canonical_url(url)) for url in start_urls),
            allow=tuple(map(re.compile, allow)),
            deny=tuple(map(re.compile, deny)),
            max_depth=max_depth,
        )

    def rule(self, canonical: str, *, depth: int) -> str | None:
        """Give the rule by which the page *canonical*, *depth* links from a start page, is left out; None: it is in."""
        if authority(canonical) not in self.authorities:
            return "scope.offsite"
        if any(pattern.search(canonical) for pattern in self.deny):
            return "scope.denied"
        if depth and self.allow and not any(pattern.search(canonical) for pattern in self.allow):
            return "scope.not_allowed"
        if self.max_depth is not None and depth > self.max_depth:
            return "budget.max_depth"
        return None
