"""What a site's robots.txt allows, by RFC 9309."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protego import Protego

PRODUCT_TOKEN: Final = "corpusmill"
"""The name by which a robots.txt can address this crawler (RFC 9309 §2.2.1)."""
MAX_ROBOTS_BYTES: Final = 500 * 1024
"""What is read of a robots.txt (RFC 9309 §2.5 asks for at least 500 KiB)."""
MAX_ROBOTS_REDIRECTS: Final = 5
"""RFC 9309 §2.3.1.2."""
MAX_CRAWL_DELAY_S: Final = 60.0
"""A longer `Crawl-delay` is taken as this."""


@dataclass(frozen=True)
class RobotsPolicy:
    """The answer of one host.

    Args:
        rules: The parsed file; None when there is none to obey.
        unreachable: Why the file could not be had (then nothing may be fetched); None when it could.
    """

    rules: Protego | None = None
    unreachable: str | None = None

    @classmethod
    def of(cls, status: int, body: bytes) -> RobotsPolicy:
        """Read an answer to ``GET /robots.txt``.

        A file rules; a client error means that there is none (RFC 9309 §2.3.1.3); a server error, and "too many
        requests", which is a wish to be left alone, mean that nothing may be fetched (§2.3.1.4).
        """
        if 200 <= status < 300:
            return cls(rules=Protego.parse(body[:MAX_ROBOTS_BYTES].decode("utf-8-sig", "replace")))
        if 400 <= status < 500 and status != 429:
            return cls()
        return cls(unreachable=f"robots.txt answered {status}")

    def allows(self, url: str) -> bool:
        """Tell whether the page at *url* may be fetched; never true while the file is unreachable."""
        if self.unreachable is not None:
            return False
        return self.rules is None or self.rules.can_fetch(url, PRODUCT_TOKEN)

    @property
    def crawl_delay_s(self) -> float:
        """Seconds that the site wants between two requests; 0 when it does not say."""
        wanted = self.rules.crawl_delay(PRODUCT_TOKEN) if self.rules else None
        return min(max(wanted or 0.0, 0.0), MAX_CRAWL_DELAY_S)
