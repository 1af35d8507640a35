"""Links to the hosts of other partitions of a crawl, in the file of the queue.

All links go to the partition of their host, also those that are not followed, so that each URL is in one archive or one
ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from corpusmill.crawlers.frontier.entries import Link, State
from corpusmill.schemas.partition import Partition, owner

READ: Final = "read."
"""Prefix of the stored digests of the links that were read, before the number of the partition that found them."""
_KEEP: Final = """
    INSERT INTO foreign_links VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE
    SET depth = min(depth, excluded.depth), chain = min(chain, excluded.chain)
    WHERE depth > excluded.depth OR chain > excluded.chain
"""
_SENT: Final = """
    SELECT sent.key, sent.url, sent.depth, sent.redirects, nullif(sent.rule, ''), sent.message, sent.chain,
        urls.url
    FROM foreign_links AS sent LEFT JOIN urls ON urls.id = sent.referrer
    WHERE sent.partition = ? ORDER BY sent.key, sent.rule, sent.hop
"""


class SentLink(NamedTuple):
    """A link that a partition sends to another one; the fields are those of `Link`, and the page that has it."""

    key: str
    url: str
    depth: int
    redirects: int
    rule: str | None
    message: str | None
    chain: int
    referrer: str | None


class ForeignLinks:
    """Keeps and receives links within the transactions of the queue."""

    def __init__(self, db: sqlite3.Connection, partition: Partition) -> None:
        self._db = db
        self._partition = partition

    def owns(self, key: str) -> bool:
        """Return whether the host of the URL *key* belongs to this partition."""
        return self._partition.owns(key)

    def own(self, links: tuple[Link, ...], *, referrer: int | None) -> tuple[Link, ...]:
        """Return those of *links* whose hosts belong to this partition, and store the others."""
        own, rows = [], []
        for link in links:
            to = owner(link.key, self._partition.count)
            if to == self._partition.index:
                own.append(link)
                continue
            # The address after a redirect matters, because another spelling of a page may be the one that works.
            hop = link.url if link.redirects else ""
            place = (link.message, link.depth, link.redirects, link.chain, referrer)
            rows.append((link.key, link.rule or "", hop, to, link.url, *place))
        self._db.executemany(_KEEP, rows)
        return tuple(own)

    def sent(self, partition: int) -> Iterator[SentLink]:
        """Yield the links to hosts of *partition*, by URL."""
        return map(SentLink._make, self._db.execute(_SENT, (partition,)))

    def received(self, sent: SentLink) -> tuple[Link, int | None]:
        """Return the link to queue, and a negative number for the page that has it; None if no page has it."""
        link = Link(sent.key, sent.url, sent.depth, sent.redirects, sent.rule, sent.message, chain=sent.chain)
        if sent.redirects and sent.rule is None:
            link = replace(link, spelling=self._spelling(sent))
        return link, None if sent.referrer is None else -self._referrer(sent.referrer)

    def _spelling(self, sent: SentLink) -> int:
        """Return how many addresses of the page were fetched, if all of them redirect and this is another one.

        A redirect to another host that leads back to another spelling of the same address is how sites set cookies.
        """
        rows = self._db.execute("SELECT url, state FROM urls WHERE key = ?", (sent.key,)).fetchall()
        leads_back = all(url != sent.url and state == State.REDIRECT for url, state in rows)
        return len(rows) if leads_back else 0

    def _referrer(self, url: str) -> int:
        self._db.execute("INSERT OR IGNORE INTO foreign_referrers (url) VALUES (?)", (url,))
        return int(self._db.execute("SELECT id FROM foreign_referrers WHERE url = ?", (url,)).fetchone()[0])

    def undo(self, pages: str, values: tuple[Any, ...]) -> None:
        """Forget the links of the rows that the query *pages* selects, and which links of other partitions were read.

        URLs that one of the lost pages links to are removed from the queue, also if other partitions found them.
        """
        self._db.execute(f"DELETE FROM foreign_links WHERE referrer IN ({pages})", values)
        self._db.execute("DELETE FROM meta WHERE name LIKE ?", (f"{READ}%",))
