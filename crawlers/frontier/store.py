"""The durable queue of a crawl: all of its URLs in a SQLite file, so that a killed crawl loses and repeats nothing.

A URL is settled in one transaction, together with its links and the position in the archive up to which records are
valid. URLs in flight are queued again after a kill, because "in flight" is not stored.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from corpusmill.crawlers.frontier.budgets import PatternBudgets
from corpusmill.crawlers.frontier.companions import Companion
from corpusmill.crawlers.frontier.entries import Entry, Link, Settled, State
from corpusmill.crawlers.frontier.ledger import LedgerRow, crawl_counts, ledger_rows
from corpusmill.crawlers.frontier.redirects import spellings
from corpusmill.crawlers.frontier.refusal import UNREACHABLE
from corpusmill.crawlers.frontier.tables import open_tables, transaction
from corpusmill.crawlers.frontier.traps import MIN_CHAIN

_BUFFER: Final = 256
"""Queued URLs of a host that are held in memory."""
_PATIENCE: Final = 5
"""Failures in a row after which a page that was archived before is requested, to test whether its host is up."""


@dataclass
class _Host:
    queued: int = 0
    pages: int = 0
    failures: int = 0
    gone: bool = False
    suspended: tuple[Entry, Settled, int, int] | None = None  # the last failure, until a probe decides what it means
    waiting: deque[Entry] = field(default_factory=deque)


class Frontier:
    """The queue of one crawl, for one process at a time. Each `take` is followed by a `settle`, or a
    `settle_probe` if the entry is a probe.

    Args:
        path: The SQLite file; it is created if it is missing.
        max_pages: Maximum number of pages to archive; None for no limit.
        in_levels: Whether to settle all pages of a depth before `take` returns one that is deeper. The depth of a page
            then is its shortest distance from a start page, however fast each host answers.
        companions: Other tables in the file, which change in the same transactions.

    `pages` is the number of archived pages, `held` that of URLs that are not due, and `refused` the number of others by
    rule, including pages that a later link reached.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_pages: int | None = None,
        in_levels: bool = False,
        companions: Sequence[Companion] = (),
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = open_tables(path)
        self._companions = tuple(companions)
        for companion in self._companions:
            companion.create(self._db)
        self._budgets = PatternBudgets(self._db)
        self._max_pages = max_pages
        self._in_levels = in_levels
        self._busy: dict[str, Entry] = {}
        self._hosts: dict[str, _Host] = {}
        self._load()

    def _load(self) -> None:
        for host, state, count in self._db.execute("SELECT host, state, count(*) FROM urls GROUP BY host, state"):
            place = self._hosts.setdefault(host, _Host())
            place.queued = count if state == State.QUEUED else place.queued
            place.pages = count if state == State.PAGE else place.pages
        self.pages = sum(place.pages for place in self._hosts.values())
        (self.held,) = self._db.execute("SELECT count(*) FROM urls WHERE state = ?", (State.HELD,)).fetchone()
        rules = self._db.execute(
            "SELECT rule, count(*) FROM (SELECT rule FROM urls WHERE state = 3 UNION ALL SELECT rule FROM refused)"
            " GROUP BY rule"
        )
        self.refused = Counter(dict(rules))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def get(self, name: str) -> Any:
        """Return the stored value *name*; None if there is none."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def remember(self, **values: Any) -> None:
        """Store *values* (text or numbers)."""
        with transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    # -- the queue

    @property
    def queued(self) -> int:
        """Number of queued URLs, without those in flight."""
        return sum(place.queued for place in self._hosts.values())

    @property
    def waiting_hosts(self) -> list[str]:
        """Hosts of the queued URLs."""
        return sorted(host for host, place in self._hosts.items() if place.queued)

    def seed(self, links: Iterable[Link]) -> None:
        """Queue the start pages."""
        with transaction(self._db):
            self._add(tuple(links), referrer=None)

    def hold(self, links: Iterable[Link]) -> None:
        """Add URLs that are known and not asked for in this crawl."""
        rows = [(link.key, link.url, urlsplit(link.key).hostname or "", link.depth, State.HELD) for link in links]
        with transaction(self._db):
            self._db.executemany(
                "INSERT OR IGNORE INTO urls (key, spelling, url, host, depth, redirects, chain, state)"
                " VALUES (?, 0, ?, ?, ?, 0, 0, ?)",
                rows,
            )
        self._load()

    def refuse(self, rows: Iterable[tuple[str, LedgerRow]]) -> None:
        """Add pages that an earlier crawl refused: their canonical URLs and their rows in its ledger."""
        with transaction(self._db):
            self._db.executemany(
                "INSERT OR IGNORE INTO refused"
                " VALUES (?1, ?4, ?5, ?3, (SELECT id FROM urls WHERE key = ?2 LIMIT 1), ?6)",
                [(key, referrer, depth, rule, message, at) for key, (_, referrer, depth, rule, message, at) in rows],
            )

    def has_work(self) -> bool:
        """Return whether `take` can return a URL, now or after URLs in flight are settled."""
        return bool(self._busy) or (self._within_budget() and any(map(_is_ready, self._hosts.values())))

    def _within_budget(self) -> bool:
        return self._max_pages is None or self.pages + self.held + len(self._busy) < self._max_pages

    def take(self) -> Entry | None:
        """Return a queued URL, or a probe, of a host without one in flight; None if there is none now.

        URLs of traps are refused on the way.
        """
        while self._within_budget() and (host := self._ready_host()) is not None:
            # Move the host to the end of the line, so that hosts take turns.
            place = self._hosts[host] = self._hosts.pop(host)
            entry = self._next(host, place)
            if place.suspended is None:
                place.waiting.popleft()
                place.queued -= 1
                trap = self._trap(entry)
                if trap is not None:
                    self._refuse_queued(entry, "trap.same_text", trap)
                    continue
            self._busy[host] = entry
            return entry
        return None

    def _ready_host(self) -> str | None:
        ready = (host for host, place in self._hosts.items() if host not in self._busy and _is_ready(place))
        if not self._in_levels:
            return next(ready, None)
        depths = {host: self._next(host, self._hosts[host]).depth for host in ready}
        level = min((*depths.values(), *(entry.depth for entry in self._busy.values())), default=None)
        return next((host for host, depth in depths.items() if depth == level), None)

    def _next(self, host: str, place: _Host) -> Entry:
        """Return the entry that `take` returns next for *host*, which has none in flight."""
        if place.suspended is not None:
            return self._probe(host, depth=place.suspended[0].depth)
        # No URL of this host is in flight, so if the buffer is empty, every URL with state 0 is still to be taken.
        if not place.waiting:
            place.waiting.extend(
                Entry(*row)
                for row in self._db.execute(
                    "SELECT id, key, url, host, depth, redirects, chain FROM urls"
                    " WHERE state = 0 AND host = ? ORDER BY depth, id LIMIT ?",
                    (host, _BUFFER),
                )
            )
        return place.waiting[0]

    def settle(self, entry: Entry, result: Settled, *, file: int, end: int) -> None:
        """Store the result of *entry*, and that the archive is valid up to byte *end* of file number *file*."""
        place = self._hosts[entry.host]
        self._busy.pop(entry.host, None)
        unreachable = result.rule in UNREACHABLE
        place.failures = place.failures + 1 if unreachable else 0
        if unreachable and place.pages and result.rule == "robots.unreachable":
            place.gone = True
        elif unreachable and place.pages and place.failures >= _PATIENCE:
            place.suspended = (entry, result, file, end)
        else:
            self._store(entry, result, file, end)

    def _probe(self, host: str, *, depth: int) -> Entry:
        """Return the first page that was archived of *host*, as if it had the *depth* of the page that failed."""
        row = self._db.execute(
            "SELECT id, key, url, host, depth, redirects, chain FROM urls"
            " WHERE state = ? AND host = ? ORDER BY id LIMIT 1",
            (State.PAGE, host),
        ).fetchone()
        return replace(Entry(*row), depth=depth, is_probe=True)

    def settle_probe(self, probe: Entry, rule: str | None) -> None:
        """Settle the failure that led to *probe*, or keep its URL queued if the host is not available.

        Args:
            rule: The rule that refused the probe; None if it is a page.
        """
        place = self._hosts[probe.host]
        self._busy.pop(probe.host, None)
        assert place.suspended is not None, "only a failure leads to a probe"
        failure, place.suspended, place.failures = place.suspended, None, 0
        if rule in UNREACHABLE:
            place.gone = True
        else:
            self._store(*failure)

    def _store(self, entry: Entry, result: Settled, file: int, end: int) -> None:
        place = self._hosts[entry.host]
        with transaction(self._db):
            links = self._counted(entry, result)
            target = links[0].key if result.state == State.REDIRECT else None
            self._db.execute(
                "UPDATE urls SET state = ?, target = ?, rule = ?, message = ?, at = ?, file = ?, end = ?, robots = ?,"
                " bytes = ? WHERE id = ?",
                (
                    *(result.state, target, result.rule, result.message, time.time_ns() // 1000),
                    *(file, end, result.robots, result.size, entry.id),
                ),
            )
            self._add(links, referrer=entry.id)
            for companion in self._companions:
                companion.settle(self._db, entry, result)
        place.pages += result.state == State.PAGE
        self.pages += result.state == State.PAGE
        if result.rule is not None:
            self.refused[result.rule] += 1

    def _counted(self, entry: Entry, result: Settled) -> tuple[Link, ...]:
        """Return the links of *result* with their chains."""
        if result.state == State.REDIRECT:
            (link,) = result.links
            return (replace(link, spelling=len(self.spellings(entry, link)), chain=entry.chain),)
        if result.sketch is None:
            return result.links
        new = (link.key for link in result.links if link.rule is None and not self._knows(link.key))
        if not self._budgets.count(entry.id, entry.key, result.sketch, links=new):
            return result.links
        return tuple(replace(link, chain=entry.chain + 1) for link in result.links)

    def _knows(self, key: str) -> bool:
        return self._db.execute("SELECT 1 FROM urls WHERE key = ?", (key,)).fetchone() is not None

    def _add(self, links: tuple[Link, ...], *, referrer: int | None) -> None:
        """Queue new links by host, and record those that are not followed."""
        now = time.time_ns() // 1000
        by_host: dict[str, list[Link]] = {}
        for link in links:
            if link.rule is None:
                by_host.setdefault(urlsplit(link.key).hostname or "", []).append(link)
        for host, followed in by_host.items():
            before = self._db.total_changes
            self._db.executemany(
                "INSERT OR IGNORE INTO urls (key, spelling, url, host, depth, redirects, chain, referrer)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (link.key, link.spelling, link.url, host, link.depth, link.redirects, link.chain, referrer)
                    for link in followed
                ],
            )
            place = self._hosts.setdefault(host, _Host())
            place.queued += self._db.total_changes - before
            before = self._db.total_changes
            self._db.executemany(
                "UPDATE urls SET depth = ? WHERE key = ? AND state = 0 AND depth > ?",
                [(link.depth, link.key, link.depth) for link in followed],
            )
            is_reordered = self._db.total_changes > before
            if place.waiting and (is_reordered or min(link.depth for link in followed) < place.waiting[-1].depth):
                place.waiting.clear()
            self._db.executemany(
                "UPDATE urls SET chain = ? WHERE key = ? AND state = 0 AND chain > ?",
                [(link.chain, link.key, link.chain) for link in followed],
            )
        for link in links:
            if link.rule is not None:
                row = (link.key, link.rule, link.message, link.depth, referrer, now)
                added = self._db.execute("INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?)", row)
                self.refused[link.rule] += added.rowcount

    def spellings(self, entry: Entry, link: Link) -> list[str]:
        """Return the addresses of the page of *link* that were fetched in the chain of redirects through *entry*."""
        return spellings(self._db, entry, link)

    def _trap(self, entry: Entry) -> str | None:
        """Return the reason to refuse *entry* as a trap; None if it is not one."""
        if entry.chain < MIN_CHAIN:
            return None
        # A page that was settled in the meantime may have shortened the chain. Another spelling of an archived redirect
        # is fetched, because the ledger has each canonical URL once.
        chain, spelling = self._db.execute("SELECT chain, spelling FROM urls WHERE id = ?", (entry.id,)).fetchone()
        return self._budgets.exhausted(entry.key) if chain >= MIN_CHAIN and not spelling else None

    def _refuse_queued(self, entry: Entry, rule: str, message: str) -> None:
        """Move *entry* from the queue to the refused pages, so that a link from another page can queue it again."""
        with transaction(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO refused SELECT key, ?, ?, depth, referrer, ? FROM urls WHERE id = ?",
                (rule, message, time.time_ns() // 1000, entry.id),
            )
            self._db.execute("DELETE FROM urls WHERE id = ?", (entry.id,))
        self.refused[rule] += 1

    # -- resuming after a kill

    def position(self) -> tuple[int, int] | None:
        """Return the file number and byte up to which the archive is valid; None if nothing was settled."""
        row = self._db.execute("SELECT file, max(end) FROM urls WHERE file = (SELECT max(file) FROM urls)").fetchone()
        return None if row[0] is None else (row[0], row[1])

    def requeue(self, *, file: int, after: int) -> None:
        """Queue again the URLs settled after byte *after* of file number *file*, which the archive has lost.

        The effects of these pages are undone, because they come again: what they spent of budgets, and the URLs that
        only they link to.
        """
        condition, values = "file > ? OR (file = ? AND end > ?)", (file, file, after)
        with transaction(self._db):
            pages = f"SELECT id FROM urls WHERE {condition}"
            self._budgets.undo(pages, values)
            for companion in self._companions:
                companion.undo(self._db, pages, values)
            # Pages that link to such a URL later are lost too, so its first referrer decides.
            self._db.execute(f"DELETE FROM urls WHERE referrer IN ({pages})", values)
            self._queue_again(condition, values)
        self._reload()

    def retry(self) -> None:
        """Queue again the URLs that failed because a host could not be reached."""
        with transaction(self._db):
            self._queue_again(f"rule IN ({', '.join('?' * len(UNREACHABLE))})", tuple(UNREACHABLE))
        self._reload()

    def _queue_again(self, condition: str, values: tuple[Any, ...]) -> None:
        self._db.execute(
            "UPDATE urls SET state = 0, target = NULL, rule = NULL, message = NULL, at = NULL, file = NULL,"
            f" end = NULL, robots = 0, bytes = 0 WHERE {condition}",
            values,
        )

    def _reload(self) -> None:
        self._hosts.clear()
        self._load()

    # -- results of a crawl

    def counts(self) -> dict[str, int]:
        """Return the counts of the raw manifest; `requests` and `responses` are those in the archive."""
        return crawl_counts(self._db)

    def ledger(self) -> Iterator[LedgerRow]:
        """Yield a row for each page that was not archived, by URL."""
        return ledger_rows(self._db)


def _is_ready(place: _Host) -> bool:
    return (place.queued > 0 or place.suspended is not None) and not place.gone
