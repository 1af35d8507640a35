"""The durable queue of a crawl: every URL it met, in one SQLite file, so that a killed crawl loses and repeats nothing.

A URL is settled in one transaction, together with the links it led to and with the place in the archive up to which
records count. What was in flight at a kill is queued again, because "in flight" is never written down.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from corpusmill.crawlers.frontier.refusal import UNREACHABLE

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS urls (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, url TEXT NOT NULL, host TEXT NOT NULL, depth INTEGER NOT NULL,
    redirects INTEGER NOT NULL, referrer INTEGER, state INTEGER NOT NULL DEFAULT 0, rule TEXT, message TEXT, at INTEGER,
    file INTEGER, end INTEGER, robots INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS queued ON urls (host, id) WHERE state = 0;
CREATE TABLE IF NOT EXISTS refused (
    key TEXT PRIMARY KEY, rule TEXT NOT NULL, message TEXT, depth INTEGER NOT NULL, referrer INTEGER, at INTEGER
) WITHOUT ROWID;
"""
_BUFFER: Final = 256
"""Queued URLs of one host that are held in memory."""
_PATIENCE: Final = 5
"""Failures in a row after which a host that answered before is taken as gone."""


class State(IntEnum):
    """Where a URL stands."""

    QUEUED = 0
    PAGE = 1
    REDIRECT = 2
    REFUSED = 3


@dataclass(frozen=True)
class Entry:
    """A queued URL: `key` is its canonical form, `url` the form in which it was found first."""

    id: int
    key: str
    url: str
    host: str
    depth: int
    redirects: int


@dataclass(frozen=True)
class Link:
    """A URL that a page or a redirect leads to; with a `rule` it is not followed."""

    key: str
    url: str
    depth: int
    redirects: int = 0
    rule: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Settled:
    """What became of a URL.

    Args:
        robots: Answers for robots.txt that were archived since the last settled URL.
        size: Bytes of the body.
    """

    state: State
    rule: str | None = None
    message: str | None = None
    links: tuple[Link, ...] = ()
    robots: int = 0
    size: int = 0


@dataclass
class _Host:
    queued: int = 0
    pages: int = 0
    failures: int = 0
    gone: bool = False
    cursor: int = 0
    waiting: deque[Entry] = field(default_factory=deque)


