"""CPU of a crawl with archive and durable queue, beside a plain Scrapy spider that keeps nothing."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.crawl_site.crawling import archives, command, recipe_of
from benchmarks.crawl_site.server import Nginx
from benchmarks.peers.reporting import cost_of, program
from benchmarks.runs.measuring import Cost

_TOOLS: Final = ("corpusmill", "scrapy")


def costs(site: Nginx, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each crawl; the two tools take turns, so that both meet the same load.

    A first round, which is not measured, compiles the modules of both, as an installation with pip does.
    """
    with _compiled_modules():
        return [row(site, tool) for _ in range(rounds + 1) for tool in _TOOLS][len(_TOOLS) :]


@contextmanager
def _compiled_modules() -> Iterator[None]:
    """Let Python keep compiled modules in a folder of their own during the block."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="compiled-") as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def row(site: Nginx, tool: str) -> dict[str, Any]:
    """Crawl *site* once with *tool* and return what it cost: the whole process tree, start included.

    Raises:
        SystemExit: It did not get all pages.
    """
    with tempfile.TemporaryDirectory(prefix="cost-") as folder:
        cost, pages = _ours(site, Path(folder)) if tool == "corpusmill" else _scrapy(site)
    if pages != len(site.pages):
        sys.exit(f"error: {tool} fetched {pages} of {len(site.pages)} pages")
    return {
        "tool": tool,
        "pages": pages,
        "CPU s": cost.cpu_s,
        "ms a page": cost.cpu_s / pages * 1e3,
        "wall s": cost.wall_s,
        "peak MB": round(cost.peak_bytes / 1e6),
    }


def ratio(rows: list[dict[str, Any]]) -> float:
    """Return the CPU of corpusmill by that of Scrapy over all rounds."""
    cpu = {tool: sum(one["CPU s"] for one in rows if one["tool"] == tool) for tool in ("corpusmill", "scrapy")}
    return float(cpu["corpusmill"] / cpu["scrapy"])


def _ours(site: Nginx, folder: Path) -> tuple[Cost, int]:
    recipe = recipe_of(site, folder)
    cost = cost_of(command("crawl", recipe, "--quiet"))
    return cost, len(archives(recipe).responses)


def _scrapy(site: Nginx) -> tuple[Cost, int]:
    cost = cost_of(program("plain_spider", site.url))
    return cost, int(cost.output)
