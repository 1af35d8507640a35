"""Measure the queue of a crawl: time to add and to settle a URL, memory, and the size of its file.

    python -m benchmarks.frontier [--urls 1000000] [--hosts 1] [--settle 5000] [--links 20]

First, URLs are added 1,000 at a time, spread over HOSTS hosts. Then SETTLE of them are taken and
settled, each with LINKS links, of which three quarters are known, as menus are. *add_us* and *settle_us* are
microseconds of CPU time for a URL; *settle_us* includes taking it, and comparing its text with 32 others.
*peak_mb* is the memory of the process, of which *start_mb* were there before the queue was opened. *open_s* is the time
to open the file again. 10 million URLs need about 3 GB of disk and five minutes of CPU time.

The script prints JSON. To see what a whole crawl costs beside Scrapy, run `benchmarks.peers.killed_crawl`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from corpusmill.crawlers.frontier.entries import Link, Settled, State
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.frontier.traps import text_sketch

_ADDED_AT_ONCE: Final = 1_000
_SKETCHES: Final = [text_sketch(" ".join(f"w{page}x{word}" for word in range(300)), url="") for page in range(100)]


def link(number: int, *, hosts: int) -> Link:
    """Return a link to a URL with about 60 characters."""
    url = f"https://www.host-{number % hosts:07d}.example/articles/section-{number // hosts % 97:02d}/{number:08d}.html"
    return Link(url, url, depth=1)


def measure(folder: Path, *, urls: int, hosts: int, settle: int, links: int) -> dict[str, Any]:
    """Fill a queue in *folder* and settle some of its URLs."""
    start_mb = peak_mb()
    frontier = Frontier(folder / "queue.db")
    began = time.process_time()
    for first in range(0, urls, _ADDED_AT_ONCE):
        frontier.seed(link(number, hosts=hosts) for number in range(first, min(first + _ADDED_AT_ONCE, urls)))
    add_us = (time.process_time() - began) / urls * 1e6
    settle_s = _settle_some(frontier, urls=urls, hosts=hosts, count=settle, links=links)
    frontier.close()
    began = time.monotonic()
    frontier = Frontier(folder / "queue.db")
    open_s = time.monotonic() - began
    queued = frontier.queued
    frontier.close()
    return {
        **{"urls": urls, "hosts": hosts, "links": links, "queued_at_end": queued},
        **{"add_us": round(add_us, 1), "settle_us": round(settle_s / settle * 1e6, 1)},
        **{"open_s": round(open_s, 2), "start_mb": start_mb, "peak_mb": peak_mb()},
        "file_mb": round(sum(path.stat().st_size for path in folder.iterdir()) / 1e6),
    }


def _settle_some(frontier: Frontier, *, urls: int, hosts: int, count: int, links: int) -> float:
    """Take and settle *count* URLs; return the CPU seconds."""
    menu = tuple(link(number * hosts, hosts=hosts) for number in range(links * 3 // 4))
    added = links - len(menu)
    results = [
        Settled(
            State.PAGE,
            links=(*menu, *(link(urls + added * page + number, hosts=hosts) for number in range(added))),
            size=10_000,
            sketch=_SKETCHES[page % len(_SKETCHES)],
        )
        for page in range(count)
    ]
    began = time.process_time()
    for page, result in enumerate(results):
        entry = frontier.take()
        assert entry is not None, "there are more queued URLs than are settled"
        frontier.settle(entry, result, file=0, end=page + 1)
    return time.process_time() - began


def peak_mb() -> int:
    """Return the largest memory of this process until now, in MB (Linux)."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1])
    parser.add_argument("--settle", type=int, default=5_000)
    parser.add_argument("--links", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="folder for the file; by default the one for temporary files")
    options = parser.parse_args()
    about = {"machine": platform.machine(), "cpus": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps(about | {"sqlite": sqlite3.sqlite_version}))
    for hosts in options.hosts:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            figures = measure(Path(folder), urls=options.urls, hosts=hosts, settle=options.settle, links=options.links)
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
