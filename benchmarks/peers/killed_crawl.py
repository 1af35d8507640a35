"""A crawl that is killed beside Scrapy with `JOBDIR`: pages lost, pages asked for again, and CPU a page.

    python -m venv /tmp/peers/scrapy
    /tmp/peers/scrapy/bin/pip install -q -U pip
    /tmp/peers/scrapy/bin/pip install scrapy
    python -m benchmarks.peers.killed_crawl [--pages 1000] [--kills 3]

A real web server on 127.0.0.1 has PAGES pages, each of which links to eight others. A crawl is killed (`kill -9` of its
process group) when the server has answered equal parts of the pages, and started again with the same command each
time; the last one runs to its end. *Lost* are pages that are in no output then. *Asked for again* are requests for a
page beyond its first. A crawl that ends by itself before a kill, because its queue was lost, is not killed then.

Scrapy writes each page to a file of its own as soon as it has it, so that nothing waits in a buffer: what it loses is
what its queue loses. It obeys robots.txt, and all else is as it comes. corpusmill writes WARC. Neither waits between
requests.

CPU is that of a crawl without kills: the whole process tree, start included, the server not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.peers.counting import Difference, difference
from benchmarks.peers.reporting import Row, cost_of, environment, parser, program, report, versions
from benchmarks.runs.documents import documents
from benchmarks.runs.inputs import ROOT, Installation
from tests.crawlers.sites import SITE_FILES, Answer, Site, archived, page, serve

_LINKS: Final = 8
_POLL_S: Final = 0.005

Command = Callable[[str, Path], list[str]]
"""Returns the command line that crawls from an address into a folder, or goes on with the crawl there."""
Pages = Callable[[Path], list[str]]
"""Returns the paths of the pages in a folder."""


class Tool(NamedTuple):
    """How a tool is called, and where its pages are."""

    command: Command
    pages: Pages


class Crawl(NamedTuple):
    """How a killed crawl ended."""

    kills: int
    lost: int
    asked_again: int


def main(arguments: list[str] | None = None) -> None:
    options_parser = parser(__doc__, peer="scrapy")
    options_parser.add_argument("--pages", type=int, default=1_000)
    options_parser.add_argument("--kills", type=int, default=3)
    options = options_parser.parse_args(arguments)
    peers = versions(options.peer, ("scrapy", "twisted"))
    answers = site_pages(options.pages)
    tools = (
        Tool(our_command, our_pages),
        Tool(lambda url, folder: program("scrapy_crawl", url, folder, python=options.peer), scrapy_pages),
    )
    killed = [killed_crawl(tool, answers, options.kills) for tool in tools]
    cpu_ms = [cpu_a_page(tool, answers) for tool in tools]
    report(rows(options.pages, killed, cpu_ms), peers)


def site_pages(count: int) -> dict[str, Answer]:
    """Return *count* pages by path: page n links to those from 8 n + 1 to 8 n + 8, and to two seen before."""
    made = islice(documents(count), count)
    return {path_of(n): page(*links(n, count), text=one["text"]) for n, one in enumerate(made)}


def links(number: int, count: int) -> Iterator[str]:
    """Yield the paths that page *number* of *count* links to."""
    below = range(_LINKS * number + 1, min(_LINKS * number + _LINKS + 1, count))
    yield from map(path_of, (*below, number // 2, number // 3))


def path_of(number: int) -> str:
    """Return the path of page *number*."""
    return f"/{number}" if number else "/"


def killed_crawl(tool: Tool, answers: dict[str, Answer], kills: int) -> Crawl:
    """Crawl the site, killed *kills* times, and compare what is there at the end with the site."""
    with tempfile.TemporaryDirectory(prefix="killed-crawl-") as name, serve(answers) as site:
        folder = Path(name)
        command = tool.command(site.url + "/", folder)
        parts = [len(answers) * part // (kills + 1) for part in range(1, kills + 1)]
        killed = sum(kill_after(command, lambda: len(site.seen), requests) for requests in parts)
        cost_of(command)
        lost = difference(answers, set(tool.pages(folder)) & answers.keys()).lost
    return Crawl(killed, lost, asked_again(site, answers).repeated)


def asked_again(site: Site, answers: dict[str, Answer]) -> Difference:
    """Compare the requests that *site* got for its pages with one request each."""
    return difference(answers, (path for path in site.paths if path not in SITE_FILES))


def kill_after(command: list[str], answered: Callable[[], int], requests: int) -> bool:
    """Start *command*, kill it when the server *answered* so many requests in all; return whether it still ran.

    The number is polled, so a kill may come a few requests late.
    """
    process = subprocess.Popen(
        command,
        env=environment(),
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while answered() < requests and process.poll() is None:
        time.sleep(_POLL_S)
    is_running = process.poll() is None
    if is_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return is_running


def cpu_a_page(tool: Tool, answers: dict[str, Answer]) -> float:
    """Return the CPU milliseconds a page of a crawl that nobody kills.

    Raises:
        SystemExit: It did not get all pages.
    """
    with tempfile.TemporaryDirectory(prefix="crawl-") as name, serve(answers) as site:
        cost = cost_of(tool.command(site.url + "/", Path(name)))
        if lost := difference(answers, set(tool.pages(Path(name))) & answers.keys()).lost:
            sys.exit(f"error: {lost} pages are missing after a crawl without kills")
    return cost.cpu_s / len(answers) * 1e3


def our_command(url: str, folder: Path) -> list[str]:
    """Write a recipe that crawls from *url*, and return the command line of its crawl."""
    recipe = folder / "recipe.yaml"
    source = {
        "name": "site",
        "start_urls": [url],
        "contact": "mailto:benchmark@example.org",
        "delay": 0.0,
        "allow_private": True,
        "max_pages": None,
    }
    recipe.write_text(json.dumps({"dataset": "measured", "sources": [{"crawl": source}], "stages": ["extract"]}))
    return Installation().call("crawl", str(recipe), "--workspace", str(folder / "corpus"))


def our_pages(folder: Path) -> list[str]:
    """Return the paths of the pages in the archives of a crawl by corpusmill."""
    return ["/" + url.split("/", 3)[3] for url, status, _ in archived(folder / "corpus/raw/site") if status == 200]


def scrapy_pages(folder: Path) -> list[str]:
    """Return the paths of the pages in the files that `programs/scrapy_crawl.py` wrote."""
    return ["/" + file.name.removesuffix(".html") for file in (folder / "pages").glob("*.html")]


def rows(pages: int, killed: list[Crawl], cpu_ms: list[float]) -> list[Row]:
    """Return the rows of the table."""
    what = f"Crawl of {pages:,} pages"
    return [
        Row(
            f"{what}, `kill -9` and resume: lost; asked for again",
            *(f"{crawl.lost:,}; {crawl.asked_again:,} (kills: {crawl.kills})" for crawl in killed),
        ),
        Row(f"{what}: CPU a page", *(f"{one:.1f} ms" for one in cpu_ms)),
    ]


if __name__ == "__main__":
    main()
