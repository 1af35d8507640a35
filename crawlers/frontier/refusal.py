"""The refusal of a page, before or after fetching."""

from __future__ import annotations

from typing import Final

UNREACHABLE: Final = frozenset(("error.connection", "error.dns", "error.timeout", "robots.unreachable"))
"""Rules about a host, not a page. On a host that answered before, they mean that it is no longer available."""


class Refusal(Exception):
    """The reason why a page is not in the archive.

    Args:
        rule: Its rule in the ledger (``robots.disallowed``, ``http.404``).
        message: The details, for people.
        retry_after_s: Seconds after which a retry may help; None if it would not.
    """

    def __init__(self, rule: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule
        self.message = message
        self.retry_after_s = retry_after_s
