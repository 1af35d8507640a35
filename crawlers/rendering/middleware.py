"""Downloader middleware that renders the pages of a source with `render: true`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from scrapy import Request, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import NotConfigured
from scrapy.http import Response

from corpusmill.crawlers.client import decoded
from corpusmill.crawlers.download import ADDRESS, EXCHANGE, FOR_RENDERING
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.rendering.browser import Browsers
from corpusmill.crawlers.rendering.page import Rendering, render
from corpusmill.crawlers.rendering.resources import Resources, answer_of
from corpusmill.crawlers.warc import Exchange

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from corpusmill.crawlers.spiders.site import SiteSpider

RENDER: Final = "corpusmill_render"
"""Set in the `meta` of a request for a page to render."""
RENDERING: Final = "corpusmill_rendering"
"""Key of the `Rendering`, or of the `Refusal` if there is none, in a request's `meta`."""
_TRIES: Final = 2
"""Browsers that a page may crash before it is refused."""


class RenderMiddleware:
    """Renders pages. What their scripts request is downloaded like a page: after robots.txt, the delay and limits."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._browsers = Browsers()
        self._resources: Resources | None = None
        crawler.signals.connect(self._close, signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RenderMiddleware:
        """Create the middleware of a crawl.

        Raises:
            NotConfigured: Its pages are not rendered.
        """
        if not cast("SiteSpider", crawler.spider).job.source.render:
            raise NotConfigured
        return cls(crawler)

    async def process_response(self, request: Request, response: Response) -> Response:
        """Render the page in *response* if *request* is for a page to render.

        Raises:
            OSError: The browser cannot be started.
        """
        exchange: Exchange | None = request.meta.get(EXCHANGE)
        if not request.meta.get(RENDER) or exchange is None or exchange.status != 200:
            return response
        try:
            body = decoded(exchange, max_bytes=self._spider.job.limits.max_bytes)
        except Refusal:
            return response  # the spider refuses it
        try:
            request.meta[RENDERING] = await self._render(exchange, body)
        except Refusal as refusal:
            request.meta[RENDERING] = refusal
        return response

    async def _render(self, exchange: Exchange, body: bytes) -> Rendering:
        """Render a page, and again if the browser crashed, which another page may have caused."""
        for _ in range(_TRIES - 1):
            async with self._browsers.lease() as browser:
                try:
                    return await self._render_in(browser, exchange, body)
                except Refusal:
                    if browser.is_connected():
                        raise
        async with self._browsers.lease() as browser:
            return await self._render_in(browser, exchange, body)

    async def _render_in(self, browser: Browser, exchange: Exchange, body: bytes) -> Rendering:
        job = self._spider.job
        limit = job.limits.max_bytes
        if self._resources is None:
            self._resources = Resources(self._fetch, max_bytes=limit)
        return await render(
            browser,
            exchange.url,
            answer_of(exchange, body),
            self._resources,
            user_agent=job.user_agent,
            max_bytes=limit,
            timeout_s=job.limits.render_timeout_s,
        )

    async def _fetch(self, url: str) -> Exchange:
        request = Request(url, meta={ADDRESS: url, FOR_RENDERING: True})
        await self._crawler.engine.download_async(request)
        exchange: Exchange = request.meta[EXCHANGE]
        return exchange

    @property
    def _spider(self) -> SiteSpider:
        return cast("SiteSpider", self._crawler.spider)

    async def _close(self) -> None:
        if self._resources is not None:
            await self._resources.close()
        await self._browsers.close()
