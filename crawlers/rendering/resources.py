"""Answer the requests that scripts of pages make, through the client of the crawl."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urldefrag, urlsplit

from corpusmill.crawlers.client import decoded
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.references import resolved_location
from corpusmill.crawlers.rendering.limits import CACHED_BYTES, MAX_REDIRECTS, MAX_REFUSALS, MAX_REQUESTS
from corpusmill.crawlers.warc import Exchange

Fetch = Callable[[str], Awaitable[Exchange]]
"""Fetches a URL without following redirects, as a page of the crawl would be; raises `Refusal`."""

_FETCHED: Final = frozenset(("script", "stylesheet", "xhr", "fetch"))
"""Kinds of requests that can change the text of a page. Images, fonts, media, streams and reports cannot."""
_OF_THE_TRANSFER: Final = frozenset(
    ("content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive", "set-cookie", "alt-svc")
) | frozenset(("report-to", "reporting-endpoints", "nel", "refresh", "clear-site-data", "strict-transport-security"))
"""Headers that the browser must not see: those of the coding, cookies, and those that make it send requests later."""


@dataclass(frozen=True)
class Answer:
    """A response for the browser: the decoded body, and the headers that describe it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def answer_of(exchange: Exchange, body: bytes) -> Answer:
    """Return *exchange*, whose decoded body is *body*, as a response for the browser."""
    headers = {name: value for name, value in exchange.headers.items() if name not in _OF_THE_TRANSFER}
    return Answer(exchange.status, headers, body)


class Resources:
    """Responses to the requests of scripts. Within `CACHED_BYTES`, each URL is requested once per crawl.

    What robots.txt or the address forbids is remembered as well; a connection that failed is tried again for the next
    page.

    Args:
        fetch: Sends one request.
        max_bytes: Maximum size of a decoded body.
    """

    def __init__(self, fetch: Fetch, *, max_bytes: int, cached_bytes: int = CACHED_BYTES) -> None:
        self._fetch = fetch
        self._max_bytes = max_bytes
        self._cached_bytes = cached_bytes
        self._bytes = 0
        self._answers: OrderedDict[str, Answer | Refusal] = OrderedDict()
        self._pending: dict[str, asyncio.Task[Answer]] = {}

    async def get(self, url: str) -> Answer:
        """Return the response for *url*, after redirects.

        Raises:
            Refusal: There is none, or it may not be fetched.
        """
        url = urldefrag(url).url
        known = self._answers.get(url)
        if known is None:
            if url not in self._pending:
                self._pending[url] = asyncio.create_task(self._request(url))
            return await asyncio.shield(self._pending[url])
        self._answers.move_to_end(url)
        if isinstance(known, Refusal):
            raise Refusal(known.rule, known.message)
        return known

    async def _request(self, url: str) -> Answer:
        try:
            answer = await self._follow(url)
            self._keep(url, answer)
            return answer
        except Refusal as refusal:
            if not refusal.rule.startswith("error."):
                self._keep(url, refusal)
            raise
        finally:
            del self._pending[url]

    async def _follow(self, url: str) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            if urlsplit(url).scheme not in ("http", "https"):
                raise Refusal("render.blocked", "not an http or https address")
            exchange = await self._fetch(url)
            target = resolved_location(exchange.head, base=url) if 300 <= exchange.status < 400 else None
            if target is None:
                return answer_of(exchange, decoded(exchange, max_bytes=self._max_bytes))
            url = target
        raise Refusal("error.redirect_loop", f"after {MAX_REDIRECTS} redirects to {url[:200]}")

    async def close(self) -> None:
        """Cancel the requests whose page is finished."""
        pending = list(self._pending.values())
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def _keep(self, url: str, answer: Answer | Refusal) -> None:
        self._answers[url] = answer
        self._bytes += _size(url, answer)
        while self._bytes > self._cached_bytes:
            self._bytes -= _size(*self._answers.popitem(last=False))


def _size(url: str, answer: Answer | Refusal) -> int:
    return 1000 + len(url) + (len(answer.body) if isinstance(answer, Answer) else 0)


@dataclass
class Requests:
    """The requests of one page.

    Args:
        resources: Answers them.
        pending: Requests that wait for a response.
        refused: Refused requests, by URL.
        unanswered: Number of requests that were not answered because of their kind, by kind.
    """

    resources: Resources
    pending: int = 0
    refused: dict[str, Refusal] = field(default_factory=dict)
    unanswered: Counter[str] = field(default_factory=Counter)
    _answered: int = 0

    async def answer(self, url: str, *, kind: str, method: str) -> Answer | None:
        """Return the response to a request of the page; None if it is not answered.

        Args:
            kind: What the browser needs it for, such as ``script`` or ``image``.
        """
        if kind not in _FETCHED:
            self.unanswered[kind] += 1
            return None
        self.pending += 1
        try:
            return await self._answer(url, method)
        except Refusal as refusal:
            if len(self.refused) < MAX_REFUSALS:
                self.refused.setdefault(url, refusal)
            return None
        finally:
            self.pending -= 1

    async def _answer(self, url: str, method: str) -> Answer:
        if method != "GET":
            raise Refusal("render.blocked", f"a crawl sends no {method[:20]} requests")
        if self._answered >= MAX_REQUESTS:
            raise Refusal("render.blocked", f"more than {MAX_REQUESTS} requests of one page")
        self._answered += 1
        return await self.resources.get(url)
