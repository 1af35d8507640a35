"""URLs that the server asked to request later, because it was busy: each waits once behind the others of its host."""

from __future__ import annotations

import sqlite3
from typing import Final

MAX_TIMES: Final = 1
"""How often a URL is postponed. Each time it is requested as often as after any other temporary failure."""
_LAST: Final = (1 << 62) + (1 << 40)
"""A rank behind those of all links."""
_LAST_OF_FIRST: Final = -1
"""A rank behind the known pages of a recrawl, which still come before all other URLs."""


def times_postponed(db: sqlite3.Connection, page: int) -> int:
    """Return how often the URL in row *page* was postponed."""
    row = db.execute("SELECT times FROM postponed WHERE id = ?", (page,)).fetchone()
    return int(row[0]) if row else 0


def postpone(db: sqlite3.Connection, page: int) -> None:
    """Move the queued URL in row *page* behind the others of its host with the same depth."""
    db.execute("INSERT INTO postponed VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1", (page,))
    db.execute("UPDATE urls SET rank = iif(rank < 0, ?, ?) WHERE id = ?", (_LAST_OF_FIRST, _LAST, page))
