"""What is known about the addresses of a site, in the file of the queue: before a crawl, and from its own answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields, replace
from heapq import merge
from typing import Any, Final, NamedTuple

from corpusmill.crawlers.frontier.entries import Entry, Settled, State
from corpusmill.crawlers.frontier.tables import transaction
from corpusmill.crawlers.recrawl.captures import Capture
from corpusmill.crawlers.recrawl.intervals import missing_rule
from corpusmill.schemas.crawled_page import CrawledPage

_PAGE: Final = ", ".join(field.name for field in fields(CrawledPage))
_CAPTURE: Final = ", ".join(field.name for field in fields(Capture))
_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS known ({_PAGE}, PRIMARY KEY (url)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS captures (id INTEGER PRIMARY KEY, {_CAPTURE});
CREATE TABLE IF NOT EXISTS site_revisits (page INTEGER PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sites (url TEXT PRIMARY KEY, page INTEGER NOT NULL, {_CAPTURE}) WITHOUT ROWID;
"""


class Result(NamedTuple):
    """What became of an address in a crawl.

    Args:
        before: What was known; None for a new address.
        after: What the crawl captured; None if it did not capture anything.
        rule: The rule that refused it; None if it was captured, or not asked for.
        message: The details of a refusal.
    """

    url: str
    before: CrawledPage | None
    after: CrawledPage | None
    rule: str | None = None
    message: str | None = None


