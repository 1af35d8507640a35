"""The item pipeline: archive the outcome of a URL, then settle the URL in the frontier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from scrapy.crawler import Crawler

from corpusmill.crawlers.frontier.entries import Entry, Settled
from corpusmill.crawlers.recrawl.captures import Capture
from corpusmill.crawlers.warc import Exchange, Original

if TYPE_CHECKING:
    from corpusmill.crawlers.spiders.site import SiteSpider


@dataclass(frozen=True)
class Outcome:
    """The outcome of one URL; its exchange, if any, is archived, with the rendered page, if there is one.

    Args:
        capture: What a recrawl has to know about it.
        original: The response that has the same body, which is not stored again.
    """

    entry: Entry
    settled: Settled
    exchange: Exchange | None = None
    rendered: Exchange | None = None
    capture: Capture | None = None
    original: Original | None = None


class ArchivePipeline:
    """Writes the records of an outcome, then settles its URL. A kill in between repeats the page."""

    def __init__(self, spider: SiteSpider) -> None:
        self._spider = spider

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> ArchivePipeline:
        """Create the pipeline with the archive and frontier of the spider."""
        return cls(cast("SiteSpider", crawler.spider))

    def process_item(self, item: Outcome) -> Outcome:
        """Archive and settle *item*; a failure, such as a full disk, ends the crawl."""
        try:
            self._spider.keep(item)
        except Exception as error:  # noqa: BLE001 - passed on: it ends the crawl
            self._spider.failure = error
        return item
