"""The process in which Scrapy runs: one crawl, told on stdin, told about on stdout in lines of JSON.

It ends at once when stdin closes: then the process that wants the crawl is gone, and a killed crawl can be resumed.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, cast

from scrapy.crawler import AsyncCrawlerProcess
from scrapy.logformatter import LogFormatter
from scrapy.settings import Settings

from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.job import Job
from corpusmill.crawlers.spiders.site import SiteSpider
from corpusmill.crawlers.warc import WarcWriter, archive_name
from corpusmill.schemas.interrupts import ignore_interrupts

_EVERY_S: Final = 0.25


class QuietFormatter(LogFormatter):
    """Says nothing about single pages: what became of each is in the frontier."""

    def crawled(self, *args: Any) -> None:  # type: ignore[override]
        """Say nothing."""

    def scraped(self, *args: Any) -> None:  # type: ignore[override]
        """Say nothing."""


def main() -> None:
    """Run the crawl that stdin describes on its first line."""
    ignore_interrupts()
    line = sys.stdin.readline()
    if not line:  # the parent was interrupted before it could say what to crawl
        return
    job = Job.from_json(line)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run(job)
    except (OSError, sqlite3.OperationalError) as error:
        _say(error={"kind": "unfinished", "message": str(error)})
    except Exception as error:
        logging.getLogger(__name__).exception("crawl failed")
        _say(error={"kind": "work", "message": f"{type(error).__name__}: {error}"})


def _end_with_parent() -> None:
    # The file descriptor, because a thread that waits in sys.stdin holds its lock at the end of the interpreter.
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os._exit(1)


def run(job: Job) -> None:
    """Crawl until the frontier is exhausted.

    Raises:
        OSError, sqlite3.OperationalError: The disk is full or taken away; the crawl can be resumed.
    """
    frontier = Frontier(job.frontier, max_pages=job.source.max_pages)
    writer = open_archive(job, frontier)
    _say(progress=_progress(frontier))
    settings = Settings()
    settings.setmodule("corpusmill.crawlers.settings")
    process = AsyncCrawlerProcess(settings)
    for name in ("scrapy", "asyncio", "protego"):
        logging.getLogger(name).setLevel(logging.WARNING)
    crawler = process.create_crawler(SiteSpider)
    process.crawl(crawler, job=job, frontier=frontier, writer=writer, tell=Teller(frontier))
    process.start(install_signal_handlers=False)
    spider = cast("SiteSpider | None", crawler.spider)
    if spider is None:
        raise RuntimeError("Scrapy did not start")
    if spider.failure is not None:
        raise spider.failure
    writer.close()
    _say(progress=_progress(frontier), done=True)
    frontier.close()


class Teller:
    """Tells how far the crawl is, at most every `_EVERY_S` seconds."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._told = 0.0

    def __call__(self) -> None:
        """Tell it now, unless it was told a moment ago."""
        if time.monotonic() - self._told > _EVERY_S:
            self._told = time.monotonic()
            _say(progress=_progress(self._frontier))


def open_archive(job: Job, frontier: Frontier) -> WarcWriter:
    """Open the archive where the frontier says that it counts up to, and cut off what a kill left behind that.

    Pages that the frontier counts but the files have lost (after a power cut) are queued again.
    """
    number, end = frontier.position() or (job.first, 0)
    while (size := _size(job.raw_dir / archive_name(job.source.name, number))) < end:
        frontier.requeue(file=number, after=size)
        number, end = frontier.position() or (job.first, 0)
    for path in job.raw_dir.glob(f"{job.source.name}-*.warc.gz"):
        if path.name > archive_name(job.source.name, number):
            path.unlink()
    about = {
        "software": job.tool,
        "format": "WARC File Format 1.1",
        "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        "robots": "RFC 9309",
        "http-header-user-agent": job.user_agent,
        "operator": job.source.contact,
    }
    limit = job.limits.archive_bytes
    return WarcWriter(job.raw_dir, job.source.name, number=number, end=end, max_bytes=limit, description=about)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _progress(frontier: Frontier) -> dict[str, Any]:
    return {"pages": frontier.pages, "queued": frontier.queued, "refused": dict(frontier.refused)}


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
