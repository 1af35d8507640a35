"""The spider that crawls a site from its start pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.http import Response
from twisted.python.failure import Failure

from corpusmill.crawlers.client import decoded
from corpusmill.crawlers.discovery.listing_links import feed_links, listing_links, sitemap_links
from corpusmill.crawlers.discovery.roles import listing_key, listing_role
from corpusmill.crawlers.discovery.scoping import crawl_scope
from corpusmill.crawlers.download import ADDRESS, CONDITIONS, EXCHANGE, KNOWN, LISTING_BYTES, POLICY
from corpusmill.crawlers.frontier.entries import Entry, Link, Settled, State
from corpusmill.crawlers.frontier.first import is_visit, site_of_visit
from corpusmill.crawlers.frontier.refusal import DISALLOWED, FORBIDS, Refusal
from corpusmill.crawlers.frontier.robots import RobotsPolicy
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.frontier.traps import text_sketch, trap_of
from corpusmill.crawlers.item_pipelines import Outcome
from corpusmill.crawlers.job import MAX_REDIRECTS, Job
from corpusmill.crawlers.links import UnusableLink, page_links
from corpusmill.crawlers.loaders.http_body import parse_head
from corpusmill.crawlers.optouts.page import page_signals
from corpusmill.crawlers.recrawl.captures import (
    NOT_MODIFIED,
    Capture,
    capture_again,
    capture_of,
    conditions,
    is_repeated,
    original_of,
    stored_at,
)
from corpusmill.crawlers.recrawl.known import KnownPages
from corpusmill.crawlers.references import resolved_location
from corpusmill.crawlers.rendering.middleware import RENDER, RENDERING
from corpusmill.crawlers.rendering.page import Rendering
from corpusmill.crawlers.rendering.record import rendered_exchange, with_declarations
from corpusmill.crawlers.warc import Exchange, WarcWriter, archive_name
from corpusmill.schemas.crawled_page import CrawledPage
from corpusmill.schemas.decoding.pages import decode_with_codec
from corpusmill.schemas.optouts import evidence
from corpusmill.schemas.urls import authority, canonical_url

_ENTRY = "corpusmill_entry"
_LISTINGS: Final = "listings"
"""Name of the stored number of sitemaps and feeds that were read."""
_TOO_MANY: Final = "http.429"
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
"""Statuses with a `Location` to follow (RFC 9110 §15.4)."""


class SiteSpider(Spider):
    """Follows links within the scope of a source.

    Args:
        job: The crawl.
        frontier: Its queue.
        known: What earlier crawls know about the pages.
        writer: Its archive.
        report: Called after each URL.
    """

    name = "site"

    def __init__(
        self, *, job: Job, frontier: Frontier, known: KnownPages, writer: WarcWriter, report: Callable[[], None]
    ) -> None:
        super().__init__()
        self.job = job
        self.frontier = frontier
        self.known = known
        self.failure: BaseException | None = None
        self.pace = job.pace()
        self.listings: int = frontier.get(_LISTINGS) or 0
        self._writer = writer
        self._report = report
        self._robots = 0
        source = self._source = job.source
        self._scope = crawl_scope(source, frontier)

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> SiteSpider:
        """Create a spider that ends the crawl at the first internal error, because its page would never be settled."""
        spider: SiteSpider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider._spider_error, signals.spider_error)
        return spider

    def _spider_error(self, failure: Failure) -> None:
        self.failure = self.failure or failure.value

    async def start(self) -> AsyncIterator[Any]:
        """Yield nothing, because the start pages are in the frontier."""
        nothing: tuple[Request, ...] = ()
        for request in nothing:
            yield request

    def request(self, entry: Entry) -> Request:
        """Return the request for *entry*, which is conditional if an earlier crawl has the page.

        A page that is rendered is not: what its scripts load can change while the response stays the same.
        """
        if is_visit(entry.key):
            meta = {ADDRESS: entry.url, _ENTRY: entry, POLICY: None}
            return Request(entry.url, callback=self.parse_visit, errback=self.refused, meta=meta)
        if listing_role(entry.key) is not None:
            meta = {ADDRESS: entry.url, _ENTRY: entry, LISTING_BYTES: self.job.limits.listing_bytes}
            return Request(entry.url, callback=self.parse_listing, errback=self.refused, meta=meta)
        known = self.known.page(entry.key)
        if known is not None:
            entry = replace(entry, depth=known.depth)
        if self._source.render:
            known = None
        meta = {ADDRESS: entry.url, _ENTRY: entry, RENDER: self._source.render and not entry.is_probe, KNOWN: known}
        if not self._announces_feeds(entry):  # a 304 would not say which
            meta[CONDITIONS] = conditions(known, address=entry.url)
        return Request(entry.url, callback=self.parse, errback=self.refused, meta=meta)

    def parse(self, response: Response) -> list[Outcome]:
        """Return the outcomes of a URL with a response."""
        entry: Entry = response.meta[_ENTRY]
        exchange: Exchange = response.meta[EXCHANGE]
        known: CrawledPage | None = response.meta[KNOWN]
        try:
            if exchange.status == NOT_MODIFIED:
                return [_unchanged(entry, exchange, known, is_asked=bool(response.meta.get(CONDITIONS)))]
            if exchange.status != 200:
                return [self._redirect(entry, exchange, known)]
            outcome = self._page(entry, exchange, known)
            rendering: Rendering | Refusal | None = response.meta.get(RENDERING)
            if rendering is None or outcome.settled.state != State.PAGE:
                return [outcome]
            return [self._rendered(outcome, exchange, rendering)]
        except Refusal as refusal:
            return [_refused(entry, refusal)]

    async def parse_visit(self, response: Response) -> AsyncIterator[Outcome]:
        """Yield the outcome of a visit, after the pages that are not due and that the site disallows are refused."""
        entry: Entry = response.meta[_ENTRY]
        policy: RobotsPolicy = response.meta[POLICY]
        for batch in self.frontier.held(site_of_visit(entry.key)):
            disallowed = [key for key, url in batch if not policy.allows(url)]
            self.frontier.withdraw(disallowed, rule=DISALLOWED, message=FORBIDS)
            await asyncio.sleep(0)  # a site may have a million pages
        yield Outcome(entry, Settled(State.VISITED))

    async def parse_listing(self, response: Response) -> AsyncIterator[Outcome]:
        """Yield the outcome of a sitemap or a feed, which is read in a thread, because it may be large."""
        entry: Entry = response.meta[_ENTRY]
        exchange: Exchange = response.meta[EXCHANGE]
        try:
            if exchange.status != 200:
                yield self._redirect(entry, exchange, None)
            else:
                yield await asyncio.to_thread(self._listing, entry, exchange)
        except Refusal as refusal:
            yield _refused(entry, refusal)

    def _listing(self, entry: Entry, exchange: Exchange) -> Outcome:
        role = listing_role(entry.key)
        assert role is not None, "only listings are read here"
        links = listing_links(entry, exchange, role=role, scope=self._scope, page=self._link)
        settled = Settled(State.LISTING, links=tuple(links), size=len(exchange.body))
        return Outcome(entry, settled, replace(exchange, role=role))

    def add_sitemaps(self, urls: Iterable[str], *, robots: str) -> None:
        """Queue the sitemaps *urls* that the robots.txt at *robots* names, if the recipe follows it."""
        if self._source.finds_sitemaps and authority(canonical_url(robots)) in self._scope.authorities:
            self.frontier.seed(sitemap_links(urls, robots=robots, scope=self._scope))

    def refused(self, failure: Failure) -> list[Outcome]:
        """Return the outcomes of a URL without a usable response."""
        if isinstance(failure.value, Refusal):
            request: Request = cast("Any", failure).request
            return self._later(request.meta[_ENTRY], failure.value)
        self.failure = self.failure or failure.value
        return []

    def _later(self, entry: Entry, refusal: Refusal) -> list[Outcome]:
        """Return the outcome of a refused URL; none if it is queued again, because the server names a time for it."""
        if refusal.rule != _TOO_MANY:
            return [_refused(entry, refusal)]
        if refusal.retry_after_s and self.frontier.postpone(entry):
            return []
        asked = f"Retry-After: {refusal.retry_after_s:.0f} s" if refusal.retry_after_s else "no Retry-After"
        return [_refused(entry, Refusal(refusal.rule, f"{refusal.message}; {asked}"))]

    def _page(self, entry: Entry, exchange: Exchange, known: CrawledPage | None) -> Outcome:
        if "content-type" not in exchange.headers and b"\0" in exchange.body[:1024]:
            raise Refusal("content.not_html", "no declared type, and bytes that are not text")
        body = decoded(exchange, max_bytes=self.job.limits.max_bytes)
        head = parse_head(exchange.head)
        fields = head.fields if head else ()
        tags = [value for name, value in fields if name == "x-robots-tag"]
        page = page_links(body, url=exchange.url, headers=exchange.headers, robots_tags=tags)
        links = (
            *self._feeds(entry, page.feeds),
            *self._links(page.follow, depth=entry.depth + 1),
            *self._links(page.nofollow, depth=entry.depth + 1, rule="robots.nofollow"),
            *(_unusable(link, depth=entry.depth + 1) for link in page.unusable),
        )
        capture = capture_of(exchange, kind="page", text=page.text)
        if known is not None and is_repeated(capture, known):
            # Its links were followed when it was stored, but feeds have new entries.
            return _again(entry, exchange, known, Settled(State.PAGE, links=tuple(self._feeds(entry, page.feeds))))
        sketch = text_sketch(page.text, url=exchange.url)
        if page.noindex:
            signals = page_signals(fields, body, media_type=exchange.headers.get("content-type"), captured_at=None)
            stated = evidence((one for one in signals if one.kind == "noindex" and one.applies), seen_at=exchange.at)
            message = f"the page asks not to be kept: {stated}"
            settled = Settled(State.REFUSED, rule="robots.noindex", message=message, links=links, sketch=sketch)
            return Outcome(entry, settled)
        settled = Settled(State.PAGE, links=links, size=len(exchange.body), sketch=sketch)
        return Outcome(entry, settled, exchange, capture=capture)

    def _announces_feeds(self, entry: Entry) -> bool:
        """Return whether the feeds that the page *entry* announces are read: it is one at which the crawl starts."""
        return self._source.finds_feeds and not entry.depth

    def _feeds(self, entry: Entry, urls: Iterable[str]) -> Iterable[Link]:
        """Return the links to the feeds that a page announces, if they are read."""
        if self._announces_feeds(entry):
            yield from feed_links(urls, scope=self._scope, page=entry)

    def _rendered(self, outcome: Outcome, exchange: Exchange, rendering: Rendering | Refusal) -> Outcome:
        """Return *outcome* with the rendered page: as a page with its links, or refused for what it says or did."""
        entry = outcome.entry
        if isinstance(rendering, Refusal):
            refused = Settled(State.REFUSED, rule=rendering.rule, message=rendering.message)
            return Outcome(entry, replace(refused, links=outcome.settled.links))
        body = decoded(exchange, max_bytes=self.job.limits.max_bytes)
        original, _ = decode_with_codec(body, exchange.headers.get("content-type"))
        page = rendered_exchange(exchange, with_declarations(rendering.markup, original))
        rendered = self._page(entry, page, None)
        depth = entry.depth + 1
        links = (
            *rendered.settled.links,
            *self._links(rendering.navigations, depth=depth),
            *outcome.settled.links,
            *self._requests(rendering.refused, depth=depth),
        )
        settled = replace(rendered.settled, links=links, unanswered=rendering.unanswered)
        if settled.state != State.PAGE or outcome.capture is None or rendered.capture is None:
            return Outcome(entry, settled)
        # The server's response has the validators; what readers see is the rendered text.
        capture = replace(outcome.capture, text_digest=rendered.capture.text_digest)
        return Outcome(entry, replace(settled, size=len(exchange.body)), exchange, page, capture)

    def _requests(self, refused: Mapping[str, Refusal], *, depth: int) -> Iterable[Link]:
        """Return the *refused* requests of a page's scripts as links that are not followed, for the ledger."""
        for url, refusal in refused.items():
            for link in self._links([url], depth=depth):
                yield replace(link, rule=refusal.rule, message=f"requested by a script: {refusal.message}")

    def _links(self, urls: Iterable[str], *, depth: int, rule: str | None = None) -> Iterable[Link]:
        for url in urls:
            try:
                key = canonical_url(url)
            except ValueError as error:
                yield _unusable(UnusableLink.of(url, error), depth=depth)
                continue
            yield self._link(key, url, depth=depth, otherwise=rule)

    def _link(self, key: str, url: str, *, depth: int, redirects: int = 0, otherwise: str | None = None) -> Link:
        """Return the link to *url*, with the first rule that refuses it: scope, trap or *otherwise*."""
        rule, message = self._scope.rule(key, depth=depth), None
        if rule is None:
            rule, message = trap_of(key) or (otherwise, None)
        # One text instead of two equal ones: a page may have a million links.
        return Link(key, key if url == key else url, depth, redirects, rule=rule, message=message)

    def _redirect(self, entry: Entry, exchange: Exchange, known: CrawledPage | None) -> Outcome:
        url = resolved_location(exchange.head, base=exchange.url) if exchange.status in _REDIRECTS else None
        if url is None:
            raise Refusal(f"http.{exchange.status}", "no redirect to follow")
        if entry.redirects >= MAX_REDIRECTS:
            raise Refusal("error.redirect_loop", f"after {entry.redirects} redirects to {url[:200]}")
        if (role := listing_role(entry.key)) is not None:
            # A site may keep its sitemaps elsewhere; the pages in them have to be in scope.
            target = Link(listing_key(canonical_url(url), role), url, entry.depth, redirects=entry.redirects + 1)
            return Outcome(entry, Settled(State.REDIRECT, links=(target,)), exchange)
        target = self._link(canonical_url(url), url, depth=entry.depth, redirects=entry.redirects + 1)
        capture = capture_of(exchange, kind="redirect", location=url)
        settled = Settled(State.REDIRECT, links=(target,))
        if known is not None and is_repeated(capture, known):
            return _again(entry, exchange, known, settled)
        return Outcome(entry, settled, exchange, capture=capture)

    def archive_robots(self, exchange: Exchange) -> None:
        """Archive a response for a file of a site (robots.txt, …); it is counted when the next URL is settled."""
        capture, known = capture_of(exchange, kind="site"), self.known.site(exchange.url)
        if known is not None and is_repeated(capture, known):
            capture = capture_again(known, exchange)
            self._writer.write(exchange, original=original_of(known))
        else:
            capture = self._stored(capture, self._writer.write(exchange))
        self.known.note_site(exchange.url, capture)
        self._robots += 1

    def _stored(self, capture: Capture, offset: int) -> Capture:
        """Return *capture*, whose record begins at *offset* of the current archive."""
        return stored_at(capture, file=archive_name(self.job.source.name, self._writer.number), offset=offset)

    def keep(self, outcome: Outcome) -> None:
        """Archive *outcome* and settle its URL. The response to a probe is in the archive already."""
        if outcome.entry.is_probe:
            self.frontier.settle_probe(outcome.entry, outcome.settled.rule)
            return
        outcome = self._without_loop(outcome)
        capture = outcome.capture
        if (exchange := outcome.exchange) is not None:
            if outcome.settled.state == State.PAGE and (listed := self.frontier.listed(outcome.entry.key)):
                exchange = replace(exchange, listed=listed)
            offset = self._writer.write(exchange, outcome.rendered, original=outcome.original)
            if capture is not None and outcome.original is None:
                capture = self._stored(capture, offset)
        settled = replace(outcome.settled, robots=self._robots, note=capture)
        self.frontier.settle(outcome.entry, settled, file=self._writer.number, end=self._writer.end)
        self._robots = 0
        if settled.state == State.LISTING:
            self.listings += 1
            self.frontier.remember(**{_LISTINGS: self.listings})
        self._report()

    def _without_loop(self, outcome: Outcome) -> Outcome:
        """Refuse a redirect to an address that was already fetched in its chain."""
        if outcome.settled.state != State.REDIRECT:
            return outcome
        (target,) = outcome.settled.links
        if target.url not in self.frontier.spellings(outcome.entry, target):
            return outcome
        problem = f"to {target.url[:200]}, which was requested before"
        return _refused(outcome.entry, Refusal("error.redirect_loop", problem))


def _unchanged(entry: Entry, exchange: Exchange, known: CrawledPage | None, *, is_asked: bool) -> Outcome:
    """Return the outcome of a 304. *is_asked* says whether the request had a condition.

    Raises:
        Refusal: ``error.bad_response``: the request had no condition.
    """
    if known is None or not is_asked:
        raise Refusal("error.bad_response", "304 to a request without a condition")
    return _again(entry, exchange, known, Settled(State.PAGE))


def _again(entry: Entry, exchange: Exchange, known: CrawledPage, settled: Settled) -> Outcome:
    """Return the outcome of an address whose response is stored. Its links were followed when it was stored."""
    return Outcome(entry, settled, exchange, capture=capture_again(known, exchange), original=original_of(known))


def _unusable(link: UnusableLink, *, depth: int) -> Link:
    return Link(link.reference, link.reference, depth, rule=link.rule, message=link.message)


def _refused(entry: Entry, refusal: Refusal) -> Outcome:
    return Outcome(entry, Settled(State.REFUSED, rule=refusal.rule, message=refusal.message))
