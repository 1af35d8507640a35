"""The tables of the queue, in a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS urls (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, spelling INTEGER NOT NULL, url TEXT NOT NULL, host TEXT NOT NULL,
    depth INTEGER NOT NULL, redirects INTEGER NOT NULL, chain INTEGER NOT NULL, referrer INTEGER,
    state INTEGER NOT NULL DEFAULT 0, target TEXT, rule TEXT, message TEXT, at INTEGER,
    file INTEGER, end INTEGER, robots INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (key, spelling)
);
DROP INDEX IF EXISTS queued;
CREATE INDEX IF NOT EXISTS queued_by_depth ON urls (host, depth, id) WHERE state = 0;
CREATE TABLE IF NOT EXISTS refused (
    key TEXT PRIMARY KEY, rule TEXT NOT NULL, message TEXT, depth INTEGER NOT NULL, referrer INTEGER, at INTEGER
) WITHOUT ROWID;
"""
_FORMAT: Final = 2
"""Format of the tables. A queue with another format is emptied, and its crawl starts again."""


def open_tables(path: Path) -> sqlite3.Connection:
    """Open the file of a queue, and create its tables if they are missing or have another format."""
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    # With WAL, a commit survives a kill of the process without waiting for the disk (https://sqlite.org/wal.html).
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version != _FORMAT:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        db.executescript("".join(f"DROP TABLE IF EXISTS {table};" for (table,) in tables.fetchall()))
    db.executescript(f"{_SCHEMA} PRAGMA user_version = {_FORMAT};")
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
