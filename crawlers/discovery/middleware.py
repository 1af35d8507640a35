"""Downloader middleware that limits how many sitemaps and feeds a crawl reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from scrapy import Request
from scrapy.crawler import Crawler

from corpusmill.crawlers.download import LISTING_BYTES
from corpusmill.crawlers.frontier.refusal import Refusal

if TYPE_CHECKING:
    from corpusmill.crawlers.spiders.site import SiteSpider


class ListingsMiddleware:
    """Refuses further listings: a site can generate indexes of sitemaps without end, which do not count as pages."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> ListingsMiddleware:
        """Create the middleware of a crawl."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Check *request* against the limit.

        Raises:
            Refusal: ``budget.listings``.
        """
        if LISTING_BYTES not in request.meta:
            return
        spider = cast("SiteSpider", self._crawler.spider)
        if spider.listings >= (limit := spider.job.limits.max_listings):
            raise Refusal("budget.listings", f"{limit:,} sitemaps and feeds were read before")
