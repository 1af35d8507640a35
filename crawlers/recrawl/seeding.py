"""Fill the queue of a recrawl: known pages that are due come first, then what the crawl before left or could not have.

An unchanged page is not read again, so its links are not found again. What they lead to is therefore taken from the
tables of the crawl before.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.crawlers.frontier.entries import Link
from corpusmill.crawlers.frontier.ledger import LedgerRow
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.recrawl.intervals import is_due
from corpusmill.crawlers.recrawl.known import KnownPages
from corpusmill.schemas.crawled_pages import CrawledPage, read_crawled_pages
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import Store
from corpusmill.schemas.urls import canonical_url

_ROWS: Final = 8_192
_MAY_PASS: Final = (
    *("budget.", "error.", "host.suspended", "http.408", "http.425", "http.429", "http.5"),
    *("robots.crawl_delay", "robots.disallowed", "robots.unreachable"),
)
"""Beginnings of the rules of pages that are asked for again. Others are asked for if a changed page links to them."""
_OF_LISTS: Final = ("feed.", "sitemap.", "urls.")
"""Beginnings of the rules of sitemaps, feeds and lists of URLs, which each crawl reads again."""
_STAYS: Final = frozenset(("budget.depth", "error.too_large"))


def seed_recrawl(
    frontier: Frontier, known: KnownPages, *, starts: Set[str], raw: Store, published: RawManifest, now: int
) -> None:
    """Fill the empty queue *frontier* and its companion *known* from the *published* crawl in the folder *raw*.

    Args:
        starts: Canonical URLs of the start pages, which are always due.
        now: Start of the recrawl in microseconds.

    Raises:
        DamagedFileError: A table of the crawl cannot be read.
    """
    sizes = {entry.key: entry.size for entry in raw.files()}
    archives = {file.path for file in published.files if sizes.get(file.path) == file.size}
    for name in published.pages:
        rows = (_usable(page, archives) for page in read_crawled_pages(raw, name))
        while part := list(islice(rows, _ROWS)):
            known.add(part)
            asked = [page for page in part if page.kind != "site"]
            due = [page for page in asked if page.url in starts or is_due(page, now=now)]
            frontier.seed(_link(page) for page in due)
            frontier.hold(_link(page) for page in asked)
    for name in published.ledger:
        for rows_of_ledger in _ledger(raw, name):
            frontier.seed(Link(key, row[0], row[2]) for key, row in rows_of_ledger if _may_pass(row[3]))
            frontier.refuse((key, row) for key, row in rows_of_ledger if not _may_pass(row[3]))


def _usable(page: CrawledPage, archives: set[str]) -> CrawledPage:
    """Return *page*; without its body if its archive was lost, so that it is asked for without a condition."""
    if page.file in archives:
        return page
    return replace(page, file=None, offset=None, asked_at=None if page.gone is None else page.asked_at)


def _link(page: CrawledPage) -> Link:
    # Depth 0 puts known pages before new ones. The spider restores their depth.
    return Link(page.url, page.address, depth=0)


def _may_pass(rule: str) -> bool:
    return rule.startswith(_MAY_PASS) and rule not in _STAYS


def _ledger(raw: Store, name: str) -> Iterator[list[tuple[str, LedgerRow]]]:
    """Yield the rows of the ledger *name*, with their canonical URLs; the referrer is canonical too."""
    try:
        with raw.open(name) as opened, pq.ParquetFile(opened) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                at = batch["at"].cast(pa.int64()).to_pylist()
                rows = zip(batch.to_pylist(), at, strict=True)
                yield [
                    (_key(row["url"]), (row["url"], row["referrer"] and _key(row["referrer"]), *_details(row), time))
                    for row, time in rows
                    if not row["rule"].startswith(_OF_LISTS)
                ]
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"the ledger of the crawl: {error}", file=raw.address(name)) from error


def _details(row: dict[str, object]) -> tuple[int, str, str | None]:
    depth, rule, message = row["depth"], row["rule"], row["message"]
    assert isinstance(depth, int)
    assert isinstance(rule, str)
    return depth, rule, message if isinstance(message, str) else None


def _key(url: str) -> str:
    """Return the canonical form of *url*, or *url* itself if it is not a web address, as in a link with a mistake."""
    try:
        return canonical_url(url)
    except ValueError:
        return url
