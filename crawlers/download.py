"""Scrapy's download handler for http and https: delay, retries and the exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.http import Response

from corpusmill.crawlers.client import Client
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.frontier.robots import MAX_ROBOTS_BYTES
from corpusmill.crawlers.job import HTML_TYPES, Job
from corpusmill.crawlers.recrawl.captures import NOT_MODIFIED, adds_reservation, conditions
from corpusmill.crawlers.warc import Exchange

if TYPE_CHECKING:
    from corpusmill.crawlers.spiders.site import SiteSpider

EXCHANGE: Final = "corpusmill_exchange"
"""Key of the recorded exchange in a request's `meta`."""
ADDRESS: Final = "corpusmill_address"
"""Key of the address to fetch in a request's `meta`. Scrapy's `url` escapes brackets and drops an empty query."""
KNOWN: Final = "corpusmill_known"
"""Key of what is known about the page in a request's `meta`, by which the request is conditional."""
FOR_ROBOTS: Final = "corpusmill_robots"
"""Set in the `meta` of a request for a robots.txt or another file of a site, for which any response is accepted."""
ONCE: Final = "corpusmill_once"
"""Set in the `meta` of a request that is not tried again."""


class DownloadHandler(BaseDownloadHandler):
    """Fetches with `crawlers.client`. Scrapy sends one request at a time to a host, including retries."""

    lazy = True

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        spider = cast("SiteSpider", crawler.spider)
        self._job: Job = spider.job
        self._delays = spider.delays
        self._last: dict[str, float] = {}
        self._client = Client(
            user_agent=self._job.user_agent,
            allow_private=self._job.source.allow_private,
            timeout_s=self._job.limits.timeout_s,
            max_bytes=self._job.limits.max_bytes,
        )

    async def download_request(self, request: Request) -> Response:
        """Fetch *request* and store the exchange in its `meta` under `EXCHANGE`.

        Raises:
            Refusal: There is no response to archive.
        """
        retries = 0 if request.meta.get(ONCE) else self._job.limits.retries
        is_robots = bool(request.meta.get(FOR_ROBOTS))
        url, known = request.meta[ADDRESS], request.meta.get(KNOWN)
        validators = conditions(known, address=url)
        exchange = await self._tries(url, is_robots=is_robots, retries=retries, validators=validators)
        if known is not None and exchange.status == NOT_MODIFIED and adds_reservation(exchange, known):
            # The stored response does not state the opt-out, so the page is fetched with it.
            exchange = await self._tries(url, is_robots=is_robots, retries=retries)
        request.meta[EXCHANGE] = exchange
        return Response(request.url, status=exchange.status, body=exchange.body, request=request)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _tries(
        self, url: str, *, is_robots: bool, retries: int, validators: Mapping[str, str] = MappingProxyType({})
    ) -> Exchange:
        limits = self._job.limits
        for attempt in range(retries):
            try:
                exchange = await self._try(url, is_robots=is_robots, validators=validators)
            except Refusal as refusal:
                if refusal.retry_after_s is None:
                    raise
                wait = refusal.retry_after_s
            else:
                if not is_robots or exchange.status < 500:
                    return exchange
                wait = 0.0
            await asyncio.sleep(min(max(limits.backoff_s * 2**attempt, wait * limits.backoff_s), limits.max_wait_s))
        return await self._try(url, is_robots=is_robots, validators=validators)

    async def _try(self, url: str, *, is_robots: bool, validators: Mapping[str, str]) -> Exchange:
        host = urlsplit(url).hostname or ""
        await self._turn(host)
        try:
            if is_robots:
                return await self._client.get(url, cut_at=MAX_ROBOTS_BYTES)
            return await self._client.get(url, media_types=HTML_TYPES, conditions=validators)
        finally:
            self._last[host] = monotonic()

    async def _turn(self, host: str) -> None:
        """Wait until the delay after the last exchange with *host* is over."""
        delay = max(self._job.source.delay, self._delays.get(host, 0.0))
        wait = self._last.get(host, -delay) + delay - monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