class Frontier:
    """The queue of one crawl. One process at a time; `take` and `settle` pair up.

    Args:
        path: The SQLite file; it is made when it is missing.
        max_pages: Pages to archive; None: no bound.
    """

    def __init__(self, path: Path, *, max_pages: int | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
        # A commit then survives the death of the process without a wait for the disk (https://sqlite.org/wal.html).
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
        self._max_pages = max_pages
        self._busy: set[str] = set()
        self._hosts: dict[str, _Host] = {}
        self._load()

    def _load(self) -> None:
        for host, state, count in self._db.execute("SELECT host, state, count(*) FROM urls GROUP BY host, state"):
            place = self._hosts.setdefault(host, _Host())
            place.queued = count if state == State.QUEUED else place.queued
            place.pages = count if state == State.PAGE else place.pages
        self.pages = sum(place.pages for place in self._hosts.values())

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, name: str) -> Any:
        """Give the remembered value *name*; None when there is none."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def remember(self, **values: Any) -> None:
        """Keep *values* (text or numbers)."""
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    # -- the queue

    @property
    def queued(self) -> int:
        """URLs that wait, those in flight not counted."""
        return sum(place.queued for place in self._hosts.values())

    @property
    def waiting_hosts(self) -> list[str]:
        """Hosts of the URLs that wait."""
        return sorted(host for host, place in self._hosts.items() if place.queued)

    def seed(self, links: Iterable[Link]) -> None:
        """Queue the start pages."""
        with self._transaction():
            self._add(tuple(links), referrer=None)

    def has_work(self) -> bool:
        """Tell whether `take` can give something, now or when what is in flight has been settled."""
        return bool(self._busy) or (self._within_budget() and any(map(_is_ready, self._hosts.values())))

    def _within_budget(self) -> bool:
        return self._max_pages is None or self.pages + len(self._busy) < self._max_pages

    def take(self) -> Entry | None:
        """Give a queued URL of a host that has none in flight; None when there is none now."""
        if not self._within_budget():
            return None
        for host, place in self._hosts.items():
            if host not in self._busy and _is_ready(place):
                # To the end of the line, so that hosts take turns.
                self._hosts[host] = self._hosts.pop(host)
                self._busy.add(host)
                place.queued -= 1
                return self._next(host, place)
        return None

    def _next(self, host: str, place: _Host) -> Entry:
        if not place.waiting:
            place.waiting.extend(
                Entry(*row)
                for row in self._db.execute(
                    "SELECT id, key, url, host, depth, redirects FROM urls"
                    " WHERE state = 0 AND host = ? AND id > ? ORDER BY id LIMIT ?",
                    (host, place.cursor, _BUFFER),
                )
            )
            place.cursor = place.waiting[-1].id
        return place.waiting.popleft()

    def settle(self, entry: Entry, result: Settled, *, file: int, end: int) -> None:
        """Write down what became of *entry*, and that the archive counts up to byte *end* of file number *file*."""
        place = self._hosts[entry.host]
        self._busy.discard(entry.host)
        unreachable = result.rule in UNREACHABLE
        place.failures = place.failures + 1 if unreachable else 0
        if unreachable and place.pages and (result.rule == "robots.unreachable" or place.failures >= _PATIENCE):
            place.gone = True
            return
        with self._transaction():
            self._db.execute(
                "UPDATE urls SET state = ?, rule = ?, message = ?, at = ?, file = ?, end = ?, robots = ?, bytes = ?"
                " WHERE id = ?",
                (
                    *(result.state, result.rule, result.message, time.time_ns() // 1000),
                    *(file, end, result.robots, result.size, entry.id),
                ),
            )
            self._add(result.links, referrer=entry.id)
        place.pages += result.state == State.PAGE
        self.pages += result.state == State.PAGE

    def _add(self, links: tuple[Link, ...], *, referrer: int | None) -> None:
        """Queue the links that are new, by host, and note those that are not followed."""
        now = time.time_ns() // 1000
        by_host: dict[str, list[tuple[Any, ...]]] = {}
        for link in links:
            if link.rule is None:
                host = urlsplit(link.key).hostname or ""
                row = (link.key, link.url, host, link.depth, link.redirects, referrer)
                by_host.setdefault(host, []).append(row)
        for host, rows in by_host.items():
            before = self._db.total_changes
            self._db.executemany(
                "INSERT OR IGNORE INTO urls (key, url, host, depth, redirects, referrer) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._hosts.setdefault(host, _Host()).queued += self._db.total_changes - before
        self._db.executemany(
            "INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?)",
            [(link.key, link.rule, link.message, link.depth, referrer, now) for link in links if link.rule],
        )

    # -- going on after a kill

    def position(self) -> tuple[int, int] | None:
        """Give the file number and the byte up to which the archive counts; None when nothing was settled."""
        row = self._db.execute("SELECT file, max(end) FROM urls WHERE file = (SELECT max(file) FROM urls)").fetchone()
        return None if row[0] is None else (row[0], row[1])

    def requeue(self, *, file: int, after: int) -> None:
        """Queue again what was settled behind byte *after* of file number *file*: the archive lost it."""
        self._again("file > ? OR (file = ? AND end > ?)", (file, file, after))

    def retry(self) -> None:
        """Queue again what failed because a host could not be reached."""
        self._again(f"rule IN ({', '.join('?' * len(UNREACHABLE))})", tuple(UNREACHABLE))

    def _again(self, condition: str, values: tuple[Any, ...]) -> None:
        with self._transaction():
            self._db.execute(
                "UPDATE urls SET state = 0, rule = NULL, message = NULL, at = NULL, file = NULL, end = NULL,"
                f" robots = 0, bytes = 0 WHERE {condition}",
                values,
            )
        self._hosts.clear()
        self._load()

    # -- what a crawl came to

    def counts(self) -> dict[str, int]:
        """Give the numbers of the raw manifest; `requests` and `responses` are those in the archive."""
        states: Counter[int] = Counter(dict(self._db.execute("SELECT state, count(*) FROM urls GROUP BY state")))
        robots, size = self._db.execute("SELECT total(robots), total(bytes) FROM urls").fetchone()
        refused = Counter(row[3] for row in self.ledger())
        archived = states[State.PAGE] + states[State.REDIRECT] + int(robots)
        return {
            "requests": archived,
            "responses": archived,
            "pages": states[State.PAGE],
            "redirects": states[State.REDIRECT],
            "robots": int(robots),
            "bytes": int(size),
            "refused": refused.total(),
            **{f"refused.{rule}": count for rule, count in sorted(refused.items())},
        }

    def ledger(self) -> Iterator[tuple[str, str | None, int, str, str | None, int | None]]:
        """Give ``url, referrer, depth, rule, message, at`` (microseconds) of each page that was not archived, by URL.

        A page that one link led to in vain and another with success is not among them.
        """
        return iter(
            self._db.execute(
                """
                SELECT page.url, origin.url, page.depth, page.rule, page.message, page.at FROM (
                    SELECT url, referrer, depth, iif(state = 0, 'budget.max_pages', rule) AS rule, message, at
                    FROM urls WHERE state IN (0, 3)
                    UNION ALL
                    SELECT key, referrer, depth, rule, message, at FROM refused
                    WHERE NOT EXISTS (SELECT 1 FROM urls WHERE urls.key = refused.key)
                ) AS page LEFT JOIN urls AS origin ON origin.id = page.referrer ORDER BY page.url
                """
            )
        )


def _is_ready(place: _Host) -> bool:
    return place.queued > 0 and not place.gone
