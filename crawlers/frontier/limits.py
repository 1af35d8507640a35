"""Decide what the budgets of a crawl cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from corpusmill.schemas.budgets import CrawlBudgets

NO_LIMIT: Final = 1 << 62
PAGES: Final = "budget.pages"
"""The rule of a budget of pages."""


@dataclass(frozen=True)
class Limits:
    """Maximum numbers in all, and on each host with the prefix `host_`; `NO_LIMIT` if there is none."""

    pages: int = NO_LIMIT
    bytes: int = NO_LIMIT
    seconds: int = NO_LIMIT
    queued: int = NO_LIMIT
    host_pages: int = NO_LIMIT
    host_bytes: int = NO_LIMIT
    host_seconds: int = NO_LIMIT
    host_queued: int = NO_LIMIT

    @classmethod
    def of(cls, max_pages: int | None, budgets: CrawlBudgets | None) -> Limits:
        """Return the limits of a recipe."""
        fields = {"pages": max_pages}
        if budgets is not None:
            fields |= budgets.model_dump(exclude={"per_host"})
            fields |= {f"host_{name}": value for name, value in budgets.per_host}
        return cls(**{name: value for name, value in fields.items() if value is not None})

    @property
    def per_host(self) -> tuple[int, int, int]:
        """The limits of a host for pages, bytes and seconds, in this order."""
        return self.host_pages, self.host_bytes, self.host_seconds

    @property
    def cuts_hosts(self) -> bool:
        """Whether a budget of a host decides which of its pages are fetched."""
        return min(self.per_host) < NO_LIMIT

    def exhausted(self, *, pages: int, size: int, seconds: float) -> tuple[str, str] | None:
        """Return the rule and the message if a budget of the whole crawl is used up; None if none is.

        >>> Limits(bytes=1000).exhausted(pages=1, size=1200, seconds=3)
        ('budget.bytes', 'the crawl used its budget of 1,000 bytes')
        """
        for rule, used, limit in (
            (PAGES, pages, self.pages),
            ("budget.bytes", size, self.bytes),
            ("budget.seconds", seconds, self.seconds),
        ):
            if used >= limit:
                return rule, f"the crawl used its budget of {limit:,} {rule.removeprefix('budget.')}"
        return None
