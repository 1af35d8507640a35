"""Counts of the requests of rendered pages that are not answered by kind: pictures, fonts, media, frames, windows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from corpusmill.crawlers.frontier.entries import Entry, Settled

PREFIX: Final = "unanswered."
"""Counts of the raw manifest begin with this: ``unanswered.image``."""
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS unanswered (
  page INTEGER NOT NULL, kind TEXT NOT NULL, requests INTEGER NOT NULL, PRIMARY KEY (page, kind)
) WITHOUT ROWID
"""


class Unanswered:
    """Stores how many requests of each page were not answered, by kind. A companion of the queue."""

    def create(self, db: sqlite3.Connection) -> None:
        """Create the table, unless it exists."""
        self._db = db
        db.execute(_TABLE)

    def settle(self, db: sqlite3.Connection, entry: Entry, result: Settled) -> None:
        """Replace the counts of the page."""
        if result.unanswered:
            rows = [(entry.id, kind, number) for kind, number in result.unanswered.items()]
            db.executemany("INSERT OR REPLACE INTO unanswered VALUES (?, ?, ?)", rows)

    def undo(self, db: sqlite3.Connection, pages: str, values: tuple[Any, ...]) -> None:
        """Remove the counts of pages that will be rendered again."""
        db.execute(f"DELETE FROM unanswered WHERE page IN ({pages})", values)

    def counts(self) -> Mapping[str, int]:
        """Return the counts of the raw manifest: requests by kind, over all pages."""
        rows = self._db.execute("SELECT kind, sum(requests) FROM unanswered GROUP BY kind ORDER BY kind")
        return {f"{PREFIX}{kind}": number for kind, number in rows}
