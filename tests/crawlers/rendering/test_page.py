"""Pages in a real Chromium: their scripts can do nothing but change the page and ask the crawl for text."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from corpusmill.crawlers.client import Client
from corpusmill.crawlers.frontier.refusal import Refusal
from corpusmill.crawlers.rendering.browser import Browsers
from corpusmill.crawlers.rendering.page import Rendering, render
from corpusmill.crawlers.rendering.resources import Answer, Resources
from corpusmill.crawlers.warc import Exchange
from tests.crawlers.rendering.chromium import NEEDS_CHROMIUM
from tests.crawlers.sites import Answer as Served
from tests.crawlers.sites import Site, page, serve

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = NEEDS_CHROMIUM
Visit = Callable[..., Awaitable[Rendering]]
TEXT = {"content-type": "text/html; charset=utf-8"}
LOCATION = "http://example.test/"
"""The address of the pages. Nothing resolves it, because the browser has no network."""


def visited(test: Callable[[Visit], Awaitable[None]], *, allow_private: bool = True, **options: Any) -> None:
    """Run *test* with a function that renders a page with a body and a script."""

    async def run() -> None:
        client = Client(user_agent="corpusmill", allow_private=allow_private, timeout_s=2.0, max_bytes=10**6)
        browsers = Browsers(**options)
        one_at_a_time = asyncio.Lock()

        async def fetch(url: str) -> Exchange:
            async with one_at_a_time:
                return await client.get(url)

        resources = Resources(fetch, max_bytes=10**6)

        async def visit(script: str, *, body: str = "<p id=a>old</p>", max_bytes: int = 10**6) -> Rendering:
            markup = f"<!doctype html><title>t</title><body>{body}<script>{script}</script>"
            async with browsers.lease() as browser:
                limits = {"max_bytes": max_bytes, "timeout_s": 2.0}
                return await render(
                    browser, LOCATION, Answer(200, TEXT, markup.encode()), resources, user_agent="corpusmill", **limits
                )

        try:
            await test(visit)
        finally:
            await browsers.close()
            await resources.close()
            await client.close()

    asyncio.run(run())


def rules(rendering: Rendering) -> dict[str, str]:
    return {url: refusal.rule for url, refusal in rendering.refused.items()}


CHANGE = "document.querySelector('#a').textContent = 'new';"


def test_windows_dialogs_and_navigations_do_not_keep_a_page_from_being_read() -> None:
    """The addresses to which a page navigates are links. Nothing is loaded from them."""

    async def test(visit: Visit) -> None:
        with serve({}, generate=lambda path: page(text="loaded")) as site:
            script = (
                f"{CHANGE} alert(1); confirm(2); window.open('{site.url}/window'); "
                f"onbeforeunload = () => 'stay'; location.href = '{site.url}/away'"
            )
            rendering = await visit(script, body=f"<p id=a>old</p><iframe src='{site.url}/frame'></iframe>")

            assert '<p id="a">new</p>' in rendering.markup
            assert rendering.markup.startswith("<!DOCTYPE html>\n<html>")
            assert rendering.navigations == (f"{site.url}/away",)
            assert site.paths == []

    visited(test)


def test_a_browser_has_no_network_of_its_own() -> None:
    """The log of the server shows it: only scripts, styles and what scripts fetch are requested, with GET."""
    ways = [
        "new WebSocket('{ws}/socket')",
        "new EventSource('{url}/events')",
        "navigator.sendBeacon('{url}/beacon', 'x')",
        "fetch('{url}/post', {{method: 'POST', body: 'x'}}).catch(() => 0)",
        "fetch('{url}/cors', {{headers: {{'X-Own': '1'}}}}).catch(() => 0)",
        "new Worker(URL.createObjectURL(new Blob([\"fetch('{url}/worker')\"])))",
        "navigator.serviceWorker && navigator.serviceWorker.register('/service.js').catch(() => 0)",
        "new RTCPeerConnection({{iceServers: [{{urls: 'stun:{host}'}}]}}).createDataChannel('x')",
        "new Image().src = '{url}/image'",
        "new Audio('{url}/audio').play().catch(() => 0)",
        "new FontFace('f', 'url({url}/font)').load().catch(() => 0)",
        "fetch('file:///etc/hostname').catch(() => 0)",
    ]
    kinds = ("stylesheet", "prefetch", "preconnect", "dns-prefetch", "icon", "manifest")
    heads = [f"<link rel={kind} href={{url}}/{kind}>" for kind in kinds]

    async def test(visit: Visit) -> None:
        with serve({}, generate=lambda path: Served("1", headers={"Access-Control-Allow-Origin": "*"})) as site:
            host = site.url.removeprefix("http://")
            names = {"url": site.url, "ws": f"ws://{host}", "host": host}
            script = "; ".join(f"try {{ {way.format(**names)} }} catch {{}}" for way in ways)
            links = "".join(head.format(**names) for head in heads)
            rendering = await visit(f"{CHANGE} {script}", body=f"<p id=a>old</p>{links}")

            assert '<p id="a">new</p>' in rendering.markup
            assert sorted(site.paths) == ["/cors", "/stylesheet", "/worker"]
            assert rules(rendering) == {f"{site.url}/post": "render.blocked"}

    visited(test)


def test_requests_that_are_not_intercepted_fail() -> None:
    """The second barrier: the browser cannot connect, neither to a name nor to an address."""
    from playwright.async_api import Error

    async def run(site: Site) -> None:
        browsers = Browsers()
        try:
            async with browsers.lease() as browser:
                page = await browser.new_page()
                for url in (site.url, site.url.replace("127.0.0.1", "localhost")):
                    with pytest.raises(Error, match="ERR_"):
                        await page.goto(url)
        finally:
            await browsers.close()

    with serve({}, generate=lambda path: page(text="loaded")) as site:
        asyncio.run(run(site))

    assert site.seen == []


def test_a_script_cannot_reach_a_private_address() -> None:
    """The address is checked by the client, before a connection is made. Redirects are checked as well."""

    async def test(visit: Visit) -> None:
        with serve({}, generate=lambda path: page()) as site:
            rendering = await visit(f"fetch('{site.url}/secret').catch(() => 0); {CHANGE}")

            assert rules(rendering) == {f"{site.url}/secret": "address.private"}
            assert site.seen == []

    visited(test, allow_private=False)


def test_pages_without_end_are_bounded_and_the_next_page_is_read() -> None:
    """Of scripts that block the page, its memory or its size, each ends its page alone."""
    endless = {
        "while (true) {}": ("render.timeout", "did not end"),
        "document.body.hidden = true; document.body.textContent = 'x'.repeat(1e7)": (
            "render.failed",
            "10,000,... characters, more than 1,000,000",
        ),
        "document.body.textContent = 'x'.repeat(1e8)": ("render.failed", "100,000,... characters|crashed"),
        "while (true) document.body.append('x'.repeat(1e6))": ("render.failed", "crashed"),
    }

    async def test(visit: Visit) -> None:
        for script, (rule, message) in endless.items():
            with pytest.raises(Refusal, match=message) as caught:
                await visit(script, max_bytes=10**6)
            assert caught.value.rule == rule

        assert '<p id="a">new</p>' in (await visit(CHANGE)).markup

    visited(test, renderer_bytes=300_000_000)


def test_a_page_that_never_rests_is_read_at_the_end_of_its_time() -> None:
    """Its requests are limited, and the time of scripts is."""

    async def test(visit: Visit) -> None:
        with serve({}, generate=lambda path: Served(path, headers={"Access-Control-Allow-Origin": "*"})) as site:
            script = f"{CHANGE} let n = 0; setInterval(() => fetch('{site.url}/' + n++).catch(() => 0), 1)"
            rendering = await visit(script)

            assert '<p id="a">new</p>' in rendering.markup
            assert len(site.seen) == 100
            assert {refusal.message for refusal in rendering.refused.values()} == {"more than 100 requests of one page"}
            assert len(rendering.refused) == 100

    visited(test)


def test_a_browser_is_restarted_after_some_pages_and_after_a_crash() -> None:
    """Its memory grows. A browser that crashes ends its pages, not the crawl."""

    async def run() -> None:
        browsers = Browsers(pages_per_browser=2)
        try:
            async with browsers.lease() as first, browsers.lease() as second, browsers.lease() as third:
                assert first is second is not third
                assert first.is_connected()
            assert not first.is_connected()
            assert third.is_connected()

            crashed = asyncio.Event()
            third.on("disconnected", lambda _: crashed.set())
            await kill(third)
            await asyncio.wait_for(crashed.wait(), 5)
            async with browsers.lease() as fourth:
                assert fourth is not third
                assert fourth.is_connected()
        finally:
            await browsers.close()

    asyncio.run(run())


async def kill(browser: Browser) -> None:
    session = await browser.new_browser_cdp_session()
    processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    os.kill(next(process["id"] for process in processes if process["type"] == "browser"), signal.SIGKILL)


def test_a_killed_crawl_leaves_no_browser(tmp_path: Path) -> None:
    """`kill -9` cannot be caught: the browser ends because its driver does."""
    program = """
import asyncio
from corpusmill.crawlers.rendering.browser import Browsers
async def main():
    async with Browsers().lease() as browser:
        session = await browser.new_browser_cdp_session()
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        print(*(process["id"] for process in processes), flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        browsers = [int(number) for number in process.stdout.readline().split()]
        assert browsers
        process.kill()

    deadline = time.monotonic() + 10
    while alive := [number for number in browsers if _is_running(number)]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        time.sleep(0.05)


def _is_running(process: int) -> bool:
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())  # empty for a zombie
    except FileNotFoundError:
        return False
