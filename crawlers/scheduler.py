"""Scrapy's scheduler, based on the durable frontier."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from scrapy import Request
from scrapy.core.scheduler import BaseScheduler
from scrapy.crawler import Crawler

if TYPE_CHECKING:
    from corpusmill.crawlers.spiders.site import SiteSpider


class FrontierScheduler(BaseScheduler):
    """Returns one URL of a host at a time. The links of a page enter the frontier when the page is settled."""

    def __init__(self, spider: SiteSpider) -> None:
        self._spider = spider

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> FrontierScheduler:
        """Create the scheduler with the frontier of the spider."""
        return cls(cast("SiteSpider", crawler.spider))

    def has_pending_requests(self) -> bool:
        """Return whether the crawl continues."""
        return self._spider.failure is None and self._spider.frontier.has_work()

    def enqueue_request(self, request: Request) -> bool:
        """Raise, because only the frontier may start a download."""
        raise NotImplementedError(f"{request.url} is not from the frontier")

    def next_request(self) -> Request | None:
        """Return the request for the next URL; None while every host with queued URLs is busy, or after a failure."""
        if self._spider.failure is not None:
            return None
        try:
            entry = self._spider.frontier.take()
            return None if entry is None else self._spider.request(entry)
        except Exception as error:  # noqa: BLE001 - passed on: Scrapy would log it and wait for ever
            self._spider.failure = error
            return None
