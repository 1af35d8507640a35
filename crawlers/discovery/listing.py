"""What a listing contains: a sitemap, an index of sitemaps, or a feed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from operator import attrgetter
from typing import Final, Literal

from corpusmill.crawlers.frontier.entries import Listed

MAX_ENTRIES: Final = 50_000
"""Entries that are read of a listing (https://www.sitemaps.org/protocol.html, "Sitemap file format")."""
MAX_LISTING_CHARACTERS: Final = 1 << 24
"""Maximum length of all addresses of a listing, as for the links of a page."""
_MIN_CHARACTERS: Final = 64
"""Shorter addresses count as this long, because each takes memory as well: an entry can have many alternates."""
_NO_DATE: Final = float("-inf")


class ListingError(Exception):
    """The reason why a listing is read only up to a place.

    Args:
        kind: ``invalid``, or ``too_large`` if it exceeds a limit.
    """

    def __init__(self, message: str, *, kind: Literal["invalid", "too_large"] = "invalid") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Item:
    """An address in a listing, as written.

    Args:
        modified: When the page last changed, according to the listing, in seconds since 1970.
        listed: What a news sitemap says about the article.
    """

    address: str
    modified: float = _NO_DATE
    listed: Listed | None = None


@dataclass
class Listing:
    """The content of one file, as far as it could be read.

    Args:
        pages: The pages that it lists; alternates in other languages follow their page.
        sitemaps: The sitemaps that an index lists.
        problem: Why the rest was not read; None if all of it was.
        entries: Number of entries.
    """

    pages: list[Item] = field(default_factory=list)
    sitemaps: list[Item] = field(default_factory=list)
    problem: ListingError | None = None
    entries: int = 0
    _characters: int = 0

    def add(
        self,
        kind: Literal["page", "sitemap"],
        *addresses: str,
        date: str | None = None,
        listed: Listed | None = None,
    ) -> None:
        """Add an entry with its address, about which the listing says *listed*, and those of its alternates.

        Raises:
            ListingError: ``too_large``: the listing has too many entries, or too long ones.
        """
        if self.entries >= MAX_ENTRIES:
            raise ListingError(f"more than {MAX_ENTRIES:,} entries", kind="too_large")
        self.entries += 1
        self._characters += sum(max(len(address), _MIN_CHARACTERS) for address in addresses)
        if self._characters > MAX_LISTING_CHARACTERS:
            raise ListingError(f"addresses above {MAX_LISTING_CHARACTERS:,} characters", kind="too_large")
        modified = modification_time(date)
        items = self.pages if kind == "page" else self.sitemaps
        items.extend(Item(address, modified, None if place else listed) for place, address in enumerate(addresses))


def newest_first(items: list[Item]) -> list[Item]:
    """Sort *items* by the time of their last change; those without a time are last, in their order."""
    return sorted(items, key=attrgetter("modified"), reverse=True)


def modification_time(text: str | None) -> float:
    """Parse a date of a listing, in the form of W3C or of mail, to seconds since 1970; -inf if it is none.

    >>> modification_time("1970-01-02"), modification_time("Fri, 02 Jan 1970 00:00:00 GMT"), modification_time("soon")
    (86400.0, 86400.0, -inf)
    """
    text = (text or "").strip()[:64]
    for parse in (_w3c_date, parsedate_to_datetime):
        try:
            date = parse(text)
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return _NO_DATE


def _w3c_date(text: str) -> datetime:
    """Parse a date; a year or a month means its beginning (https://www.w3.org/TR/NOTE-datetime)."""
    return datetime.fromisoformat(text + {4: "-01-01", 7: "-01"}.get(len(text), ""))
