"""Crawl a site with a plain Scrapy `CrawlSpider`, and print the number of pages; `benchmarks.crawl_site` calls this.

    python -m benchmarks.peers.programs.plain_spider URL

All settings are Scrapy's defaults, except for robots.txt, which it obeys, and the log, which has errors only. Nothing
is written: no archive, no queue on disk.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from scrapy.crawler import CrawlerProcess
from scrapy.http import Response
from scrapy.linkextractors import LinkExtractor
from scrapy.spiders import CrawlSpider, Rule


class SiteSpider(CrawlSpider):
    """Follows all links within the site."""

    name = "site"

    def __init__(self, url: str) -> None:
        self.start_urls = [url]
        self.allowed_domains = [urlsplit(url).hostname]
        self.rules = [Rule(LinkExtractor(), callback="parse_page", follow=True)]
        self.pages: set[str] = set()
        super().__init__()

    def parse_start_url(self, response: Response, **_: Any) -> Iterator[Any]:
        """Count the start page."""
        return self.parse_page(response)

    def parse_page(self, response: Response) -> Iterator[Any]:
        """Count the page if it is HTML."""
        if b"html" in (response.headers.get("Content-Type") or b""):
            self.pages.add(response.url)
        yield from ()


def main() -> None:
    process = CrawlerProcess({"ROBOTSTXT_OBEY": True, "LOG_LEVEL": "ERROR"})
    crawler = process.create_crawler(SiteSpider)
    process.crawl(crawler, url=sys.argv[1])
    process.start()
    print(len(crawler.spider.pages))


if __name__ == "__main__":
    main()
