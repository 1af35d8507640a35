"""The durable queue of a crawl: all of its URLs in a SQLite file, so that a killed crawl loses and repeats nothing.

A URL is settled in one transaction, together with its links and the position in the archive up to which records are
valid. URLs in flight are queued again after a kill, because "in flight" is not stored. Only hosts with a URL in flight
are in memory.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from corpusmill.crawlers.frontier.additions import Additions, Origin
from corpusmill.crawlers.frontier.budgets import PatternBudgets
from corpusmill.crawlers.frontier.companions import Companion
from corpusmill.crawlers.frontier.entries import Entry, Link, Listed, Settled, State
from corpusmill.crawlers.frontier.first import FirstUrls
from corpusmill.crawlers.frontier.foreign import ForeignLinks, SentLink
from corpusmill.crawlers.frontier.hosts import Host, Hosts
from corpusmill.crawlers.frontier.ledger import LedgerRow, crawl_counts, ledger_rows
from corpusmill.crawlers.frontier.limits import PAGES, Limits
from corpusmill.crawlers.frontier.postponed import MAX_TIMES, postpone, times_postponed
from corpusmill.crawlers.frontier.redirects import spellings
from corpusmill.crawlers.frontier.refusal import CERTAIN, UNREACHABLE
from corpusmill.crawlers.frontier.tables import open_tables, transaction
from corpusmill.crawlers.frontier.traps import MIN_CHAIN
from corpusmill.schemas.partition import Partition

_PATIENCE: Final = 5
"""Failures in a row after which a page that was archived before is requested, to test whether its host is up."""
PARTITION: Final = "partition"
"""Name of the stored partition of a crawl whose hosts are divided over machines."""
_CLOCK_STEP_S: Final = 1.0
"""Time after which the clock of the crawl is stored again."""
_ENTRY: Final = "SELECT id, key, url, ?, depth, redirects, chain FROM urls"


@dataclass(frozen=True)
class _Flight:
    """A URL in flight, its host when it was taken, and the time."""

    entry: Entry
    host: Host
    began: float


class Frontier:
    """The queue of one crawl, for one process at a time. Each `take` is followed by a `settle`, or a
    `settle_probe` if the entry is a probe.

    Args:
        path: The SQLite file; it is created if it is missing.
        limits: What the crawl may use.
        in_levels: Whether to settle all pages of a depth before `take` returns one that is deeper. The depth of a page
            then is its shortest distance from a start page, and a budget of a host cuts the same pages, however fast
            each host answers.
        companions: Other tables in the file, which change in the same transactions.

    `pages` is the number of archived pages and of those that are not due, and `refused` the number of others by rule,
    including pages that a later link reached.
    """

    def __init__(
        self,
        path: Path,
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        in_levels: bool = False,
        companions: Sequence[Companion] = (),
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = open_tables(path)
        self._companions = tuple(companions)
        for companion in self._companions:
            companion.create(self._db)
        self._patterns = PatternBudgets(self._db)
        self._limits = limits
        self._hosts = Hosts(self._db, limits, in_levels=in_levels)
        self._additions = Additions(self._db, self._hosts, limits)
        self._first = FirstUrls(self._db)
        partition = self.get(PARTITION)
        self._foreign = None if partition is None else ForeignLinks(self._db, Partition.parse(partition))
        self._busy: dict[str, _Flight] = {}
        self._suspended: dict[str, tuple[_Flight, Settled, int, int]] = {}  # failures that a probe decides about
        self._uncounted = 0  # archived robots.txt that came before a URL that stays queued; the next one counts them
        self._clock: float | None = None
        self._seconds: float = self.get("seconds") or 0.0
        if self.get("limits") != (text := repr((limits.per_host, in_levels))):
            with self._transaction():
                self._hosts.refresh_all()
                self._set("limits", text)
        self._load()

    def _load(self) -> None:
        self._hosts.reload()
        self._queued, self.pages, self._bytes = self._hosts.totals()
        rules = self._db.execute(
            "SELECT rule, count(*) FROM urls WHERE rule IS NOT NULL GROUP BY rule"
            " UNION ALL SELECT rule, count(*) FROM refused GROUP BY rule"
        )
        self.refused: Counter[str] = Counter()
        for rule, count in rules:
            self.refused[rule] += count

    def close(self) -> None:
        """Store the clock and close the file."""
        if self._clock is not None:
            self.remember(seconds=self.seconds)
        self._db.close()

    def get(self, name: str) -> Any:
        """Return the stored value *name*; None if there is none."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def listed(self, key: str) -> Listed | None:
        """Return what a news sitemap says about the page *key*; None if none lists it."""
        row = self._db.execute("SELECT published, title FROM listed WHERE key = ?", (key,)).fetchone()
        return None if row is None else Listed(*row)

    def remember(self, **values: Any) -> None:
        """Store *values* (text or numbers)."""
        with transaction(self._db):
            for name, value in values.items():
                self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit the changes of the block, or forget what they added."""
        try:
            with transaction(self._db):
                yield
        except BaseException:
            self._additions.forget()
            self._hosts.reload()
            raise

    # -- the queue

    @property
    def queued(self) -> int:
        """Number of queued URLs, without those in flight."""
        in_flight = sum(not flight.entry.is_probe for flight in self._busy.values())
        return self._queued - in_flight - len(self._suspended)

    @property
    def seconds(self) -> float:
        """Time since the first URL was taken, without interruptions."""
        return self._seconds + (0.0 if self._clock is None else time.monotonic() - self._clock)

    @property
    def size(self) -> int:
        """Bytes of the archived pages."""
        return self._bytes

    @property
    def ready_hosts(self) -> int:
        """Number of hosts that have URLs to take, or in flight."""
        return self._hosts.ready

    def owns(self, key: str) -> bool:
        """Return whether the URL *key* belongs to this queue, which may be that of a partition."""
        return self._foreign is None or self._foreign.owns(key)

    def seed(self, links: Iterable[Link]) -> None:
        """Queue the start pages."""
        with self._transaction():
            self._add(tuple(links), origin=None)

    def receive(self, links: Iterable[SentLink]) -> None:
        """Queue *links* that other partitions found, as if the pages that have them were in this queue."""
        assert self._foreign is not None, "only a partition receives links"
        with self._transaction():
            for link, referrer in map(self._foreign.received, links):
                self._add((link,), origin=None if referrer is None else Origin(referrer, 0, 0))
        self._reload()

    def links_for(self, partition: int) -> Iterator[SentLink]:
        """Yield the links to hosts of another *partition*, by URL."""
        return iter(()) if self._foreign is None else self._foreign.sent(partition)

    def hold(self, links: Iterable[Link]) -> None:
        """Add URLs that are known and not asked for in this crawl, unless they are queued."""
        with self._transaction():
            held = self._additions.hold(links)
            for host, count in held.items():
                self._hosts.add_held(host, count)
        self.pages += held.total()

    def visit(self, sites: Iterable[str]) -> None:
        """Queue visits of *sites*, such as ``https://example.org``: their robots.txt may forbid pages that are held."""
        with self._transaction():
            for site in sites:
                host = self._hosts.id_of(urlsplit(site).hostname or "")
                added = self._first.add_visit(site, host)
                self._hosts.add_queued(host, added)
                self._hosts.refresh(host)
                self._queued += added

    def held(self, site: str) -> Iterator[list[tuple[str, str]]]:
        """Yield the canonical URLs and the addresses of the URLs of *site* that are held, in batches."""
        return self._first.held(site)

    def withdraw(self, keys: Iterable[str], *, rule: str, message: str) -> None:
        """Refuse the URLs *keys*, which are held, under *rule*: they are no longer pages of the crawl."""
        with self._transaction():
            hosts = Counter(self._first.withdraw(keys, rule=rule, message=message, at=time.time_ns() // 1000))
            for host, count in hosts.items():
                self._hosts.add_held(host, -count)
        self.pages -= hosts.total()
        self.refused[rule] += hosts.total()

    def refuse(self, rows: Iterable[tuple[str, LedgerRow]]) -> None:
        """Add pages that an earlier crawl refused: their canonical URLs, and their rows in its ledger.

        The referrers in these rows are canonical URLs.
        """
        with self._transaction():
            for key, (_, referrer, depth, rule, message, at) in rows:
                added = self._db.execute(
                    "INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, (SELECT id FROM urls WHERE key = ? LIMIT 1), ?)",
                    (key, rule, message, depth, referrer, at),
                )
                self.refused[rule] += added.rowcount

    def has_work(self) -> bool:
        """Return whether `take` can return a URL, now or after URLs in flight are settled."""
        if self._busy:
            return True
        cut = self._exhausted()
        return self._hosts.ready > 0 if cut is None else self._next_host(cut) is not None

    def stalled_hosts(self, count: int) -> list[str]:
        """Return at most *count* hosts with queued URLs that no budget cuts: these hosts could not be reached."""
        return [] if self._exhausted() is not None else self._hosts.stalled(count)

    def _exhausted(self, *, in_flight: int = 0) -> tuple[str, str] | None:
        return self._limits.exhausted(pages=self.pages + in_flight, size=self._bytes, seconds=self.seconds)

    def take(self) -> Entry | None:
        """Return a queued URL, or a probe, of a host without one in flight; None if there is none now.

        URLs of traps are refused on the way.
        """
        if self._clock is None:
            self._clock = time.monotonic()
        while (flight := self._next_flight(self._exhausted(in_flight=len(self._busy)))) is not None:
            trap = None if flight.entry.is_probe else self._trap(flight.entry)
            if trap is not None:
                self._refuse_queued(flight, "trap.same_text", trap)
                continue
            self._busy[flight.host.name] = flight
            return flight.entry
        return None

    def _next_flight(self, cut: tuple[str, str] | None) -> _Flight | None:
        for name, (failure, *_) in self._suspended.items():
            if name not in self._busy and (cut is None or cut[0] == PAGES):
                return _Flight(self._probe(failure), failure.host, time.monotonic())
        host = self._next_host(cut)
        if host is None:
            return None
        # No URL of this host is in flight, so every URL with state 0 is still to be taken.
        query = f"{_ENTRY} WHERE state = 0 AND host = ? ORDER BY depth, rank, id LIMIT 1"
        return _Flight(Entry(*self._db.execute(query, (host.name, host.id)).fetchone()), host, time.monotonic())

    def _next_host(self, cut: tuple[str, str] | None) -> Host | None:
        """Return the next host with URLs to take: if the budget of pages is used up, only those that come first."""
        busy = {flight.host.id for flight in self._busy.values()}
        if cut is None:
            return self._hosts.next_ready(busy)
        if cut[0] != PAGES:
            return None
        return next(filter(None, map(self._hosts.ready_host, self._first.hosts(busy=busy))), None)

    def postpone(self, entry: Entry) -> bool:
        """Return whether *entry*, which is in flight, is queued again behind the others of its host: at most once."""
        if entry.is_probe or times_postponed(self._db, entry.id) >= MAX_TIMES:
            return False
        with self._transaction():
            postpone(self._db, entry.id)
            self._hosts.refresh(self._hosts.id_of(entry.host))
        self._busy.pop(entry.host, None)
        return True

    def _probe(self, failure: _Flight) -> Entry:
        """Return the first page that was archived of a host, as if it had the depth of the page that failed."""
        row = self._db.execute(f"{_ENTRY} WHERE id = ?", (failure.host.name, failure.host.first_page)).fetchone()
        return replace(Entry(*row), depth=failure.entry.depth, is_probe=True)

    def settle(self, entry: Entry, result: Settled, *, file: int, end: int) -> None:
        """Store the result of *entry*, and that the archive is valid up to byte *end* of file number *file*."""
        flight = self._busy.pop(entry.host, None)
        if flight is None:
            flight = _Flight(entry, self._hosts.get(self._hosts.id_of(entry.host)), time.monotonic())
        host = flight.host
        failures = host.failures + 1 if result.rule in UNREACHABLE else 0
        if host.first_page is not None and result.rule in CERTAIN:
            self._uncounted += result.robots
            self._give_up(host)
        elif failures >= _PATIENCE and host.first_page is not None:
            self._suspended[host.name] = (flight, result, file, end)
        else:
            self._store(flight, result, file, end, failures=failures)

    def settle_probe(self, probe: Entry, rule: str | None) -> None:
        """Settle the failure that led to *probe*, or keep its URL queued if the host is not available.

        Args:
            rule: The rule that refused the probe; None if it is a page.
        """
        self._busy.pop(probe.host, None)
        flight, result, file, end = self._suspended.pop(probe.host)
        if rule in UNREACHABLE:
            self._uncounted += result.robots
            self._give_up(flight.host)
        else:
            self._store(flight, result, file, end, failures=0)

    def _give_up(self, host: Host) -> None:
        """Take no more URLs of *host* in this crawl."""
        with self._transaction():
            self._hosts.set_gone(host.id)

    def _store(self, flight: _Flight, result: Settled, file: int, end: int, *, failures: int) -> None:
        entry, host = flight.entry, flight.host
        is_page = result.state == State.PAGE
        with self._transaction():
            links = self._counted(entry, result)
            target = links[0].key if result.state == State.REDIRECT else None
            self._db.execute(
                "UPDATE urls SET state = ?, target = ?, rule = ?, message = ?, at = ?, file = ?, end = ?, bytes = ?,"
                " robots = robots + ? WHERE id = ?",
                (
                    *(result.state, target, result.rule, result.message, time.time_ns() // 1000),
                    *(file, end, result.size, result.robots + self._uncounted, entry.id),
                ),
            )
            self._hosts.add_settled(
                host.id,
                page=entry.id if is_page else None,
                size=result.size,
                seconds=time.monotonic() - flight.began,
                failures=failures,
                file=file,
                end=end,
            )
            self._queued -= 1
            if target is not None and not entry.depth:  # the target of a start page is a start page
                self._release(target)
            self._add(links, origin=Origin(entry.id, host.id, host.settled))
            for companion in self._companions:
                companion.settle(self._db, entry, result)
            self._store_clock()
        self._uncounted = 0
        self.pages += is_page
        self._bytes += result.size
        if result.rule is not None:
            self.refused[result.rule] += 1

    def _release(self, key: str) -> None:
        host = self._first.release(key)
        if host is not None:
            self._hosts.add_queued(host, 1)
            self._hosts.add_held(host, -1)
            self._additions.forget(key)
            self._queued += 1
            self.pages -= 1

    def _store_clock(self) -> None:
        if self._clock is not None and time.monotonic() - self._clock > _CLOCK_STEP_S:
            self._seconds, self._clock = self.seconds, time.monotonic()
            self._set("seconds", self._seconds)

    def _counted(self, entry: Entry, result: Settled) -> tuple[Link, ...]:
        """Return the links of *result* with their chains."""
        if result.state == State.REDIRECT:
            (link,) = result.links
            return (replace(link, spelling=len(self.spellings(entry, link)), chain=entry.chain),)
        if result.sketch is None:
            return result.links
        new = self._additions.new_keys(result.links)
        if not self._patterns.count(entry.id, entry.key, result.sketch, links=new):
            return result.links
        return tuple(replace(link, chain=entry.chain + 1) for link in result.links)

    def _add(self, links: tuple[Link, ...], *, origin: Origin | None) -> None:
        """Queue new links, and record those that are not followed; keep those to hosts of other partitions apart."""
        if self._foreign is not None:
            links = self._foreign.own(links, referrer=origin and origin.id)
        added = self._additions.add(links, origin=origin, queued=self._queued)
        for host in {*added.queued, *added.reordered, *(() if origin is None else (origin.host,))}:
            self._hosts.refresh(host)
        self._queued += added.queued.total()
        self.refused += added.refused

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
        return self._patterns.exhausted(entry.key) if chain >= MIN_CHAIN and not spelling else None

    def _refuse_queued(self, flight: _Flight, rule: str, message: str) -> None:
        """Move a URL from the queue to the refused pages, so that a link from another page can queue it again."""
        entry = flight.entry
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO refused SELECT key, ?, ?, depth, referrer, ? FROM urls WHERE id = ?",
                (rule, message, time.time_ns() // 1000, entry.id),
            )
            self._db.execute("DELETE FROM urls WHERE id = ?", (entry.id,))
            self._hosts.add_queued(flight.host.id, -1)
            self._hosts.refresh(flight.host.id)
        self._additions.forget(entry.key)
        self._queued -= 1
        self.refused[rule] += 1

    # -- resuming after a kill

    def position(self) -> tuple[int, int] | None:
        """Return the file number and byte up to which the archive is valid; None if nothing was settled."""
        return self._hosts.position()

    def requeue(self, *, file: int, after: int) -> None:
        """Queue again the URLs settled after byte *after* of file number *file*, which the archive has lost.

        The effects of these pages are undone, because they come again: what they spent of budgets, and the URLs that
        only they link to.
        """
        condition, values = "(file, end) > (?, ?)", (file, after)
        with self._transaction():
            pages = f"SELECT id FROM urls WHERE {condition}"
            self._patterns.undo(pages, values)
            for companion in self._companions:
                companion.undo(self._db, pages, values)
            if self._foreign is not None:
                self._foreign.undo(pages, values)
            # Pages that link to such a URL later are lost too, so its first referrer decides.
            self._db.execute(f"DELETE FROM urls WHERE referrer IN ({pages})", values)
            self._queue_again(condition, values)
            self._db.execute(f"UPDATE urls SET file = NULL, end = NULL, robots = 0 WHERE {condition}", values)
            self._hosts.recount()
        self._reload()

    def retry(self) -> None:
        """Queue again the URLs that failed because a host could not be reached.

        The responses for robots.txt that they count stay in the archive.
        """
        condition, values = f"rule IN ({', '.join('?' * len(UNREACHABLE))})", tuple(UNREACHABLE)
        with self._transaction():
            if self._queue_again(condition, values):
                self._hosts.recount()
            self._hosts.reset()
        self._reload()

    def retry_cut(self) -> None:
        """Queue the URLs for which the queue had no budget left, after that budget was raised."""
        query = "SELECT key, depth, referrer FROM refused WHERE rule = 'budget.queued' ORDER BY depth, at, key"
        with self._transaction():
            # Some may be refused again, and all together may be too many for the memory.
            self._db.execute(f"CREATE TEMP TABLE cut AS {query}")
            self._db.execute("DELETE FROM refused WHERE rule = 'budget.queued'")
            self._additions.forget()
            for key, depth, referrer in self._db.execute("SELECT key, depth, referrer FROM cut ORDER BY rowid"):
                self._add((Link(key, key, depth),), origin=referrer and Origin(referrer, 0, 0))
            self._db.execute("DROP TABLE cut")
        self._reload()

    def _queue_again(self, condition: str, values: tuple[Any, ...]) -> int:
        changed = self._db.execute(
            "UPDATE urls SET state = 0, target = NULL, rule = NULL, message = NULL, at = NULL, bytes = 0"
            f" WHERE {condition}",
            values,
        )
        return changed.rowcount

    def _reload(self) -> None:
        self._additions.forget()
        self._load()

    # -- results of a crawl

    def counts(self) -> dict[str, int]:
        """Return the counts of the raw manifest; `requests` and `responses` are those in the archive."""
        return crawl_counts(self._db, self._limits, self._exhausted())

    def ledger(self) -> Iterator[LedgerRow]:
        """Yield a row for each page that was not archived, by URL."""
        return ledger_rows(self._db, self._limits, self._exhausted())
