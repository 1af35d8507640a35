"""A page that is not fetched, or was fetched in vain."""

from __future__ import annotations

from typing import Final

UNREACHABLE: Final = frozenset(("error.connection", "error.dns", "error.timeout", "robots.unreachable"))
"""Rules that speak of a host, not of a page: seen on a host that answered before, they mean that it went away."""


class Refusal(Exception):
    """Why a page is not in the archive.

    Args:
        rule: Its rule in the ledger (``robots.disallowed``, ``http.404``).
        message: What was seen, for a person.
        retry_after_s: Seconds after which another try may help; None: it would not.
    """

    def __init__(self, rule: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule
        self.message = message
        self.retry_after_s = retry_after_s
