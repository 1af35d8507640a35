"""Scrapy's download handler for http and https: pace, retries and the exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import Crawler
from scrapy.http import Response

from corpusmill.crawlers.client import ANY_TYPE, Client
from corpusmill.crawlers.cookies import CookieStore
from corpusmill.crawlers.frontier.refusal import SUSPENDED, Refusal
from corpusmill.crawlers.frontier.robots import MAX_ROBOTS_BYTES
from corpusmill.crawlers.job import HTML_TYPES, Job
from corpusmill.crawlers.pace import is_transient, load_of_rule, load_of_status
from corpusmill.crawlers.recrawl.captures import NOT_MODIFIED, adds_reservation
from corpusmill.crawlers.retry_after import retry_after_s
from corpusmill.crawlers.warc import Exchange

if TYPE_CHECKING:
    from corpusmill.crawlers.spiders.site import SiteSpider

MAX_EXCHANGES: Final = 16
"""Exchanges at a time. Hosts that wait for their turn do not count."""
EXCHANGE: Final = "corpusmill_exchange"
"""Key of the recorded exchange in a request's `meta`."""
ADDRESS: Final = "corpusmill_address"
"""Key of the address to fetch in a request's `meta`. Scrapy's `url` escapes brackets and drops an empty query."""
KNOWN: Final = "corpusmill_known"
"""Key of what is known about the page in a request's `meta`."""
POLICY: Final = "corpusmill_policy"
"""Set in the `meta` of the visit of a site, which is not downloaded; the middleware stores its robots policy there."""
CONDITIONS: Final = "corpusmill_conditions"
"""Key of the headers that make a request conditional in its `meta`."""
FOR_ROBOTS: Final = "corpusmill_robots"
"""Set in the `meta` of a request for a robots.txt or another file of a site, for which any response is accepted."""
LISTING_BYTES: Final = "corpusmill_listing_bytes"
"""Set in the `meta` of a request for a sitemap or a feed of any media type: the size at which its body is cut."""
FOR_RENDERING: Final = "corpusmill_for_rendering"
"""Set in the `meta` of a request of a page that is rendered, for which any complete response is accepted, once."""
ONCE: Final = "corpusmill_once"
"""Set in the `meta` of a request that is not tried again."""
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class DownloadHandler(BaseDownloadHandler):
    """Fetches with `crawlers.client`. Scrapy sends one request at a time to a host, including retries."""

    lazy = True

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        spider = cast("SiteSpider", crawler.spider)
        self._job: Job = spider.job
        self._pace = spider.pace
        self._slots = asyncio.Semaphore(MAX_EXCHANGES)
        limits = self._job.limits
        self._client = Client(
            user_agent=self._job.user_agent,
            allow_private=self._job.source.allow_private,
            timeout_s=limits.timeout_s,
            silence_s=limits.silence_s,
            max_bytes=limits.max_bytes,
            cookies=CookieStore() if self._job.source.cookies else None,
        )

    async def download_request(self, request: Request) -> Response:
        """Fetch *request* and store the exchange in its `meta` under `EXCHANGE`.

        Raises:
            Refusal: There is no response to archive.
        """
        retries = 0 if request.meta.get(ONCE) else self._job.limits.retries
        is_robots = bool(request.meta.get(FOR_ROBOTS))
        cut_at: int | None = request.meta.get(LISTING_BYTES)
        url: str = request.meta[ADDRESS]
        if request.meta.get(FOR_RENDERING):
            exchange = await self._try(url, is_robots=False, cut_at=None, media_types=None)
        else:
            fetch = partial(self._tries, url, is_robots=is_robots, retries=retries, cut_at=cut_at)
            exchange = await fetch(conditions=request.meta.get(CONDITIONS, _NONE))
            known = request.meta.get(KNOWN)
            if known is not None and exchange.status == NOT_MODIFIED and adds_reservation(exchange, known):
                # The stored response does not state the opt-out, so the page is fetched with it.
                exchange = await fetch(conditions=_NONE)
        request.meta[EXCHANGE] = exchange
        return Response(request.url, status=exchange.status, body=exchange.body, request=request)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _tries(
        self, url: str, *, is_robots: bool, retries: int, cut_at: int | None, conditions: Mapping[str, str]
    ) -> Exchange:
        """Fetch *url* again after a temporary failure; the pace of its host decides when."""
        media_types = HTML_TYPES if cut_at is None else ANY_TYPE
        attempt = partial(
            self._try, url, is_robots=is_robots, cut_at=cut_at, media_types=media_types, conditions=conditions
        )
        for _ in range(retries):
            try:
                exchange = await attempt()
            except Refusal as refusal:
                if refusal.retry_after_s is None:
                    raise
            else:
                if not is_transient(exchange.status):
                    return exchange
        return await attempt()

    async def _try(
        self,
        url: str,
        *,
        is_robots: bool,
        cut_at: int | None,
        media_types: frozenset[str] | None,
        conditions: Mapping[str, str] = _NONE,
    ) -> Exchange:
        """Fetch *url* when it is the turn of its host.

        Raises:
            Refusal: ``host.suspended``: the host asked for a longer pause than a crawl waits; or there is no response.
        """
        host = urlsplit(url).hostname or ""
        self._check_suspension(host)
        while (wait_s := self._pace.wait_s(host)) > 0:
            await asyncio.sleep(wait_s)
        async with self._slots:
            began = monotonic()
            try:
                exchange = await self._get(
                    url, is_robots=is_robots, cut_at=cut_at, media_types=media_types, conditions=conditions
                )
            except Refusal as refusal:
                load, asked_s = load_of_rule(refusal.rule), refusal.retry_after_s or 0.0
                self._pace.answered(host, load, took_s=monotonic() - began, retry_after_s=asked_s)
                self._check_suspension(host)
                raise
            load, asked_s = load_of_status(exchange.status), 0.0
            if is_transient(exchange.status):
                asked_s = retry_after_s(exchange.headers, now=exchange.at)
            self._pace.answered(host, load, took_s=monotonic() - began, retry_after_s=asked_s)
        return exchange

    async def _get(
        self,
        url: str,
        *,
        is_robots: bool,
        cut_at: int | None,
        media_types: frozenset[str] | None,
        conditions: Mapping[str, str],
    ) -> Exchange:
        if is_robots:
            return await self._client.get(url, cut_at=MAX_ROBOTS_BYTES + 1)  # the last byte tells that it was cut
        return await self._client.get(url, media_types=media_types, cut_at=cut_at, conditions=conditions)

    def _check_suspension(self, host: str) -> None:
        left_s = self._pace.suspended_s(host)
        if left_s is not None:
            limit_s = self._job.limits.max_retry_after_s
            raise Refusal(
                SUSPENDED, f"Retry-After: {left_s:.0f} s are left, and a crawl waits for {limit_s:g} s at most"
            )
