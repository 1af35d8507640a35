"""Add the links of pages to the queue, with few statements, because most links are known."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from zlib import crc32

from corpusmill.crawlers.frontier.entries import Link, State
from corpusmill.crawlers.frontier.first import KNOWN_RANK
from corpusmill.crawlers.frontier.hosts import Hosts
from corpusmill.crawlers.frontier.limits import NO_LIMIT, Limits

_KEYS_KEPT: Final = 16_384
_KEYS_PER_QUERY: Final = 32
_LINKS_PER_PART: Final = 4_096
"""Links that are held in memory once more while they are added: a page may have a million."""
_FIND: Final = f"SELECT key, state, depth, chain, rank FROM urls WHERE key IN ({', '.join('?' * _KEYS_PER_QUERY)})"
_INSERT: Final = (
    "INSERT OR IGNORE INTO urls (key, spelling, other_url, host, depth, rank, redirects, chain, referrer)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_HOLD: Final = (
    "INSERT OR IGNORE INTO urls (key, spelling, other_url, host, depth, rank, redirects, chain, state)"
    " VALUES (?, 0, ?, ?, ?, 0, 0, 0, ?)"
)
_LIST: Final = "INSERT OR IGNORE INTO listed VALUES (?, ?, ?)"
_FOREIGN: Final = 1 << 62
_LINKS_PER_PAGE: Final = 1 << 24


class _Known(NamedTuple):
    """The place of a known URL in the queue, or a better one; a settled URL has the best."""

    depth: int
    chain: int
    rank: int


_SETTLED: Final = _Known(-1, -1, -1)


class Origin(NamedTuple):
    """The page that links to URLs: its row, its host, and how many URLs of the host were settled before it."""

    id: int
    host: int
    settled: int


class Added(NamedTuple):
    """What links changed: new URLs by host, other hosts whose order changed, and new refused URLs by rule."""

    queued: Counter[int]
    reordered: set[int]
    refused: Counter[str]


def _rank(link: Link, host: int, origin: Origin | None, index: int) -> int:
    """Return the rank of a URL among those of its host with the same depth.

    Known pages come first, then start pages. URLs that the host itself links to are in the order of pages and links.
    The others follow in an order that does not depend on the time at which the pages of other hosts arrive.
    """
    if origin is None:
        return KNOWN_RANK if link.is_known else 0
    if host == origin.host:
        return (origin.settled + 1) * _LINKS_PER_PAGE + min(index, _LINKS_PER_PAGE - 1)
    return _FOREIGN + crc32(link.key.encode())


class Additions:
    """Adds links within the transactions of the queue. Remembers recent URLs, which most pages of a site link to."""

    def __init__(self, db: sqlite3.Connection, hosts: Hosts, limits: Limits) -> None:
        self._db = db
        self._hosts = hosts
        self._limits = limits
        self._known: dict[str, _Known] = {}
        self._refused: set[str] = set()
        self._absent: set[str] = set()  # keys that are not in the queue, until the next `add`

    def forget(self, *keys: str) -> None:
        """Forget *keys*, because their rows changed in another way; forget all without arguments."""
        if not keys:
            self._known.clear()
            self._refused.clear()
            self._absent.clear()
        for key in keys:
            self._known.pop(key, None)
            self._refused.discard(key)

    def new_keys(self, links: Sequence[Link]) -> Iterator[str]:
        """Yield the canonical URLs of *links* to follow that are not in the queue."""
        for part in _parts([link for link in links if link.rule is None]):
            self._find(part)
            yield from (link.key for link in part if link.key not in self._known)

    def _find(self, links: Sequence[Link]) -> None:
        """Read the places of *links* that are in the queue."""
        if len(self._known) + len(self._refused) + len(self._absent) > _KEYS_KEPT:
            self.forget()
        wanted = dict.fromkeys(link.key for link in links if link.rule is None)
        keys = [key for key in wanted if key not in self._known and key not in self._absent]
        for at in range(0, len(keys), _KEYS_PER_QUERY):
            part = keys[at : at + _KEYS_PER_QUERY]
            values = (*part, *(None,) * (_KEYS_PER_QUERY - len(part)))
            for key, state, depth, chain, rank in self._db.execute(_FIND, values):
                place = _Known(depth, chain, rank) if state == State.QUEUED else _SETTLED
                self._known[key] = max(place, self._known.get(key, place))  # one spelling of several may be queued
        self._absent.update(key for key in keys if key not in self._known)

    def add(self, links: Sequence[Link], *, origin: Origin | None, queued: int) -> Added:
        """Queue new links by host, and record those that are not followed.

        Args:
            queued: Number of queued URLs before.
        """
        added = Added(Counter(), set(), Counter())
        index = 0
        for part in _parts(links):
            self._find(part)
            rows = [row for at, link in enumerate(part, index) if (row := self._row(link, at, origin, queued, added))]
            self._db.executemany(_INSERT, rows)
            self._db.executemany(_LIST, [(link.key, *link.listed) for link in part if link.listed and not link.rule])
            index += len(part)
        self._absent.clear()
        for host, count in added.queued.items():
            self._hosts.add_queued(host, count)
        return added

    def hold(self, links: Iterable[Link]) -> Counter[int]:
        """Add *links* that are not to be taken, unless they are queued, and return their number by host."""
        held: Counter[int] = Counter()
        for link in links:
            host = self._hosts.id_of(urlsplit(link.key).hostname or "")
            other_url = None if link.url == link.key else link.url
            added = self._db.execute(_HOLD, (link.key, other_url, host, link.depth, State.HELD))
            held[host] += added.rowcount
        self.forget()
        return +held

    def _row(self, link: Link, index: int, origin: Origin | None, queued: int, added: Added) -> tuple[Any, ...] | None:
        """Return the row of a new URL to queue; None if there is none."""
        if link.rule is not None:
            self._refuse(link, link.rule, link.message, origin, added)
            return None
        known = self._known.get(link.key)
        if known is not None and (not link.spelling or self._has(link)):
            self._improve(link, known, index, origin, added)
            return None
        name = urlsplit(link.key).hostname or ""
        host = self._hosts.id_of(name)
        if (message := self._cut(host, name, queued, added)) is not None:
            self._refuse(link, "budget.queued", message, origin, added)
            return None
        added.queued[host] += 1
        rank = _rank(link, host, origin, index)
        self._known[link.key] = _Known(link.depth, link.chain, rank)
        other_url = None if link.url == link.key else link.url
        place = (link.depth, rank, link.redirects, link.chain, origin and origin.id)
        return (link.key, link.spelling, other_url, host, *place)

    def _has(self, link: Link) -> bool:
        query = "SELECT 1 FROM urls WHERE key = ? AND spelling = ?"
        return self._db.execute(query, (link.key, link.spelling)).fetchone() is not None

    def _cut(self, host: int, name: str, queued: int, added: Added) -> str | None:
        """Return the message if the budget for queued URLs is used up; None if it is not."""
        limits = self._limits
        if queued + added.queued.total() >= limits.queued:
            return f"the crawl used its budget of {limits.queued:,} queued addresses"
        if limits.host_queued < NO_LIMIT and self._hosts.queued(host) + added.queued[host] >= limits.host_queued:
            return f"host {name} used its budget of {limits.host_queued:,} queued addresses"
        return None

    def _improve(self, link: Link, known: _Known, index: int, origin: Origin | None, added: Added) -> None:
        """Move a URL that is still queued forward, if *link* leads to it on a shorter way."""
        if link.chain < known.chain:
            self._db.execute(
                "UPDATE urls SET chain = ? WHERE key = ? AND state = 0 AND chain > ?",
                (link.chain, link.key, link.chain),
            )
            known = known._replace(chain=link.chain)
        if link.depth < known.depth or (link.depth == known.depth and known.rank >= _FOREIGN):
            host = self._hosts.id_of(urlsplit(link.key).hostname or "")
            rank = _rank(link, host, origin, index)
            moved = self._db.execute(
                "UPDATE urls SET depth = ?, rank = ? WHERE key = ? AND state = 0 AND (depth, rank) > (?, ?)",
                (link.depth, rank, link.key, link.depth, rank),
            )
            if moved.rowcount:
                added.reordered.add(host)
                known = known._replace(depth=link.depth, rank=rank)
        self._known[link.key] = known

    def _refuse(self, link: Link, rule: str, message: str | None, origin: Origin | None, added: Added) -> None:
        if link.key in self._refused:
            return
        self._refused.add(link.key)
        row = (link.key, rule, message, link.depth, origin and origin.id, time.time_ns() // 1000)
        inserted = self._db.execute("INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?)", row)
        added.refused[rule] += inserted.rowcount


def _parts(links: Sequence[Link]) -> Iterator[Sequence[Link]]:
    return (links[at : at + _LINKS_PER_PART] for at in range(0, len(links), _LINKS_PER_PART))
