"""Render one page: load it, let its scripts finish, and read its markup."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.rendering.limits import ANSWER_S, PAGE_TIMEOUT_S, QUIET_S
from corpusmill.crawlers.rendering.resources import Answer, Requests, Resources

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Frame, Page, Request, Route, WebSocketRoute

_STEP_S: Final = 0.05
_MARKUP: Final = """(() => {
  const root = document.documentElement;
  const kind = document.doctype ? new XMLSerializer().serializeToString(document.doctype) + "\\n" : "";
  const markup = root === null ? "" : root.outerHTML;
  return markup.length > MAX ? markup.length : kind + markup;
})()"""
"""Returns the markup of a page, or its length if that is above `MAX`, so that it is not sent."""


@dataclass(frozen=True)
class Rendering:
    """A rendered page: its markup, the addresses to which it tried to navigate, and what it did not get.

    Args:
        refused: Refused requests, by URL.
        unanswered: Number of requests that were not answered because of their kind: ``image``, ``font``, ``media``,
            ``frame``, ``websocket`` and others.
    """

    markup: str
    navigations: tuple[str, ...]
    refused: dict[str, Refusal]
    unanswered: dict[str, int]


async def render(
    browser: Browser,
    url: str,
    document: Answer,
    resources: Resources,
    *,
    user_agent: str,
    max_bytes: int,
    timeout_s: float = PAGE_TIMEOUT_S,
) -> Rendering:
    """Render the page at *url*, whose response is *document*.

    Args:
        resources: Answer the requests of its scripts.
        max_bytes: Maximum length of the markup in characters.
        timeout_s: Time limit, as `PAGE_TIMEOUT_S`. The markup is read then, even if scripts still run.

    Raises:
        Refusal: ``render.timeout``: its scripts block the page; ``render.failed``: the browser or the page crashed, or
            the page is too large.
    """
    from playwright.async_api import Error

    visit = _Visit(url, document, Requests(resources))
    try:
        async with _context(browser, user_agent) as context:
            await visit.load(context)
            await visit.settle(timeout_s)
            markup = await asyncio.wait_for(visit.markup(context, max_bytes), ANSWER_S)
    except Error as error:
        raise Refusal("render.failed", str(error).strip().splitlines()[0][:200]) from error
    except TimeoutError as error:
        raise Refusal("render.timeout", f"the scripts of the page did not end in {timeout_s + ANSWER_S:g} s") from error
    return Rendering(markup, tuple(visit.navigations), visit.requests.refused, dict(visit.requests.unanswered))


@asynccontextmanager
async def _context(browser: Browser, user_agent: str) -> AsyncIterator[BrowserContext]:
    """Open an empty profile, which has no cookies and forgets everything."""
    from playwright.async_api import Error

    context = await browser.new_context(
        user_agent=user_agent,
        locale="en-US",
        timezone_id="UTC",
        service_workers="block",
        accept_downloads=False,
    )
    try:
        yield context
    finally:
        with contextlib.suppress(Error, TimeoutError):
            await asyncio.wait_for(context.close(), ANSWER_S)


class _Visit:
    """The visit of a page. Only the page itself is loaded: no frames, no other windows, no page to which it leads."""

    def __init__(self, url: str, document: Answer, requests: Requests) -> None:
        self.requests = requests
        self.navigations: dict[str, None] = {}
        self._url = url
        self._document: Answer | None = document
        self._page: Page | None = None
        self._has_loaded = False
        self._has_crashed = False

    async def load(self, context: BrowserContext) -> None:
        """Open the page."""
        await context.route("**/*", self._route)
        await context.route_web_socket("**/*", self._close_socket)
        page = self._page = await asyncio.wait_for(context.new_page(), ANSWER_S)
        context.on("page", _close_window)
        page.on("load", self._loaded)
        page.on("crash", self._crashed)
        await page.goto(self._url, wait_until="commit", timeout=ANSWER_S * 1000)

    def _loaded(self, _page: Page) -> None:
        self._has_loaded = True

    def _crashed(self, _page: Page) -> None:
        self._has_crashed = True

    async def _route(self, route: Route) -> None:
        from playwright.async_api import Error

        with contextlib.suppress(Error):  # the page was closed meanwhile
            answer = await self._answer(route)
            if answer is None:
                await route.abort("aborted")
            else:
                await route.fulfill(status=answer.status, headers=dict(answer.headers), body=answer.body)

    async def _answer(self, route: Route) -> Answer | None:
        request = route.request
        if not request.is_navigation_request():
            return await self.requests.answer(request.url, kind=request.resource_type, method=request.method)
        if self._page is None or _frame(request) != self._page.main_frame:
            self.requests.unanswered["frame"] += 1
            return None
        document, self._document = self._document, None
        if document is None and request.method == "GET":
            self.navigations[request.url] = None
        return document

    async def _close_socket(self, socket: WebSocketRoute) -> None:
        self.requests.unanswered["websocket"] += 1
        await socket.close()

    async def settle(self, timeout_s: float) -> None:
        """Wait until the page has loaded and no longer waits for responses, or the time is over."""
        used = quiet = 0.0
        last = monotonic()
        while used < timeout_s and not (self._has_loaded and quiet >= QUIET_S) and not self._has_crashed:
            await asyncio.sleep(_STEP_S)
            passed, last = monotonic() - last, monotonic()
            quiet = 0.0 if self.requests.pending else quiet + passed
            used += 0.0 if self.requests.pending else passed

    async def markup(self, context: BrowserContext, max_bytes: int) -> str:
        """Return the markup of the page, read where its scripts cannot interfere."""
        if self._has_crashed or self._page is None:
            raise Refusal("render.failed", "the page crashed; it may need too much memory")
        value = await _evaluate(context, self._page, _MARKUP.replace("MAX", str(max_bytes)))
        if not isinstance(value, str):
            raise Refusal("render.failed", f"the rendered page has {value:,} characters, more than {max_bytes:,}")
        return value


def _frame(request: Request) -> Frame | None:
    """Return the frame that made *request*; None for one in a window that is only being opened."""
    from playwright.async_api import Error

    try:
        return request.frame
    except Error:
        return None


async def _evaluate(context: BrowserContext, page: Page, expression: str) -> Any:
    """Return the value of *expression* in a world of its own, which shares only the document with the page."""
    session = await context.new_cdp_session(page)
    tree = await session.send("Page.getFrameTree")
    world = await session.send("Page.createIsolatedWorld", {"frameId": tree["frameTree"]["frame"]["id"]})
    place = {"contextId": world["executionContextId"], "returnByValue": True}
    result = await session.send("Runtime.evaluate", {"expression": expression, **place})
    if "exceptionDetails" in result:
        raise Refusal("render.failed", "the markup of the page cannot be read")
    return result["result"]["value"]


async def _close_window(page: Page) -> None:
    from playwright.async_api import Error

    with contextlib.suppress(Error):
        await page.close()
