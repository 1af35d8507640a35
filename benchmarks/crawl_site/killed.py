"""Crawls that are killed: pages lost, records lost or doubled, requests repeated."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

from benchmarks.crawl_site.crawling import archives, command, recipe_of
from benchmarks.crawl_site.server import Nginx
from benchmarks.peers.counting import difference
from benchmarks.peers.killed_crawl import kill_after
from benchmarks.peers.reporting import cost_of

MOMENTS: Final = (0.02, 0.2, 0.45, 0.7, 0.97)
"""Shares of the pages after which a crawl is killed, each in a crawl of its own."""
TIMES: Final = (0.2, 0.4, 0.6, 0.8)
"""The same for the crawl that is killed four times."""


def kills(site: Nginx) -> list[dict[str, Any]]:
    """Return a row for each killed crawl of *site*."""
    return [killed_crawl(site, (moment,)) for moment in MOMENTS] + [killed_crawl(site, TIMES)]


def killed_crawl(site: Nginx, moments: tuple[float, ...]) -> dict[str, Any]:
    """Kill a crawl when the server answered these shares of its pages, resume it to its end, and compare.

    *lost* are pages without a response in the archives; *records* are responses lost or doubled; *repeated* are the
    requests for a page beyond its first.
    """
    with tempfile.TemporaryDirectory(prefix="killed-") as folder:
        recipe = recipe_of(site, Path(folder))
        crawl = command("crawl", recipe, "--quiet")
        before = len(site.requests())
        parts = [before + int(share * len(site.pages)) for share in moments]
        killed = sum(kill_after(crawl, lambda: len(site.requests()), requests) for requests in parts)
        cost_of(crawl)
        records = difference(site.pages, archives(recipe).responses.elements())
        asked = Counter(one.path for one in site.page_requests(after=before) if one.status != 404)
        return {
            "killed at": " ".join(f"{share:.0%}" for share in moments),
            "kills": killed,
            "pages": len(site.pages),
            "lost": len(site.pages - archives(recipe).responses.keys()),
            "records lost": records.lost,
            "records doubled": records.repeated,
            "requests repeated": sum(count - 1 for count in asked.values()),
        }
