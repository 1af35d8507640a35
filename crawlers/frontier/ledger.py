"""What became of the URLs of a crawl: the pages that were not archived, and counts."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from corpusmill.crawlers.frontier.entries import State

LedgerRow: TypeAlias = tuple[str, str | None, int, str, str | None, int | None]
"""``url, referrer, depth, rule, message, at`` (microseconds) of a page that was not archived."""


def ledger_rows(db: sqlite3.Connection) -> Iterator[LedgerRow]:
    """Yield a row for each page that was not archived, by URL.

    A page that was refused by one link and archived by another is not included.
    """
    return iter(
        db.execute(
            """
            SELECT page.url, origin.url, page.depth, page.rule, page.message, page.at FROM (
                SELECT url, referrer, depth, iif(state = 0, 'budget.max_pages', rule) AS rule, message, at
                FROM urls WHERE state IN (0, 3)
                UNION ALL
                SELECT key, referrer, depth, rule, message, at FROM refused
                WHERE NOT EXISTS (SELECT 1 FROM urls WHERE urls.key = refused.key)
            ) AS page LEFT JOIN urls AS origin ON origin.id = page.referrer ORDER BY page.url
            """
        )
    )


def crawl_counts(db: sqlite3.Connection) -> dict[str, int]:
    """Return the counts of the raw manifest; `requests` and `responses` are those in the archive."""
    states: Counter[int] = Counter(dict(db.execute("SELECT state, count(*) FROM urls GROUP BY state")))
    robots, size = db.execute("SELECT total(robots), total(bytes) FROM urls").fetchone()
    refused = Counter(row[3] for row in ledger_rows(db))
    archived = states[State.PAGE] + states[State.REDIRECT] + int(robots)
    return {
        "requests": archived,
        "responses": archived,
        "pages": states[State.PAGE],
        "redirects": states[State.REDIRECT],
        "robots": int(robots),
        "bytes": int(size),
        "refused": refused.total(),
        **{f"refused.{rule}": count for rule, count in sorted(refused.items())},
    }
