"""URLs of a recrawl that come before all others: visits of sites, and known pages that are due.

Their rank is negative. A budget of pages does not cut them: known pages are in the corpus already, and a visit decides
whether the pages of a site that are not due may stay there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from corpusmill.crawlers.frontier.entries import State

VISIT_RANK: Final = -3
KNOWN_RANK: Final = -2
_ROLE: Final = "#visit"
_VISIT: Final = (
    "INSERT OR IGNORE INTO urls (key, spelling, other_url, host, depth, rank, redirects, chain)"
    " VALUES (?, 0, ?, ?, 0, ?, 0, 0)"
)
_NEXT_HOST: Final = "SELECT min(host) FROM urls WHERE state = 0 AND rank < 0 AND host > ?"
_HELD: Final = (
    f"SELECT key, url FROM urls WHERE state = {State.HELD:d} AND key >= ? AND key < ? ORDER BY key, spelling LIMIT ?"
)
_HELD_AT_ONCE: Final = 1_000


def visit_key(site: str) -> str:
    """Return the key of the visit of *site*: canonical URLs never have its fragment.

    >>> visit_key("https://example.org"), is_visit(visit_key("https://example.org"))
    ('https://example.org/robots.txt#visit', True)
    """
    return f"{site}/robots.txt{_ROLE}"


def is_visit(key: str) -> bool:
    """Return whether the URL with this *key* is a visit, and no page."""
    return key.endswith(_ROLE)


def site_of_visit(key: str) -> str:
    """Return the site of the visit *key*, such as ``https://example.org``."""
    return key.removesuffix(f"/robots.txt{_ROLE}")


class FirstUrls:
    """Adds and finds the URLs that come first, within the transactions of the queue."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._cursor = 0

    def add_visit(self, site: str, host: int) -> int:
        """Queue the visit of *site* on *host*; return the number of new rows."""
        return self._db.execute(_VISIT, (visit_key(site), f"{site}/robots.txt", host, VISIT_RANK)).rowcount

    def hosts(self, *, busy: Collection[int] = ()) -> Iterator[int]:
        """Yield the hosts with such URLs that are not *busy*, in turn."""
        for after, last in ((self._cursor, None), (0, self._cursor)):
            at = after
            while (row := self._db.execute(_NEXT_HOST, (at,)).fetchone()[0]) is not None:
                at = int(row)
                if last is not None and at > last:
                    return
                if at not in busy:
                    self._cursor = at
                    yield at

    def held(self, site: str) -> Iterator[list[tuple[str, str]]]:
        """Yield the canonical URLs and the addresses of the pages of *site* that are not due, in batches.

        The caller may withdraw a batch before it asks for the next one.
        """
        start, end = f"{site}/", f"{site}0"  # "0" is the character after "/"
        while rows := self._db.execute(_HELD, (start, end, _HELD_AT_ONCE)).fetchall():
            yield rows
            start = f"{rows[-1][0]}\x01"  # no URL has a lower character

    def release(self, key: str) -> int | None:
        """Queue the URL *key* if it is held; return its host, or None if it is not held."""
        query = (
            f"UPDATE urls SET state = 0, rank = {KNOWN_RANK} WHERE key = ? AND state = {State.HELD:d} RETURNING host"
        )
        row = self._db.execute(query, (key,)).fetchone()
        return None if row is None else int(row[0])

    def withdraw(self, keys: Iterable[str], *, rule: str, message: str, at: int) -> list[int]:
        """Refuse the URLs *keys* that are not due, under *rule*; return the host of each."""
        values = ((rule, message, at, key) for key in keys)
        query = (
            f"UPDATE urls SET state = {State.REFUSED:d}, rule = ?, message = ?, at = ?"
            f" WHERE key = ? AND state = {State.HELD:d} RETURNING host"
        )
        return [host for row in values for (host,) in self._db.execute(query, row).fetchall()]
