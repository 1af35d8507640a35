"""Settings of the Scrapy project.

Scrapy's own middlewares and extensions are all left out: what they do is done by ours (robots, delay, redirects, tries,
archive), is not wanted (cookies, consoles, caches), or costs a millisecond a page.
"""

from __future__ import annotations

from typing import Any

BOT_NAME = "corpusmill"
SPIDER_MODULES = ["corpusmill.crawlers.spiders"]

# Nobody may look into or steer a running crawl from outside.
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False

# The robots middleware below obeys RFC 9309 also where a robots.txt cannot be had, which Scrapy's does not.
ROBOTSTXT_OBEY = False
COOKIES_ENABLED = False
REDIRECT_ENABLED = False
RETRY_ENABLED = False
COMPRESSION_ENABLED = False
HTTPPROXY_ENABLED = False

CONCURRENT_REQUESTS = 16
CONCURRENT_REQUESTS_PER_DOMAIN = 1
# The download handler waits, because it knows of tries and of a site's Crawl-delay.
DOWNLOAD_DELAY = 0

# Plain asyncio: one loop fewer on the way of each byte.
TWISTED_REACTOR_ENABLED = False

SCHEDULER = "corpusmill.crawlers.scheduler.FrontierScheduler"
DOWNLOAD_HANDLERS_BASE: dict[str, str] = {}
DOWNLOAD_HANDLERS = {
    "http": "corpusmill.crawlers.download.DownloadHandler",
    "https": "corpusmill.crawlers.download.DownloadHandler",
}
DOWNLOADER_MIDDLEWARES_BASE: dict[str, Any] = {}
DOWNLOADER_MIDDLEWARES = {"corpusmill.crawlers.middlewares.RobotsMiddleware": 100}
SPIDER_MIDDLEWARES_BASE: dict[str, Any] = {}
ITEM_PIPELINES = {"corpusmill.crawlers.item_pipelines.ArchivePipeline": 100}
EXTENSIONS_BASE: dict[str, Any] = {}
STATS_CLASS = "scrapy.statscollectors.DummyStatsCollector"
STATS_DUMP = False
LOG_FORMATTER = "corpusmill.crawlers.process.QuietFormatter"
LOG_INSTALL_ROOT_HANDLER = False
LOG_VERSIONS: list[str] = []
WARN_ON_GENERATOR_RETURN_VALUE = False
