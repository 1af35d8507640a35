"""End the processes of pages that take too much memory, which Chromium limits for scripts and not for documents."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.async_api import Browser

_EVERY_S: Final = 0.25
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


async def limit_memory(browser: Browser, *, max_bytes: int) -> None:
    """Kill each process of a page of *browser* that has more than *max_bytes* in memory, until the browser ends.

    The page then crashes, and the others go on. Without ``/proc``, as on macOS, nothing is killed.
    """
    from playwright.async_api import Error

    with contextlib.suppress(Error):
        session = await browser.new_browser_cdp_session()
        while browser.is_connected():
            for process in (await session.send("SystemInfo.getProcessInfo"))["processInfo"]:
                if process["type"] == "renderer" and resident_bytes(process["id"]) > max_bytes:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process["id"], signal.SIGKILL)
            await asyncio.sleep(_EVERY_S)


def resident_bytes(process: int) -> int:
    """Return the memory of *process* that is not shared, in bytes; 0 if it is not known.

    >>> resident_bytes(os.getpid()) > 1_000_000 or not os.path.exists("/proc")
    True
    """
    try:
        with open(f"/proc/{process}/statm", "rb") as file:  # noqa: PTH123 - four times a second
            _, resident, shared, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        return 0
    return (resident - shared) * _PAGE_BYTES
