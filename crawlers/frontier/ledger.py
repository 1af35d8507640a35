"""What became of the URLs of a crawl: the pages that were not archived, and counts."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

from corpusmill.crawlers.frontier.entries import State
from corpusmill.crawlers.frontier.limits import Limits
from corpusmill.crawlers.frontier.tables import FORMAT

LedgerRow: TypeAlias = tuple[str, str | None, int, str, str | None, int | None]
"""``url, referrer, depth, rule, message, at`` (microseconds) of a page that was not archived."""
_BUDGET: Final = "iif(pages >= ?1, 'pages', iif(bytes >= ?2, 'bytes', iif(seconds >= ?3, 'seconds', NULL)))"
_LIMIT: Final = "iif(pages >= ?1, ?1, iif(bytes >= ?2, ?2, ?3))"
_NOT_ARCHIVED: Final = f"""
    WITH cut AS MATERIALIZED (
        SELECT id, 'budget.' || {_BUDGET} AS rule,
            printf('host %s used its budget of %,d %s', name, {_LIMIT}, {_BUDGET}) AS message
        FROM hosts WHERE queued AND {_BUDGET} IS NOT NULL
    ),
    pages AS (
        SELECT url, referrer, depth, iif(state = 3, urls.rule, ifnull(cut.rule, ?4)) AS rule,
            iif(state = 3, urls.message, iif(cut.rule IS NULL, ?5, cut.message)) AS message, at
        FROM urls LEFT JOIN cut ON cut.id = urls.host AND state = 0 WHERE state IN (0, 3)
        UNION ALL
        SELECT key, referrer, depth, rule, message, at FROM refused
        WHERE NOT EXISTS (SELECT 1 FROM urls WHERE urls.key = refused.key)
    )
"""
"""Queued URLs are there with the budget that their host used up, or else with that of the crawl."""


def _values(limits: Limits, cut: tuple[str, str] | None) -> tuple[object, ...]:
    return (*limits.per_host, *(cut or ("budget.pages", None)))


def ledger_rows(db: sqlite3.Connection, limits: Limits, cut: tuple[str, str] | None) -> Iterator[LedgerRow]:
    """Yield a row for each page that was not archived, by URL.

    A page that was refused by one link and archived by another is not included.

    Args:
        cut: Rule and message of queued URLs on hosts that have budget left.
    """
    query = (
        "SELECT pages.url, ifnull(origin.url, elsewhere.url), pages.depth, pages.rule, pages.message, pages.at"
        " FROM pages LEFT JOIN urls AS origin ON origin.id = pages.referrer"
        " LEFT JOIN foreign_referrers AS elsewhere ON elsewhere.id = -pages.referrer ORDER BY pages.url"
    )
    return iter(db.execute(_NOT_ARCHIVED + query, _values(limits, cut)))


def crawl_counts(db: sqlite3.Connection, limits: Limits, cut: tuple[str, str] | None) -> dict[str, int]:
    """Return the counts of the raw manifest; `requests` and `responses` are those in the archive."""
    states: Counter[int] = Counter(dict(db.execute("SELECT state, count(*) FROM urls GROUP BY state")))
    robots, size = db.execute("SELECT total(robots), total(bytes) FROM urls").fetchone()
    query = "SELECT rule, count(*) FROM pages GROUP BY rule"
    refused = Counter(dict(db.execute(_NOT_ARCHIVED + query, _values(limits, cut))))
    archived = states[State.PAGE] + states[State.REDIRECT] + states[State.LISTING] + int(robots)
    return {
        "requests": archived,
        "responses": archived,
        "pages": states[State.PAGE],
        "redirects": states[State.REDIRECT],
        "robots": int(robots),
        **({"listings": states[State.LISTING]} if states[State.LISTING] else {}),
        "bytes": int(size),
        "refused": refused.total(),
        **{f"refused.{rule}": count for rule, count in sorted(refused.items())},
    }


def archived_pages(path: Path) -> int:
    """Return the number of pages that the crawl with the queue *path* archived; a process may be crawling."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=10)) as db:
        if db.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            return 0
        return int(db.execute("SELECT total(pages) FROM hosts").fetchone()[0])
