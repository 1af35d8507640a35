"""The hosts of the queue and what they have used, in its file, so that any number of them needs no memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from corpusmill.crawlers.frontier.limits import Limits

_HAS_FIRST: Final = "EXISTS (SELECT 1 FROM urls WHERE host = hosts.id AND state = 0 AND rank < 0)"
_IS_CUT: Final = f"(pages >= ? AND NOT {_HAS_FIRST}) OR bytes >= ? OR seconds >= ?"
"""A budget of pages does not cut the URLs that come first."""
_FIRST: Final = "SELECT depth * ? FROM urls WHERE host = hosts.id AND state = 0 ORDER BY depth, rank, id LIMIT 1"
_LEVEL: Final = f"iif(is_gone OR {_IS_CUT}, NULL, ({_FIRST}))"
_SET_LEVEL: Final = f"UPDATE hosts SET level = {_LEVEL}"
_OLD_AND_NEW_LEVEL: Final = f"SELECT level, {_LEVEL} FROM hosts WHERE id = ?"
_COLUMNS: Final = "id, name, settled, first_page, failures"
_NEXT: Final = (
    f"SELECT {_COLUMNS} FROM hosts WHERE level = (SELECT min(level) FROM hosts WHERE level IS NOT NULL) AND id > ?"
    " ORDER BY id LIMIT ?"
)
_FILE_BITS: Final = 44
"""Bits of a position for the byte in a file: files have less than 16 TB."""
_IDS_KEPT: Final = 4_096


@dataclass(frozen=True)
class Host:
    """A host when one of its URLs is taken.

    Args:
        settled: Number of its settled URLs.
        first_page: Row of the first page that was archived; None if there is none.
        failures: Failures to reach it in a row.
    """

    id: int
    name: str
    settled: int
    first_page: int | None
    failures: int


class Hosts:
    """Counts the URLs of each host, and finds the next host that has URLs to take.

    The column `level` is the depth of a host's next URL, or 0 if the crawl does not go level by level. It is NULL if
    there is none to take: the host has no queued URLs, has used up a budget, or is not available. `ready` is the number
    of hosts that have a level.
    """

    def __init__(self, db: sqlite3.Connection, limits: Limits, *, in_levels: bool) -> None:
        self._db = db
        self._limits = limits.per_host
        self._level_values = (*limits.per_host, int(in_levels))
        self._cursor = 0
        self._ids: dict[str, int] = {}
        self.ready = 0

    def refresh_all(self) -> None:
        """Compute which hosts have URLs to take, after the limits changed."""
        self._db.execute(f"{_SET_LEVEL} WHERE queued", self._level_values)

    def reset(self) -> None:
        """Make the hosts available again that could not be reached."""
        self._db.execute("UPDATE hosts SET failures = 0, is_gone = 0 WHERE failures OR is_gone")
        self._db.execute(f"{_SET_LEVEL} WHERE queued AND level IS NULL", self._level_values)

    def recount(self) -> None:
        """Count the URLs of all hosts again, after some were removed or queued again."""
        self._db.execute(
            "UPDATE hosts SET queued = 0, settled = 0, pages = 0, bytes = 0, first_page = NULL, position = NULL"
        )
        self._db.execute(
            f"""
            UPDATE hosts SET queued = c.queued, settled = c.settled, pages = c.pages, bytes = c.bytes,
                first_page = c.first_page, position = c.position
            FROM (
                SELECT host, sum(state = 0) AS queued, sum(state > 0) AS settled, sum(state IN (1, 5)) AS pages,
                    sum(bytes) AS bytes, min(iif(state = 1, id, NULL)) AS first_page,
                    max(file << {_FILE_BITS} | end) AS position FROM urls GROUP BY host
            ) AS c WHERE c.host = hosts.id
            """
        )
        self._db.execute(_SET_LEVEL, self._level_values)

    def totals(self) -> tuple[int, int, int]:
        """Return the numbers of queued URLs, of pages and of their bytes."""
        queued, pages, size = self._db.execute("SELECT total(queued), total(pages), total(bytes) FROM hosts").fetchone()
        return int(queued), int(pages), int(size)

    def next_ready(self, busy: Iterable[int]) -> Host | None:
        """Return the next host, in turn, that has URLs to take and is not *busy*; None if there is none.

        A busy host keeps its level, so that no host continues with the next level before it.
        """
        skipped = set(busy)
        if len(skipped) >= self.ready:
            return None
        for after in (self._cursor, 0):
            for row in self._db.execute(_NEXT, (after, len(skipped) + 1)):
                if row[0] not in skipped:
                    self._cursor = row[0]
                    return Host(*row)
        return None

    def get(self, host: int) -> Host:
        """Return the host with the number *host*."""
        return Host(*self._db.execute(f"SELECT {_COLUMNS} FROM hosts WHERE id = ?", (host,)).fetchone())

    def id_of(self, name: str) -> int:
        """Return the number of the host *name*; a new host gets one."""
        if name not in self._ids:
            self._db.execute("INSERT OR IGNORE INTO hosts (name) VALUES (?)", (name,))
            row = self._db.execute("SELECT id FROM hosts WHERE name = ?", (name,)).fetchone()
            if len(self._ids) >= _IDS_KEPT:
                self._ids.clear()
            self._ids[name] = int(row[0])
        return self._ids[name]

    def ready_host(self, host: int) -> Host | None:
        """Return the host with the number *host*; None if it has no URL to take."""
        query = f"SELECT {_COLUMNS} FROM hosts WHERE id = ? AND level IS NOT NULL"
        row = self._db.execute(query, (host,)).fetchone()
        return None if row is None else Host(*row)

    def queued(self, host: int) -> int:
        """Return the number of queued URLs of *host*."""
        return int(self._db.execute("SELECT queued FROM hosts WHERE id = ?", (host,)).fetchone()[0])

    def add_queued(self, host: int, count: int) -> None:
        """Add *count* to the queued URLs of *host*."""
        self._db.execute("UPDATE hosts SET queued = queued + ? WHERE id = ?", (count, host))

    def add_settled(
        self, host: int, *, page: int | None, size: int, seconds: float, failures: int, file: int, end: int
    ) -> None:
        """Count a settled URL of *host*, and store the position in the archive.

        Args:
            page: Row of the page; None if the URL is no page.
        """
        self._db.execute(
            "UPDATE hosts SET queued = queued - 1, settled = settled + 1, pages = pages + ?, bytes = bytes + ?,"
            " seconds = seconds + ?, failures = ?, first_page = ifnull(first_page, ?), position = ? WHERE id = ?",
            (page is not None, size, seconds, failures, page, file << _FILE_BITS | end, host),
        )

    def add_held(self, host: int, count: int) -> None:
        """Count URLs of *host* that are not due: they are pages of the crawl, and its budgets hold for them too."""
        self._db.execute("UPDATE hosts SET pages = pages + ? WHERE id = ?", (count, host))
        self.refresh(host)

    def set_gone(self, host: int) -> None:
        """Store that *host* is no longer available."""
        self._db.execute("UPDATE hosts SET is_gone = 1 WHERE id = ?", (host,))
        self.refresh(host)

    def refresh(self, host: int) -> None:
        """Compute again whether *host* has URLs to take, after its URLs or its counts changed."""
        row = self._db.execute(_OLD_AND_NEW_LEVEL, (*self._level_values, host)).fetchone()
        if row is not None and row[0] != row[1]:
            self._db.execute("UPDATE hosts SET level = ? WHERE id = ?", (row[1], host))
            self.ready += (row[1] is not None) - (row[0] is not None)

    def position(self) -> tuple[int, int] | None:
        """Return the last file number and byte that were stored; None if there are none."""
        (position,) = self._db.execute("SELECT max(position) FROM hosts").fetchone()
        return None if position is None else (position >> _FILE_BITS, position & ((1 << _FILE_BITS) - 1))

    def reload(self) -> None:
        """Forget what is in memory, because the file changed in another way or a transaction was rolled back."""
        self._ids.clear()
        query = "SELECT count(*) FROM hosts WHERE level IS NOT NULL"
        self.ready = int(self._db.execute(query).fetchone()[0])

    def stalled(self, count: int) -> list[str]:
        """Return the names of at most *count* hosts that have queued URLs and budget left."""
        query = f"SELECT name FROM hosts WHERE queued AND NOT ({_IS_CUT}) ORDER BY name LIMIT ?"
        return [name for (name,) in self._db.execute(query, (*self._limits, count))]
