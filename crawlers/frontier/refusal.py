"""The refusal of a page, before or after fetching."""

from __future__ import annotations

from typing import Final

DISALLOWED: Final = "robots.disallowed"
FORBIDS: Final = "robots.txt forbids it"
"""The message of a page that the robots.txt of its site disallows."""
SUSPENDED: Final = "host.suspended"
"""The host asked to be left alone for longer than a crawl waits."""
CERTAIN: Final = frozenset((SUSPENDED, "robots.unreachable"))
"""Those of `UNREACHABLE` that a request for another page of the host would only repeat."""
UNREACHABLE: Final = CERTAIN | {"error.connection", "error.dns", "error.timeout"}
"""Rules about a host, not a page. On a host that answered before, they mean that it is no longer available."""


class Refusal(Exception):
    """The reason why a page is not in the archive.

    Args:
        rule: Its rule in the ledger (``robots.disallowed``, ``http.404``).
        message: The details, for people.
        retry_after_s: Seconds that the server asked to wait before a retry, or 0; None if a retry would not help.
    """

    def __init__(self, rule: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule
        self.message = message
        self.retry_after_s = retry_after_s
