"""The process that runs Scrapy for one crawl. It reads a job from stdin and writes progress to stdout, as JSON lines.

It ends at once when stdin closes, because the parent process has ended. A killed crawl can be resumed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final, cast

from scrapy import signals
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.logformatter import LogFormatter
from scrapy.settings import Settings

from corpusmill.crawlers.frontier.sessions import record_start
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.job import Job, open_frontier
from corpusmill.crawlers.recrawl.known import KnownPages
from corpusmill.crawlers.rendering.unanswered import Unanswered
from corpusmill.crawlers.spiders.site import SiteSpider
from corpusmill.crawlers.warc import WarcWriter, archive_name
from corpusmill.schemas.interrupts import ignore_interrupts

_EVERY_S: Final = 0.25
_WAITING_S: Final = 1.0


class QuietFormatter(LogFormatter):
    """Logs nothing about single pages, because the frontier records them."""

    def crawled(self, *args: Any) -> None:  # type: ignore[override]
        """Log nothing."""

    def scraped(self, *args: Any) -> None:  # type: ignore[override]
        """Log nothing."""


def main() -> None:
    """Run the job on the first line of stdin."""
    ignore_interrupts()
    line = sys.stdin.readline()
    if not line:  # the parent was interrupted before it wrote the job
        return
    job = Job.from_json(line)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run(job)
    except (OSError, sqlite3.OperationalError) as error:
        _write(error={"kind": "unfinished", "message": str(error)})
    except Exception as error:
        logging.getLogger(__name__).exception("crawl failed")
        _write(error={"kind": "work", "message": f"{type(error).__name__}: {error}"})


def _end_with_parent() -> None:
    # Use the file descriptor: a thread that waits in sys.stdin holds its lock when the interpreter ends.
    while os.read(sys.stdin.fileno(), 4096):
        continue
    os._exit(1)


def run(job: Job) -> None:
    """Crawl until the frontier is exhausted.

    Raises:
        OSError, sqlite3.OperationalError: The disk is full or not available; the crawl can be resumed.
    """
    known = KnownPages()
    frontier = open_frontier(job.source, job.frontier, companions=(known, Unanswered()))
    writer = open_archive(job, frontier)
    record_start(frontier)
    reporter = ProgressReporter(frontier)
    reporter.write()
    settings = Settings()
    settings.setmodule("corpusmill.crawlers.settings")
    process = AsyncCrawlerProcess(settings)
    for name in ("scrapy", "asyncio", "protego"):
        logging.getLogger(name).setLevel(logging.WARNING)
    crawler = process.create_crawler(SiteSpider)
    crawler.signals.connect(reporter.start, signals.engine_started)
    process.crawl(crawler, job=job, frontier=frontier, known=known, writer=writer, report=reporter)
    process.start(install_signal_handlers=False)
    spider = cast("SiteSpider | None", crawler.spider)
    if spider is None:
        raise RuntimeError("Scrapy did not start")
    if spider.failure is not None:
        raise spider.failure
    writer.close()
    reporter.write(finished=True)
    frontier.close()


class ProgressReporter:
    """Writes the progress of the crawl: at most every `_EVERY_S` seconds, and every second when hosts do not answer."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._reported_at = 0.0

    def start(self) -> None:
        """Also write the progress while no URL is settled, so that a reader sees that the crawl waits."""
        self()
        asyncio.get_running_loop().call_later(_WAITING_S, self.start)

    def __call__(self) -> None:
        """Write the progress unless it was written less than `_EVERY_S` seconds ago."""
        if time.monotonic() - self._reported_at > _EVERY_S:
            self._reported_at = time.monotonic()
            self.write()

    def write(self, **fields: Any) -> None:
        """Write the progress, and *fields*."""
        frontier = self._frontier
        progress = {"pages": frontier.pages, "queued": frontier.queued, "refused": dict(frontier.refused)}
        progress |= {"bytes": frontier.size, "waiting_hosts": frontier.ready_hosts}
        _write(progress=progress, **fields)


def open_archive(job: Job, frontier: Frontier) -> WarcWriter:
    """Open the archive at the end of its valid part, according to the frontier, and remove later data.

    An extended crawl starts a new file, `next_file`.
    Pages that the frontier has settled but the files have lost, as after a power cut, are queued again.
    """
    number, end = frontier.position() or (job.first, 0)
    while (size := _size(job.raw_dir / archive_name(job.source.name, number))) < end:
        frontier.requeue(file=number, after=size)
        number, end = frontier.position() or (job.first, 0)
    next_file = frontier.get("next_file") or 0
    if number < next_file:
        number, end = next_file, 0
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


def _write(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
