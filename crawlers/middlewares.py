"""Downloader middleware that refuses pages that a robots.txt disallows, or whose robots.txt is unreachable.

It also archives the other files in which a site reserves its content. They decide about publication, not about the
crawl, so a site without them, or with unreachable ones, is crawled all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.http import Response

from corpusmill.crawlers.content_codings import undo_content_codings
from corpusmill.crawlers.download import ADDRESS, EXCHANGE, FOR_ROBOTS, ONCE, POLICY
from corpusmill.crawlers.frontier.refusal import DISALLOWED, FORBIDS, Refusal
from corpusmill.crawlers.frontier.robots import MAX_CRAWL_DELAY_S, MAX_ROBOTS_REDIRECTS, RobotsPolicy
from corpusmill.crawlers.references import resolved_location
from corpusmill.crawlers.warc import Exchange
from corpusmill.schemas.errors import DataError
from corpusmill.schemas.optouts import AI_TXT, TDMREP

if TYPE_CHECKING:
    from corpusmill.crawlers.spiders.site import SiteSpider


class RobotsMiddleware:
    """Fetches and archives the robots.txt, tdmrep.json and ai.txt of each scheme, host and port once per crawl."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._policies: dict[str, asyncio.Future[RobotsPolicy]] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RobotsMiddleware:
        """Create the middleware of a crawl."""
        return cls(crawler)

    async def process_request(self, request: Request) -> Response | None:
        """Check *request* against the robots.txt of its host. The visit of a site gets its policy, and no download.

        Raises:
            Refusal: ``robots.disallowed``, ``robots.unreachable``, ``robots.crawl_delay`` or ``address.private``.
        """
        if request.meta.get(FOR_ROBOTS):
            return None
        url: str = request.meta[ADDRESS]
        policy = await self._policy(url)
        if policy.unreachable is not None:
            raise Refusal("robots.unreachable", policy.unreachable)
        if POLICY in request.meta:
            request.meta[POLICY] = policy
            return Response(request.url, request=request)
        if not policy.allows(url):
            raise Refusal(DISALLOWED, FORBIDS)
        if policy.is_too_slow:
            asked = f"robots.txt asks for {policy.crawl_delay_s:g} s between two requests"
            raise Refusal("robots.crawl_delay", f"{asked}; the limit is {MAX_CRAWL_DELAY_S:g} s")
        return None

    async def _policy(self, url: str) -> RobotsPolicy:
        place = urlsplit(url)
        site = f"{place.scheme}://{place.netloc}"
        if site not in self._policies:
            self._policies[site] = asyncio.ensure_future(self._visit(site, place.hostname))
        return await self._policies[site]

    async def _visit(self, site: str, host: str | None) -> RobotsPolicy:
        """Fetch the files of *site*, such as ``https://example.org``, and return what its robots.txt permits."""
        policy = await self._ask(robots := f"{site}/robots.txt")
        if policy.is_too_slow:
            return policy
        self._spider.add_sitemaps(policy.sitemaps, robots=robots)
        if host and policy.crawl_delay_s:
            self._spider.pace.set_delay(host, policy.crawl_delay_s)
        for path in (TDMREP, AI_TXT):
            if policy.allows(url := site + path):
                with contextlib.suppress(Refusal):  # no file
                    await self._fetch(url, once=True)
        return policy

    @property
    def _spider(self) -> SiteSpider:
        return cast("SiteSpider", self._crawler.spider)

    async def _ask(self, url: str) -> RobotsPolicy:
        """Fetch the file at *url*. A chain of too many redirects counts as a missing file (RFC 9309 §2.3.1.2)."""
        for hop in range(MAX_ROBOTS_REDIRECTS + 1):
            try:
                exchange = await self._fetch(url)
                body = self._decoded(exchange)
                is_redirect = 300 <= exchange.status < 400
                target = resolved_location(exchange.head, base=url) if is_redirect else None
            except Refusal as refusal:
                if refusal.rule == "address.private" and not hop:
                    # The page itself fails with the same, more specific rule.
                    raise
                return RobotsPolicy(unreachable=f"robots.txt: {refusal}")
            if target is None:
                return RobotsPolicy.of(exchange.status, body)
            url = target
        return RobotsPolicy()

    def _decoded(self, exchange: Exchange) -> bytes:
        """Return the body of *exchange*; a content coding that does not fit a text is skipped, so that it is obeyed."""
        codings = exchange.headers.get("content-encoding", "")
        limit = self._spider.job.limits.max_bytes
        try:
            return undo_content_codings(
                exchange.body, codings, max_bytes=limit, is_cut=exchange.truncated, is_archived=True
            )
        except DataError as error:
            raise Refusal(error.rule, error.message) from error

    async def _fetch(self, url: str, *, once: bool = False) -> Exchange:
        request = Request(url, meta={ADDRESS: url, FOR_ROBOTS: True, ONCE: once})
        await self._crawler.engine.download_async(request)
        exchange: Exchange = request.meta[EXCHANGE]
        self._spider.archive_robots(exchange)
        return exchange
