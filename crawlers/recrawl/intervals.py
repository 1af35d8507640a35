"""Decide when a page is due again, and when a missing page is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from corpusmill.schemas.crawled_page import CrawledPage

if TYPE_CHECKING:
    from corpusmill.schemas.crawl_source import Recrawl

FASTER: Final = 0.5
"""Factor of the interval of a page whose text changed."""
SLOWER: Final = 1.5
"""Factor of the interval of a page whose text did not change."""
DUE_SHARE: Final = 0.9
"""Share of an interval after which a page is due, because crawls that start at one time of day fetch a page a little
earlier or later each day."""
MAX_MISSES: Final = 2
"""Recrawls in a row after which a missing page is gone: a page may be missing while its site is being changed."""
_SECOND: Final = 1_000_000
_MISSING: Final = {"http.404": "gone.404", "http.410": "gone.410"}
_DISALLOWED: Final = "gone.disallowed"
_AT_ONCE: Final = {"robots.disallowed": _DISALLOWED, "robots.noindex": "gone.noindex"}
_PERMANENT: Final = frozenset((301, 308))
_REDIRECTED: Final = "gone.redirected"


def next_interval_s(before_s: int, *, changed: bool, bounds: Recrawl | None) -> int:
    """Return the interval after a page was fetched, within *bounds*; 0 without them.

    >>> from corpusmill.schemas.crawl_source import Recrawl
    >>> bounds = Recrawl(min_interval="1d", max_interval="30d")
    >>> [next_interval_s(days * 86_400, changed=changed, bounds=bounds) // 3_600 for days, changed in
    ...  ((4, True), (4, False), (1, True), (30, False))]
    [48, 144, 24, 720]
    """
    if bounds is None:
        return 0
    low, high = bounds.seconds
    return round(min(max(before_s * (FASTER if changed else SLOWER), low), high))


def is_due(page: CrawledPage, *, now: int) -> bool:
    """Return whether *page* is to be asked for in a crawl that starts at *now* (microseconds).

    A page that is gone is asked for again after the time for which it has been known to be gone. One that robots.txt
    disallows always is: while it does, no request is sent.
    """
    if page.asked_at is None or page.gone == _DISALLOWED:
        return True
    interval = page.interval_s * _SECOND
    if page.gone is not None and page.gone_at is not None:
        interval = page.asked_at - page.gone_at
    # A clock that was wrong must not keep pages from being asked for.
    return now < page.asked_at or now - page.asked_at >= DUE_SHARE * interval


def missing_rule(rule: str | None, *, status: int | None, misses: int) -> tuple[int, str | None]:
    """Return the number of misses in a row of a page that is not a page now, and the rule by which it is gone, if any.

    Args:
        rule: The rule that refused it; None if it redirects with *status*.
        misses: The number before.

    >>> missing_rule("http.404", status=None, misses=0), missing_rule("http.410", status=None, misses=1)
    ((1, None), (2, 'gone.410'))
    >>> missing_rule(None, status=301, misses=0), missing_rule("http.503", status=None, misses=1)
    ((1, 'gone.redirected'), (1, None))
    """
    if rule is None:
        is_gone = status in _PERMANENT or misses + 1 >= MAX_MISSES
        return misses + 1, _REDIRECTED if is_gone else None
    if rule in _AT_ONCE:
        return misses + 1, _AT_ONCE[rule]
    if rule in _MISSING:
        return misses + 1, _MISSING[rule] if misses + 1 >= MAX_MISSES else None
    return misses, None
