"""Addresses that were fetched in a chain of redirects."""

from __future__ import annotations

import sqlite3

from corpusmill.crawlers.frontier.entries import Entry, Link


def spellings(db: sqlite3.Connection, entry: Entry, link: Link) -> list[str]:
    """Return the addresses of the page of *link* that were fetched in the chain of redirects through *entry*.

    If there are none, the result of that page does not depend on *entry*. If there are some, the redirect from
    *entry* closes a loop, unless the address of *link* is not among them.
    """
    key: str | None = link.key
    passed = {entry.key}
    while key is not None and key not in passed:
        passed.add(key)
        row = db.execute("SELECT target FROM urls WHERE key = ? ORDER BY spelling DESC LIMIT 1", (key,)).fetchone()
        key = row and row[0]
    if key != entry.key:
        return []
    return [url for (url,) in db.execute("SELECT url FROM urls WHERE key = ?", (link.key,))]
