"""Crawl a site with Scrapy and `JOBDIR`, in an environment that has it; `killed_crawl.py` calls this.

    python -m benchmarks.peers.programs.scrapy_crawl URL FOLDER

Follows the links of each page to pages of the same host. Each page is a file in `FOLDER/pages/`, by its path.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scrapy import Request, Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor


class SiteSpider(Spider):
    """Writes each page, then follows its links."""

    name = "site"

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__()
        self.start_urls = [url]
        self.folder = folder
        self.allowed_domains = [urlsplit(url).hostname]
        self.links = LinkExtractor()

    def parse(self, response: Response, **_: Any) -> Iterator[Request]:
        name = urlsplit(response.url).path.strip("/")
        (self.folder / f"{name}.html").write_bytes(response.body)
        if not isinstance(response, HtmlResponse):
            return
        for link in self.links.extract_links(response):
            yield response.follow(link)


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    (folder / "pages").mkdir(exist_ok=True)
    settings = {"JOBDIR": str(folder / "job"), "ROBOTSTXT_OBEY": True, "LOG_LEVEL": "ERROR"}
    process = CrawlerProcess(settings)
    process.crawl(SiteSpider, url=url, folder=folder / "pages")
    process.start()


if __name__ == "__main__":
    main()
