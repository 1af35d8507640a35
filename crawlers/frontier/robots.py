"""The robots.txt of a site, by RFC 9309."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protego import Protego

PRODUCT_TOKEN: Final = "corpusmill"
"""The name of this crawler in a robots.txt (RFC 9309 §2.2.1)."""
MAX_ROBOTS_BYTES: Final = 500 * 1024
"""Bytes that are read of a robots.txt (RFC 9309 §2.5 requires at least 500 KiB)."""
MAX_ROBOTS_REDIRECTS: Final = 5
"""Redirects that are followed (RFC 9309 §2.3.1.2)."""
MAX_CRAWL_DELAY_S: Final = 60.0
"""Maximum `Crawl-delay`; longer ones are reduced to this."""


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
        (§2.3.1.4), and so does "too many requests".
        """
        if 200 <= status < 300:
            return cls(rules=Protego.parse(body[:MAX_ROBOTS_BYTES].decode("utf-8-sig", "replace")))
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
        return min(max(delay or 0.0, 0.0), MAX_CRAWL_DELAY_S)
