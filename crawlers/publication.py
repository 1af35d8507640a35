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
from corpusmill.crawlers.empty_crawl import empty_crawl
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
from corpusmill.schemas.errors import UnfinishedError
from corpusmill.schemas.raw import RawFile, RawManifest, read_raw_manifest
from corpusmill.schemas.storage import LocalStore, Store, appearing
from corpusmill.schemas.urls import canonical_key

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
        _check_pages(source, job, frontier, may_be_empty=is_partition)
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
    if not is_partition:
        sweep_elsewhere(job.raw_dir, store, manifest)
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
        ledger=(_write_ledger(job, frontier, known if fates["lost"] else None).name,),
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


def sweep_elsewhere(raw_dir: Path, store: Store, manifest: RawManifest) -> None:
    """Remove the files of earlier crawls from *store*, and from *raw_dir* those that were copied to it."""
    if is_published_in_place(raw_dir, store):
        return
    kept = {*file_names(manifest), MANIFEST}
    store.remove(*(entry.key for entry in store.files() if entry.key not in kept))
    store.remove_drafts()
    LocalStore(raw_dir).remove(*(name for name in file_names(manifest) if (raw_dir / name).exists()))


def _check_pages(source: CrawlSource, job: Job, frontier: Frontier, *, may_be_empty: bool) -> None:
    """Raise if the crawl fetched no page and may not be empty, or if a host stopped answering."""
    if stalled := frontier.stalled_hosts(_HOSTS_NAMED + 1):
        hint = "run the same command to resume when the host is available again"
        hosts = ", ".join(stalled[:_HOSTS_NAMED]) + " and others" * (len(stalled) > _HOSTS_NAMED)
        raise UnfinishedError(f"{hosts} stopped answering; {frontier.queued} pages are queued", hint=hint)
    if frontier.pages or may_be_empty:
        return
    if job.generation and any(rule == "robots.disallowed" for _, _, _, rule, _, _ in frontier.ledger()):
        return  # what the owner says of all pages, which are gone
    frontier.remember(finished=1)
    raise empty_crawl(source, frontier.ledger())


def _write_ledger(job: Job, frontier: Frontier, known: KnownPages | None) -> Path:
    """Write the ledger.

    Args:
        known: The known pages if some of them are lost: their rows say so.
    """
    path = job.raw_dir / table_name("ledger", job.first)
    rows = (
        {
            **{"url": url, "source": job.source.name, "stage": "crawl", "rule": rule},
            "message": _message(url, rule, message, known),
            **{"referrer": referrer, "depth": depth, "at": at},
        }
        for url, referrer, depth, rule, message, at in frontier.ledger()
    )
    with appearing(path) as draft, pq.ParquetWriter(draft, RAW_LEDGER, compression="zstd") as writer:
        while part := list(islice(rows, _LEDGER_ROWS)):
            writer.write_table(pa.Table.from_pylist(part, schema=RAW_LEDGER))
    return path


def _message(url: str, rule: str, message: str | None, known: KnownPages | None) -> str | None:
    if known is None or not known.has_lost(canonical_key(url), rule=rule):
        return message
    lost = "the archive that had the page is lost or damaged, so no version has it until it is fetched again"
    return lost if message is None else f"{message}; {lost}"


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
