"""Crawl a source into its raw folder: archives, a ledger of refused pages, and a manifest, which is written last.

The files of a crawl are numbered after those of the previous crawl. They replace these when the manifest is replaced,
so a reader never sees half a crawl.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Final

from corpusmill.crawlers.crawl_files import frontier_path
from corpusmill.crawlers.frontier.ledger import archived_pages as pages_of_queue
from corpusmill.crawlers.job import Limits
from corpusmill.crawlers.launch import Progress, run_process
from corpusmill.crawlers.partitions.sets import remove_sets
from corpusmill.crawlers.preparation import prepare, published_already
from corpusmill.crawlers.publication import finish
from corpusmill.crawlers.rendering.browser import check_browser
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.raw import RawManifest
from corpusmill.schemas.storage import LocalStore, Store, file_lock

_LOCK_PATIENCE_S: Final = 5.0
"""Time to wait for the lock: a crawl whose parent was killed needs a moment to end."""


def crawl(
    source: CrawlSource,
    raw_dir: Path,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    extend: bool = False,
    base: Path = Path(),
    recrawl: bool = False,
    now: datetime | None = None,
) -> RawManifest:
    """Crawl *source* into *raw_dir* (``raw/<source>/`` of a workspace), or resume an unfinished crawl.

    After a finished crawl, a new one starts. A killed crawl resumes without losing or repeating a page. If only
    `max_pages` changed, and is not below the number of pages, it resumes with the new budget.

    Args:
        source: The source.
        raw_dir: Folder for the archives and the ledger. The queue is in ``frontier/`` of the workspace.
        store: Where they are published; by default *raw_dir*. With another store, *raw_dir* is empty after the crawl.
        progress: Called a few times per second.
        limits: Limits on responses and retries.
        recrawl: Whether to start a new crawl from the pages of the finished one, asking only for those that are due and
            changed. Without a finished crawl of the same definition, it starts from the start pages all the same.
        now: The time at which a new crawl starts; by default that of the clock.
        extend: Whether a finished crawl also goes on in this way, with the URLs that its budget left in the queue.
        base: Folder from which the paths of lists of URLs start: that of the recipe.

    Raises:
        SourceError: No page could be fetched, and a retry would not help; or a list of URLs cannot be read.
        DamagedFileError: The existing manifest cannot be read.
        UsageError: The pages must be rendered, and there is no browser.
        UnfinishedError: The site or the disk is not available, or another process crawls the source. The same call
            resumes the crawl.
    """
    if source.render:
        check_browser()
    raw_dir = raw_dir.absolute()
    path = frontier_path(source.name, raw_dir)
    try:
        raw_dir.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        subject = f"the crawl of the source `{source.name}`"
        with file_lock(path.with_suffix(".lock"), subject=subject, wait_s=_LOCK_PATIENCE_S) as lock:
            published = LocalStore(raw_dir) if store is None else store
            finished = published_already(source, raw_dir, path, published, extend=extend, recrawl=recrawl)
            if finished is not None:
                return finished
            job = prepare(source, raw_dir, path, limits, published, extend=extend, base=base, recrawl=recrawl, now=now)
            run_process(job, progress, keep_open=lock.fileno())
            manifest = finish(source, job, published)
            remove_sets(published, LocalStore(raw_dir))
            return manifest
    except (OSError, sqlite3.OperationalError) as error:
        hint = "free some space or correct the permissions, then run the same command again to resume"
        raise UnfinishedError(f"crawl of {source.name}: {error}", hint=hint) from error


def archived_pages(name: str, raw_dir: Path) -> int:
    """Return the number of pages that the latest crawl of the source *name* archived, finished or not."""
    return pages_of_queue(frontier_path(name, raw_dir))