class KnownPages:
    """A companion of the queue: the pages known before the crawl, and a `Capture` for each answer that is archived."""

    def __init__(self) -> None:
        self._sites: dict[str, Capture] = {}
        self._site_revisits = 0

    def create(self, db: sqlite3.Connection) -> None:
        """Create the tables, unless they exist."""
        self._db = db
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        self.is_recrawl = db.execute("SELECT 1 FROM known LIMIT 1").fetchone() is not None

    def settle(self, db: sqlite3.Connection, entry: Entry, result: Settled) -> None:
        """Store the capture of *entry*, and those of the files of its site that were archived before it."""
        if isinstance(result.note, Capture):
            _insert(db, "captures", (entry.id, *astuple(result.note)))
        for url, capture in self._sites.items():
            # After a kill, the files of a site are fetched again; the row of the stored response counts it.
            if capture.is_stored or not self._has_site(url):
                _insert(db, "sites", (url, entry.id, *astuple(capture)))
        if self._site_revisits:
            # An address that failed settles again after it was retried.
            db.execute(
                "INSERT INTO site_revisits VALUES (?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
                (entry.id, self._site_revisits),
            )
        self._sites.clear()
        self._site_revisits = 0

    def _has_site(self, url: str) -> bool:
        return self._db.execute("SELECT 1 FROM sites WHERE url = ?", (url,)).fetchone() is not None

    def undo(self, db: sqlite3.Connection, pages: str, values: tuple[Any, ...]) -> None:
        """Delete the captures that the archive has lost."""
        db.execute(f"DELETE FROM captures WHERE id IN ({pages})", values)
        db.execute(f"DELETE FROM sites WHERE page IN ({pages})", values)
        db.execute(f"DELETE FROM site_revisits WHERE page IN ({pages})", values)

    def add(self, pages: Iterable[CrawledPage]) -> None:
        """Add what is known before the crawl."""
        marks = ", ".join("?" * len(fields(CrawledPage)))
        with transaction(self._db):
            self._db.executemany(f"INSERT OR REPLACE INTO known VALUES ({marks})", map(astuple, pages))
        self.is_recrawl = True

    def parts(self, size: int) -> Iterator[list[CrawledPage]]:
        """Yield what was known before the crawl, by URL, in parts of *size* rows."""
        query, last = f"SELECT {_PAGE} FROM known WHERE url > ? ORDER BY url LIMIT ?", ""
        while part := [CrawledPage(*row) for row in self._db.execute(query, (last, size))]:
            yield part
            last = part[-1].url

    def has_lost(self, key: str, *, rule: str) -> bool:
        """Return whether there was a page with the canonical URL *key* whose body no archive has any more.

        Args:
            rule: The rule that refused it in this crawl. A page that is gone by this rule is not lost.
        """
        page = self.page(key)
        if page is None or page.kind != "page" or page.file is not None or page.gone is not None:
            return False
        return missing_rule(rule, status=None, misses=page.misses)[1] is None

    def note_site(self, url: str, capture: Capture) -> None:
        """Store the *capture* of a file of a site when the next page is settled, whose record follows it."""
        self._sites[url] = capture
        self._site_revisits += not capture.is_stored

    def page(self, key: str) -> CrawledPage | None:
        """Return what was known before the crawl about the address with the canonical URL *key*."""
        if not self.is_recrawl:
            return None
        row = self._db.execute(f"SELECT {_PAGE} FROM known WHERE url = ?", (key,)).fetchone()
        return None if row is None else CrawledPage(*row)

    def site(self, url: str) -> CrawledPage | None:
        """Return the latest archived answer for the file of a site at *url*."""
        capture = self._sites.get(url)
        if capture is None:
            row = self._db.execute(f"SELECT {_CAPTURE} FROM sites WHERE url = ?", (url,)).fetchone()
            capture = None if row is None else Capture(*row)
        return self.page(url) if capture is None else _page_of(CrawledPage(url, "site", url, 0), capture)

    # -- after the crawl

    def results(self) -> Iterator[Result]:
        """Yield the result of each known address, by URL.

        Of the addresses of a chain of redirects with one URL, the page counts.
        """
        latest: str | None = None
        for result in merge(self._captured(), self._sited(), self._refused(), key=lambda result: result.url):
            if result.url != latest:
                latest = result.url
                yield result

    def revisits(self) -> int:
        """Return the number of revisits in the archives of this crawl."""
        query = "SELECT (SELECT count(*) FROM captures WHERE NOT is_stored), (SELECT total(number) FROM site_revisits)"
        pages, sites = self._db.execute(query).fetchone()
        return int(pages) + int(sites)

    def responses(self) -> dict[str, int]:
        """Return the number of stored responses with a page, or a file of a site, by archive."""
        rows = self._db.execute(
            """
            SELECT file, count(*) FROM (
                SELECT file FROM captures WHERE is_stored AND kind = 'page'
                UNION ALL SELECT file FROM sites WHERE is_stored
            ) GROUP BY file
            """
        )
        return dict(rows.fetchall())

    def _captured(self) -> Iterator[Result]:
        rows = self._db.execute(
            f"""
            SELECT page.key, page.url, page.depth, origin.url, {_columns("captures", _CAPTURE)},
                {_columns("known", _PAGE)}
            FROM urls AS page JOIN captures ON captures.id = page.id LEFT JOIN known ON known.url = page.key
                LEFT JOIN urls AS origin ON origin.id = page.referrer
            WHERE page.state IN ({State.PAGE:d}, {State.REDIRECT:d}) ORDER BY page.key, page.state
            """
        )
        width = len(fields(Capture)) + 4
        for row in rows:
            key, address, depth, referrer = row[:4]
            capture = Capture(*row[4:width])
            before = None if row[width] is None else CrawledPage(*row[width:])
            page = _page_of(CrawledPage(key, capture.kind, address, 0, depth=depth, referrer=referrer), capture)
            if before is not None:
                page = replace(page, depth=before.depth, referrer=before.referrer)
            yield Result(key, before, page)

    def _sited(self) -> Iterator[Result]:
        rows = self._db.execute(
            f"""
            SELECT sites.url, {_columns("sites", _CAPTURE)}, {_columns("known", _PAGE)}
            FROM sites LEFT JOIN known ON known.url = sites.url ORDER BY sites.url
            """
        )
        width = len(fields(Capture)) + 1
        for row in rows:
            before = None if row[width] is None else CrawledPage(*row[width:])
            yield Result(row[0], before, _page_of(CrawledPage(row[0], "site", row[0], 0), Capture(*row[1:width])))

    def _refused(self) -> Iterator[Result]:
        """Yield the known addresses that gave no capture in this crawl."""
        rows = self._db.execute(
            f"""
            SELECT {_columns("known", _PAGE)},
                (SELECT rule FROM urls WHERE key = known.url AND state = {State.REFUSED:d} LIMIT 1),
                (SELECT message FROM urls WHERE key = known.url AND state = {State.REFUSED:d} LIMIT 1)
            FROM known ORDER BY url
            """
        )
        for *row, rule, message in rows:
            before = CrawledPage(*row)
            yield Result(before.url, before, None, rule, message)


def _page_of(page: CrawledPage, capture: Capture) -> CrawledPage:
    """Return *page* with the fields of *capture*."""
    values = {field.name: getattr(capture, field.name) for field in fields(Capture) if field.name != "is_stored"}
    return replace(page, **values)


def _columns(table: str, names: str) -> str:
    return ", ".join(f"{table}.{name}" for name in names.split(", "))


def _insert(db: sqlite3.Connection, table: str, values: tuple[Any, ...]) -> None:
    db.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(values))})", values)
