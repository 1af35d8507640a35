"""The tables of the queue, in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hosts (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, queued INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, is_gone INTEGER NOT NULL DEFAULT 0,
    first_page INTEGER, position INTEGER, level INTEGER
);
CREATE INDEX IF NOT EXISTS ready_hosts ON hosts (level, id) WHERE level IS NOT NULL;
CREATE TABLE IF NOT EXISTS urls (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, spelling INTEGER NOT NULL, other_url TEXT,
    url TEXT GENERATED ALWAYS AS (ifnull(other_url, key)) VIRTUAL, host INTEGER NOT NULL,
    depth INTEGER NOT NULL, rank INTEGER NOT NULL, redirects INTEGER NOT NULL, chain INTEGER NOT NULL, referrer INTEGER,
    state INTEGER NOT NULL DEFAULT 0, target TEXT, rule TEXT, message TEXT, at INTEGER,
    file INTEGER, end INTEGER, robots INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (key, spelling)
);
CREATE INDEX IF NOT EXISTS queued_urls ON urls (host, depth, rank, id) WHERE state = 0;
CREATE INDEX IF NOT EXISTS first_urls ON urls (host, rank, id) WHERE state = 0 AND rank < 0;
CREATE INDEX IF NOT EXISTS refused_urls ON urls (rule) WHERE rule IS NOT NULL;
CREATE TABLE IF NOT EXISTS refused (
    key TEXT PRIMARY KEY, rule TEXT NOT NULL, message TEXT, depth INTEGER NOT NULL, referrer INTEGER, at INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS postponed (id INTEGER PRIMARY KEY, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS foreign_links (
    key TEXT NOT NULL, rule TEXT NOT NULL, hop TEXT NOT NULL, partition INTEGER NOT NULL, url TEXT NOT NULL,
    message TEXT, depth INTEGER NOT NULL, redirects INTEGER NOT NULL, chain INTEGER NOT NULL, referrer INTEGER,
    PRIMARY KEY (key, rule, hop)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listed (key TEXT PRIMARY KEY, published TEXT NOT NULL, title TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS foreign_referrers (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE);
"""
FORMAT: Final = 3
"""Format of the tables. A queue with another format is emptied, and its crawl starts again."""
_CACHE_KIB: Final = 16_384
"""Memory for pages of the file. The queue of a large crawl is far larger, and the system caches the rest."""
_CHECKPOINT_PAGES: Final = 4_000
"""Pages of the log (16 MB) after which they are copied into the file."""


def open_tables(path: Path) -> sqlite3.Connection:
    """Open the file of a queue, and create its tables if they are missing or have another format."""
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    # With WAL, a commit survives a kill of the process without waiting for the disk (https://sqlite.org/wal.html).
    db.executescript(
        f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-{_CACHE_KIB};"
        f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES};"
    )
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != FORMAT:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        db.executescript("".join(f"DROP TABLE IF EXISTS {table};" for (table,) in tables.fetchall()))
    db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {FORMAT}; COMMIT;")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit the changes of the block, or none of them if it raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
