"""Tables of other parts of a crawl in the file of its queue, changed in the transactions of the queue."""

from __future__ import annotations

import sqlite3
from typing import Any, Protocol

from corpusmill.crawlers.frontier.entries import Entry, Settled


class Companion(Protocol):
    """Stores something about each URL when it is settled, so that a kill leaves both or neither.

    A page that was settled has the row `entry.id` in the table `urls`. Its results have the value `Settled.note`, which
    the queue does not read.
    """

    def create(self, db: sqlite3.Connection) -> None:
        """Create the tables, unless they exist. A file of another format has lost all of its tables."""

    def settle(self, db: sqlite3.Connection, entry: Entry, result: Settled) -> None:
        """Store the *result* of *entry*. The transaction is open, and the row of *entry* has its new state."""

    def undo(self, db: sqlite3.Connection, pages: str, values: tuple[Any, ...]) -> None:
        """Undo `settle` for the rows that the query *pages* with *values* selects, because the archive has lost them.

        The transaction is open, and the rows still have their old state.
        """
