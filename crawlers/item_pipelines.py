"""Item pipeline: what a crawl brought goes into the archive first, and then counts in the frontier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from scrapy.crawler import Crawler

from corpusmill.crawlers.frontier.store import Entry, Settled
from corpusmill.crawlers.warc import Exchange

if TYPE_CHECKING:
    from corpusmill.crawlers.spiders.site import SiteSpider


@dataclass(frozen=True)
class Outcome:
    """What became of one URL; with an exchange, that is archived."""

    entry: Entry
    settled: Settled
    exchange: Exchange | None = None


class ArchivePipeline:
    """Writes the records of an outcome and settles its URL, in this order: a kill in between repeats the page."""

    def __init__(self, spider: SiteSpider) -> None:
        self._spider = spider

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> ArchivePipeline:
        """Take archive and frontier from the spider."""
        return cls(cast("SiteSpider", crawler.spider))

    def process_item(self, item: Outcome) -> Outcome:
        """Keep *item*; a failure (a full disk) ends the crawl."""
        try:
            self._spider.keep(item)
        except Exception as error:  # noqa: BLE001 - handed on: the crawl ends with it
            self._spider.failure = error
        return item
