"""Publish a finished crawl: its ledger, its archives, and the manifest, which is written last."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from corpusmill.crawlers.crawl_files import (
    archives,
    file_names,
    is_published_in_place,
    number_of,
    raw_file,
    sweep,
    table_name,
)
from corpusmill.crawlers.frontier.refusal import UNREACHABLE
from corpusmill.crawlers.frontier.statistics import crawl_statistics
from corpusmill.crawlers.frontier.store import Frontier
from corpusmill.crawlers.job import Job, open_frontier
from corpusmill.crawlers.recrawl.captures import microseconds
from corpusmill.crawlers.recrawl.known import KnownPages
from corpusmill.crawlers.recrawl.results import pages_after, recrawl_counts
from corpusmill.crawlers.rendering.unanswered import Unanswered
from corpusmill.schemas.crawl_source import CrawlSource
from corpusmill.schemas.crawled_pages import write_tables
from corpusmill.schemas.document import RAW_LEDGER
from corpusmill.schemas.errors import SourceError, UnfinishedError
from corpusmill.schemas.raw import RawFile, RawManifest, read_raw_manifest
from corpusmill.schemas.storage import LocalStore, Store, appearing

MANIFEST: Final = "manifest.json"
_LEDGER_ROWS: Final = 16_384
_HOSTS_NAMED: Final = 10


def finish(source: CrawlSource, job: Job, store: Store, *, is_partition: bool = False) -> RawManifest:
    """Publish the crawl *job* of *source*, whose queue is empty, and remove the files that it no longer needs.

    The manifest is written last, before files are removed.

    Args:
        is_partition: Whether the crawl may go on with links that others find: it may have no page, and all files stay.
    """
    known, unanswered = KnownPages(), Unanswered()
    frontier = open_frontier(job.source, job.frontier, companions=(known, unanswered))
    try:
        _check_pages(job, frontier, may_be_empty=is_partition)
        manifest = _manifest(source, job, frontier, known, read_raw_manifest(store, source=job.source.name))
        manifest = manifest.model_copy(update={"counts": {**manifest.counts, **unanswered.counts()}})
        if not is_published_in_place(job.raw_dir, store):
            _send(job, store, manifest)
            marks = store.marks()
            files = tuple(file.model_copy(update={"mark": marks.get(file.path)}) for file in manifest.files)
            manifest = manifest.model_copy(update={"files": files})
        write_manifest(store, manifest)
        frontier.remember(finished=1)
    finally:
        frontier.close()
    sweep(job.raw_dir, manifest, first=job.first, name=job.source.name)
    if not is_published_in_place(job.raw_dir, store) and not is_partition:
        _sweep_elsewhere(job, store, manifest)
    return manifest


def _manifest(
    source: CrawlSource, job: Job, frontier: Frontier, known: KnownPages, published: RawManifest | None
) -> RawManifest:
    """Write the tables of a finished crawl, and return its manifest, which lists the earlier archives in use too."""
    responses = known.responses()
    pages = job.raw_dir / table_name("pages", job.first)
    gone = job.raw_dir / table_name("gone", job.first)
    fates, archived = Counter[str](), set[str]()
    after = pages_after(
        known.results(), at=microseconds(job.started_at), bounds=source.recrawl, counts=fates, archives=archived
    )
    has_gone = write_tables(after, known=pages, gone=gone) > 0
    earlier = () if published is None else published.files
    kept = [file for file in earlier if _is_earlier(file, job) and file.path in archived]
    new = [raw_file(path).model_copy(update={"responses": responses.get(path.name, 0)}) for path in archives(job)]
    counts = frontier.counts()
    counts["responses"] -= known.revisits()
    return RawManifest(
        **about(source, job),
        finished=True,
        files=(*kept, *new),
        counts=counts | (recrawl_counts(fates) if job.generation else {}),
        ledger=(_write_ledger(job, frontier).name,),
        generation=job.generation,
        pages=(pages.name,),
        gone=(raw_file(gone),) if has_gone else (),
        statistics=crawl_statistics(job.frontier, frontier, unchanged=fates["revisits"]),
    )


def _is_earlier(file: RawFile, job: Job) -> bool:
    number = number_of(file.path, job.source.name)
    return number is not None and number < job.first


def _send(job: Job, store: Store, manifest: RawManifest) -> None:
    """Copy the files of a finished crawl to *store*, except those that an earlier call copied."""
    sizes = {entry.key: entry.size for entry in store.files()}
    for name in file_names(manifest):
        path = job.raw_dir / name
        # Archives of earlier crawls are not here. Only archives never change.
        if path.exists() and (not name.endswith(".gz") or sizes.get(name) != path.stat().st_size):
            store.put(path, name)


def _sweep_elsewhere(job: Job, store: Store, manifest: RawManifest) -> None:
    """Remove the files of earlier crawls from *store*, and the copied files from *raw_dir*."""
    kept = {*file_names(manifest), MANIFEST}
    store.remove(*(entry.key for entry in store.files() if entry.key not in kept))
    LocalStore(job.raw_dir).remove(*(name for name in file_names(manifest) if (job.raw_dir / name).exists()))


def _check_pages(job: Job, frontier: Frontier, *, may_be_empty: bool) -> None:
    """Raise if the crawl fetched no page and may not be empty, or if a host stopped answering."""
    start = next(iter(job.source.start_urls), "the site")
    if stalled := frontier.stalled_hosts(_HOSTS_NAMED + 1):
        hint = "run the same command to resume when the host is available again"
        hosts = ", ".join(stalled[:_HOSTS_NAMED]) + " and others" * (len(stalled) > _HOSTS_NAMED)
        raise UnfinishedError(f"{hosts} stopped answering; {frontier.queued} pages are queued", hint=hint)
    if frontier.pages or may_be_empty:
        return
    seen = {rule: message for _, _, _, rule, message, _ in frontier.ledger()}
    if job.generation and "robots.disallowed" in seen:  # what the owner says of all pages, which are gone
        return
    why = "; ".join(f"{rule} ({message})" if message else rule for rule, message in sorted(seen.items())) or "no page"
    frontier.remember(finished=1)
    if any(rule in UNREACHABLE or rule.startswith("http.5") or rule == "http.429" for rule in seen):
        hint = f"check that {start} can be reached from this machine, then run the same command again"
        raise UnfinishedError(f"crawl of {job.source.name}: nothing could be fetched: {why}", hint=hint)
    is_private = "address.private" in seen and not job.source.allow_private
    hint = "set `allow_private: true` if this address is intended" if is_private else _hint(seen)
    raise SourceError(f"crawl of {job.source.name}: nothing could be fetched: {why}", hint=hint)


def _hint(seen: dict[str, str | None]) -> str:
    if "robots.disallowed" in seen:
        return "the site does not permit it; ask its owner, or choose other start_urls"
    if "robots.crawl_delay" in seen:
        return "ask the owner of the site for a shorter Crawl-delay, or choose other start_urls"
    if "scope.offsite" in seen:
        return "the start page redirects to another host; use that host in start_urls"
    if any(rule.startswith(("sitemap.", "feed.", "urls.")) for rule in seen):
        return "correct the addresses in `sitemaps` and `feeds`, or the lines of `urls`"
    return "correct start_urls"


def _write_ledger(job: Job, frontier: Frontier) -> Path:
    path = job.raw_dir / table_name("ledger", job.first)
    rows = (
        {
            **{"url": url, "source": job.source.name, "stage": "crawl", "rule": rule, "message": message},
            **{"referrer": referrer, "depth": depth, "at": at},
        }
        for url, referrer, depth, rule, message, at in frontier.ledger()
    )
    with appearing(path) as draft, pq.ParquetWriter(draft, RAW_LEDGER, compression="zstd") as writer:
        while part := list(islice(rows, _LEDGER_ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema=RAW_LEDGER))
    return path


def about(source: CrawlSource, job: Job) -> dict[str, Any]:
    """Return the fields of the raw manifest that describe the crawl *job* of *source* itself."""
    return {
        "source": job.source.name,
        "kind": "crawl",
        "format": "warc",
        "created_at": job.started_at,
        "definition": source.model_dump(mode="json"),
    }


def write_manifest(store: Store, manifest: RawManifest) -> None:
    """Replace the manifest in *store*."""
    store.write(MANIFEST, manifest.model_dump_json(indent=2) + "\n")
