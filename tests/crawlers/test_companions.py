"""Other tables in the file of the queue change in its transactions."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from corpusmill.crawlers.frontier.entries import Entry, Link, Settled, State
from corpusmill.crawlers.frontier.store import Frontier


class _Validators:
    """Stores a text for each page; a text `full` stands for a full disk."""

    def create(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE IF NOT EXISTS validators (id INTEGER PRIMARY KEY, etag TEXT)")

    def settle(self, db: sqlite3.Connection, entry: Entry, result: Settled) -> None:
        if result.note == "full":
            raise sqlite3.OperationalError("database or disk is full")
        db.execute("INSERT OR REPLACE INTO validators VALUES (?, ?)", (entry.id, result.note))

    def undo(self, db: sqlite3.Connection, pages: str, values: tuple[Any, ...]) -> None:
        db.execute(f"DELETE FROM validators WHERE id IN ({pages})", values)


def _stored(path: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT etag, state FROM urls LEFT JOIN validators USING (id) ORDER BY id").fetchall()
    db.close()
    return rows


def test_a_companion_stores_with_the_page_or_not_at_all(tmp_path: Path) -> None:
    """A page that is settled without its validators would never be requested conditionally."""
    path = tmp_path / "queue.db"
    frontier = Frontier(path, companions=[_Validators()])
    frontier.seed(Link(url, url, 0) for url in ("http://a/0", "http://a/1", "http://a/2"))
    for number, note in enumerate(("one", "two")):
        entry = frontier.take()
        assert entry is not None
        frontier.settle(entry, Settled(State.PAGE, note=note), file=0, end=number + 1)
    entry = frontier.take()
    assert entry is not None

    with pytest.raises(sqlite3.OperationalError):
        frontier.settle(entry, Settled(State.PAGE, note="full"), file=0, end=3)
    before = _stored(path)
    frontier.requeue(file=0, after=1)

    assert before == [("one", State.PAGE), ("two", State.PAGE), (None, State.QUEUED)]
    assert _stored(path) == [("one", State.PAGE), (None, State.QUEUED), (None, State.QUEUED)]
    frontier.close()
