"""Decide which links belong to a crawl, by host, pattern and depth."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from corpusmill.schemas.urls import authority, canonical_url


@dataclass(frozen=True)
class Scope:
    """The scope of a crawl: the hosts of the start pages, `allow` and `deny` patterns, and the depth.

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
        """Return the scope of a crawl. Patterns are regular expressions that match anywhere in a canonical URL."""
        return cls(
            authorities=frozenset(authority(canonical_url(url)) for url in start_urls),
            allow=tuple(map(re.compile, allow)),
            deny=tuple(map(re.compile, deny)),
            max_depth=max_depth,
        )

    def with_authorities(self, authorities: Iterable[str]) -> Scope:
        """Return the scope with more hosts (with their ports)."""
        return replace(self, authorities=self.authorities.union(authorities))

    def is_denied(self, canonical: str) -> bool:
        """Return whether the URL *canonical* matches a pattern of `deny`."""
        return any(pattern.search(canonical) for pattern in self.deny)

    def pattern_rule(self, canonical: str) -> str | None:
        """Return the rule of the pattern that excludes the URL *canonical*; None if no pattern does."""
        if self.is_denied(canonical):
            return "scope.denied"
        if self.allow and not any(pattern.search(canonical) for pattern in self.allow):
            return "scope.not_allowed"
        return None

    def rule(self, canonical: str, *, depth: int) -> str | None:
        """Return the rule that excludes the URL *canonical*, *depth* links from a start page; None if in scope."""
        if authority(canonical) not in self.authorities:
            return "scope.offsite"
        rule = self.pattern_rule(canonical)
        if rule is not None and (depth or rule == "scope.denied"):
            return rule
        if self.max_depth is not None and depth > self.max_depth:
            return "budget.depth"
        return None
