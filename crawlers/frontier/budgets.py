"""Budgets of patterns of addresses for pages with the same text, stored in the file of the queue."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from corpusmill.crawlers.frontier.traps import (
    NEW_TEXT_RETURNS,
    NEW_WORDS,
    PATTERN_BUDGET,
    SKETCH_BYTES,
    TEXTS_COMPARED,
    address_pattern,
    family_pattern,
    says_the_same,
    words_of_pattern,
)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS patterns (pattern TEXT PRIMARY KEY, spent INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS texts (
    pattern TEXT NOT NULL, number INTEGER NOT NULL, page INTEGER NOT NULL, sketch BLOB NOT NULL,
    PRIMARY KEY (pattern, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counted (number INTEGER PRIMARY KEY, page INTEGER NOT NULL, pattern TEXT NOT NULL, spent);
CREATE TABLE IF NOT EXISTS words (word INTEGER PRIMARY KEY, page INTEGER NOT NULL);
"""
_TEXTS_KEPT: Final = 2 * TEXTS_COMPARED
"""Latest texts of a pattern in the file: when the latest pages are fetched again, enough texts before them are left."""
_COUNTS_KEPT: Final = 65_536
"""Latest counts that can be undone: far more than the pages of the last 30 s, which a power cut may lose (Linux,
`vm.dirty_expire_centisecs`)."""

_REMOVED_AT_ONCE: Final = 32
"""Old rows are removed when so many new ones were added: each table that changes makes a transaction slower."""


class PatternBudgets:
    """Counts pages within the transactions of the queue, so that a kill neither loses nor repeats a page.

    A pattern includes the host, and a host has one page in flight at a time, so the order in which hosts answer has no
    effect.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")

    def count(self, page: int, canonical: str, sketch: bytes, *, links: Iterable[str]) -> bool:
        """Count the page of row *page* for its pattern; return whether the page is redundant.

        A page is not redundant if its text is new, or if one of its new *links* to the same host has a pattern with new
        texts: tables of contents may look alike. The first page of a pattern is also compared with those of its family,
        because filters make ever new sets of parameters, and names such as /a, /b, /aa ever new paths.
        """
        pattern = address_pattern(canonical)
        family = family_pattern(pattern)
        is_first = self._spent(pattern) is None
        # How many pages of another host were fetched depends on how fast the hosts answer.
        host = urlsplit(canonical).hostname
        own = {address_pattern(link) for link in links if urlsplit(link).hostname == host}
        is_useful = any(map(self._is_productive, own - {pattern}))
        is_repeated = self._count(pattern, page, sketch, is_useful=is_useful)
        is_in_family = family is not None and self._count(family, page, sketch, is_useful=is_useful)
        return is_repeated or (is_first and is_in_family)

    def _is_productive(self, pattern: str) -> bool:
        """Return whether pages of *pattern* were fetched, and the latest ones all had new texts."""
        if self._spent(pattern) != 0:
            return False
        (texts,) = self._db.execute("SELECT count(*) FROM texts WHERE pattern = ?", (pattern,)).fetchone()
        return int(texts) > 1

    def _count(self, pattern: str, page: int, sketch: bytes, *, is_useful: bool) -> bool:
        query = "SELECT number, sketch FROM texts WHERE pattern = ? ORDER BY number DESC LIMIT ?"
        texts = self._db.execute(query, (pattern, TEXTS_COMPARED)).fetchall()
        is_alike = says_the_same(sketch, [text for _, text in texts])
        is_new = not is_alike or self._adds_words(pattern, page, sketch)
        self._spend(pattern, page, -NEW_TEXT_RETURNS if is_new or is_useful else 1)
        if is_new:
            self._keep_text(pattern, 1 + (texts[0][0] if texts else 0), page, sketch)
        return not (is_new or is_useful)

    def _spend(self, pattern: str, page: int, amount: int) -> None:
        """Change what *pattern* has spent, and store what it had spent before *page* was counted."""
        before = self._spent(pattern)
        after = 0 if before is None else max(0, before + amount)
        if after == before:
            return
        self._db.execute("INSERT OR REPLACE INTO patterns VALUES (?, ?)", (pattern, after))
        values = (page, pattern, before)
        number = self._db.execute("INSERT INTO counted (page, pattern, spent) VALUES (?, ?, ?)", values).lastrowid or 0
        if number % _REMOVED_AT_ONCE == 0:
            self._db.execute("DELETE FROM counted WHERE number <= ?", (number - _COUNTS_KEPT,))

    def _adds_words(self, pattern: str, page: int, sketch: bytes) -> bool:
        """Store the words of a page that is like another one; return whether enough of them are new to *pattern*.

        Only words of such pages are stored, so those of the first one cannot be compared and do not count as new.
        """
        words = words_of_pattern(sketch, pattern)
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO words VALUES (?, ?)", [(word, page) for word in words])
        return NEW_WORDS <= self._db.total_changes - before < len(words)

    def _keep_text(self, pattern: str, number: int, page: int, sketch: bytes) -> None:
        """Store a new text as the text with this *number* of its pattern, and remove old ones from time to time."""
        self._db.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", (pattern, number, page, sketch[:SKETCH_BYTES]))
        if number % _REMOVED_AT_ONCE == 0:
            self._db.execute("DELETE FROM texts WHERE pattern = ? AND number <= ?", (pattern, number - _TEXTS_KEPT))

    def undo(self, pages: str, values: tuple[Any, ...]) -> None:
        """Undo the counts of the latest pages, which the query *pages* selects, because they are fetched again."""
        lost = self._db.execute(
            f"SELECT spent, pattern FROM counted WHERE page IN ({pages}) ORDER BY number DESC", values
        ).fetchall()
        self._db.executemany(
            "UPDATE patterns SET spent = ? WHERE pattern = ?", [row for row in lost if row[0] is not None]
        )
        self._db.executemany("DELETE FROM patterns WHERE pattern = ?", [row[1:] for row in lost if row[0] is None])
        self._db.execute(f"DELETE FROM counted WHERE page IN ({pages})", values)
        self._db.execute(f"DELETE FROM texts WHERE page IN ({pages})", values)
        self._db.execute(f"DELETE FROM words WHERE page IN ({pages})", values)

    def exhausted(self, canonical: str) -> str | None:
        """Return the reason to refuse addresses like *canonical*; None while the budget is not spent."""
        pattern = address_pattern(canonical)
        spent = self._spent(pattern)
        if spent is not None and spent >= PATTERN_BUDGET:
            return f"{PATTERN_BUDGET} pages said the same as pages before them; pattern {pattern}"
        family = family_pattern(pattern)
        if spent is None and family is not None and (self._spent(family) or 0) >= PATTERN_BUDGET:
            return f"{PATTERN_BUDGET} pages at similar addresses said the same; pattern {family}"
        return None

    def _spent(self, pattern: str) -> int | None:
        """Return how much of its budget *pattern* has spent; None if no page of it was fetched."""
        row = self._db.execute("SELECT spent FROM patterns WHERE pattern = ?", (pattern,)).fetchone()
        return row and int(row[0])
