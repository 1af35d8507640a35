"""The robots.txt of a site, by RFC 9309."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protego import Protego

from corpusmill.crawlers.frontier.robots_text import MAX_ROBOTS_BYTES as MAX_ROBOTS_BYTES
from corpusmill.crawlers.frontier.robots_text import robots_text
from corpusmill.schemas.errors import DataError

PRODUCT_TOKEN: Final = "corpusmill"
"""The name of this crawler in a robots.txt (RFC 9309 §2.2.1)."""
MAX_ROBOTS_REDIRECTS: Final = 5
"""Redirects that are followed (RFC 9309 §2.3.1.2)."""
MAX_CRAWL_DELAY_S: Final = 60.0
"""Maximum `Crawl-delay`. A host that asks for a longer one is not crawled."""
_MAX_DECODED_BYTES: Final = 32_000_000


@dataclass(frozen=True)
class RobotsPolicy:
    """The policy of one host.

    Args:
        rules: The parsed file; None if there is no file.
        unreachable: Why the file could not be fetched, in which case nothing may be fetched; None if it could.
    """

    rules: Protego | None = None
    unreachable: str | None = None

    @classmethod
    def of(cls, status: int, body: bytes) -> RobotsPolicy:
        """Create the policy from a response to ``GET /robots.txt``.

        A client error means that there is no file (RFC 9309 §2.3.1.3). A server error means that nothing may be fetched
        (§2.3.1.4), and so do "too many requests" and a file in an unknown encoding.
        """
        if 200 <= status < 300:
            try:
                return cls(rules=Protego.parse(robots_text(body, max_bytes=_MAX_DECODED_BYTES)))
            except DataError as error:
                return cls(unreachable=f"robots.txt cannot be read: {error.message}")
        if 400 <= status < 500 and status != 429:
            return cls()
        return cls(unreachable=f"robots.txt answered {status}")

    def allows(self, url: str) -> bool:
        """Return whether the page at *url* may be fetched; False while the file is unreachable."""
        if self.unreachable is not None:
            return False
        return self.rules is None or self.rules.can_fetch(url, PRODUCT_TOKEN)

    @property
    def sitemaps(self) -> list[str]:
        """The addresses of its `Sitemap` lines, as written; they hold for all agents."""
        return list(dict.fromkeys(self.rules.sitemaps)) if self.rules else []

    @property
    def crawl_delay_s(self) -> float:
        """Seconds between two requests that the site asks for; 0 if it does not."""
        delay = self.rules.crawl_delay(PRODUCT_TOKEN) if self.rules else None
        return delay or 0.0

    @property
    def is_too_slow(self) -> bool:
        """Whether the site asks for a longer delay than `MAX_CRAWL_DELAY_S`, so that it is not crawled."""
        return self.crawl_delay_s > MAX_CRAWL_DELAY_S
