"""Fill the queue of a recrawl: known pages that are due come first, then what the crawl before left or could not have.

An unchanged page is not read again, so its links are not found again. What they lead to is therefore taken from the
tables of the crawl before. Sitemaps, feeds and lists of URLs are read again in each recrawl, and so is the robots.txt
of each site that has pages that are not due.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.crawlers.discovery.seeding import seed
from corpusmill.crawlers.frontier.entries import Link
from corpusmill.crawlers.frontier.ledger import LedgerRow
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.load import changed_files
from corpusmill.crawlers.recrawl.intervals import is_due
from corpusmill.crawlers.recrawl.known import KnownPages
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.crawled_page import CrawledPage
from corpusmill.schemas.crawled_pages import read_crawled_pages
from corpusmill.schemas.errors import DamagedFileError
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import Store
from corpusmill.schemas.urls import canonical_key, canonical_url

_ROWS: Final = 8_192
_MAY_PASS: Final = (
    *("budget.", "error.", "host.suspended", "http.408", "http.425", "http.429", "http.5"),
    *("robots.crawl_delay", "robots.disallowed", "robots.noindex", "robots.unreachable"),
)
"""Beginnings of the rules of pages that are asked for again. Others are asked for if a changed page links to them."""
_STAYS: Final = frozenset(("budget.depth", "error.too_large"))


def seed_recrawl(
    frontier: Frontier,
    known: KnownPages,
    *,
    source: CrawlSource,
    base: Path,
    raw: Store,
    published: RawManifest,
    now: int,
) -> None:
    """Fill the empty queue *frontier* and its companion *known* from the *published* crawl in the folder *raw*.

    Args:
        source: The source. Its start pages are always due, also those behind a redirect.
        base: Folder from which the paths of its lists of URLs start.
        now: Start of the recrawl in microseconds.

    Raises:
        DamagedFileError: A table of the crawl cannot be read.
        RecipeError, SourceError: A list of URLs cannot be read.
    """
    archives = _whole_archives(published, raw)
    for name in published.pages:
        rows = (_usable(page, archives) for page in read_crawled_pages(raw, name))
        while part := list(islice(rows, _ROWS)):
            known.add(part)
    starts = _start_pages(source, known)
    for part in known.parts(_ROWS):
        asked = [page for page in part if page.kind != "site"]
        due = {page.url for page in asked if page.url in starts or is_due(page, now=now)}
        held = [page for page in asked if page.url not in due]
        frontier.seed(_link(page) for page in asked if page.url in due)
        frontier.hold(map(_link, held))
        frontier.visit(dict.fromkeys(_site(page) for page in held))
    seed(frontier, source, base=base)
    for name in published.ledger:
        for part_of_ledger in _ledger(raw, name):
            left = [(key, row) for key, row in part_of_ledger if not _is_found_again(row, known)]
            frontier.seed(Link(key, row[0], row[2]) for key, row in left if _may_pass(row[3]))
            frontier.refuse((key, row) for key, row in left if not _may_pass(row[3]))


def _whole_archives(published: RawManifest, raw: Store) -> set[str]:
    """Return the archives that are as they were published. On a disk, this reads all of them, as a run does."""
    damaged = {file.path for file in changed_files(published, raw=raw)}
    return {file.path for file in published.files} - damaged


def _start_pages(source: CrawlSource, known: KnownPages) -> set[str]:
    """Return the canonical URLs of the start pages, and of the pages to which they redirected in the crawl before."""
    starts: set[str] = set()
    for url in source.start_urls:
        key: str | None = canonical_url(url)
        while key is not None and key not in starts:
            starts.add(key)
            page = known.page(key)
            key = canonical_url(page.location) if page is not None and page.location is not None else None
    return starts


def _site(page: CrawledPage) -> str:
    """Return the site of *page*, such as ``https://example.org``, as canonical URLs have it."""
    return "/".join(page.url.split("/", 3)[:3])


def _usable(page: CrawledPage, archives: set[str]) -> CrawledPage:
    """Return *page*, without its body if its archive is lost or damaged: it is asked for without a condition then."""
    if page.file in archives:
        return page
    return replace(page, file=None, offset=None, asked_at=None if page.gone is None else page.asked_at)


def _link(page: CrawledPage) -> Link:
    # Depth 0 puts known pages before new ones. The spider restores their depth.
    return Link(page.url, page.address, depth=0, is_known=page.gone is None)


def _is_found_again(row: LedgerRow, known: KnownPages) -> bool:
    """Return whether a recrawl finds the address of *row* without it: what the recipe names, and all listings.

    Their depth is 0, also that of sitemaps in other sitemaps, and of feeds. The target of a known redirect has the
    depth of the redirect, which may not be due.
    """
    _, referrer, depth, *_ = row
    if depth:
        return False
    page = None if referrer is None else known.page(referrer)
    return page is None or page.kind != "redirect"


def _may_pass(rule: str) -> bool:
    return rule.startswith(_MAY_PASS) and rule not in _STAYS


def _ledger(raw: Store, name: str) -> Iterator[list[tuple[str, LedgerRow]]]:
    """Yield the rows of the ledger *name*, with their canonical URLs, if any; the referrer is canonical too."""
    try:
        with raw.open(name) as opened, pq.ParquetFile(opened) as file:
            for batch in file.iter_batches(batch_size=_ROWS):
                at = batch["at"].cast(pa.int64()).to_pylist()
                rows = zip(batch.to_pylist(), at, strict=True)
                yield [(canonical_key(row["url"]), (row["url"], *_details(row), time)) for row, time in rows]
    except (pa.ArrowException, OSError) as error:
        hint = "crawl the site again without `--recrawl`"
        raise DamagedFileError(f"the ledger of the crawl: {error}", file=raw.address(name), hint=hint) from error


def _details(row: dict[str, Any]) -> tuple[str | None, int, str, str | None]:
    return row["referrer"] and canonical_key(row["referrer"]), row["depth"], row["rule"], row["message"]
