"""Settings of the Scrapy project.

All of Scrapy's middlewares and extensions are disabled: they are replaced (robots, delay, redirects, retries, archive),
not wanted (cookies, consoles, caches), or cost a millisecond per page.
"""

from __future__ import annotations

from typing import Any

BOT_NAME = "corpusmill"
SPIDER_MODULES = ["corpusmill.crawlers.spiders"]

# A running crawl cannot be inspected or controlled from outside.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False

# Unlike Scrapy's, the robots middleware below follows RFC 9309 also if a robots.txt is unreachable.
ROBOTSTXT_OBEY = False
COOKIES_ENABLED = False
REDIRECT_ENABLED = False
RETRY_ENABLED = False
COMPRESSION_ENABLED = False
HTTPPROXY_ENABLED = False

# The download handler has a lower limit, for which hosts that wait for their delay do not count.
CONCURRENT_REQUESTS = 256
# A response has one item. Scrapy starts so many tasks for each response, by default 100, which takes 0.5 ms.
CONCURRENT_ITEMS = 1
CONCURRENT_REQUESTS_PER_DOMAIN = 1
# The download handler waits instead, because it knows retries and a site's Crawl-delay.
DOWNLOAD_DELAY = 0

# Plain asyncio avoids a second event loop.
TWISTED_REACTOR_ENABLED = False

SCHEDULER = "corpusmill.crawlers.scheduler.FrontierScheduler"
DOWNLOAD_HANDLERS_BASE: dict[str, str] = {}
DOWNLOAD_HANDLERS = {
    "http": "corpusmill.crawlers.download.DownloadHandler",
    "https": "corpusmill.crawlers.download.DownloadHandler",
}
DOWNLOADER_MIDDLEWARES_BASE: dict[str, Any] = {}
DOWNLOADER_MIDDLEWARES = {
    "corpusmill.crawlers.discovery.middleware.ListingsMiddleware": 50,
    "corpusmill.crawlers.middlewares.RobotsMiddleware": 100,
    "corpusmill.crawlers.rendering.middleware.RenderMiddleware": 200,
}
SPIDER_MIDDLEWARES_BASE: dict[str, Any] = {}
ITEM_PIPELINES = {"corpusmill.crawlers.item_pipelines.ArchivePipeline": 100}
EXTENSIONS_BASE: dict[str, Any] = {}
STATS_CLASS = "scrapy.statscollectors.DummyStatsCollector"
STATS_DUMP = False
LOG_FORMATTER = "corpusmill.crawlers.process.QuietFormatter"
LOG_INSTALL_ROOT_HANDLER = False
LOG_VERSIONS: list[str] = []
WARN_ON_GENERATOR_RETURN_VALUE = False
