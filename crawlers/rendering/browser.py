"""The browser: where it is, how it starts, and when it is restarted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corpusmill.crawlers.rendering.limits import ANSWER_S, PAGES_PER_BROWSER, PARALLEL_PAGES, RENDERER_BYTES
from corpusmill.crawlers.rendering.memory import limit_memory
from corpusmill.schemas.errors import MissingExtraError, UsageError
from corpusmill.schemas.installing import install_command

if TYPE_CHECKING:
    from playwright.async_api import Browser, Playwright

EXTRA: Final = "browser"
VARIABLE: Final = "CORPUSMILL_BROWSER"
"""Environment variable with the path of Chromium."""
_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
_OF_PLAYWRIGHT: Final = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
_NO_NETWORK: Final = (
    "--proxy-server=http://127.0.0.1:1",  # every connection goes to a proxy that does not exist
    "--proxy-bypass-list=<-loopback>",  # …connections to loopback addresses as well
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--dns-prefetch-disable",
    "--no-pings",
)
_SMALL: Final = ("--js-flags=--max-old-space-size=512", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio")


def check_browser() -> None:
    """Check that pages can be rendered on this machine.

    Raises:
        MissingExtraError: The extra `browser` is not installed.
        UsageError: There is no Chromium.
    """
    try:
        import playwright  # noqa: F401
    except ImportError:
        hint = install_command(EXTRA)
        raise MissingExtraError("`render: true` needs playwright, which is not installed", hint=hint) from None
    find_browser()


def find_browser(environment: Mapping[str, str] = os.environ) -> str:
    """Return the path of Chromium: that in `CORPUSMILL_BROWSER`, a program on the path, or one of Playwright's.

    Raises:
        UsageError: There is none.
    """
    named = environment.get(VARIABLE)
    if named is not None:
        if os.access(named, os.X_OK) and Path(named).is_file():
            return named
        raise UsageError(f"`{VARIABLE}` is {named}, which is not a program", hint="set it to the path of Chromium")
    programs = (shutil.which(name, path=environment.get("PATH")) for name in _PROGRAMS)
    found = next((path for path in (*programs, *_installed_by_playwright(environment)) if path is not None), None)
    if found is None:
        places = f"no {', '.join(_PROGRAMS)} on the path, and no browser of Playwright"
        hint = f"`apt install chromium`, `playwright install chromium`, or set `{VARIABLE}` to its path"
        raise UsageError(f"`render: true` needs Chromium, which is not installed: {places}", hint=hint)
    return found


def _installed_by_playwright(environment: Mapping[str, str]) -> Iterable[str]:
    folders = (
        environment.get("PLAYWRIGHT_BROWSERS_PATH"),
        *(f"{environment.get('HOME', '')}/{cache}/ms-playwright" for cache in (".cache", "Library/Caches")),
    )
    for folder in filter(None, folders):
        for pattern in _OF_PLAYWRIGHT:
            yield from (str(path) for path in sorted(Path(folder).glob(pattern), reverse=True))


class Browsers:
    """Starts Chromium for the first page, and again after `PAGES_PER_BROWSER` pages or a crash.

    An earlier browser is closed when its last page is finished.
    """

    def __init__(self, *, pages_per_browser: int = PAGES_PER_BROWSER, renderer_bytes: int = RENDERER_BYTES) -> None:
        self._pages_per_browser = pages_per_browser
        self._renderer_bytes = renderer_bytes
        self._slots = asyncio.Semaphore(PARALLEL_PAGES)
        self._starting = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._latest: _Running | None = None
        self.started = 0

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[Browser]:
        """Lend a browser for one page.

        Raises:
            OSError: It cannot be started.
        """
        async with self._slots:
            running = await self._current()
            running.active += 1
            try:
                yield running.browser
            finally:
                running.active -= 1
                if running is not self._latest and not running.active:
                    await running.close()

    async def _current(self) -> _Running:
        async with self._starting:
            latest = self._latest
            if latest is None or not latest.browser.is_connected() or latest.pages >= self._pages_per_browser:
                self._latest = _Running(await self._start(), self._renderer_bytes)
                if latest is not None and not latest.active:
                    await latest.close()
            assert self._latest is not None
            self._latest.pages += 1
            return self._latest

    async def _start(self) -> Browser:
        from playwright.async_api import Error, async_playwright

        try:
            if self._playwright is None:
                self._playwright = await async_playwright().start()
            browser = await self._playwright.chromium.launch(
                executable_path=find_browser(),
                chromium_sandbox=os.geteuid() != 0,  # Chromium has no sandbox for root
                args=[*_NO_NETWORK, *_SMALL],
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
            )
        except (Error, UsageError) as error:
            raise OSError(f"Chromium cannot be started: {str(error).strip().splitlines()[0]}") from error
        self.started += 1
        return browser

    async def close(self) -> None:
        """Close the browser."""
        if self._latest is not None:
            await self._latest.close()
        if self._playwright is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._playwright.stop(), ANSWER_S)


class _Running:
    """A browser that was started, with the number of its pages and of those that are not finished."""

    def __init__(self, browser: Browser, max_bytes: int) -> None:
        self.browser = browser
        self.pages = 0
        self.active = 0
        self._watch = asyncio.create_task(limit_memory(browser, max_bytes=max_bytes))

    async def close(self) -> None:
        """Close the browser, which may have crashed."""
        from playwright.async_api import Error

        self._watch.cancel()
        with contextlib.suppress(Error, TimeoutError):
            await asyncio.wait_for(self.browser.close(), ANSWER_S)
